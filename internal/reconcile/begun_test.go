package reconcile

import (
	"context"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/dev/zips"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// reading reports whether a request reads what a path names.
func reading(named string) func(*http.Request) bool {
	return func(req *http.Request) bool {
		return strings.Contains(req.URL.Path, named) && req.Method == http.MethodGet
	}
}

// dying is a Fault by which the process dies at the first of some requests: of what it sends
// then, nobody hears.
func dying(t *testing.T, at func(*http.Request) bool) world.Fault {
	var dead atomic.Bool
	return func(req *http.Request, send world.Send) (*http.Response, error) {
		if dead.Load() || at(req) {
			if !dead.Swap(true) {
				t.Logf("dies at %s", world.Request{Request: req})
			}
			return nil, world.Killed{}
		}
		return send(req)
	}
}

// firsts are what was read of packages, in the order of the first request about each:
// platforms.
func firsts(requests []world.Request) []string {
	var list []string
	for _, r := range requests {
		_, platform, is := strings.Cut(strings.TrimSuffix(r.URL.Path, "/"), ".")
		if is = is && strings.Contains(r.URL.Path, " - "); strings.HasPrefix(r.URL.Path, "/archiveaccount/") && strings.HasSuffix(r.URL.Path, ".zip") {
			platform, is = path.Base(path.Dir(r.URL.Path)), true // what is copied already is read back alone
		}
		if is && r.Method == http.MethodGet && !slices.Contains(list, platform) {
			list = append(list, platform)
		}
	}
	return list
}

func threeExports(w *app) Key {
	key := w.trained()
	for _, name := range []string{"CoreML", "ONNX", "TensorFlow"} {
		w.export(key, name)
	}
	return key
}

// killers are worlds with three packages of one iteration to be archived.
var killers = map[string]func(w *app) Key{
	"exports": threeExports,
	"blobs of an iteration that is gone": func(w *app) Key {
		key := threeExports(w)
		require.NoError(w.t, w.Client.DeleteIteration(w.t.Context(), key.Project, key.Iteration))
		return key
	},
}

func TestWhatAProcessDiedOfIsTakenLast(t *testing.T) {
	t.Parallel()
	for name, make := range killers {
		for _, phase := range []string{"identified", "read back"} {
			t.Run(name+", "+phase, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, "")
				key := make(w)
				killer := customvision.BlobName(key.Project, key.Iteration, "CoreML")
				if phase == "read back" {
					killer = "/CoreML/"
				}
				sweep := func(f world.Fault) []world.Request {
					w.line.Use(f)
					defer w.line.Use(nil)
					return w.line.During(func() { New(w.options).Sweep(context.WithoutCancel(t.Context()), Before{Unended: true}) })
				}
				scope := func() *state.Condition {
					p := w.Remembered(key.Project)
					require.Len(t, p.Conditions, 1)
					return p.Conditions[0]
				}
				sweep(dying(t, reading(killer)))
				require.Equal(t, state.Unfinished, scope().Code)
				first := scope().Scope

				order := firsts(sweep(dying(t, reading(killer))))
				require.Equal(t, []string{"ONNX", "TensorFlow", "CoreML"}, order, "the next run takes the others first")
				archived := w.backups(key)
				assert.Equal(t, archive.Proven, archived["ONNX"])
				assert.Equal(t, archive.Proven, archived["TensorFlow"])
				c := scope()
				assert.Equal(t, first, c.Scope)
				assert.Equal(t, 2, c.Attempts)

				assert.NotContains(t, firsts(sweep(dying(t, reading(killer)))), "CoreML", "it waits")
				swept, err := New(w.options).Sweep(t.Context(), Before{})
				require.NoError(t, err)
				require.Len(t, swept.Conditions, 1, "and is counted")
				for range 5 {
					w.Service.SetTime(scope().Next.Add(time.Second))
					sweep(dying(t, reading(killer)))
				}
				c = scope()
				assert.Equal(t, 7, c.Attempts)
				assert.GreaterOrEqual(t, c.Next.Sub(w.Service.Now()), 6*24*time.Hour, "ever more seldom")

				w.Service.SetTime(c.Next.Add(time.Second))
				sweep(nil)
				assert.Equal(t, archive.Proven, w.backups(key)["CoreML"], "once it kills no more, it is archived")
				assert.Empty(t, w.Remembered(key.Project).Conditions)
			})
		}
	}
}

