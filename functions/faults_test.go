package functions_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/archive"
	"visionkeeper/customvision"
	"visionkeeper/emulator"
	"visionkeeper/figures"
	"visionkeeper/state"
)

// outcomes is what each fault of each operation comes to. The faults spoil one
// request, but for "always", which answers 500 to every one of the first run.
//
//	ok      made good within the run
//	again   the run fails, the message comes again, the next run does the rest
//	second  a second copy is made, since the first one was judged damaged
//	block   given up, with the reason in the state
//	bury    kept as a dead letter with the reason; the sweep does the work
//	later   the message stays in the poison queue, hidden until its time is up
//	-       nothing that could be told: these answers have no hash, or no body
const outcomes = `
                        429    wait   500    503    reset  slow   cut    short  flip   401    404    409    412    lost   always
GetProject              ok     ok     ok     ok     ok     ok     ok     again  -      again  bury   again  again  ok     again
GetIterations           ok     ok     ok     ok     ok     ok     ok     again  -      again  bury   again  again  ok     again
GetExports              ok     ok     ok     ok     ok     ok     ok     again  -      again  again  again  again  ok     again
GetTags                 ok     ok     ok     ok     ok     ok     ok     again  -      again  ok     ok     ok     ok     again
GetDomain               ok     ok     ok     ok     ok     ok     ok     again  -      again  ok     ok     ok     ok     again
GetIterationPerformance ok     ok     ok     ok     ok     ok     ok     again  -      again  ok     ok     ok     ok     again
state GET               ok     ok     ok     ok     ok     ok     ok     ok     ok     again  ok     again  again  ok     again
state PUT               ok     ok     ok     ok     ok     ok     ok     ok     -      again  again  ok     ok     ok     again
archive list            ok     ok     ok     ok     ok     again  ok     again  -      again  again  again  again  ok     again
source GET              ok     ok     ok     ok     ok     again  ok     ok     ok     again  ok     again  again  ok     again
copy                    ok     ok     ok     ok     ok     again  ok     ok     -      again  ok     again  again  ok     again
archive GET             ok     ok     ok     ok     ok     again  ok     again  second again  again  again  again  ok     again
proof PUT               ok     ok     ok     ok     ok     again  ok     ok     -      again  again  again  again  ok     again
blocklist GET           ok     ok     ok     ok     ok     again  ok     ok     -      again  ok     again  again  ok     again
block PUT               ok     ok     ok     ok     ok     again  ok     ok     -      again  ok     again  again  ok     again
blocklist PUT           ok     ok     ok     ok     ok     again  ok     ok     -      again  again  again  again  ok     again
GetArtifact             ok     ok     ok     ok     ok     again  again  again  ok     again  again  again  again  ok     again
archive PUT             ok     ok     ok     ok     ok     again  ok     ok     -      again  again  again  again  ok     again
ExportIteration         ok     ok     again  again  again  again  again  again  -      again  block  block  block  again  again
TrainProject            ok     ok     again  again  again  again  again  again  -      again  block  block  block  again  again
GetProjects             ok     ok     ok     ok     ok     ok     ok     again  -      again  again  again  again  ok     again
model list              ok     ok     ok     ok     ok     ok     ok     again  -      again  again  again  again  ok     again
health GET              ok     ok     ok     ok     ok     ok     ok     ok     ok     again  ok     again  again  ok     again
health PUT              ok     ok     ok     ok     ok     ok     ok     ok     -      again  again  ok     ok     ok     again
poison receive          ok     ok     ok     ok     ok     later  later  later  -      again  again  again  again  later  again
poison delete           ok     ok     ok     ok     ok     ok     ok     ok     -      later  later  later  later  ok     later
dead letter PUT         ok     ok     ok     ok     ok     ok     ok     ok     -      later  later  later  later  ok     later
export: state GET       ok     ok     ok     ok     ok     ok     ok     ok     ok     again  ok     again  again  ok     again
export: state PUT       ok     ok     ok     ok     ok     ok     ok     ok     -      again  again  ok     ok     ok     again
retrain: state GET      ok     ok     ok     ok     ok     ok     ok     ok     ok     again  ok     again  again  ok     again
retrain: state PUT      ok     ok     ok     ok     ok     ok     ok     ok     -      again  again  ok     ok     ok     again
`

// faults by their name in the table.
var faults = map[string]fault{
	"429": answer(429, 0), "wait": answer(429, 1), "500": answer(500, 0), "503": answer(503, 0), "always": answer(500, 0),
	"401": answer(401, 0), "404": answer(404, 0), "409": answer(409, 0), "412": answer(412, 0),
	"reset": reset, "lost": lost, "slow": slow, "cut": truncated, "short": short, "flip": flipped,
}

// story leads the app to an operation.
type story struct {
	name    string
	setting setting
	begin   func(*world) customvision.Notification // before the faults
	sweeps  bool                                   // its first run is a sweep, not a message
}

const (
	onnx      = `{"projects":[{"project":"*","exports":["ONNX"]}]}`
	retrained = `{"projects":[{"project":"*","retrain":{"afterFailure":1}}]}`
)

