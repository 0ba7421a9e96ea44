package reconcile

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

var (
	drawnExports  = []string{"ONNX", "ONNX.ONNX12", "ONNX.ONNXFloat16", "CoreML", "TensorFlow", "TensorFlow.TensorFlowLite"}
	drawnVerdicts = []archive.Verdict{"", archive.Proven, archive.Intact, archive.Unidentified, archive.Damaged, archive.Lost}
)

// drawTime is some time in the last two months, or soon.
func drawTime(t *rapid.T, label string) time.Time {
	return noon.Add(-time.Duration(rapid.IntRange(-10, 60*24*60).Draw(t, label)) * time.Minute)
}

func drawRules(t *rapid.T) Rules {
	r := rules(rapid.SliceOfNDistinct(rapid.SampledFrom(drawnExports), 0, 6, rapid.ID).Draw(t, "exports")...)
	r.Mode = rapid.SampledFrom([]policy.Mode{policy.Act, policy.Act, policy.Observe}).Draw(t, "mode")
	r.Iterations = []string{rapid.SampledFrom([]string{policy.Newest, policy.Published, policy.All, policy.All}).Draw(t, "which")}
	if rapid.SampledFrom([]bool{true, true, false}).Draw(t, "retrains") {
		r.Retrain = &policy.Retrain{
			AfterFailure: rapid.IntRange(1, 3).Draw(t, "afterFailure"),
			PerMonth:     rapid.IntRange(1, 2).Draw(t, "perMonth"),
			Within:       policy.Duration(30 * 24 * time.Hour),
		}
	}
	return r
}

// drawObserved is a project with iterations that were trained one after another.
func drawObserved(t *rapid.T) Observed {
	o := Observed{
		Now:     noon,
		Project: state.Project{ID: projectID, Iterations: map[string]*state.Iteration{}},
		Looks:   map[string]*Look{}, Failed: map[Action]bool{},
	}
	at := drawTime(t, "begin")
	for i := range rapid.IntRange(0, 3).Draw(t, "iterations") {
		it := customvision.Iteration{
			ID: fmt.Sprintf("%08d-0000-4000-8000-000000000000", i), Created: at,
			Status:     rapid.SampledFrom([]string{"Completed", "Failed", "Completed", "Failed", "Completed", "Failed", "Training", "New"}).Draw(t, "status"),
			Exportable: rapid.SampledFrom([]bool{true, true, true, false}).Draw(t, "exportable"),
		}
		at = at.Add(time.Duration(rapid.IntRange(1, 48*60).Draw(t, "later")) * time.Minute)
		it.LastModified = at
		switch it.Status {
		case customvision.StatusCompleted:
			it.TrainedAt = &it.LastModified
			it.PublishName = rapid.SampledFrom([]string{"", "production"}).Draw(t, "published")
			drawIteration(t, &o, it.ID)
		}
		o.Iterations = append(o.Iterations, it)
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "trainings") {
		drawTraining(t, &o, i)
	}
	o.Iterations = rapid.Permutation(o.Iterations).Draw(t, "order")
	return o
}

// drawIteration draws what is listed, archived and remembered of an iteration.
func drawIteration(t *rapid.T, o *Observed, id string) {
	record, look := &state.Iteration{}, &Look{}
	if rapid.Bool().Draw(t, "described") {
		record.Facts = json.RawMessage(`{}`)
	}
	for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(drawnExports), rapid.ID).Draw(t, "listed") {
		look.Exports = append(look.Exports, listed(name, rapid.SampledFrom([]string{"Exporting", "Done", "Done", "Failed", "Queued"}).Draw(t, name)))
	}
	for _, name := range rapid.SliceOf(rapid.SampledFrom(drawnExports)).Draw(t, "archived") {
		platform, flavor := split(name)
		key, _ := archive.NewKey(projectID, id, platform, flavor)
		look.Backups = append(look.Backups, archive.Backup{
			Key: key, Verdict: rapid.SampledFrom(drawnVerdicts).Draw(t, "verdict"),
			Origin: archive.Origin{Kind: rapid.SampledFrom([]string{archive.FromContainer, archive.FromDownload}).Draw(t, "origin")},
		})
	}
	for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(drawnExports), rapid.ID).Draw(t, "asked") {
		e := record.Export(name)
		e.Attempts, e.Asked = rapid.IntRange(0, maxAttempts).Draw(t, "attempts"), drawTime(t, "asked")
		if rapid.Bool().Draw(t, "unanswered") {
			e.Until = e.Asked.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "until")) * time.Minute)
		}
		e.Refused = rapid.SampledFrom([]string{"", "", "", "no"}).Draw(t, "refused")
		e.Blocked = rapid.SampledFrom([]string{"", "", "", "lost"}).Draw(t, "blocked")
	}
	o.Looks[id], o.Project.Iterations[id] = look, record
}

