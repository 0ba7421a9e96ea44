package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

var (
	drawnExports  = []string{"ONNX", "ONNX.ONNX12", "ONNX.ONNXFloat16", "CoreML", "TensorFlow", "TensorFlow.TensorFlowLite"}
	drawnVerdicts = []archive.Verdict{"", archive.Proven, archive.Intact, archive.Unidentified, archive.Damaged, archive.Lost}
)

// drawnCodes are those of what can't be done now, and of what never can be. What may
// be tried again at once is left out: Tried keeps it from the same run.
var drawnCodes = []state.Code{
	state.NotExportable, state.NotOffered, state.ExportRefused, state.ExportFailed, state.NoLink, state.LinkRefused,
	state.Resting, state.TooLarge, state.TooCostly, state.Ambiguous, state.Overwritten, state.Damaged,
}

// drawTime is some time in the last two months, or soon.
func drawTime(t *rapid.T, label string) time.Time {
	return noon.Add(-time.Duration(rapid.IntRange(-10, 60*24*60).Draw(t, label)) * time.Minute)
}

func drawRules(t *rapid.T) Rules {
	r := rules(rapid.SliceOfNDistinct(rapid.SampledFrom(drawnExports), 0, 6, rapid.ID).Draw(t, "exports")...)
	r.Mode = rapid.SampledFrom([]policy.Mode{policy.Act, policy.Act, policy.Observe}).Draw(t, "mode")
	r.Iterations = []string{rapid.SampledFrom([]string{policy.Newest, policy.Published, policy.All, policy.All}).Draw(t, "which")}
	r.Keep = rapid.SampledFrom([]int{0, 1, 1, 2, 20}).Draw(t, "keep")
	r.Rescue = rapid.SampledFrom([]bool{false, false, true}).Draw(t, "rescue")
	if rapid.SampledFrom([]bool{true, true, false}).Draw(t, "retrains") {
		r.Retrain = &policy.Retrain{
			AfterFailure: rapid.IntRange(1, 3).Draw(t, "afterFailure"),
			PerMonth:     rapid.IntRange(1, 2).Draw(t, "perMonth"),
			Within:       policy.Duration(30 * 24 * time.Hour),
		}
	}
	if rapid.Bool().Draw(t, "promotes") {
		r.Promote = &policy.Promote{
			Name: "production", PredictionID: predictor, Threshold: 0.5, PerTag: rapid.Bool().Draw(t, "per tag"),
			Minimum:    policy.Measures{Precision: rapid.SampledFrom([]float64{0, 0.8}).Draw(t, "least"), Recall: 0.1},
			NotWorseBy: rapid.SampledFrom([]float64{0, 0.1}).Draw(t, "not worse by"),
		}
	}
	return r
}

// drawPromotion draws which iteration has the name, what is remembered of that, and what is
// known of how well each predicts.
func drawPromotion(t *rapid.T, o *Observed) {
	ids := []string{""}
	holder := rapid.IntRange(-1, len(o.Iterations)-1).Draw(t, "holder")
	for i := range o.Iterations {
		it := &o.Iterations[i]
		if it.Status != customvision.StatusCompleted {
			continue
		}
		ids = append(ids, it.ID)
		it.PublishName = rapid.SampledFrom([]string{"", "", "", "another"}).Draw(t, "other name")
		if i == holder {
			it.PublishName = "production"
		}
		o.Project.Iterations[it.ID].Figures = drawFigures(t)
	}
	if rapid.Bool().Draw(t, "name known") {
		id := func(label string) string { return rapid.SampledFrom(ids).Draw(t, label) }
		known := &state.Promotion{Name: "production", Holder: id("held by"), Left: id("left"), At: drawTime(t, "held since")}
		if to := id("to"); to != "" {
			known.Move = &state.Move{From: id("from"), To: to, Until: drawTime(t, "move until")}
		}
		o.Project.Promotion = known
	}
}

func drawFigures(t *rapid.T) *state.Figures {
	if rapid.IntRange(0, 3).Draw(t, "measured") == 0 {
		return nil
	}
	draw := func() state.Measures {
		figure := func() *float64 {
			return rapid.SampledFrom([]*float64{nil, pointer(0.75), pointer(0.85), pointer(0.9), pointer(0.95)}).Draw(t, "figure")
		}
		return state.Measures{Precision: figure(), Recall: figure(), AveragePrecision: figure()}
	}
	f := &state.Figures{Threshold: rapid.SampledFrom([]float64{0.5, 0.5, 0.5, 0.9}).Draw(t, "at"), Measures: draw(), Tags: map[string]state.TagFigures{}}
	for _, tag := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"bolt", "nut"}), rapid.ID).Draw(t, "tags") {
		f.Tags[tag] = state.TagFigures{Name: tag, Measures: draw()}
	}
	return f
}

