package functions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/events"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/rescue"
	"visionkeeper/internal/state"
)

const rescued = `{"projects":[{"project":"*","rescue":true}]}`

// saving gives the sweep of an app a rescuer, whose requests go over its line.
func (w *app) saving() *dataset.Store {
	o := azcore.ClientOptions{Transport: w.line}
	o.Retry.RetryDelay = time.Millisecond
	sets := dataset.Open(w.Archives.Blobs(&o), w.Names.Archive, "test")
	w.sweeping.Rescuer = rescue.New(rescue.Options{
		Service: w.options.Service, Archive: w.options.Archive, Sets: sets, State: w.options.State, Now: w.Service.Now, Events: w.options.Events,
		CheckLink: func(link string) error {
			return archive.CheckDownloadURL(link, w.options.Downloads.Suffix, w.options.Downloads.Loopback)
		},
	})
	return sets
}

func TestSweepsSaveTheDataSetAfterTheBackups(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: rescued, container: true})
	sets := w.saving()
	w.AddPictures(w.project, 0, 4, w.Tag(w.project, "bolt"))
	iteration := w.train()
	w.export(iteration)

	var proof, picture int
	for n, r := range w.line.During(func() { require.NoError(t, w.sweep(t.Context())) }) {
		switch {
		case strings.Contains(r.URL.Path, "/"+iteration+"/") && strings.HasSuffix(r.URL.Path, ".json") && r.Method == http.MethodPut && proof == 0:
			proof = n
		case strings.HasSuffix(r.URL.Path, "/images") && picture == 0:
			picture = n
		}
	}
	require.Positive(t, proof)
	require.Greater(t, picture, proof, "backups come first")
	first := w.Health().Rescue
	require.Len(t, first, 1)
	assert.Zero(t, first[0].Complete)
	assert.Equal(t, state.Sum(first, overview.DaysLeft(w.Service.Now())), w.Health().RescueTotal)
	assert.Positive(t, w.Health().RescueTotal.RetirementDays)
	list, err := sets.Snapshots(t.Context(), w.project)
	require.NoError(t, err)
	require.Len(t, list, 2)
	assert.Equal(t, [2]dataset.Verdict{dataset.Complete, dataset.Complete}, [2]dataset.Verdict{list[0].Verdict, list[1].Verdict})
	for range 40 { // one export after the other
		w.Service.Advance(world.ExportTime)
		require.NoError(t, w.sweep(t.Context()))
		w.Service.Advance(15 * time.Minute)
	}
	c := w.Health().Rescue[0]
	assert.True(t, c.Whole(), "%+v", c)
	assert.Equal(t, [6]int{1, 1, 2, 2, 4, 4}, [6]int{c.Trained, c.Safe, c.Wanted, c.Complete, c.Images, c.Saved})
	assert.Greater(t, w.Service.Counts()["ExportIteration"], 10, "every export is asked for")
}

func TestACompleteDataSetIsToldToAQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: rescued, told: true})
	w.saving()
	w.AddPictures(w.project, 0, 4, w.Tag(w.project, "bolt"))
	require.NoError(t, w.sweep(t.Context()))
	require.NoError(t, w.sweep(t.Context())) // which tells what the first one saved at its end
	told := w.Told(w.events)
	require.Equal(t, []string{events.DatasetComplete}, kinds(told))
	assert.Equal(t, json.Number("4"), told[0].Data["images"])
	assert.Equal(t, w.project, told[0].Data["project"].(map[string]any)["id"])
	require.NoError(t, w.sweep(t.Context()))
	assert.Empty(t, w.Told(w.events), "nothing is told twice")
}

func TestASweepWithoutARuleForItSavesNoDataSet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: `{"projects":[{"project":"*"}]}`})
	sets := w.saving()
	w.AddPictures(w.project, 0, 4, w.Tag(w.project, "bolt"))
	before := w.Service.Counts()["GetImages"]
	require.NoError(t, w.sweep(t.Context()))
	list, err := sets.Snapshots(t.Context(), w.project)
	require.NoError(t, err)
	assert.Empty(t, list)
	assert.Equal(t, before, w.Service.Counts()["GetImages"])
}

func TestAnIterationIsDeletedOnceItsDataSetIsSaved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: `{"projects":[{"project":"*","rescue":true,"keep":1}]}`, container: true})
	w.line.Send = w.Timed
	w.Call(http.MethodPatch, w.project, "", map[string]any{"settings": map[string]any{"targetExportPlatforms": []string{"VAIDK"}}}) // else it is refused
	w.AddPictures(w.project, 0, 2, w.Tag(w.project, "bolt"))
	old := w.train()
	w.train()
	sweeps := func() {
		for range 25 {
			assert.NoError(t, w.sweep(t.Context()))
			w.Service.Advance(20 * time.Minute)
		}
	}
	sweeps()
	assert.Zero(t, w.Service.Counts()["DeleteIteration"])
	remembered := w.Remembered(w.project)
	full := remembered.Condition(state.Scope{Fact: state.FactRoom})
	require.NotNil(t, full)
	assert.Contains(t, full.Why, "its data set isn't saved completely")

	sets := w.saving()
	w.line.Use(func(req *http.Request, send world.Send) (*http.Response, error) {
		if id := world.Deletes(req); id != "" {
			list, err := sets.Snapshots(t.Context(), w.project)
			assert.NoError(t, err)
			best, ok := dataset.Best(list, id)
			assert.True(t, ok && best.Verdict == dataset.Complete, "%s isn't saved", id)
			assert.Empty(t, w.Unsaved(w.project, id))
		}
		return send(req)
	})
	sweeps()
	assert.Equal(t, 1, w.Service.Counts()["DeleteIteration"])
	stones, err := w.Archive.Tombstones(t.Context(), w.project)
	require.NoError(t, err)
	require.Len(t, stones, 1)
	assert.Equal(t, old, stones[0].Iteration)
	assert.True(t, strings.HasPrefix(stones[0].Snapshot, "snapshots/"+w.project+"/"+old+"/"), stones[0].Snapshot)
	covered := w.Health().Rescue
	require.Len(t, covered, 1)
	assert.True(t, covered[0].Whole(), "what is deleted is neither missing nor lost: %+v", covered[0])
	assert.Empty(t, covered[0].Missing)
}

// TestManyProjectsAreSavedOneAfterTheOther has so many projects that an equal share of a
// sweep is less than the beginning of a snapshot takes.
func TestManyProjectsAreSavedOneAfterTheOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: rescued})
	sets := w.saving()
	for n := range 9 {
		_, err := w.Service.CreateProject(fmt.Sprint("another ", n), world.Compact, "", "")
		require.NoError(t, err)
	}
	w.line.Use(world.On(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/tags") }, func(r *http.Request, send world.Send) (*http.Response, error) {
		select {
		case <-time.After(400 * time.Millisecond):
		case <-r.Context().Done():
		}
		return send(r)
	}))
	complete := map[string]bool{}
	for n := 0; n < 12 && len(complete) <= 5; n++ { // longer ones, for a busy machine
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(4+n)*time.Second)
		_ = w.sweep(ctx)
		cancel()
		list, err := sets.Snapshots(t.Context(), "")
		require.NoError(t, err)
		for _, s := range list {
			complete[s.Project] = complete[s.Project] || s.Verdict == dataset.Complete
		}
		maps.DeleteFunc(complete, func(_ string, whole bool) bool { return !whole })
	}
	assert.Greater(t, len(complete), 5)
}
