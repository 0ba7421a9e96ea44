package functions_test

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"maps"
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/figures"
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
	meets     func(operation string) // hears of every operation of the app
}

// flippedHead has one wrong byte near the beginning: of a package in its first
// entry's own header, of which the zip format has no checksum.
var flippedHead = spoilt(func(_ context.Context, resp *http.Response, body []byte) {
	if len(body) > 35 {
		body[35] ^= 1
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
})

// from lets requests pass before the n-th.
func from(n int, f fault) fault {
	var met atomic.Int64
	return func(req *http.Request, do func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		if met.Add(1) < int64(n) {
			return do(req)
		}
		return f(req, do)
	}
}

// operation names a request for the table, which tells those that a download link
// leads to from those to the model container.
func (w *world) operation(req *http.Request) string {
	operation := w.names.operation(req)
	link := cmp.Or(req.Header.Get("x-ms-copy-source"), req.URL.Path)
	if (operation == "source GET" || operation == "copy") && !strings.Contains(link, "/"+w.names.models+"/") {
		return "download: " + operation
	}
	return operation
}

// end is what a story comes to.
type end struct {
	backups   map[string]int // copies that count, by platform
	damaged   int
	exports   int // asked for, as the service received them
	trainings int
	settled   bool
	blocked   []string
	buried    int
	poison    int
	swept     bool
}

func (w *world) end(iteration string) end {
	e := end{backups: map[string]int{}, exports: w.service.Counts()["ExportIteration"], trainings: w.service.Counts()["TrainProject"]}
	list, err := w.archive.Backups(w.t.Context(), "", "")
	require.NoError(w.t, err)
	for _, b := range list {
		switch {
		case b.Verdict.Counts():
			e.backups[b.Key.String()]++
			_, err := w.archive.Reverify(w.t.Context(), b)
			assert.NoError(w.t, err, "it counts, so it has the bytes that its proof tells of")
		case b.Verdict == archive.Damaged:
			e.damaged++
		}
	}
	r, err := w.state.Load(w.t.Context(), w.project)
	require.NoError(w.t, err)
	for id, it := range r.Iterations {
		e.settled = e.settled || id == iteration && it.Settled != nil
		for name, x := range it.Exports {
			if x.Blocked+x.Refused != "" {
				e.blocked = append(e.blocked, name)
			}
		}
	}
	for _, t := range r.Trainings {
		if t.Refused != "" && !slices.ContainsFunc(r.Trainings, func(o *state.Training) bool { return o.Cause == t.Cause && o.Result != "" }) {
			e.blocked = append(e.blocked, "training")
		}
	}
	letters, err := w.state.DeadLetters(w.t.Context())
	require.NoError(w.t, err)
	e.buried = len(letters)
	queue, err := w.poison.GetProperties(w.t.Context(), nil)
	require.NoError(w.t, err)
	e.poison = int(*queue.ApproximateMessagesCount)
	health, err := w.state.Health(w.t.Context())
	require.NoError(w.t, err)
	e.swept = !health.Round.IsZero() && len(health.Errors) == 0
	return e
}

// play goes through a story and tells how the first run, with the fault, ended,
// and what it all came to once the fault was gone.
func (c cell) play(t *testing.T) (end, error) {
	if c.fault == "slow" {
		c.story.setting.tryTimeout = 3 * time.Second
	}
	c.story.setting.emulator.Logf = t.Logf
	w := newWorld(t, c.story.setting)
	n := c.story.begin(w)
	w.line.asked(func(req *http.Request) {
		c.meets(w.operation(req))
		if c.story.meets != nil {
			c.story.meets(w, w.operation(req))
		}
	})
	times := c.nth
	if c.fault == "always" {
		times = -1
	}
	if c.operation != "" {
		w.line.spoil(c.operation, from(c.nth, faults[c.fault]), times)
	}
	ctx := t.Context()
	if c.fault == "slow" && c.expected == "again" { // nothing but the end of the invocation ends it
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
	}
	var err error
	if c.story.sweeps {
		err = w.sweep(ctx)
	} else {
		err = w.tell(ctx, n)
	}
	met, waited := w.line.mend()
	if c.operation != "" && assert.GreaterOrEqual(t, met, c.nth, "the operation was never called so often") && c.fault == "wait" && c.nth == 1 {
		assert.GreaterOrEqual(t, waited, time.Second, "as long as Retry-After says")
	}

	w.options.Times.IntentGrace = -time.Hour // as if the first run's process were long gone
	w.restart()
	if err != nil && !c.story.sweeps {
		assert.NoError(t, w.tell(t.Context(), n), "delivered again")
	}
	for range 2 {
		w.service.Advance(trainTime)
		assert.NoError(t, w.sweep(t.Context()), "the sweep after it")
	}
	return w.end(n.IterationID), err
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
		for export, n := range got.backups {
			assert.LessOrEqual(t, n, want.backups[export], "copies of %s", export)
		}
		got.blocked, want.blocked = nil, nil
		got.exports, got.trainings, got.backups = want.exports, want.trainings, want.backups
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

// rowTitle is a story, where it is told, an operation, and which one of its kind.
var rowTitle = regexp.MustCompile(`^(?:(\w+): )?(.*?)(?: (\d+))?$`)

func TestEveryFaultOfEveryOperation(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(outcomes), "\n")
	columns := strings.Fields(lines[0])
	var mu sync.Mutex
	count, right := 0, 0
	ends, met, rows := map[string]end{}, map[string]bool{}, map[string]bool{}
	meets := func(operation string) {
		mu.Lock()
		defer mu.Unlock()
		met[operation] = true
	}
	// Those that wait for a deadline hold nobody up. The deadlines are longer than
	// what comes before the fault takes on a busy machine.
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
			require.NotEqual(t, s.open, e.settled, "it comes to an end: %+v", e)
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
		told, operation := cmp.Or(parts[1], storyOf[parts[2]], "backup"), parts[2]
		nth, err := strconv.Atoi(cmp.Or(parts[3], "1"))
		require.NoError(t, err)
		for i, name := range columns {
			play("with/"+title+" "+name, func(t *testing.T) {
				got := "-"
				if expected[i] != "-" {
					e, err := cell{story: stories[told], operation: operation, nth: nth, fault: name, expected: expected[i], meets: meets}.play(t)
					got = judge(t, err, e, ends[told])
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
