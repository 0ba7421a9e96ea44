package rescue

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/events"
	"visionkeeper/internal/state"
)

// story makes a project whose data set is other than what its iteration saw: six images,
// a training, another image, and one that is deleted.
func (w *scene) story() (iteration string) {
	var err error
	w.project, err = w.Service.CreateProject(fmt.Sprintf("project %d", time.Now().UnixNano()), world.Compact, "", "")
	require.NoError(w.t, err)
	w.told()
	w.tags = []string{w.Tag(w.project, "bolt")}
	ids := w.add(0, 6, w.tags[0])
	iteration = w.Train(w.project).ID
	w.add(6, 1)
	w.Call(http.MethodDelete, w.project, "images?imageIds="+ids[1], nil)
	return iteration
}

// process is a rescuer whose requests go over a line.
func (w *scene) process(line *world.Interceptor) *Rescuer {
	o := azcore.ClientOptions{Transport: line}
	o.Retry.RetryDelay = time.Millisecond
	r := w.rescuer(o)
	r.pageSize = 3
	return r
}

// isTrue requires that everything of the story is in the archive, and nothing else.
func (w *scene) isTrue(p Progress, iteration string) {
	w.t.Helper()
	want := map[string][]int{dataset.Workspace: {0, 2, 3, 4, 5, 6}, iteration: {0, 1, 2, 3, 4, 5}}
	require.ElementsMatch(w.t, slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(p.Kept)), "%+v", p)
	for of, numbers := range want {
		require.Equal(w.t, dataset.Complete, p.Kept[of].Verdict, "%s: %s", of, p.Kept[of].Why)
		var got []string
		for _, l := range w.lines(p, of) {
			if l.Kind == dataset.KindImage {
				got = append(got, l.Original.SHA256)
			}
		}
		require.Equal(w.t, hashes(numbers), got)
	}
	w.nothingLies()
	w.tells()
}

// told begins to tell a queue of the project.
func (w *scene) told() {
	w.t.Helper()
	w.events = []string{"queue"}
	record, err := w.State.Load(context.Background(), w.project)
	require.NoError(w.t, err)
	require.NoError(w.t, w.State.Update(context.Background(), record, func(p *state.Project) error {
		p.Events(w.events, record.Seen)
		return nil
	}))
}

// tells requires that others are told, once, of each complete snapshot of the workspace,
// and of nothing else.
func (w *scene) tells() []*state.Event {
	w.t.Helper()
	list, err := w.sets().Snapshots(context.Background(), w.project)
	require.NoError(w.t, err)
	var want, got []string
	for _, s := range list {
		if s.Of == dataset.Workspace && s.Verdict == dataset.Complete {
			want = append(want, events.DatasetComplete+" "+s.Blob())
		}
	}
	record, err := w.State.Load(context.Background(), w.project)
	require.NoError(w.t, err)
	for _, e := range record.Outbox.Events {
		got = append(got, e.Type+" "+e.Subject)
	}
	require.Equal(w.t, want, got)
	return record.Outbox.Events
}

func hashes(numbers []int) []string {
	var list []string
	for _, n := range numbers {
		sum := sha256.Sum256(world.Picture(n))
		list = append(list, hex.EncodeToString(sum[:]))
	}
	return list
}

// nothingLies requires that every proof in the archive holds.
func (w *scene) nothingLies() {
	w.t.Helper()
	list, err := w.sets().Snapshots(context.Background(), w.project)
	require.NoError(w.t, err)
	for _, s := range list {
		if s.Verdict != "" {
			_, err := w.sets().Reverify(context.Background(), s, &dataset.Checked{})
			require.NoError(w.t, err)
		}
	}
}

