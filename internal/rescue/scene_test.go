package rescue

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/emulator"
	"visionkeeper/dev/leak"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/dataset"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(func() int { return azuritetest.Run(m) })) }

// scene is a project with images, and a clock that tests turn.
type scene struct {
	*world.World
	t       testing.TB
	project string
	tags    []string
	now     time.Time
	link    error    // what links are refused with
	events  []string // destinations
}

func newScene(t testing.TB, o emulator.Options) *scene {
	t.Helper()
	w := &scene{t: t, now: time.Now(), events: []string{}, World: world.New(t, world.Options{Emulator: o, Still: true})}
	var err error
	w.project, err = w.Service.CreateProject("parts", world.Compact, "", "")
	require.NoError(t, err)
	for _, name := range []string{"bolt", "nut"} {
		w.tags = append(w.tags, w.Tag(w.project, name))
	}
	return w
}

// add uploads n pictures, each another one, and returns their ids.
func (w *scene) add(first, n int, tags ...string) []string {
	return w.AddPictures(w.project, first, n, tags...)
}

// rescuer is one process, whose requests go by these options.
func (w *scene) rescuer(o azcore.ClientOptions) *Rescuer {
	blobs := w.Archives.Blobs(&o)
	r := New(Options{
		Service: w.Open(o), State: w.State,
		Archive:   archive.Open(blobs, w.Names.Archive, archive.Options{Sources: o}),
		Sets:      dataset.Open(blobs, w.Names.Archive, "test"),
		CheckLink: func(string) error { return w.link },
		Now:       func() time.Time { return w.now },
		Events:    w.events,
	})
	return r
}

func (w *scene) sets() *dataset.Store {
	return dataset.Open(w.Archives.Blobs(nil), w.Names.Archive, "test")
}

// run runs until nothing is left to do.
func (w *scene) run() Progress {
	w.t.Helper()
	p, err := w.rescuer(azcore.ClientOptions{}).Run(context.Background(), w.project, Wish{Force: true})
	require.NoError(w.t, err)
	require.Nil(w.t, p.Taking)
	return p
}

// lines are those of the newest snapshot.
func (w *scene) lines(p Progress, of string) []dataset.Line {
	w.t.Helper()
	require.NotNil(w.t, p.Kept[of])
	body, err := w.sets().Lines(context.Background(), dataset.Name{Project: w.project, Of: of, Snapshot: p.Kept[of].Snapshot})
	require.NoError(w.t, err)
	defer body.Close()
	var list []dataset.Line
	for l, err := range dataset.Read(body) {
		require.NoError(w.t, err)
		list = append(list, l)
	}
	return list
}
