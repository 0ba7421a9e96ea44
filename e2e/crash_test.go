package e2e

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/emulator"
	"visionkeeper/dev/figures"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/rescue"
	"visionkeeper/internal/state"
)

// TestCrashAtEveryRequest kills the app before and after every request that it
// makes in the course of each reaction, and lets deliveries and sweeps go on from
// there. However it was cut, in the end everything is as after a run that nobody
// cut: the same archive, and as many trainings and exports received by the
// service, refused ones too.
//
// Requests come one at a time, and the app leaves nothing behind but by them and by the
// ends of its invocations. So between two requests of one invocation it is killed once.
func TestCrashAtEveryRequest(t *testing.T) {
	t.Parallel()
	azuritetest.Start(t) // Azurite is up before the worlds begin at once
	var points, recovered atomic.Int64
	// Worlds wait most of their time: for a redelivery, for a dead sender's
	// deadline, for the app's own rate limit.
	places := make(chan struct{}, 10*runtime.GOMAXPROCS(0))
	var worlds sync.WaitGroup
	inWorld := func(name string, run func(t *testing.T)) {
		worlds.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			t.Run(name, run)
		})
	}
	for _, r := range reactions {
		inWorld(r.name, func(t *testing.T) {
			clean := newVictim(t, r, 10*time.Minute)
			sent := clean.front.During(func() { r.cause(clean) })
			require.Equal(t, r.want, clean.settles(), "nobody cut this one")
			timeout := max(r.timeout, 8*time.Second, 6*clean.longest())
			t.Logf("%s: %d requests, functionTimeout %v", r.name, len(sent), timeout)
			for k := 1; k <= len(sent); k++ {
				sides := []side{before, after}
				if k > 1 && !clean.endedBetween(sent[k-2].At, sent[k-1].At) {
					sides = sides[1:] // a kill before it leaves what one after the last request leaves
				}
				for _, s := range sides {
					inWorld(fmt.Sprintf("%s/%s request %d", r.name, s, k), func(t *testing.T) {
						points.Add(1)
						w := newVictim(t, r, timeout)
						w.crashAt(k, s)
						r.cause(w)
						got := w.settles()
						require.Equal(t, r.want, got, sent[k-1].String())
						recovered.Add(1)
					})
				}
			}
		})
	}
	worlds.Wait()
	figures.Print(t, "%d crash points, %d recovered", points.Load(), recovered.Load())
}

// side of a request at which the app is killed.
type side string

const (
	before side = "before"
	after  side = "after"
)

// victim is an app with its surroundings, all of its own but for Azurite.
type victim struct {
	*app
	front   *world.Interceptor
	doomed  bool // it is to be killed
	crashed atomic.Bool
	events  *azqueue.QueueClient // nil where nobody is told what happens
	told    []world.Event        // so far
	// What prepare leaves for cause.
	project, iteration string
	most               int    // iterations that are to be left; 0 where all are
	publishes          string // the name of the iteration that is to be published; empty for none
}

// newVictim has a functionTimeout far above what an invocation takes on this machine, as busy
// as it is: a deadline is not to cut what a kill is to cut. It can't be long for all, since
// a killed sender isn't taken for dead before its deadline.
func newVictim(t *testing.T, r reaction, timeout time.Duration) *victim {
	t.Helper()
	w := &victim{front: world.NewInterceptor(t)}
	w.front.OneAtATime, w.front.End = true, w.kill
	w.app = newApp(t, options{policy: r.policy, told: r.want.Told != nil, world: world.Options{Front: w.front, Emulator: emulator.Options{ModelSize: 20_000}}, settings: map[string]string{
		"AzureFunctionsJobHost__functionTimeout":                        time.Time{}.Add(timeout).Format(time.TimeOnly),
		"VISIONKEEPER_INTENT_GRACE":                                     "1s",
		"AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:00.5",
	}})
	w.publishes = r.want.Published
	if r.want.Told != nil {
		w.events = w.EventsQueue()
	}
	w.front.Use(w.safely(world.Pass))
	r.prepare(w)
	return w
}

// crashAt arms the kill, before or after the k-th request from here on. Around it there may
// be other faults.
func (w *victim) crashAt(k int, at side, others ...func(world.Fault) world.Fault) {
	w.doomed = true
	kill := world.Nth(k, w.front.KillBefore)
	if at == after {
		kill = world.Nth(k, w.front.KillAfter)
	}
	for _, around := range others {
		kill = around(kill)
	}
	w.front.Use(w.safely(kill))
}

