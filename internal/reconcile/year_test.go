package reconcile_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/emulator"
	"visionkeeper/dev/figures"
	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

const (
	days        = 365
	mostAtATime = 20 // iterations that a project can have
)

// TestAYear lives through a simulated year. A tenth of the trainings fail, some
// exports do; a quarter of the messages gets lost, some come twice; one request in
// a hundred goes wrong, and now and then the machine dies. The newest iteration is
// published under a name that has to be freed for it. The person deletes the
// oldest archived iterations to make room. Service, Reconciler, archive and the
// storage service's Date share one clock. RAPID_SEED says by which seed.
func TestAYear(t *testing.T) {
	seed := seed()
	t.Parallel()
	y := newYear(t, seed, `{"projects": [{"project": "*", "exports": ["ONNX"], "retrain": {"afterFailure": 2}, "promote": `+promote+`, "notWorseBy": 1}}]}`)
	begin := time.Now()
	for day := range days {
		y.day(day)
	}
	took := time.Since(begin)
	counted := y.end()

	// Trainings are remembered for two months. How much goes wrong is left to chance, and to the
	// machine's speed: by that 10.9 to 13.3 requests were counted. If each of the 20 iterations
	// were looked at every other day, it would be seven more.
	early, late := mean(y.cost[60:150]), mean(y.cost[days-90:])
	assert.Less(t, late, 1.5*early, "requests per sweep once the project is full, and at the end")
	assert.Less(t, late, 16.0, "what is settled costs nothing but its look once in five days to a week; one is the listing, which is the function's too")
	// 150 days each: how many trainings two months have is left to chance.
	small, large := mean(y.size[60:210]), mean(y.size[days-150:])
	assert.Less(t, large, 1.25*small, "what is remembered doesn't grow with the past")
	figures.Print(t, "seed %d: %d days in %s: %d trainings by the person, %d by the app, %d exports, %d backups; %d requests went wrong, %d deaths; "+
		"requests per sweep %.1f in days 60 to 150, %.1f in the last 90; state %.0f bytes in days 60 to 210, %.0f in the last 150",
		seed, days, took.Round(time.Second), y.trained, y.judge.trainings, y.judge.exports, len(counted), y.faults, y.deaths,
		early, late, small, large)
}

// TestAYearOfTrainingsThatAreWorthIt lives through another one, in which a person tags
// some pictures each day and seldom trains: new pictures lead to trainings, those to another
// iteration under the name, once the pictures of a hold-out set were asked, and the app makes
// room. The judge holds each training to what
// makes it worth it, and to the hours of the month, and each deletion to what the archive has.
func TestAYearOfTrainingsThatAreWorthIt(t *testing.T) {
	seed := seed()
	t.Parallel()
	y := newYear(t, seed, `{"projects": [{"project": "*", "exports": ["ONNX"], "keep": 12, "retrain": {
		"afterFailure": 2, "onImages": 6, "olderThan": "20d", "type": "advanced", "budgetHours": 2, "monthlyBudgetHours": 12}, "promote": `+promote+`, "notWorseBy": 1, "holdOut": "a-set"}}]}`)
	begin, spent := time.Now(), 0
	for day := range days {
		y.thriftyDay(day)
		if slices.ContainsFunc(y.Remembered(y.project).Conditions, func(c *state.Condition) bool { return c.Code == state.BudgetSpent }) {
			spent++
		}
		assert.Less(t, len(y.iterations()), 12+4, "a failed training is repeated twice in a day")
		assert.Less(t, len(y.Remembered(y.project).Spent), 40, "what is older than a month is forgotten")
	}
	took := time.Since(begin)
	counted := y.end()
	assert.Greater(t, y.judge.trainings, 30, "what is worth it is trained")
	assert.Greater(t, y.judge.deletions, 20, "what there is too much of is deleted")
	assert.Positive(t, spent, "the budget is so small that it matters")
	figures.Print(t, "seed %d: %d days in %s: %d trainings by the person, %d by the app, %d days on which the month's hours were spent, %d deletions, %d backups; %d requests went wrong, %d deaths; requests per sweep %.1f",
		seed, days, took.Round(time.Second), y.trained, y.judge.trainings, spent, y.judge.deletions, len(counted), y.faults, y.deaths, mean(y.cost))
}

// newYear is the world on the first day.
func newYear(t *testing.T, seed uint64, rules string) *year {
	parsed, err := policy.Parse([]byte(rules))
	require.NoError(t, err)
	y := &year{T: t, scene: newScene(t, azuritetest.Start(t), map[emulator.Question]string{emulator.PublishOverwrite: "fails"}, parsed), chance: rand.New(rand.NewPCG(seed, 0))}
	t.Cleanup(y.scene.close)
	y.machine = y.scene.newMachine("year")
	require.NoError(t, y.machine.reconciler.ConnectionTested(y.ctx, y.project))
	y.machine.chance = y.fate
	return y
}