// drawTraining draws a training that was asked for after a failure.
func drawTraining(t *rapid.T, o *Observed, i int) {
	var ids, failed []string
	for _, it := range o.Iterations {
		ids = append(ids, it.ID)
		if it.Status == customvision.StatusFailed {
			failed = append(failed, it.ID)
		}
	}
	if len(failed) == 0 {
		return
	}
	cause := rapid.SampledFrom(failed).Draw(t, "cause")
	later := slices.Index(ids, cause) + 1
	asked := drawTime(t, "trained")
	training := &state.Training{
		Token: fmt.Sprint(i), Cause: cause, Known: ids[:rapid.IntRange(later, len(ids)).Draw(t, "known")],
		Asked: asked, Until: asked.Add(5 * time.Minute),
	}
	switch rapid.SampledFrom([]string{"open", "result", "result", "refused"}).Draw(t, "outcome") {
	case "result":
		training.Result = rapid.SampledFrom(append([]string{"deleted"}, ids[later:]...)).Draw(t, "result")
	case "refused":
		training.Refused = "no"
	}
	o.Project.Trainings = append(o.Project.Trainings, training)
}

// statusOf is the status in the list of the export that an action is about.
func statusOf(o Observed, a Action) string {
	if a.Export == "" {
		return ""
	}
	for _, e := range o.Looks[a.Iteration].Exports {
		if key, _ := archive.NewKey(projectID, a.Iteration, e.Platform, e.Flavor); key.String() == a.Export {
			return e.Status
		}
	}
	return ""
}

func TestPlanAsksOnlyForExportsThatAreNotThere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r, o := drawRules(t), drawObserved(t)
		for _, a := range Plan(r, o) {
			if a.Kind == Export {
				assert.Contains(t, []string{"", "Failed"}, statusOf(o, a))
				assert.Contains(t, r.Exports, a.Export)
			}
		}
	})
}

func TestPlanHasOneExportOfAPlatformUnderWay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r, o := drawRules(t), drawObserved(t)
		r.Mode = policy.Act
		underway := map[string]int{} // by iteration and platform: unarchived, unfinished or asked for
		for id, record := range o.Project.Iterations {
			for name, e := range record.Exports {
				status := statusOf(o, Action{Iteration: id, Export: name})
				asked := e.Until.After(noon.Add(-r.Grace)) || status == "" && e.Asked.After(noon.Add(-r.Grace))
				if platform, _ := split(name); asked && (status == "" || status == "Failed") {
					underway[id+platform]++
				}
			}
		}
		for _, a := range Plan(r, o) {
			platform, _ := split(a.Export)
			place := a.Iteration + platform
			switch a.Kind {
			case Export:
				underway[place]++
				assert.LessOrEqual(t, underway[place], 1)
			case Backup:
				underway[place]++
			case Wait:
				if e := o.Project.Iterations[a.Iteration]; statusOf(o, a) != "" && e != nil {
					if asked := e.Exports[a.Export]; asked == nil || noon.Sub(asked.Asked) < r.StuckAfter {
						underway[place]++
					}
				}
			}
		}
	})
}

func TestPlanIsTheSameWhateverTheOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r, o := drawRules(t), drawObserved(t)
		plan := Plan(r, o)
		assert.Equal(t, plan, Plan(r, o))
		o.Iterations = rapid.Permutation(o.Iterations).Draw(t, "another order")
		assert.ElementsMatch(t, withoutReasons(plan), withoutReasons(Plan(r, o)))
	})
}

