package world

import (
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// Create creates a project, as a person would: without a domain on Compact, and
// without a name under one that no other has.
func (w *World) Create(o customvision.CreateProjectOptions) customvision.Project {
	w.t.Helper()
	if o.Name == "" {
		o.Name = azuritetest.Name("project")
	}
	if o.DomainID == "" {
		o.DomainID = Compact
	}
	p, err := w.Client.CreateProject(w.t.Context(), o)
	require.NoError(w.t, err)
	require.Equal(w.t, o.NotificationQueueURI, p.Settings.NotificationQueueURI, "the service keeps the queue")
	return p
}

// Train trains a project to an end, changed or not. On a clock that stands still
// that takes TrainTime.
func (w *World) Train(project string) customvision.Iteration {
	w.t.Helper()
	it, err := w.Client.Train(w.t.Context(), project, customvision.TrainOptions{Force: true})
	require.NoError(w.t, err)
	if w.still {
		w.Service.Advance(TrainTime)
		return it
	}
	w.Eventually("the training ends", func() bool {
		it, err = w.Client.Iteration(w.t.Context(), project, it.ID)
		require.NoError(w.t, err)
		return it.Status != customvision.StatusTraining
	})
	return it
}

// Export exports an iteration to an end. On a clock that stands still that takes
// ExportTime.
func (w *World) Export(project, iteration, platform, flavor string) {
	w.t.Helper()
	_, err := w.Client.Export(w.t.Context(), project, iteration, platform, flavor)
	require.NoError(w.t, err)
	if w.still {
		w.Service.Advance(ExportTime)
		return
	}
	w.Exported(project, iteration)
}

// Exported waits until none of an iteration's exports is under way.
func (w *World) Exported(project, iteration string) {
	w.t.Helper()
	w.Eventually("the exports end", func() bool {
		list, err := w.Client.Exports(w.t.Context(), project, iteration)
		require.NoError(w.t, err)
		return len(list) > 0 && !slices.ContainsFunc(list, func(e customvision.Export) bool { return e.Status == customvision.ExportExporting })
	})
}

// Backups are what the archive holds of an iteration; "" stands for all.
func (w *World) Backups(project, iteration string) []archive.Backup {
	w.t.Helper()
	list, err := w.Archive.Backups(w.t.Context(), project, iteration)
	require.NoError(w.t, err)
	return list
}

// Verdicts are those of an iteration's backups, by name.
func (w *World) Verdicts(project, iteration string) map[string]archive.Verdict {
	w.t.Helper()
	found := map[string]archive.Verdict{}
	for _, b := range w.Backups(project, iteration) {
		found[b.Key.String()] = b.Verdict
	}
	return found
}

// Remembered is the state of a project.
func (w *World) Remembered(project string) state.Project {
	w.t.Helper()
	r, err := w.State.Load(w.t.Context(), project)
	require.NoError(w.t, err)
	return r.Project
}

// Letters are the dead letters.
func (w *World) Letters() []state.DeadLetter {
	w.t.Helper()
	list, err := w.State.DeadLetters(w.t.Context())
	require.NoError(w.t, err)
	return list
}

// Health is what the last sweep noted.
func (w *World) Health() state.Health {
	w.t.Helper()
	h, err := w.State.Health(w.t.Context())
	require.NoError(w.t, err)
	return h
}

// Patience bounds every wait; it is only ever reached by a failure.
const Patience = 5 * time.Minute

// Eventually waits for a condition.
func (w *World) Eventually(what string, condition func() bool) {
	w.t.Helper()
	Eventually(w.t, what, condition)
}

// Eventually waits for a condition.
func Eventually(t T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, Patience, 50*time.Millisecond, what)
}
