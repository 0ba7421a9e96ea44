package customvision

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A caller who may read only is told so; one who may do both is told that there is no such
// project.
func TestARefusalIsToldFromAProjectThatIsNotThere(t *testing.T) {
	t.Parallel()
	denied := func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusUnauthorized)
		w.Write([]byte(`{"error":{"code":"PermissionDenied","message":"The principal lacks the required data action"}}`))
	}
	for name, c := range map[string]struct {
		path  string // of what is denied
		calls int
		want  string
	}{
		"all is allowed":     {"none", 2, ""},
		"nothing is allowed": {"/", 1, "PermissionDenied"},
		"no export":          {"/export", 2, "PermissionDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, s := setup(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, c.path) {
					denied(w)
					return
				}
				w.WriteHeader(http.StatusNotFound)
				w.Write([]byte(`{"code":"NotFoundProject","message":"Project not found"}`))
			})
			err := client.Refusal(t.Context())
			if c.want == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, c.want)
			}
			assert.Len(t, s.requests, c.calls)
			for _, r := range s.requests {
				assert.Contains(t, r.path, "/projects/00000000-0000-0000-0000-000000000000/", "nothing that exists is asked for")
			}
		})
	}
}
