package reconcile

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/customvision"
)

// named is a project of a name with one export in the model container.
func (w *app) named(name string) Key {
	w.t.Helper()
	p := w.Create(customvision.CreateProjectOptions{Name: name, ExportModelContainerURI: w.Containers.Models.URL()})
	key := Key{Project: p.ID, Iteration: w.Train(p.ID).ID}
	w.export(key, "ONNX")
	return key
}

// The policy counts on every road: a project that no rule names is left alone, and one
// that a rule names is archived.
func TestThePolicyCountsWithoutTheServiceToo(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*app, Key){
		"the project lives":      func(*app, Key) {},
		"the project is deleted": func(w *app, key Key) { require.NoError(w.t, w.Client.DeleteProject(w.t.Context(), key.Project)) },
		"without an endpoint":    func(w *app, _ Key) { w.options.Service = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "")
			byID, byName, outside := w.named("any"), w.named("in"), w.named("out")
			w.options.Policy = parsed(t, `{"projects":[{"project":"`+byID.Project+`"},{"project":"in"}]}`)
			for _, key := range []Key{byName, outside} { // a message told the names
				_, err := New(w.options).Reconcile(t.Context(), Request{Key: Key{Project: key.Project, Iteration: second}})
				require.NoError(t, err)
			}
			for _, key := range []Key{byID, byName, outside} {
				leave(w, key)
			}
			swept, err := New(w.options).Sweep(t.Context(), Before{})
			require.NoError(t, err)
			assert.Equal(t, proven, w.backups(byID))
			assert.Equal(t, proven, w.backups(byName), "by its remembered name")
			assert.Empty(t, w.backups(outside))
			assert.Equal(t, 2, swept.Projects)
			assert.Equal(t, 1, swept.Outside)
			report, err := New(w.options).Reconcile(t.Context(), Request{Key: outside})
			if err == nil {
				assert.True(t, report.Outside, "its messages are left alone too")
			}
			assert.Empty(t, w.backups(outside))
		})
	}
}