// safely looks, at each request to delete an iteration, for what would be lost by it.
func (w *victim) safely(f world.Fault) world.Fault {
	return func(req *http.Request, send world.Send) (*http.Response, error) {
		if id := world.Deletes(req); id != "" {
			assert.Empty(w.t, w.Unsaved(w.project, id), "it is deleted, and with it")
		}
		if req.Method == http.MethodDelete {
			if t := w.Remembered(w.project).Twin; t != nil && strings.HasSuffix(req.URL.Path, "/projects/"+t.Project) {
				assert.Empty(w.t, w.Unsaved(t.Project, t.Trained), "the twin is deleted, and with it")
			}
		}
		return f(req, send)
	}
}

// kill ends the app by SIGKILL and waits until its successor runs.
func (w *victim) kill() {
	pid := w.host.Pid()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		w.t.Errorf("kill the app: %v", err)
	}
	for w.host.Pid() == pid {
		select {
		case <-w.t.Context().Done():
			return
		case <-time.After(time.Millisecond):
		}
	}
	w.crashed.Store(true)
}

// message puts a message on the queue and waits until a delivery of it succeeds.
func (w *victim) message(text string) {
	w.t.Helper()
	had := w.succeeded()
	w.put(text)
	w.succeeds(had + 1)
}

// figure is what may not depend on whether the app was killed. The attempts that
// the state counts may: an export announced by a sender that died before it sent
// is announced again. So may the count of a dead letter: it is of deliveries. And
// so may dates and ids.
type figure struct {
	Trainings, Exports int               // received by the service, refused ones too
	Deletions          int               // of iterations, as the two before
	Unpublished        int               // as the two before
	Published          string            // the iteration that has the policy's name
	Imports            int               // copies of projects, as the others
	Twin               string            // how far it is; empty where nobody asked for one
	Buried             int               // iterations of which a tombstone says that they are gone
	Backups            map[string]string // verdict by iteration and export
	DeadLetters        []string
	Told               []string // of what, each once; nil where nobody is told
}

// settles sweeps until nothing is open, and returns what there is then.
func (w *victim) settles() figure {
	w.t.Helper()
	open := "nothing was looked at"
	for began := time.Now(); open != "" && time.Since(began) < world.Patience; {
		w.Service.FinishNow(emulator.Scope{})
		w.sweep()
		open = w.open()
	}
	require.Empty(w.t, open, "what is still open")
	settled := w.figure()
	w.sweep()
	require.Equal(w.t, settled, w.figure(), "nothing comes after")
	return settled
}

// open returns what is not settled; "" when everything is.
func (w *victim) open() string {
	if w.doomed && !w.crashed.Load() {
		return "the app was not killed yet"
	}
	if n := w.poisoned(); n > 0 {
		return fmt.Sprintf("%d poison messages", n)
	}
	record := w.Remembered(w.project)
	if record.Outbox.Open() {
		return "others are not told of all"
	}
	if n := w.retry(); n > 0 { // on a busy machine also of what a deadline cut
		return fmt.Sprintf("%d conditions, which are due now: %+v", n, w.Health())
	}
	health := w.Health()
	if health.Round.IsZero() || len(health.Errors) > 0 || health.Unproven > 0 {
		return fmt.Sprintf("health: %+v", health)
	}
	for _, d := range record.Deletions {
		if d.Open() {
			return "a deletion is open"
		}
	}
	if record.Twin.Open() {
		return "a twin is open"
	}
	if record.Promotion != nil && record.Promotion.Move != nil {
		return "a promotion is open"
	}
	for _, it := range record.Iterations {
		if it.Measuring != nil {
			return "hold-out pictures are being asked"
		}
	}
	for _, training := range record.Trainings {
		if training.Open() {
			return "a training is open"
		}
	}
	its, err := w.Client.Iterations(w.t.Context(), w.project)
	require.NoError(w.t, err)
	if w.most > 0 && len(its) > w.most {
		return "there is no room"
	}
	if w.publishes != "" && !slices.ContainsFunc(its, func(it customvision.Iteration) bool { return it.Name == w.publishes && it.PublishName != "" }) {
		return w.publishes + " is not published"
	}
	for _, it := range its {
		if it.Status == customvision.StatusCompleted && (record.Iterations[it.ID] == nil || record.Iterations[it.ID].Settled == nil) {
			return "iteration " + it.Name + " is not settled"
		}
		if it.Status == customvision.StatusFailed && (record.Iterations[it.ID] == nil || record.Iterations[it.ID].Ended.IsZero()) {
			return "nobody saw that iteration " + it.Name + " failed"
		}
	}
	return ""
}

// retry makes due now what couldn't be done, as a person does who doesn't want to
// wait out the pauses.
func (w *victim) retry() (n int) {
	w.t.Helper()
	record, err := w.State.Load(w.t.Context(), w.project)
	require.NoError(w.t, err)
	if len(record.Conditions) == 0 {
		return 0
	}
	require.NoError(w.t, w.State.Update(w.t.Context(), record, func(p *state.Project) error {
		n = p.Retry(state.Scope{})
		return nil
	}))
	return n
}

