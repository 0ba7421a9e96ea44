package reconcile

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

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
	check := func(t *rapid.T) {
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
			assert.False(t, o.Project.Seen.IsZero() || o.Project.Iterations[a.Iteration].Before, "the app doesn't know what people decided")
			assert.Empty(t, slower(r.Promote, o, a.Iteration, holder))
			if known != nil {
				assert.NotEqual(t, a.Iteration, known.Left, "a person decided when it was the newest")
				assert.False(t, known.Left != "" && (&plan{o: o}).ended(*it).Before(known.At.Add(-clocksDiffer)), "a person decided when it was there")
				there := known.Holder == "" || slices.ContainsFunc(o.Iterations, func(it customvision.Iteration) bool { return it.ID == known.Holder })
				assert.True(t, !there || known.Holder == holder, "somebody else gave the name away")
			}
		}
		assert.LessOrEqual(t, n, 1)
	}
	for tries := 0; published == 0 && tries < 100; tries++ { // by chance nothing may be published in one
		rapid.Check(t, check)
	}
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
	if f := o.Project.Iterations[iteration].Figures; rule.PerTag && f != nil && len(f.Tags) == 0 {
		faults = append(faults, "no tag is measured")
	}
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
		is, known := found[name]
		if figure != nil && (!known || is == nil && *figure > rule.NotWorseBy+1e-6 || is != nil && *is < *figure-rule.NotWorseBy-1e-6) {
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