// TestARescueIsKilledAtAnyRequest ends the process after each of its writes, and before
// the first one: a read changes nothing, so to be killed at it is the same. Another process
// goes on when the first has surely ended.
func TestARescueIsKilledAtAnyRequest(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	writes := func(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }
	for k := 0; ; k++ {
		iteration, line := w.story(), world.NewInterceptor(t)
		line.Use(world.On(writes, world.Nth(max(k, 1), line.KillAfter)))
		if k == 0 {
			line.Use(world.On(writes, line.KillBefore))
		}
		_, err := w.process(line).Run(context.Background(), w.project, Wish{Force: true})
		if !line.Dead() {
			require.NoError(t, err)
			require.Greater(t, k, 20)
			return
		}
		require.Error(t, err)
		w.nothingLies()
		w.now = w.now.Add(heldFor + time.Second)
		p, err := w.process(world.NewInterceptor(t)).Run(context.Background(), w.project, Wish{Force: true})
		require.NoError(t, err, "write %d", k)
		w.isTrue(p, iteration)
	}
}

var ids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32,}|[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}`)

// operation is a request's kind.
func operation(r *http.Request) string {
	name := r.Method + " " + ids.ReplaceAllString(r.URL.Path, "*")
	for _, prefix := range []string{"archive-", "state-"} {
		if at := strings.Index(name, prefix); at >= 0 {
			name = name[:at+len(prefix)] + name[at+len(prefix)+8:]
		}
	}
	return name + " " + r.URL.Query().Get("comp")
}

// TestEveryFaultAtEveryOperationOfARescue meets each kind of request once with each fault.
// What a slice can't do a later one does, and no proof ever lies.
func TestEveryFaultAtEveryOperationOfARescue(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	for fault, spoil := range map[string]world.Fault{
		"401": world.Refuse(401), "404": world.Refuse(404), "409": world.Refuse(409), "412": world.Refuse(412), "500": world.Refuse(500),
		"reset": world.Break, "lost": world.Lose, "cut": world.Cut, "short": world.Short, "flip": world.Flip,
	} {
		iteration, line := w.story(), world.NewInterceptor(t)
		var mu sync.Mutex
		met := map[string]bool{}
		line.Use(func(r *http.Request, send world.Send) (*http.Response, error) {
			mu.Lock()
			name := operation(r)
			before := met[name] || fault == "flip" && !strings.Contains(name, "/_blob/") // an answer of the API has no hash
			met[name] = true
			mu.Unlock()
			if before {
				return send(r)
			}
			return spoil(r, send)
		})
		var p Progress
		var err error
		for slices := 0; ; slices++ {
			p, err = w.process(line).Run(context.Background(), w.project, Wish{Force: true})
			w.nothingLies()
			w.now = w.now.Add(heldFor + time.Second)
			if err == nil && len(p.Kept) == 2 && p.Kept[iteration].Verdict == dataset.Complete && p.Kept[dataset.Workspace].Verdict == dataset.Complete && p.Told == p.Kept[dataset.Workspace].Snapshot {
				break
			}
			require.Less(t, slices, 40, "%s: %v", fault, err)
		}
		require.Greater(t, len(met), 15)
		w.isTrue(p, iteration)
	}
}

// atPage does something before the k-th request for images.
func atPage(k int, do func()) world.Fault {
	return world.On(func(r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/images") && r.Method == http.MethodGet
	},
		world.Nth(k, func(r *http.Request, send world.Send) (*http.Response, error) {
			do()
			return send(r)
		}))
}

// modified lets the service say that the project was changed at a time: nobody knows
// whether it says so of changed images.
func modified(at string) world.Fault {
	return world.Spoil(func(body []byte) []byte {
		return regexp.MustCompile(`"lastModified":"[^"]*"`).ReplaceAll(body, []byte(`"lastModified":"`+at+`"`))
	})
}