func pointer[T any](v T) *T { return &v }

// drawObserved is a project with iterations that were trained one after another.
func drawObserved(t *rapid.T) Observed {
	o := Observed{
		Now:     noon,
		Project: state.Project{ID: projectID, Iterations: map[string]*state.Iteration{}},
		Looks:   map[string]*Look{}, Tried: map[Step]bool{}, Gone: map[string]bool{}, Sets: map[string]dataset.Snapshot{},
	}
	o.Project.Seen = rapid.SampledFrom([]time.Time{noon.Add(-90 * 24 * time.Hour), {}}).Draw(t, "seen")
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
	drawPromotion(t, &o)
	o.Iterations = rapid.Permutation(o.Iterations).Draw(t, "order")
	return o
}

// drawIteration draws what is listed, archived and remembered of an iteration.
func drawIteration(t *rapid.T, o *Observed, id string) {
	record, look := &state.Iteration{}, &Look{}
	if rapid.Bool().Draw(t, "described") {
		record.Facts = described().Facts
	}
	for _, name := range rapid.SliceOf(rapid.SampledFrom(append(drawnExports, "TensorFlow.TensorFlowNormal"))).Draw(t, "listed") {
		e := listed(name, rapid.SampledFrom([]string{"Exporting", "Done", "Done", "Failed", "Queued"}).Draw(t, name))
		key, _ := archive.NewKey(projectID, id, e.Platform, e.Flavor)
		look.see(key, e)
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
		e.Asked = drawTime(t, "asked")
		if rapid.Bool().Draw(t, "unanswered") {
			e.Until = e.Asked.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "until")) * time.Minute)
		}
	}
	for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(append(drawnExports, "")), rapid.ID).Draw(t, "conditions") {
		o.Project.Note(state.Condition{
			Scope: state.Scope{Iteration: id, Export: name}, First: drawTime(t, "first"), Next: drawTime(t, "next"),
			Code:     rapid.SampledFrom(drawnCodes).Draw(t, "code"),
			Attempts: rapid.IntRange(1, 9).Draw(t, "attempts"),
			Unproven: rapid.Bool().Draw(t, "unproven"),
		})
	}
	o.Looks[id], o.Project.Iterations[id] = look, record
	if rapid.SampledFrom([]bool{true, true, false}).Draw(t, "saved") {
		o.Sets[id] = dataset.Snapshot{Verdict: dataset.Complete, Lost: rapid.SampledFrom([]bool{false, false, true}).Draw(t, "lines are lost")}
	}
	if rapid.SampledFrom([]bool{false, false, false, true}).Draw(t, "deleting") {
		asked := drawTime(t, "deletion")
		o.Project.Delete(id, state.Deletion{Asked: asked, Until: asked.Add(5 * time.Minute)})
	}
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
		Token: fmt.Sprint(i), Cause: state.FailureOf(cause), Known: ids[:rapid.IntRange(later, len(ids)).Draw(t, "known")],
		Asked: asked, Until: asked.Add(5 * time.Minute),
	}
	switch rapid.SampledFrom([]string{"open", "result", "result", "refused"}).Draw(t, "outcome") {
	case "result":
		training.Result = rapid.SampledFrom(append([]string{"deleted"}, ids[later:]...)).Draw(t, "result")
	case "refused":
		training.Nothing = "no"
	}
	o.Project.Trainings = append(o.Project.Trainings, training)
}

