package rescue

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/state"
)

func TestAWorkspaceIsSavedWithEveryPictureAndAProof(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	ids := append(w.add(0, 300, w.tags[0]), w.add(300, 5)...)

	p := w.run()

	kept := p.Kept[dataset.Workspace]
	require.NotNil(t, kept)
	assert.Equal(t, dataset.Complete, kept.Verdict, kept.Why)
	want := dataset.Counts{Images: 305, Tagged: 300, Untagged: 5, Tags: 2, ImageTags: 300, Iterations: kept.Asked.Iterations}
	assert.Equal(t, want, kept.Asked)
	assert.Equal(t, want, kept.Found)
	var got []string
	for _, l := range w.lines(p, dataset.Workspace) {
		if l.Kind != dataset.KindImage {
			continue
		}
		image, err := l.Image()
		require.NoError(t, err)
		require.NotNil(t, l.Original)
		n := len(got)
		got = append(got, image.ID)
		assert.NotContains(t, string(l.Data), "Uri")
		assert.NotEmpty(t, image.Metadata["batch"])
		sum := sha256.Sum256(world.Picture(n))
		require.Equal(t, hex.EncodeToString(sum[:]), l.Original.SHA256)
		assert.Equal(t, [3]int{4, 3, 0}, [3]int{l.Original.Width, l.Original.Height, l.Original.Orientation})
		if n%100 == 0 {
			body, err := w.sets().Image(context.Background(), w.project, l.Original.SHA256)
			require.NoError(t, err)
			data, err := io.ReadAll(body)
			require.NoError(t, err)
			require.NoError(t, body.Close())
			assert.Equal(t, world.Picture(n), data)
		}
	}
	assert.Equal(t, ids, got)
}

func TestASliceIsGoneOnWithWhereItEnded(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	iteration := w.story()
	ctx, cancel := context.WithCancel(context.Background())
	line := world.NewInterceptor(t)
	line.Use(atPage(2, cancel))
	p, err := w.process(line).Run(ctx, w.project, Wish{})
	require.NoError(t, err, "that the time is up is no error")
	require.NotNil(t, p.Taking)
	assert.Equal(t, 3, p.Taking.Images)
	assert.Contains(t, p.Covered.Missing, "the data set of the workspace is being saved: 3 of 6 images")
	assert.Contains(t, p.Covered.Missing, "the data set of Iteration 1 isn't saved yet")
	snapshot := p.Taking.Snapshot

	line = world.NewInterceptor(t)
	p, err = w.process(line).Run(context.Background(), w.project, Wish{})
	require.NoError(t, err)
	w.isTrue(p, iteration)
	assert.Equal(t, snapshot, p.Kept[dataset.Workspace].Snapshot)
	for _, r := range line.Sent() {
		if strings.HasSuffix(r.URL.Path, "/images") {
			assert.Equal(t, "2", r.URL.Query().Get("skip"), "it begins with the last image that was read")
			break
		}
	}
}