// end lets the trouble end, and returns how often each export is in the archive: once.
func (y *year) end() map[string]int {
	y.machine = y.scene.newMachine("the last")
	for range 4 {
		require.NoError(y, y.machine.sweep(y.ctx))
		y.Service.Advance(10 * time.Minute)
	}
	assert.Equal(y, y.judge.newest(), y.judge.holder(), "the newest has the name")
	assert.False(y, y.judge.freed, "no name that was freed stays free")
	y.judge.look()
	y.judge.learnTruth()
	counted := map[string]int{}
	for _, b := range y.Backups(y.project, "") {
		if b.Verdict.Counts() {
			counted[b.Iteration+" "+b.Key.String()]++
		}
	}
	for id := range y.judge.truth {
		assert.Equal(y, 1, counted[id], "backups of %s", id)
	}
	assert.Len(y, counted, len(y.judge.truth))
	return counted
}

// year is a world in which every day is the same, but for chance.
type year struct {
	*testing.T
	*scene
	machine *machine
	chance  *rand.Rand
	mailbox []letter
	read    time.Time
	cost    []int64 // requests of each day's sweep
	size    []int64 // of each day's state, in bytes

	trained, faults, deaths int
}

func (y *year) one(of int) bool { return y.chance.IntN(of) == 0 }

// fate lets one request of a hundred go wrong, and one of a thousand be the last.
func (y *year) fate() fate {
	switch n := y.chance.IntN(1000); {
	case n < 1:
		return []fate{killBefore, killAfter}[y.chance.IntN(2)]
	case n < 10:
		y.faults++
		return []fate{throttled, failed, cut, loseAnswer}[y.chance.IntN(4)]
	}
	return pass
}

// day is a training, what the service makes of it, and a sweep.
func (y *year) day(day int) {
	y.makeRoom()
	if y.one(10) {
		y.Service.FailTrainings(1 + y.chance.IntN(2))
	}
	if y.one(20) {
		y.Service.FailExports(1)
	}
	y.train()
	y.pass(day)
}

// thriftyDay is some pictures, seldom a training by the person, what the service makes of
// it, and a sweep.
func (y *year) thriftyDay(day int) {
	if y.one(10) {
		y.Service.FailTrainings(1 + y.chance.IntN(2))
	}
	y.judge.addPictures(y.chance.IntN(4))
	if y.one(15) {
		y.train()
	}
	y.pass(day)
}

// train is the person's, unless the app's own training runs.
func (y *year) train() {
	if id, err := y.Service.Train(y.project); err == nil {
		y.judge.pay(id, false, int(world.TrainTime/time.Minute))
		y.trained++
	}
}

// pass brings the messages of a day, and the sweep at its end.
func (y *year) pass(day int) {
	for range 4 { // messages while the service works
		y.Service.Advance(world.TrainTime)
		y.receive()
		y.survive(func() { y.mailbox = deliver(y.ctx, y.machine, y.mailbox) })
	}
	y.Service.Advance(24 * time.Hour)
	before := y.requests.Load()
	y.survive(func() { y.machine.sweep(y.ctx) })
	y.cost = append(y.cost, y.requests.Load()-before)
	y.size = append(y.size, y.sizeOfState())
	if day%7 == 6 {
		y.judge.look()
	}
}

// receive reads the queue: a quarter of the messages is lost, a tenth comes twice.
func (y *year) receive() {
	all := y.Service.Messages()
	for _, m := range all {
		if !m.Time.After(y.read) || y.one(4) {
			continue
		}
		y.mailbox = append(y.mailbox, letter{text: m.Text, sent: m.Time})
		if y.one(10) {
			y.mailbox = append(y.mailbox, letter{text: m.Text, sent: m.Time})
		}
	}
	y.read = y.Service.Now()
}

// survive puts another machine in the place of one that dies.
func (y *year) survive(work func()) {
	work()
	if y.machine.line.Dead() {
		y.deaths++
		before := y.machine
		y.machine = y.newMachine("another")
		y.machine.lists = before.lists // which health.json has
		y.machine.chance = y.fate
	}
}

// makeRoom deletes the oldest iterations and their blobs once the project is
// full, as a person does: what isn't archived stays.
func (y *year) makeRoom() {
	its := y.iterations()
	if len(its) < mostAtATime-3 { // a failed training is repeated twice
		return
	}
	secured := map[string]bool{}
	for _, b := range y.Backups(y.project, "") {
		if b.Verdict.Counts() {
			secured[b.Iteration+" "+b.Key.String()] = true
		}
	}
	for _, it := range its[10:] {
		if !slices.ContainsFunc(it.Exports, func(e emulator.ExportView) bool { return e.Status != "Failed" && !secured[it.ID+" "+nameOfExport(e)] }) {
			require.NoError(y, y.person.DeleteIteration(y.ctx, y.project, it.ID))
			y.Containers.Models.NewBlobClient(customvision.BlobName(y.project, it.ID, "ONNX")).Delete(y.ctx, nil) // of a failed training there is none
		}
	}
	require.Less(y, len(y.iterations()), mostAtATime-3, "nothing is archived")
}

func mean(list []int64) float64 {
	sum := int64(0)
	for _, n := range list {
		sum += n
	}
	return float64(sum) / float64(len(list))
}

func (y *year) sizeOfState() int64 {
	for name, b := range y.list(y.Containers.State) {
		if name == "projects/"+y.project+".json" {
			return b.size
		}
	}
	return 0
}