// statusOf is the status in the list of the export that an action is about.
func statusOf(o Observed, a Action) string {
	if a.Export == "" {
		return ""
	}
	for _, e := range o.Looks[a.Iteration].Exports {
		if e.Key.String() == a.Export {
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
				status := statusOf(o, Action{Step: Step{Scope: state.Scope{Iteration: id, Export: name}}})
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
				if training.Nothing == "" && !dead && noon.Sub(training.Asked) < 30*24*time.Hour {
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

// drawSafe makes some iterations such that nothing is lost with them, but for one thing
// at most. Else next to none ever is.
func drawSafe(t *rapid.T, o *Observed) {
	o.Project.Seen = noon.Add(-90 * 24 * time.Hour)
	for i, it := range o.Iterations {
		look := o.Looks[it.ID]
		if it.Status == customvision.StatusTraining && rapid.SampledFrom([]bool{true, true, false}).Draw(t, "ended") {
			o.Iterations[i].Status = customvision.StatusFailed
		}
		if look == nil || rapid.SampledFrom([]bool{false, false, false, true}).Draw(t, "left as it is") {
			continue
		}
		but := rapid.SampledFrom([]string{"", "", "exports", "backups", "asked", "conditions", "sets", "deletions", "published"}).Draw(t, "but for")
		if but != "backups" {
			look.Backups = nil
			for _, name := range drawnExports {
				platform, flavor := split(name)
				key, _ := archive.NewKey(projectID, it.ID, platform, flavor)
				look.Backups = append(look.Backups, archive.Backup{Key: key, Verdict: archive.Proven})
			}
		}
		if but != "exports" {
			look.Exports = slices.DeleteFunc(look.Exports, func(e Listed) bool { return e.Status != customvision.ExportDone })
		}
		if but != "asked" {
			o.Project.Iterations[it.ID].Exports = nil
		}
		if but != "conditions" {
			o.Project.Conditions = slices.DeleteFunc(o.Project.Conditions, func(c *state.Condition) bool { return c.Iteration == it.ID })
		}
		if but != "sets" {
			o.Sets[it.ID] = dataset.Snapshot{Verdict: dataset.Complete}
		}
		if but != "deletions" {
			delete(o.Project.Deletions, it.ID)
		}
		if but != "published" {
			o.Iterations[i].PublishName = ""
		}
	}
}

// An iteration is planned to be deleted only if nobody needs it at the service, and
// nothing is lost with it.
func TestPlanDeletesOnlyWhatIsSafe(t *testing.T) {
	t.Parallel()
	deleted := 0
	rapid.Check(t, func(t *rapid.T) {
		r, o := drawRules(t), drawObserved(t)
		drawSafe(t, &o)
		if len(o.Iterations) > 0 && rapid.Bool().Draw(t, "promoted") {
			o.Project.Promotion = &state.Promotion{Name: "production", Holder: rapid.SampledFrom(o.Iterations).Draw(t, "champion").ID}
			if rapid.SampledFrom([]bool{false, false, true}).Draw(t, "moves") {
				o.Project.Promotion.Move = &state.Move{From: rapid.SampledFrom(o.Iterations).Draw(t, "from").ID, To: o.Project.Promotion.Holder, Until: drawTime(t, "move")}
			}
		}
		n := 0
		for _, a := range Plan(r, o) {
			if a.Kind != Delete {
				continue
			}
			n++
			deleted++
			assert.NotZero(t, r.Keep)
			assert.False(t, o.Project.Seen.IsZero() || o.Project.Rebuilt || o.Missing)
			count, newer := 0, false
			it := o.Iterations[slices.IndexFunc(o.Iterations, func(it customvision.Iteration) bool { return it.ID == a.Iteration })]
			for _, other := range o.Iterations {
				assert.NotEqual(t, customvision.StatusTraining, other.Status, "a training is underway")
				if other.Status != customvision.StatusNew {
					count++
				}
				newer = newer || other.Status == customvision.StatusCompleted && other.LastModified.After(it.LastModified)
			}
			assert.Greater(t, count, min(r.Keep, 19))
			assert.Empty(t, it.PublishName)
			if known := o.Project.Promotion; known != nil {
				assert.NotEqual(t, known.Holder, it.ID, "the champion")
				if m := known.Move; m != nil {
					assert.NotContains(t, []string{m.From, m.To}, it.ID, "it is to lose the name or to get it")
					assert.False(t, noon.Before(m.Until.Add(r.Grace)), "a name is being given away")
				}
			}
			for _, training := range o.Project.Trainings {
				assert.False(t, training.Open() && noon.Before(training.Until.Add(r.Grace)), "a training was asked for")
			}
			for _, d := range o.Project.Deletions {
				assert.False(t, d.Open() && noon.Before(d.Until.Add(r.Grace)), "another deletion may be underway")
			}
			for _, c := range o.Project.Conditions {
				assert.False(t, c.Iteration == it.ID && c.Code != state.NotExportable && c.Code != state.NotOffered, "what may pass: %+v", c)
			}
			if it.Status == customvision.StatusFailed {
				continue
			}
			assert.True(t, newer, "it is the newest")
			look, kept := o.Looks[it.ID], false
			for _, e := range look.Exports {
				assert.True(t, e.Status == customvision.ExportFailed || e.Status == customvision.ExportDone && look.proven(e.Key), "%s %s", e.Key, e.Status)
			}
			for _, b := range look.Backups {
				kept = kept || b.Verdict.Counts()
			}
			assert.True(t, kept, "the archive has nothing of it")
			if set, ok := o.Sets[it.ID]; r.Rescue {
				assert.True(t, ok && !set.Lost, "its data set")
			}
			for name, e := range o.Project.Iterations[it.ID].Exports {
				status := statusOf(o, Action{Step: Step{Scope: state.Scope{Iteration: it.ID, Export: name}}})
				assert.False(t, (status == "" || status == "Failed") && (e.Until.After(noon.Add(-r.Grace)) || status == "" && e.Asked.After(noon.Add(-r.Grace))), "%s was asked for", name)
			}
			if slices.Contains(r.Iterations, policy.All) && it.Exportable {
				for _, name := range r.Exports {
					platform, flavor := split(name)
					key, _ := archive.NewKey(projectID, it.ID, platform, flavor)
					assert.True(t, look.proven(key), "%s is wanted", name)
				}
			}
		}
		assert.LessOrEqual(t, n, 1)
	})
	assert.NotZero(t, deleted, "some are")
}

func TestPlanPublishesOnlyWhatTheGateAndPeopleLetThrough(t *testing.T) {
	t.Parallel()
	published := 0
	rapid.Check(t, func(t *rapid.T) {
		r, o := drawRules(t), drawObserved(t)
		holder, known, n := holderOf(o.Iterations, "production"), o.Project.Promotion, 0
		for _, a := range Plan(r, o) {
			if a.Kind != Publish {
				continue
			}
			n++
			published++
			it := (&plan{o: o}).iteration(a.Iteration)
			assert.Equal(t, customvision.StatusCompleted, it.Status)
			assert.Empty(t, it.PublishName, "an iteration has one name")
			if known != nil && known.Move != nil {
				assert.False(t, noon.Before(known.Move.Until.Add(r.Grace)), "another may be sending it")
				if holder == "" && known.Move.From != "" {
					assert.Contains(t, []string{known.Move.From, known.Move.To}, a.Iteration, "what was begun is finished")
					continue
				}
			}
			assert.Equal(t, newest(o.Iterations), a.Iteration)
			assert.False(t, o.Project.Seen.IsZero())
			assert.Empty(t, slower(r.Promote, o, a.Iteration, holder))
			if known != nil {
				assert.NotEqual(t, a.Iteration, known.Left, "a person decided when it was the newest")
				there := known.Holder == "" || slices.ContainsFunc(o.Iterations, func(it customvision.Iteration) bool { return it.ID == known.Holder })
				assert.True(t, !there || known.Holder == holder, "somebody else gave the name away")
			}
		}
		assert.LessOrEqual(t, n, 1)
	})
	assert.NotZero(t, published)
}

// slower says by what an iteration fails the gate, worked out one figure after the other.
func slower(rule *policy.Promote, o Observed, iteration, holder string) (faults []string) {
	list := func(id string) map[string]*float64 {
		all := map[string]*float64{}
		if id == "" {
			return all
		}
		f := o.Project.Iterations[id].Figures
		if f == nil || f.Threshold != rule.Threshold {
			faults = append(faults, id+" isn't measured")
			return all
		}
		add := func(of string, m state.Measures) {
			all[of+"precision"], all[of+"recall"], all[of+"average"] = m.Precision, m.Recall, m.AveragePrecision
		}
		add("", f.Measures)
		for tag, t := range f.Tags {
			if rule.PerTag {
				add(tag+" ", t.Measures)
			}
		}
		return all
	}
	found, champion := list(iteration), list(holder)
	for name, figure := range found {
		least := 0.0
		switch {
		case strings.HasSuffix(name, "precision"):
			least = rule.Minimum.Precision
		case strings.HasSuffix(name, "recall"):
			least = rule.Minimum.Recall
		}
		if least > 0 && (figure == nil || *figure < least) {
			faults = append(faults, name+" is too low")
		}
	}
	for name, figure := range champion {
		if figure != nil && (found[name] == nil || *found[name] < *figure-rule.NotWorseBy-1e-6) {
			faults = append(faults, name+" is worse")
		}
	}
	return faults
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
			case a.Fact == state.FactPromotion: // nothing of its exports
			case a.Kind == Backup || a.Kind == Wait || a.Kind == Export && r.Mode == policy.Act:
				open[a.Iteration] = true
			}
		}
		for id := range settles {
			assert.False(t, open[id])
		}
	})
}