// exported is a project whose export a person has made.
func exported(w *world) customvision.Notification {
	it := w.train()
	w.export(it)
	return customvision.Notification{Kind: customvision.KindExport, ProjectID: w.project, IterationID: it,
		ExportStatus: customvision.NotifiedExportCompleted, ModelURI: w.modelURL}
}

func trained(w *world) customvision.Notification {
	return customvision.Notification{Kind: customvision.KindTraining, ProjectID: w.project, IterationID: w.train(), TrainingStatus: customvision.NotifiedTrainingCompleted}
}

func relative() emulator.Options {
	return emulator.Options{Answers: map[emulator.Question]string{emulator.DownloadURI: "relative"}}
}

var stories = map[string]story{
	"backup":   {name: "backup", setting: setting{policy: onnx, container: true}, begin: exported},
	"first":    {name: "first", setting: setting{policy: onnx, container: true, unknown: true}, begin: exported},
	"blocks":   {name: "blocks", setting: setting{policy: onnx, container: true, archive: archive.Options{SyncCopyLimit: 1, BlockSize: 12_000}}, begin: exported},
	"artifact": {name: "artifact", setting: setting{policy: onnx, emulator: relative()}, begin: exported},
	"export":   {name: "export", setting: setting{policy: onnx, container: true}, begin: trained},
	"retrain": {name: "retrain", setting: setting{policy: retrained}, begin: func(w *world) customvision.Notification {
		w.service.FailTrainings(1)
		return trained(w)
	}},
	"sweep": {name: "sweep", setting: setting{policy: onnx, container: true}, sweeps: true, begin: func(w *world) customvision.Notification {
		n := exported(w)
		_, err := w.poison.EnqueueMessage(w.t.Context(), base64.StdEncoding.EncodeToString([]byte("no notification")), nil)
		require.NoError(w.t, err)
		return n
	}},
}

// storyOf tells which story comes to an operation where the table doesn't; the
// others come to it in "backup".
var storyOf = map[string]string{
	"GetProject":    "first",
	"blocklist GET": "blocks", "block PUT": "blocks", "blocklist PUT": "blocks",
	"GetArtifact": "artifact", "archive PUT": "artifact",
	"ExportIteration": "export", "TrainProject": "retrain",
	"GetProjects": "sweep", "model list": "sweep", "health GET": "sweep", "health PUT": "sweep",
	"poison receive": "sweep", "poison delete": "sweep", "dead letter PUT": "sweep",
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

// play goes through a story with a fault and tells how the first run ended, and
// what it all came to once the fault was gone. The operation "" has none.
func play(t *testing.T, s story, operation, name, expected string) (end, error) {
	if name == "slow" {
		s.setting.tryTimeout = time.Second
	}
	w := newWorld(t, s.setting)
	n := s.begin(w)
	times := 1
	if name == "always" {
		times = -1
	}
	if operation != "" {
		w.line.spoil(operation, faults[name], times)
	}
	limit := 2 * time.Minute
	if name == "slow" && expected == "again" {
		limit = 5 * time.Second // nothing but the invocation's deadline ends it
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var err error
	if s.sweeps {
		err = w.sweep(ctx)
	} else {
		err = w.tell(ctx, n)
	}
	met, waited := w.line.mend()
	if operation != "" && assert.NotZero(t, met, "the operation was never called") && name == "wait" {
		assert.GreaterOrEqual(t, waited, time.Second, "as long as Retry-After says")
	}

	w.options.Times.IntentGrace = -time.Hour // as if the first run's process were long gone
	w.restart()
	if err != nil && !s.sweeps {
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
	if got.damaged > want.damaged {
		assert.Equal(t, want.damaged+1, got.damaged)
		outcome, got.damaged = "second", want.damaged
	}
	assert.Equal(t, want, got, "the same end as without fault")
	return outcome
}

func TestEveryFaultOfEveryOperation(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(outcomes), "\n")
	columns := strings.Fields(lines[0])
	var mu sync.Mutex
	cells, right := 0, 0
	ends := map[string]end{}
	t.Run("without", func(t *testing.T) {
		for _, name := range slices.Sorted(maps.Keys(stories)) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				e, err := play(t, stories[name], "", "", "")
				require.NoError(t, err)
				require.True(t, e.settled || name == "retrain", "it comes to an end: %+v", e)
				mu.Lock()
				defer mu.Unlock()
				ends[name] = e
			})
		}
	})
	t.Run("with", func(t *testing.T) {
		for _, row := range lines[1:] {
			title, expected := strings.TrimSpace(row[:24]), strings.Fields(row[24:])
			require.Len(t, expected, len(columns), title)
			told, operation, ok := strings.Cut(title, ": ")
			if !ok {
				told, operation = cmp.Or(storyOf[title], "backup"), title
			}
			s := stories[told]
			for i, name := range columns {
				t.Run(title+" "+name, func(t *testing.T) {
					t.Parallel()
					got := "-"
					if expected[i] != "-" {
						e, err := play(t, s, operation, name, expected[i])
						got = judge(t, err, e, ends[s.name])
						assert.Equal(t, expected[i], got, "%v", err)
					}
					mu.Lock()
					defer mu.Unlock()
					if cells++; !t.Failed() {
						right++
					}
				})
			}
		}
	})
	figures.Print(t, "%d cells, %d as expected", cells, right)
}
