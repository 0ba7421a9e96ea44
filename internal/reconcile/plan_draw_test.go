package reconcile

import (
	"fmt"
	"slices"
	"time"

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
	for _, tag := range rapid.SampledFrom([][]string{{}, {"bolt"}, {"bolt"}, {"bolt", "nut"}}).Draw(t, "tags") {
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
	record.Before = rapid.SampledFrom([]bool{false, false, false, true}).Draw(t, "from before")
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