func TestADataSetThatChangesWhileItIsReadIsReadAgain(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(w *scene, ids []string){
		"an image is added":               func(w *scene, _ []string) { w.add(100, 1) },
		"one that was read is deleted":    func(w *scene, ids []string) { w.Call(http.MethodDelete, w.project, "images?imageIds="+ids[0], nil) },
		"one that wasn't read is deleted": func(w *scene, ids []string) { w.Call(http.MethodDelete, w.project, "images?imageIds="+ids[7], nil) },
		"one is deleted, another one added": func(w *scene, ids []string) {
			w.Call(http.MethodDelete, w.project, "images?imageIds="+ids[0], nil)
			w.add(100, 1)
		},
		"the project says so": func(*scene, []string) {},
		"an image is tagged": func(w *scene, ids []string) {
			w.Call(http.MethodPost, w.project, "images/tags", map[string]any{"tags": []map[string]string{{"imageId": ids[0], "tagId": w.tags[0]}}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newScene(t, emulator.Options{})
			ids, line := w.add(0, 8), world.NewInterceptor(t)
			at := "2026-01-01T00:00:00Z"
			change := atPage(2, func() {
				w.Service.Advance(time.Second)
				if do(w, ids); name == "the project says so" {
					at = "2026-01-02T00:00:00Z"
				}
			})
			line.Use(func(r *http.Request, send world.Send) (*http.Response, error) {
				return change(r, func(r *http.Request) (*http.Response, error) {
					if strings.Contains(r.URL.Path, "/customvision/") {
						return modified(at)(r, send)
					}
					return send(r)
				})
			})
			p, err := w.process(line).Run(context.Background(), w.project, Wish{Force: true})
			require.NoError(t, err)
			list, err := w.sets().Snapshots(context.Background(), w.project)
			require.NoError(t, err)
			require.Len(t, list, 2)
			assert.Equal(t, []dataset.Verdict{dataset.Changed, dataset.Complete}, sortedByVerdict(list))
			there, err := w.Client.Images(context.Background(), w.project, "", customvision.Page{Take: 50})
			require.NoError(t, err)
			var want, got []string
			for _, i := range there {
				want = append(want, fmt.Sprint(i.ID, len(i.Tags)))
			}
			for _, l := range w.lines(p, dataset.Workspace) {
				if l.Kind == dataset.KindImage {
					i, err := l.Image()
					require.NoError(t, err)
					got = append(got, fmt.Sprint(i.ID, len(i.Tags)))
				}
			}
			assert.Equal(t, want, got)
		})
	}
}

func sortedByVerdict(list []dataset.Snapshot) []dataset.Verdict {
	var all []dataset.Verdict
	for _, s := range list {
		all = append(all, s.Verdict)
	}
	slices.Sort(all)
	slices.Reverse(all)
	slices.Sort(all)
	return []dataset.Verdict{all[0], all[1]}
}

func TestAPictureThatChangesWhileItIsReadNeverCounts(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	w.add(0, 2)
	line, n := world.NewInterceptor(t), atomic.Int64{}
	line.Use(world.On(world.Begins("GET /_blob/"), func(r *http.Request, send world.Send) (*http.Response, error) {
		body := bytes.Repeat([]byte{byte(n.Add(1))}, 50) // each time another one, and no hash to compare it with
		return world.Answer(r, http.StatusOK, http.Header{"Content-Length": {"50"}}, body), nil
	}))
	p, err := w.process(line).Run(context.Background(), w.project, Wish{Force: true})
	if err == nil {
		assert.NotEqual(t, dataset.Complete, p.Kept[dataset.Workspace].Verdict)
	}
	prefix := "images/"
	pages := w.Containers.Archive.NewListBlobsFlatPager(nil)
	page, err := pages.NextPage(context.Background())
	require.NoError(t, err)
	for _, item := range page.Segment.BlobItems {
		assert.False(t, strings.HasPrefix(*item.Name, prefix), *item.Name)
	}
}

func TestALinkToAnotherHostIsNotFollowed(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	w.add(0, 2)
	w.link = errors.New("it leads elsewhere")
	p := w.run()
	kept := p.Kept[dataset.Workspace]
	assert.Equal(t, dataset.Incomplete, kept.Verdict)
	assert.Equal(t, 2, kept.Missing)
	assert.Contains(t, kept.Why, "its link is not followed: it leads elsewhere")
	w.link = nil
	assert.Equal(t, dataset.Complete, w.run().Kept[dataset.Workspace].Verdict)
}

func TestRelativeLinksGoThroughTheArtifactCall(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{Answers: map[emulator.Question]string{emulator.DownloadURI: "relative"}})
	w.link = errors.New("no link is absolute")
	iteration := w.story()
	w.isTrue(w.run(), iteration)
}