func TestTwoProcessesDoNotSaveOneProjectAtOnce(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	iteration := w.story()
	gate := world.NewGate()
	line := world.NewInterceptor(t)
	line.Use(world.On(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/images") }, world.Nth(2, gate.Whole)))
	first := w.process(line)
	ended := make(chan error)
	go func() {
		_, err := first.Run(context.Background(), w.project, Wish{Force: true})
		ended <- err
	}()
	<-gate.Reached
	_, err := first.Run(context.Background(), w.project, Wish{Force: true})
	require.ErrorIs(t, err, ErrBusy)
	second := w.process(world.NewInterceptor(t))
	_, err = second.Run(context.Background(), w.project, Wish{Force: true})
	require.ErrorIs(t, err, ErrBusy)
	w.now = w.now.Add(heldFor + time.Second) // the first one hangs
	p, err := second.Run(context.Background(), w.project, Wish{Force: true})
	require.NoError(t, err)
	w.isTrue(p, iteration)
	gate.Open()
	require.ErrorIs(t, <-ended, ErrBusy)
	w.isTrue(p, iteration)
}

func TestALostStateIsMadeAnewOfTheArchive(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	iteration := w.story()
	w.run()
	_, err := w.Containers.State.NewBlobClient("rescue/"+w.project+".json").Delete(context.Background(), nil)
	require.NoError(t, err)
	n, p := w.counted()
	assert.Zero(t, n.pictures)
	assert.Zero(t, n.stored)
	w.isTrue(p, iteration)
	list, err := w.sets().Snapshots(context.Background(), w.project)
	require.NoError(t, err)
	assert.Len(t, list, 2, "nothing is taken again")
}

func TestAPublishedIterationGetsItsPerformanceAtEveryThreshold(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	first := w.story()
	second := w.Train(w.project).ID
	p := w.run()
	at := func(of string) int {
		n := 0
		for _, l := range w.lines(p, of) {
			if l.Kind == dataset.KindPerformance {
				n++
			}
		}
		return n
	}
	assert.Equal(t, [2]int{1, 9}, [2]int{at(first), at(second)})
	assert.Equal(t, dataset.Counts{Images: 6, Tagged: 6, Tags: 1, ImageTags: 6, Iterations: 1, ImagePerformances: 6}, p.Kept[first].Found)
	require.NoError(t, w.Client.Publish(context.Background(), w.project, first, "now", "/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/a", false))
	p = w.run()
	assert.Equal(t, [2]int{9, 9}, [2]int{at(first), at(second)})
}

func TestModelsThatCanNotBeExportedAreNamed(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	var err error
	w.project, err = w.Service.CreateProject("old shelf", world.General, "", "")
	require.NoError(t, err)
	w.add(0, 2, w.Tag(w.project, "box"))
	it := w.Train(w.project)
	c := w.run().Covered
	require.Len(t, c.Stuck, 1)
	assert.Equal(t, [3]string{it.ID, "Iteration 1", "General"}, [3]string{c.Stuck[0].Iteration, c.Stuck[0].Name, c.Stuck[0].Domain})
	assert.False(t, c.Stuck[0].Since.IsZero())
	assert.Empty(t, c.Stuck[0].Twin)
	assert.True(t, c.Whole(), "%+v", c)

	twin := archive.Twin{ID: archive.TwinID(w.now, "ABCDEFGH"), Original: archive.Trained{Project: w.project, Iteration: it.ID}}
	require.NoError(t, w.Archive.PutTwin(context.Background(), twin))
	c = w.run().Covered
	assert.Equal(t, twin.Blob(), c.Stuck[0].Twin, "what there is in its place is named")
	assert.Zero(t, c.Safe, "and isn't the same model")
}

// TestTheResizedImageIsSavedWhereItMayStandInAnotherWay has pictures of 4 by 3 pixels, of
// which the service made others.
func TestTheResizedImageIsSavedWhereItMayStandInAnotherWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		width, height int // as the service has them
		want          bool
	}{"as it lies": {4, 3, false}, "smaller": {400, 301, false}, "turned": {3, 4, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newScene(t, emulator.Options{})
			w.add(0, 1)
			line := world.NewInterceptor(t)
			line.Use(func(r *http.Request, send world.Send) (*http.Response, error) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/images") && r.Method == http.MethodGet:
					return world.Spoil(func(body []byte) []byte {
						text := regexp.MustCompile(`("resizedImageUri":"[^"]*/)i-`).ReplaceAllString(string(body), "${1}t-")
						text = strings.Replace(text, `"width":4,"height":3`, fmt.Sprintf(`"width":%d,"height":%d`, c.width, c.height), 1)
						return []byte(text)
					})(r, send)
				case strings.Contains(r.URL.Path, "/t-"):
					return world.Answer(r, http.StatusOK, nil, world.Picture(7)), nil
				}
				return send(r)
			})
			p, err := w.process(line).Run(context.Background(), w.project, Wish{Force: true})
			require.NoError(t, err)
			lines := w.lines(p, dataset.Workspace)
			image := lines[len(lines)-1]
			require.Equal(t, c.want, image.Resized != nil)
			if c.want {
				assert.Equal(t, hashes([]int{0, 7}), []string{image.Original.SHA256, image.Resized.SHA256})
			}
		})
	}
}