func (w *victim) figure() figure {
	w.t.Helper()
	counts := w.Service.Counts()
	f := figure{Trainings: counts["TrainProject"], Exports: counts["ExportIteration"], Deletions: counts["DeleteIteration"], Backups: map[string]string{}}
	its, err := w.Client.Iterations(w.t.Context(), w.project)
	require.NoError(w.t, err)
	f.Unpublished, f.Imports = counts["UnpublishIteration"], counts["ImportProject"]
	if t := w.Remembered(w.project).Twin; t != nil {
		f.Twin = t.Stage()
		twins, err := w.Archive.Twins(w.t.Context(), w.project)
		require.NoError(w.t, err)
		require.Len(w.t, twins, 1)
		require.Equal(w.t, t.Record, twins[0].Blob())
	}
	assert.LessOrEqual(w.t, counts["QuickTestImage"], 2*heldPictures+w.asksAgain(), "what was answered is not asked again, but for what a process didn't write before it was killed, and what a deadline cut")
	for _, it := range its {
		if it.PublishName == "production" {
			f.Published = it.Name
		}
	}
	list := w.Backups("", "")
	for _, b := range list {
		name := "vanished"
		if i := slices.IndexFunc(its, func(it customvision.Iteration) bool { return it.ID == b.Iteration }); i >= 0 {
			name = its[i].Name
		}
		verdict := string(b.Verdict)
		if proof, err := w.Archive.Reverify(w.t.Context(), b); err != nil {
			verdict = "counted as " + verdict + ", but: " + err.Error()
		} else {
			assert.Equal(w.t, archive.Proven, proof.Verdict)
		}
		f.Backups[name+" "+b.Key.String()] += verdict
	}
	stones, err := w.Archive.Tombstones(w.t.Context(), w.project)
	require.NoError(w.t, err)
	f.Buried = len(stones)
	assert.Equal(w.t, 2*len(list), w.archived(), "packages and proofs, nothing else, none twice")
	letters := w.Letters()
	for _, l := range letters {
		f.DeadLetters = append(f.DeadLetters, fmt.Sprintf("%s: %q", l.Reason, l.Raw))
	}
	f.Told = w.toldOf()
	return f
}

// asksAgain is how many pictures may have been asked in vain: a killed process has written
// what it learnt some seconds before, and a deadline cuts one answer.
func (w *victim) asksAgain() int {
	_, cut := w.ended("sweep")
	if w.crashed.Load() {
		return heldPictures + cut
	}
	return cut
}

// toldOf is what others were told of. Of what is told again, the id is the same, and each
// time an invocation failed: it was killed, or on a busy machine a deadline cut it.
func (w *victim) toldOf() []string {
	w.t.Helper()
	if w.events == nil {
		return nil
	}
	w.told = append(w.told, w.Told(w.events)...)
	_, messages := w.ended("notifications")
	_, sweeps := w.ended("sweep")
	ids, times := map[string]string{}, map[string]int{}
	for _, e := range w.told {
		iteration, _ := e.Data["iteration"].(map[string]any)
		export, _ := e.Data["export"].(string)
		what := strings.TrimSpace(fmt.Sprint(e.Type, " ", iteration["name"], " ", export))
		if id, again := ids[what]; again {
			assert.Equal(w.t, id, e.ID, what)
		}
		ids[what] = e.ID
		times[what]++
		assert.LessOrEqual(w.t, times[what], 1+messages+sweeps, what)
	}
	return slices.Sorted(maps.Keys(ids))
}

// saving saves a data set of a project whose model can't be exported. One picture has other
// bytes when it is first read.
var saving = reaction{
	name: "rescue", policy: `{"projects":[{"project":"*","rescue":true}]}`, timeout: 10 * time.Minute, // no deadline is to cut it
	prepare: func(w *victim) {
		w.project = w.Create(customvision.CreateProjectOptions{Name: "Kitchen", DomainID: world.General}).ID
		w.AddPictures(w.project, 0, savedPictures, w.Tag(w.project, "bolt"))
		w.iteration = w.Train(w.project).ID
	},
	cause: func(w *victim) { w.sweep() },
	want:  figure{Told: []string{}},
}

const savedPictures = 6

