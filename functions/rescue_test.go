package functions_test

import (
	"encoding/json"
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
	"visionkeeper/internal/rescue"
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