func TestStoredPredictionsAreSavedWhereTheyAreWanted(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	w.story()
	for n := range 5 {
		w.predict(n)
	}
	p := w.run()
	assert.Zero(t, p.Kept[dataset.Workspace].Found.Predictions)
	r := w.process(world.NewInterceptor(t))
	p, err := r.Run(context.Background(), w.project, Wish{Force: true, Predictions: true})
	require.NoError(t, err)
	var got []string
	for _, l := range w.lines(p, dataset.Workspace) {
		if l.Kind == dataset.KindPrediction {
			got = append(got, l.Original.SHA256)
			assert.NotContains(t, string(l.Data), "Uri")
		}
	}
	assert.Equal(t, hashes([]int{200, 201, 202, 203, 204}), got)
	assert.Equal(t, 5, p.Kept[dataset.Workspace].Found.Predictions)
	snapshot := p.Kept[dataset.Workspace].Snapshot
	p, err = r.Run(context.Background(), w.project, Wish{Force: true, Predictions: true})
	require.NoError(t, err)
	assert.Equal(t, snapshot, p.Kept[dataset.Workspace].Snapshot, "none is new")
}

// predict has a picture classified, and kept.
func (w *scene) predict(n int) {
	w.t.Helper()
	w.Service.Advance(time.Second)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, w.API+"/customvision/v3.3/training/projects/"+w.project+"/quicktest/image", bytes.NewReader(world.Picture(200+n)))
	require.NoError(w.t, err)
	req.Header.Set("Training-Key", world.Key)
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(w.t, err)
	defer resp.Body.Close()
	require.Equal(w.t, http.StatusOK, resp.StatusCode)
}

func TestWhatIsSavedIsKnownOfTheArchiveAlone(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	w.story()
	c := w.run().Covered
	with, err := Covered(context.Background(), w.Archive, w.sets(), w.State)
	require.NoError(t, err)
	assert.Equal(t, []state.Coverage{c}, with)
	alone, err := Covered(context.Background(), w.Archive, w.sets(), nil)
	require.NoError(t, err)
	require.Len(t, alone, 1)
	assert.Equal(t, [5]int{2, 2, 6, 6, 0}, [5]int{alone[0].Wanted, alone[0].Complete, alone[0].Images, alone[0].Saved, len(alone[0].Missing)})
	assert.Equal(t, c.Name, alone[0].Name)
}

// TestPartsThatAreGoneAreReadAgain has a slice end after a page, and the storage service
// lose what it sent.
func TestPartsThatAreGoneAreReadAgain(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(w *scene){
		"a week has passed": func(w *scene) { w.now = w.now.Add(8 * 24 * time.Hour) },
		"the service has lost them": func(w *scene) {
			var p Progress
			version, err := w.State.Rescue(context.Background(), w.project, &p)
			require.NoError(w.t, err)
			p.Taking.Snapshot = "20260101T000000Z-00000000" // of which there are none
			_, err = w.State.SetRescue(context.Background(), w.project, version, p)
			require.NoError(w.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newScene(t, emulator.Options{})
			iteration := w.story()
			ctx, cancel := context.WithCancel(context.Background())
			line := world.NewInterceptor(t)
			line.Use(atPage(2, cancel))
			p, err := w.process(line).Run(ctx, w.project, Wish{})
			require.NoError(t, err)
			before := p.Taking.Snapshot
			lose(w)
			p, err = w.process(world.NewInterceptor(t)).Run(context.Background(), w.project, Wish{})
			require.NoError(t, err)
			w.isTrue(p, iteration)
			assert.NotEqual(t, before, p.Kept[dataset.Workspace].Snapshot)
		})
	}
}

func TestARefusalAloneDoesNotShowThatAPictureIsThere(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	line := world.NewInterceptor(t)
	sets := w.process(line).Sets
	line.Use(world.Times(1, world.Refuse(http.StatusConflict)))
	_, _, err := sets.PutImage(context.Background(), w.project, world.Picture(1))
	require.Error(t, err)
	for _, want := range []bool{true, false} {
		_, added, err := sets.PutImage(context.Background(), w.project, world.Picture(1))
		require.NoError(t, err)
		assert.Equal(t, want, added)
	}
}