func TestWhatAMessageAsksForAgainIsNotedFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	key := w.trained()
	w.export(key, "ONNX")
	killer := customvision.BlobName(key.Project, key.Iteration, "ONNX")
	for _, again := range []bool{false, true} {
		w.line.Use(dying(t, reading(killer)))
		_, err := New(w.options).Reconcile(context.WithoutCancel(t.Context()), Request{Key: key, Again: again})
		require.Error(t, err)
		w.line.Use(nil)
		assert.Equal(t, again, len(w.Remembered(key.Project).Conditions) == 1)
	}
}

// TestAPackageThatStallsLeavesTimeForTheOthers has the bytes of one never come.
func TestAPackageThatStallsLeavesTimeForTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	key := threeExports(w)
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	stalls := func(req *http.Request) bool { return world.Copies(req) && strings.Contains(req.URL.Path, "/CoreML/") }
	w.line.While(world.On(stalls, func(req *http.Request, _ world.Send) (*http.Response, error) {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}), func() {
		report, err := New(w.options).Reconcile(ctx, Request{Key: key})
		require.NoError(t, err)
		require.ErrorContains(t, report.Err(""), "more than half of the time")
	})
	assert.Equal(t, archive.Proven, w.backups(key)["ONNX"])
	assert.Equal(t, archive.Proven, w.backups(key)["TensorFlow"])
	assert.Equal(t, state.Unavailable, w.condition(key, "CoreML").Code)
}

// TestABombIsAConditionOfItsOwn has one that a platform left which nobody exports.
func TestABombIsAConditionOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	key := threeExports(w)
	bomb := zips.Made([]zips.Part{zips.Bomb("model.tflite", 4000<<20)}, nil)
	_, err := w.Containers.Models.NewBlockBlobClient(customvision.BlobName(key.Project, key.Iteration, "DockerFile")).UploadBuffer(t.Context(), bomb, nil)
	require.NoError(t, err)
	swept, err := New(w.options).Sweep(t.Context(), Before{})
	require.NoError(t, err)
	archived := w.backups(key)
	assert.Equal(t, archive.Damaged, archived["DockerFile"])
	delete(archived, "DockerFile")
	assert.Equal(t, map[string]archive.Verdict{"CoreML": archive.Proven, "ONNX": archive.Proven, "TensorFlow": archive.Proven}, archived)
	require.Len(t, swept.Conditions, 1)
	assert.Equal(t, state.Damaged, swept.Conditions[0].Code)
	assert.Equal(t, 1, swept.Blocked, "it is counted")
	for _, b := range w.kept(key) {
		assert.True(t, b.Platform != "DockerFile" || b.Size == int64(len(bomb)), "it is kept")
	}
}

func TestWhatTakesLongerThanItsShareIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	key := threeExports(w)
	ready := w.options.Archive
	over := azcore.ClientOptions{Transport: w.line}
	w.options.Archive = archive.Open(w.Archives.Blobs(&over), w.Names.Archive, archive.Options{Sources: over, Share: 1})
	swept, err := New(w.options).Sweep(t.Context(), Before{})
	require.NoError(t, err)
	assert.Len(t, w.kept(key), 3, "they are kept")
	assert.Equal(t, 3, swept.Unproven, "and counted")
	require.Len(t, swept.Conditions, 3)
	for _, c := range swept.Conditions {
		assert.Equal(t, state.TooCostly, c.Code, c.Why)
		assert.True(t, c.Next.After(w.Service.Now()))
	}
	w.options.Archive = ready
	w.Service.Advance(time.Hour)
	swept, err = New(w.options).Sweep(t.Context(), Before{})
	require.NoError(t, err)
	assert.Empty(t, swept.Conditions)
	assert.Equal(t, map[string]archive.Verdict{"CoreML": archive.Proven, "ONNX": archive.Proven, "TensorFlow": archive.Proven}, w.backups(key))
}
