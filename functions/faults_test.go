package functions_test

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/figures"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/state"
)

// cell is one fault of one operation in a story. Without an operation nothing
// goes wrong.
type cell struct {
	story     story
	operation string
	nth       int // which one of its kind is spoilt
	fault     string
	expected  string
	took      time.Duration          // by the first run without a fault
	meets     func(operation string) // hears of every operation of the app
}

// flippedHead has one wrong byte near the beginning: of a package in its first
// entry's own header, of which the zip format has no checksum.
var flippedHead = world.Spoil(func(body []byte) []byte {
	if len(body) > 35 {
		body[35] ^= 1
	}
	return body
})

// end is what a story comes to.
type end struct {
	backups   map[string]int // copies that count, by platform
	damaged   int
	exports   int // asked for, as the service received them
	trainings int
	deletions int    // of iterations, as the two before
	deleted   int    // iterations of which a tombstone says that they are gone
	settled   bool   // the completed iteration, of which exports are wanted
	published string // the iteration that has the policy's name
	imports   int    // copies of projects that were asked for
	twin      string // how far the twin is; empty where nobody asked for one
	blocked   []string
	buried    int
	poison    int
	swept     bool
	told      string // of what, each once
	untold    bool
}

// played is a story at its end.
type played struct {
	end  end
	took time.Duration // by the first run
}

func (w *app) end(iteration string) end {
	e := end{backups: map[string]int{}, exports: w.Service.Counts()["ExportIteration"], trainings: w.Service.Counts()["TrainProject"], deletions: w.Service.Counts()["DeleteIteration"]}
	stones, err := w.Archive.Tombstones(w.t.Context(), w.project)
	assert.NoError(w.t, err)
	e.deleted = len(stones)
	for _, b := range w.kept() {
		switch {
		case b.Verdict.Counts():
			e.backups[b.Key.String()]++
			_, err := w.Archive.Reverify(w.t.Context(), b)
			assert.NoError(w.t, err, "it counts, so it has the bytes that its proof tells of")
		case b.Verdict == archive.Damaged:
			e.damaged++
		}
	}
	its, err := w.Client.Iterations(w.t.Context(), w.project)
	assert.NoError(w.t, err)
	for _, it := range its {
		if it.PublishName == "production" {
			e.published = it.Name
		}
	}
	e.imports = w.Service.Counts()["ImportProject"]
	r := w.Remembered(w.project)
	if r.Twin != nil {
		e.twin = r.Twin.Stage()
	}
	for id, it := range r.Iterations {
		e.settled = e.settled || id == iteration && it.Settled != nil && it.Settled.Wanted
	}
	for _, c := range r.Conditions {
		switch {
		case c.Code == state.TrainingRefused:
			e.blocked = append(e.blocked, "training")
		case c.Fact == state.FactImages:
			e.blocked = append(e.blocked, "images")
		case c.Fact == state.FactPromotion, c.Fact == state.FactFigures, c.Fact == state.FactHoldOut:
			e.blocked = append(e.blocked, "promotion")
		case c.Fact == state.FactTwin:
			e.blocked = append(e.blocked, "twin")
		case c.Fact == state.FactRoom:
			e.blocked = append(e.blocked, "room")
		case c.Export != "":
			e.blocked = append(e.blocked, c.Export)
		}
	}
	e.buried = len(w.Letters())
	queue, err := w.Poison.GetProperties(w.t.Context(), nil)
	require.NoError(w.t, err)
	e.poison = int(*queue.ApproximateMessagesCount)
	health := w.Health()
	e.swept = !health.Round.IsZero() && len(health.Errors) == 0
	if w.events != nil {
		ids := map[string]int{}
		for _, event := range w.Told(w.events) {
			if ids[event.ID]++; ids[event.ID] == 1 {
				e.told += event.Type + " "
			}
			assert.LessOrEqual(w.t, ids[event.ID], 2, "doubled at most: %s", event.Type)
		}
		e.untold = r.Outbox.Open()
	}
	return e
}

// play goes through a story. It returns the error of the first run, which has the
// fault, and what everything came to after the fault was gone.
//
// A run that only the end of its invocation ends is given far more time than it takes on this
// machine, as busy as it is.
func (c cell) play(t *testing.T) (played, error) {
	invocation := max(15*time.Second, 12*c.took)
	if c.fault == "slow" {
		c.story.setting.tryTimeout = invocation * 2 / 5
	}
	c.story.setting.emulator.Logf = t.Logf
	w := newWorld(t, c.story.setting)
	n := c.story.begin(w)
	w.line.Use(c.watching(w, c.spoiling(w)))
	ctx := t.Context()
	if c.fault == "slow" && (c.expected == "again" || c.story.cut) { // nothing but the end of the invocation ends it
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, invocation)
		defer cancel()
	}
	var err error
	began := time.Now()
	sent := w.line.During(func() {
		if c.story.sweeps {
			err = w.sweep(ctx)
		} else {
			err = w.tell(ctx, n)
		}
	})
	took := time.Since(began)
	w.line.Use(c.watching(w, world.Pass))
	c.wasMet(t, w, sent)

	w.options.Times.IntentGrace = -time.Hour // as if the first run's process were long gone
	w.restart()
	if err != nil && !c.story.sweeps {
		assert.NoError(t, w.tell(t.Context(), n), "delivered again")
	}
	for range max(2, c.story.after) {
		w.Service.Advance(world.TrainTime)
		assert.NoError(t, w.sweep(t.Context()), "the sweep after it")
	}
	return played{w.end(n.IterationID), took}, err
}