// changes lets the picture that is read first have other bytes at its first two readings, and
// does all else by another fault.
func changes(others world.Fault) world.Fault {
	var mu sync.Mutex
	picture, read := "", 0
	return func(r *http.Request, send world.Send) (*http.Response, error) {
		return others(r, func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			if at := r.URL.Path; strings.HasPrefix(at, "/_blob/") && (picture == "" || picture == at) && read < 2 {
				picture, read = at, read+1
				return world.Answer(r, http.StatusOK, nil, fmt.Appendf(nil, "other bytes %d", read)), nil
			}
			return send(r)
		})
	}
}

// TestTheProgramIsKilledInARescue kills the process, not only its requests, here and there
// in a rescue. Where it is killed at each write in turn, in the process of the test, is in
// package rescue.
func TestTheProgramIsKilledInARescue(t *testing.T) {
	t.Parallel()
	clean := newVictim(t, saving, saving.timeout)
	clean.front.Use(changes(func(r *http.Request, send world.Send) (*http.Response, error) { return send(r) }))
	sent := clean.front.During(clean.saves)
	var own []int // the rescue's own requests
	for n, r := range sent {
		if strings.Contains(r.URL.Path, "/rescue/") || strings.Contains(r.URL.Path, "/snapshots/") || strings.Contains(r.URL.Path, "images") {
			own = append(own, n+1)
		}
	}
	const points = 8
	require.Greater(t, len(own), 3*points)
	for n := range points {
		k := own[n*(len(own)-1)/(points-1)]
		t.Run(fmt.Sprintf("request %d", k), func(t *testing.T) {
			t.Parallel()
			w := newVictim(t, saving, saving.timeout)
			w.crashAt(k, []side{before, after}[n%2], changes)
			w.saves()
		})
	}
}

// saves sweeps until the data set is saved, and requires that each picture is, once, and
// nothing else.
func (w *victim) saves() {
	w.t.Helper()
	open := "nothing was looked at"
	for began := time.Now(); open != "" && time.Since(began) < world.Patience; {
		w.sweep()
		open = w.unsaved()
	}
	require.Empty(w.t, open, "what is still open")
	sets := dataset.Open(w.Archives.Blobs(nil), w.Names.Archive, "test")
	var want []string
	for n := range savedPictures {
		want = append(want, fmt.Sprintf("%x", sha256.Sum256(world.Picture(n))))
	}
	pictures, err := sets.Pictures(w.t.Context(), w.project)
	require.NoError(w.t, err)
	require.ElementsMatch(w.t, want, slices.Collect(maps.Keys(pictures)))
	list, err := sets.Snapshots(w.t.Context(), w.project)
	require.NoError(w.t, err)
	for _, s := range list {
		if s.Verdict == "" {
			continue
		}
		proof, err := sets.Reverify(w.t.Context(), s, &dataset.Checked{})
		require.NoError(w.t, err)
		require.Equal(w.t, [2]int{savedPictures, savedPictures}, [2]int{proof.Found.Images, proof.Files})
	}
	for _, e := range w.Told(w.events) {
		if e.Type == "dataset.complete" {
			w.told = append(w.told, e)
		}
	}
	require.NotEmpty(w.t, w.told)
	for _, e := range w.told {
		require.Equal(w.t, w.told[0].ID, e.ID, "of one snapshot")
	}
}

// unsaved is what isn't saved yet; "" when all is. A process that was killed has the project
// for two minutes more; they pass at once here.
func (w *victim) unsaved() string {
	w.t.Helper()
	var p rescue.Progress
	version, err := w.State.Rescue(w.t.Context(), w.project, &p)
	require.NoError(w.t, err)
	if p.Holder != "" {
		p.Holder, p.HeldUntil = "", time.Time{}
		_, err := w.State.SetRescue(w.t.Context(), w.project, version, p)
		require.NoError(w.t, err)
	}
	switch {
	case w.doomed && !w.crashed.Load():
		return "the app was not killed yet"
	case p.Taking != nil:
		return "a snapshot is under way"
	case w.Remembered(w.project).Outbox.Open():
		return "others are not told of all"
	}
	for _, of := range []string{dataset.Workspace, w.iteration} {
		if kept := p.Kept[of]; kept == nil || kept.Verdict != dataset.Complete {
			return fmt.Sprintf("%s: %+v", of, kept)
		}
	}
	if p.Told == "" {
		return "nobody is told"
	}
	return ""
}

// archived counts the archive's blobs, but for tombstones and what says that a twin is one.
func (w *victim) archived() int {
	w.t.Helper()
	n := 0
	pages := w.Containers.Archive.NewListBlobsFlatPager(nil)
	for pages.More() {
		page, err := pages.NextPage(w.t.Context())
		require.NoError(w.t, err)
		for _, item := range page.Segment.BlobItems {
			if !strings.Contains(*item.Name, "/deletion-") && !strings.Contains(*item.Name, "/twin-") {
				n++
			}
		}
	}
	return n
}
