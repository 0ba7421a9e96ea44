package archive_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
)

// A backup may cost eight storage requests in all. The archive's share is six:
// one listing, up to two to identify, one to copy, two to verify.
func TestWhatABackupCosts(t *testing.T) {
	t.Parallel()
	for name, place := range map[string]string{"manifest first": "first", "manifest last": "last"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, archive.Options{})
			w := world.NewInterceptor(t)
			a := h.over(w)
			s := h.model(t, "ONNX", pack(export{platform: "ONNX", size: 1 << 20, place: place}))
			reads, server := world.NewInterceptor(t), "http://"+world.Host(t, s.URL)
			link := strings.Replace(s.URL, server, reads.Before(server), 1)

			_, err := a.Backups(t.Context(), project, iteration)
			require.NoError(t, err)
			id, err := a.Identify(t.Context(), archive.Source{Kind: s.Kind, Name: s.Name, URL: link})
			require.NoError(t, err)
			b, err := a.Copy(t.Context(), key(t, "ONNX", ""), s, id)
			require.NoError(t, err)
			p, err := a.Verify(t.Context(), b, archive.Facts{})
			require.NoError(t, err)
			require.Equal(t, archive.Proven, p.Verdict)

			assert.Len(t, reads.Sent(), 2, "to identify")
			assert.Equal(t, []string{"GET list container", "PUT from URL", "GET", "PUT"}, kinds(w))
		})
	}
}