// withoutReasons is a plan of what is done; which of several unknown iterations
// is adopted doesn't matter.
func withoutReasons(plan []Action) []Action {
	plan = slices.Clone(plan)
	for i := range plan {
		plan[i].Why = ""
		if plan[i].Kind == Adopt {
			plan[i].Iteration = ""
		}
	}
	return plan
}

func TestPlanKeepsTheBoundsOfRetraining(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r, o := drawRules(t), drawObserved(t)
		n := 0
		for _, a := range Plan(r, o) {
			if a.Kind != Retrain {
				continue
			}
			n++
			month, open := 0, 0
			for _, training := range o.Project.Trainings {
				dead := training.Open() && !noon.Before(training.Until.Add(r.Grace))
				if training.Refused == "" && !dead && noon.Sub(training.Asked) < 30*24*time.Hour {
					month++
				}
				if training.Open() && !dead {
					open++
				}
			}
			assert.Less(t, month, r.Retrain.PerMonth)
			assert.Zero(t, open, "another training's answer isn't known yet")
			i := slices.IndexFunc(o.Iterations, func(it customvision.Iteration) bool { return it.ID == a.Iteration })
			for _, it := range o.Iterations {
				assert.False(t, it.Status == customvision.StatusTraining || it.Status != customvision.StatusNew && it.LastModified.After(o.Iterations[i].LastModified), "a later training exists")
			}
		}
		assert.LessOrEqual(t, n, 1)
	})
}

func TestPlanSettlesOnlyWhatIsDone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r, o := drawRules(t), drawObserved(t)
		open, settles := map[string]bool{}, map[string]bool{}
		for _, a := range Plan(r, o) {
			switch {
			case a.Kind == Settle:
				settles[a.Iteration] = true
			case a.Kind == Backup || a.Kind == Wait || a.Kind == Export && r.Mode == policy.Act:
				open[a.Iteration] = true
			}
		}
		for id := range settles {
			assert.False(t, open[id])
		}
	})
}

// Whatever a project looks like, doing what is planned comes to an end: each
// package is archived once, each export asked for a few times at most.
func TestDoingWhatIsPlannedComesToAnEnd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r, o := drawRules(t), drawObserved(t)
		v := &visit{Reconciler: New(Options{Clock: SystemClock{}}), rules: r, record: &state.Record{Project: o.Project, Seen: noon}, seen: o}
		archived, asked := map[Action]int{}, map[Action]int{}
		for range 100 {
			plan := Plan(r, v.seen)
			if plan = slices.DeleteFunc(plan, func(a Action) bool { return a.Kind == Wait }); len(plan) == 0 {
				return
			}
			for _, a := range plan {
				imagine(t, v, a)
				switch a.Kind {
				case Backup:
					archived[a]++
					assert.Equal(t, 1, archived[a])
				case Export:
					asked[a]++
					assert.LessOrEqual(t, asked[a], maxAttempts)
				}
			}
		}
		t.Fatal("it goes on and on")
	})
}

// imagine makes what was seen what it is after an action that went well.
func imagine(t *rapid.T, v *visit, a Action) {
	key, _ := v.key(a)
	switch a.Kind {
	case Describe:
		v.learn(func(p *state.Project) { p.Iteration(a.Iteration).Facts = json.RawMessage(`{}`) })
	case Backup:
		look := v.seen.Looks[a.Iteration]
		look.Backups = append(look.Backups, archive.Backup{Key: key, Verdict: archive.Proven})
	case Export:
		v.learn(func(p *state.Project) {
			e := p.Iteration(a.Iteration).Export(a.Export)
			e.Attempts, e.Asked = e.Attempts+1, noon
		})
		v.see(a, key, customvision.Export{Status: rapid.SampledFrom([]string{"Exporting", "Done", "Failed"}).Draw(t, "answer")})
	case Retrain:
		v.announce(&v.seen.Project, a, "token", noon)
		v.seen.Project.Trainings[len(v.seen.Project.Trainings)-1].Result = "new"
		v.seen.Iterations = append(v.seen.Iterations, customvision.Iteration{ID: "new", Status: customvision.StatusTraining})
	default:
		v.remember(a)
	}
}