// Whatever a project looks like, and whether a step succeeds or shows a condition:
// on what is seen then, the same step isn't planned again, and the plans come to an end.
func TestNoStepIsPlannedAgainOnWhatItShowed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r, o := drawRules(t), drawObserved(t)
		r.Mode = policy.Act
		v := &visit{Reconciler: New(Options{Clock: SystemClock{}, Service: new(customvision.Client)}), rules: r, record: &state.Record{Project: o.Project, Seen: noon}, seen: o, began: noon}
		taken := map[Step]bool{}
		for range 100 {
			plan := slices.DeleteFunc(Plan(r, v.seen), func(a Action) bool { return a.Kind == Wait })
			if len(plan) == 0 {
				return
			}
			a := plan[0]
			if taken[a.Step] {
				t.Fatalf("planned again: %+v", a)
			}
			if a.Kind == Publish { // others may be wanted then, and spared
				maps.DeleteFunc(taken, func(s Step, _ bool) bool { return s.Kind != Publish })
			}
			taken[a.Step] = true
			imagine(t, v, a)
		}
		t.Fatal("it goes on and on")
	})
}

// imagine makes what was seen what it is after a step that succeeded, or that showed
// a condition.
func imagine(t *rapid.T, v *visit, a Action) {
	fails := rapid.Bool().Draw(t, "fails") && a.Kind != Describe
	if a.Kind == Publish {
		v.announce(&v.seen.Project, a, sending{token: "token", until: noon})
		m := *v.seen.Project.Promotion.Move
		if fails && m.From != "" { // it has the name, or is given it back
			m.To = m.From
		}
		if !fails || m.From != "" {
			v.promoted(m)
		}
		v.seen.Project.Promotion.Move = nil
	}
	if a.Kind == Postpone || fails && (a.Kind == Backup || a.Kind.effect()) {
		code := a.Code
		if code == "" {
			code = rapid.SampledFrom(drawnCodes).Draw(t, "code")
		}
		note(&v.seen.Project, a.Scope, false, fault{code: code, why: "it can't be done"}, a.Kind == Backup, v.rules.Under, noon)
		return
	}
	switch a.Kind {
	case Describe:
		v.learn(func(p *state.Project) { p.Iteration(a.Iteration).Facts = described().Facts })
	case Backup:
		key, _ := v.key(a)
		look := v.seen.Looks[a.Iteration]
		look.Backups = append(look.Backups, archive.Backup{Key: key, Verdict: archive.Proven})
	case Export:
		key, _ := v.key(a)
		v.announce(&v.seen.Project, a, sending{token: "token", until: noon})
		v.seen.Looks[a.Iteration].see(key, customvision.Export{Platform: key.Platform, Flavor: key.Flavor, Status: rapid.SampledFrom([]string{"Exporting", "Done", "Failed"}).Draw(t, "answer")})
	case Delete:
		v.announce(&v.seen.Project, a, sending{token: "tokentoken", until: noon})
		v.seen.Gone[a.Iteration] = true
		v.seen.Iterations = slices.DeleteFunc(v.seen.Iterations, func(it customvision.Iteration) bool { return it.ID == a.Iteration })
	case Measure:
		v.learn(func(p *state.Project) { p.Iteration(a.Iteration).Figures = &state.Figures{Threshold: 0.5} })
	case Publish:
	case Bury:
		v.seen.Project.Deletions[a.Iteration].Gone = noon
	case Retrain:
		v.announce(&v.seen.Project, a, sending{token: "token", until: noon})
		v.seen.Project.Trainings[len(v.seen.Project.Trainings)-1].Result = "new"
		v.seen.Iterations = append(v.seen.Iterations, customvision.Iteration{ID: "new", Status: customvision.StatusTraining})
	default:
		v.remember(a)
		v.clearConditions(nil)
	}
}