// watching hears of every operation before a Fault deals with it.
func (c cell) watching(w *app, f world.Fault) world.Fault {
	return func(req *http.Request, send world.Send) (*http.Response, error) {
		operation := w.operation(req)
		c.meets(operation)
		if id := world.Deletes(req); id != "" {
			assert.Empty(w.t, w.Unsaved(w.project, id), "it is deleted, and with it")
		}
		if c.story.meets != nil {
			c.story.meets(w, operation)
		}
		return f(req, send)
	}
}

// spoiling is the cell's fault at the operation's n-th request.
func (c cell) spoiling(w *app) world.Fault {
	if c.operation == "" {
		return world.Pass
	}
	nth := world.Nth
	if c.fault == "always" {
		nth = world.From
	}
	return world.On(w.is(c.operation), nth(c.nth, faults[c.fault]))
}

// wasMet checks that the operation was called so often, and that it was repeated
// when Retry-After says.
func (c cell) wasMet(t *testing.T, w *app, sent []world.Request) {
	if c.operation == "" {
		return
	}
	met := slices.DeleteFunc(sent, func(r world.Request) bool { return !w.is(c.operation)(r.Request) })
	if !assert.GreaterOrEqual(t, len(met), c.nth, "the operation was never called so often") || c.fault != "wait" || c.nth > 1 {
		return
	}
	// Blocks are put side by side, so the refused one needn't be the first that was
	// sent. It is the one that was sent again.
	waited, first := time.Duration(0), map[string]time.Time{}
	for _, r := range met {
		if sent, again := first[r.URL.String()]; again {
			waited = max(waited, r.At.Sub(sent))
		} else {
			first[r.URL.String()] = r.At
		}
	}
	assert.GreaterOrEqual(t, waited, time.Second, "as long as Retry-After says")
}

// judge names an outcome, and checks that it is as good an end as without fault.
func judge(t *testing.T, first error, got, want end) string {
	outcome := "ok"
	switch {
	case first != nil:
		outcome = "again"
	case !slices.Equal(got.blocked, want.blocked):
		outcome = "block"
		assert.LessOrEqual(t, got.exports, want.exports, "what is given up is not asked for either")
		assert.LessOrEqual(t, got.trainings, want.trainings, "what is given up is not asked for either")
		assert.LessOrEqual(t, got.deletions, want.deletions, "what is given up is not asked for either")
		for export, n := range got.backups {
			assert.LessOrEqual(t, n, want.backups[export], "copies of %s", export)
		}
		got.blocked, want.blocked = nil, nil
		got.exports, got.trainings, got.backups = want.exports, want.trainings, want.backups
		got.deletions, got.deleted = want.deletions, want.deleted
		assert.LessOrEqual(t, got.imports, want.imports, "what is given up is not asked for either")
		got.imports, got.twin = want.imports, want.twin
		assert.Equal(t, want.published == "", got.published == "", "the name isn't free")
		got.published = want.published
	case got.buried > want.buried:
		outcome = "bury"
		got.buried = want.buried
	case got.poison > want.poison:
		outcome = "later"
	}
	if got.poison > want.poison { // hidden; what it comes to stands in the dead letters, or will
		outcome, got.poison, got.buried = "later", want.poison, want.buried
	}
	assert.Equal(t, want, got, "the same end as without fault")
	return outcome
}

// rowTitle is a story where one is named, an operation, and which one of its kind.
var rowTitle = regexp.MustCompile(`^(?:(\w+): )?(.*?)(?: (\d+))?$`)

func TestEveryFaultOfEveryOperation(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(outcomes), "\n")
	columns := strings.Fields(lines[0])
	var mu sync.Mutex
	count, right := 0, 0
	ends, met, rows := map[string]played{}, map[string]bool{}, map[string]bool{}
	meets := func(operation string) {
		mu.Lock()
		defer mu.Unlock()
		met[operation] = true
	}
	// Those that wait for a deadline hold nobody up.
	places, waiting := make(chan struct{}, 3*runtime.GOMAXPROCS(0)), make(chan struct{}, 8*runtime.GOMAXPROCS(0))
	var cells sync.WaitGroup
	play := func(name string, run func(t *testing.T)) {
		places := places
		if strings.HasSuffix(name, " slow") {
			places = waiting
		}
		cells.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			t.Run(name, run)
		})
	}
	for _, name := range slices.Sorted(maps.Keys(stories)) {
		play("without/"+name, func(t *testing.T) {
			s := stories[name]
			e, err := cell{story: s, meets: meets}.play(t)
			require.NoError(t, err)
			require.NotEqual(t, s.open, e.end.settled, "it comes to an end: %+v", e)
			mu.Lock()
			defer mu.Unlock()
			ends[name] = e
		})
	}
	cells.Wait()
	if t.Failed() {
		return // there is nothing to compare with
	}
	for _, row := range lines[1:] {
		title, outcomes, _ := strings.Cut(row, "  ")
		expected := strings.Fields(outcomes)
		require.Len(t, expected, len(columns), title)
		rows[title] = true
		parts := rowTitle.FindStringSubmatch(title)
		story, operation := cmp.Or(parts[1], storyOf[parts[2]], "backup"), parts[2]
		nth, err := strconv.Atoi(cmp.Or(parts[3], "1"))
		require.NoError(t, err)
		for i, name := range columns {
			play("with/"+title+" "+name, func(t *testing.T) {
				got := "-"
				if expected[i] != "-" {
					e, err := cell{story: stories[story], operation: operation, nth: nth, fault: name, expected: expected[i], took: ends[story].took, meets: meets}.play(t)
					got = judge(t, err, e.end, ends[story].end)
					assert.Equal(t, expected[i], got, "%v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				if count++; !t.Failed() {
					right++
				}
			})
		}
	}
	cells.Wait()
	for operation := range met {
		assert.True(t, rows[operation], "the app does %q: it needs a row", operation)
	}
	figures.Print(t, "%d cells, %d as expected", count, right)
}