// TestAPictureThatCanNotBeReadNowEndsTheSlice has one of eight pictures fail. What keeps
// failing is left out in the end, and named.
func TestAPictureThatCanNotBeReadNowEndsTheSlice(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	ids := w.add(0, 8)
	line := world.NewInterceptor(t)
	line.Use(world.On(func(r *http.Request) bool {
		return strings.Contains(r.URL.Path, "/_blob/") && strings.HasSuffix(r.URL.Path, strings.ReplaceAll(ids[4], "-", ""))
	}, world.Refuse(http.StatusServiceUnavailable)))
	for range maxStumbles {
		p, err := w.process(line).Run(context.Background(), w.project, Wish{})
		require.Error(t, err)
		require.Equal(t, 3, p.Taking.Images, "the page before it stays")
		assert.Contains(t, p.Covered.Missing[0], "the last look ended early")
	}
	p, err := w.process(line).Run(context.Background(), w.project, Wish{})
	require.NoError(t, err)
	kept := p.Kept[dataset.Workspace]
	assert.Equal(t, [2]any{dataset.Incomplete, 1}, [2]any{kept.Verdict, kept.Missing})
	assert.Equal(t, w.now.Add(time.Hour).UTC(), kept.Next)

	n, _ := w.counted()
	assert.Zero(t, n.pictures, "its time hasn't come")
	w.now = w.now.Add(time.Hour)
	n, p = w.counted()
	assert.Equal(t, dataset.Complete, p.Kept[dataset.Workspace].Verdict)
	assert.Equal(t, 1, n.pictures)
}

func TestADataSetThatHasChangedIsSavedAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		modified string // what the service says then
		do       func(w *scene)
		want     bool
	}{
		"nothing":           {"2026-01-01T00:00:00Z", func(*scene) {}, false},
		"lastModified":      {"2026-01-02T00:00:00Z", func(*scene) {}, true},
		"an image is added": {"2026-01-01T00:00:00Z", func(w *scene) { w.add(100, 1) }, true},
		"a tag is added":    {"2026-01-01T00:00:00Z", func(w *scene) { w.Tag(w.project, "nail") }, true},
		"one for another": {"2026-01-01T00:00:00Z", func(w *scene) {
			w.Call(http.MethodDelete, w.project, "images?allImages=true", nil)
			w.Service.Advance(time.Second)
			w.add(100, 2)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newScene(t, emulator.Options{})
			w.add(0, 2)
			at, line := "2026-01-01T00:00:00Z", world.NewInterceptor(t)
			line.Use(func(r *http.Request, send world.Send) (*http.Response, error) {
				if strings.Contains(r.URL.Path, "/customvision/") {
					return modified(at)(r, send)
				}
				return send(r)
			})
			snapshot := func() string {
				p, err := w.process(line).Run(context.Background(), w.project, Wish{})
				require.NoError(t, err)
				require.Equal(t, dataset.Complete, p.Kept[dataset.Workspace].Verdict)
				return p.Kept[dataset.Workspace].Snapshot
			}
			first := snapshot()
			at = c.modified
			c.do(w)
			w.now = w.now.Add(lookEvery)
			assert.Equal(t, first, snapshot(), "within the week")
			w.now = w.now.Add(againAfter)
			assert.Equal(t, c.want, first != snapshot())
		})
	}
}

// Others are told once of each complete snapshot of what the project holds, and not of one
// from before they were to be told.
func TestACompleteDataSetIsTold(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	w.told()
	ids := w.add(0, 3, w.tags[0])
	w.link = errors.New("it leads elsewhere")
	w.run()
	require.Empty(t, w.tells(), "it is incomplete")
	w.link = nil
	w.run()
	require.Len(t, w.tells(), 1)
	w.run()
	_, err := w.Containers.State.NewBlobClient("rescue/"+w.project+".json").Delete(t.Context(), nil)
	require.NoError(t, err)
	w.run() // the state of the rescue is lost, but not the outbox
	require.Len(t, w.tells(), 1)
	w.Call(http.MethodDelete, w.project, "images?imageIds="+ids[1], nil)
	w.now = w.now.Add(againAfter)
	w.run()
	require.Len(t, w.tells(), 2)
}

