package reconcile

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
)

// lacking lets the list of iterations come without these.
func (w *app) lacking(iterations ...string) world.Fault {
	return w.lists("/iterations", func(list []map[string]any) []map[string]any {
		return slices.DeleteFunc(list, func(it map[string]any) bool {
			id, _ := it["id"].(string)
			return slices.Contains(iterations, id)
		})
	})
}

// The first list of all lacks a failure: it is from before all the same.
func TestAFailureThatTheFirstListLacksIsFromBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":[],"retrain":{"afterFailure":1}}]}`)
	w.overLine()
	project := w.Create(customvision.CreateProjectOptions{ExportModelContainerURI: w.Containers.Models.URL()}).ID
	w.Service.FailTrainings(1)
	failed := w.Train(project).ID
	w.Service.Advance(time.Hour)
	w.line.While(w.lacking(failed), func() { w.sweep() })
	w.Service.Advance(time.Hour)
	w.sweep()
	assert.Equal(t, 1, w.Service.Counts()["TrainProject"], "the person's")
}