func TestAPictureThatIsGoneFromTheArchiveIsStoredAgain(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	w.add(0, 3)
	w.run()
	_, err := w.Containers.Archive.NewBlobClient(dataset.ImageBlob(w.project, hashes([]int{1})[0])).Delete(context.Background(), nil)
	require.NoError(t, err)
	w.add(3, 1)
	w.now = w.now.Add(againAfter)
	n, p := w.counted()
	assert.Equal(t, [2]int{2, 2}, [2]int{n.pictures, n.stored}, "the new one and the one that was gone")
	assert.Equal(t, dataset.Complete, p.Kept[dataset.Workspace].Verdict)
	w.nothingLies()
}

// fewAtATime has the storage service list three blobs in an answer.
type fewAtATime struct{}

func (fewAtATime) Do(req *policy.Request) (*http.Response, error) {
	if u := req.Raw().URL; u.Query().Get("comp") == "list" {
		query := u.Query()
		query.Set("maxresults", "3")
		u.RawQuery = query.Encode()
	}
	return req.Next()
}

func TestListingsOfModelsDoNotRunOverImages(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	w.add(0, 12)
	it := w.Train(w.project)
	w.run()
	key, err := archive.NewKey(w.project, it.ID, "ONNX", "")
	require.NoError(t, err)
	for n := range 4 {
		name := fmt.Sprintf("%s/%s/ONNX/%032x.zip", key.Project, key.Iteration, n)
		_, err := w.Containers.Archive.NewBlockBlobClient(name).UploadBuffer(context.Background(), []byte("x"), nil)
		require.NoError(t, err)
	}
	line := world.NewInterceptor(t)
	o := azcore.ClientOptions{Transport: line, PerCallPolicies: []policy.Policy{fewAtATime{}}}
	list, err := archive.Open(w.Archives.Blobs(&o), w.Names.Archive, archive.Options{}).Backups(context.Background(), "", "")
	require.NoError(t, err)
	assert.Len(t, list, 4)
	assert.Len(t, line.Sent(), 2)
}

// TestSlicesThatAreShorterThanAPageComeToAnEnd has slices that end after 40 pictures, of
// pages of 256.
func TestSlicesThatAreShorterThanAPageComeToAnEnd(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	w.add(0, 100)
	for range 10 {
		ctx, cancel := context.WithCancel(context.Background())
		line := world.NewInterceptor(t)
		var read atomic.Int32
		line.Use(world.On(func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/_blob/") }, func(r *http.Request, send world.Send) (*http.Response, error) {
			if read.Add(1) > 40 {
				cancel()
			}
			return send(r)
		}))
		r := w.process(line)
		r.pageSize = customvision.PageSize
		p, err := r.Run(ctx, w.project, Wish{})
		cancel()
		require.NoError(t, err)
		if kept := p.Kept[dataset.Workspace]; kept != nil {
			assert.Equal(t, dataset.Complete, kept.Verdict, kept.Why)
			assert.Equal(t, 100, kept.Found.Images)
			return
		}
	}
	t.Fatal("ten slices of 40 pictures don't save 100")
}

// TestAnIterationThatCanNotBeReadKeepsNoneFromBeingSaved has every call of a kind about the
// newest of two iterations fail.
func TestAnIterationThatCanNotBeReadKeepsNoneFromBeingSaved(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	for what, path := range map[string]string{"at its head": "/tags", "at its images": "/images", "at what it predicts": "/performance/images"} {
		t.Run(what, func(t *testing.T) {
			older := w.story()
			w.add(7, 1, w.tags[0])
			newest := w.Train(w.project).ID
			line := world.NewInterceptor(t)
			line.Use(world.On(func(r *http.Request) bool {
				return strings.HasSuffix(r.URL.Path, path) && strings.Contains(r.URL.String(), newest)
			}, world.Refuse(http.StatusInternalServerError)))
			var p Progress
			for range maxStumbles + 2 {
				p, _ = w.process(line).Run(context.Background(), w.project, Wish{Force: true})
			}
			assert.Equal(t, dataset.Complete, p.Kept[dataset.Workspace].Verdict)
			require.NotNil(t, p.Kept[older])
			assert.Equal(t, dataset.Complete, p.Kept[older].Verdict)
			if p.Kept[newest] != nil {
				assert.Equal(t, dataset.Incomplete, p.Kept[newest].Verdict)
			}
		})
	}
}
