package page

import (
	"net/http"
	"slices"
	"strconv"

	. "maragu.dev/gomponents"
	. "maragu.dev/gomponents/html"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

// find is a project that was gathered, by its id.
func find(status overview.Status, id string) (overview.Project, bool) {
	for _, p := range status.Projects {
		if p.ID == id {
			return p, true
		}
	}
	return overview.Project{}, false
}

func (v *visit) project(id string, asJSON bool) {
	status, ok := v.gather()
	if !ok {
		return
	}
	p, ok := find(status, id)
	if !ok {
		v.notFound("There is no such project")
		return
	}
	p, err := v.Gatherer.WithBackups(v.r.Context(), p)
	if err != nil {
		v.problem(http.StatusServiceUnavailable, "The archive can't be read", overview.Why(err))
		return
	}
	v.cleanProject(p)
	if asJSON {
		status.Only(p)
		v.tell(http.StatusOK, status)
		return
	}
	v.show(http.StatusOK, frame{title: p.Name, json: v.to("projects/" + p.ID + ".json"), letters: status.DeadLetters},
		P(Class("crumbs"), A(Href(v.to("")), Text("Overview"))),
		H1(foreign(p.Name)),
		P(Class("soft"), If(p.Domain != "", Text(printable(p.Domain)+" · ")), Text(count(len(p.Iterations), "model")+" · "), Code(Text(p.ID))),
		performance(p),
		H2(Text("What happens next, and why")),
		v.next(p, v.planOf(p)),
		dataSet(status.Rescue, p.ID),
		H2(Text("Iterations")),
		v.iterations(p.Iterations),
		tags(p.Iterations),
		P(Class("soft"), Text("The plan "), A(Href(v.to("projects/"+p.ID+"/plan.json")), Text("as JSON"))),
	)
}

func performance(p overview.Project) Node {
	drawn := chart(p)
	if drawn == nil {
		return nil
	}
	return Group{H2(Text("Performance over the iterations")), scrolling("Chart of the performance", drawn)}
}

// next is what a run would do now, what can't be done, and what is underway.
func (v *visit) next(p overview.Project, plan planLine) Node {
	return card(
		Map(plan.Problems, func(p planProblem) Node {
			return P(Class("condition"), sign("blocked"), Span(Text(p.What+": "), foreign(fullStop(p.Why))))
		}),
		planned(plan),
		v.cannot(p.Conditions),
		Map(p.Trainings, func(t overview.Training) Node {
			name := "underway"
			if failed(t) {
				name = "blocked"
			}
			return P(Class("condition"), sign(name), Span(Text("The training "), foreign(t.Name), Text(" has the status "+printable(t.Status)+" since "), at(t.Last), Text(".")))
		}),
		Iff(p.Twin != nil, func() Node {
			return P(Class("condition"), If(p.Twin.Open, sign("underway")), Span(Text("There is "+printable(p.Twin.Says())+".")))
		}),
	)
}

// planned is what a run would do now, but for what only changes the app's own notes.
func planned(plan planLine) Node {
	own := slices.DeleteFunc(slices.Concat(plan.Planned, plan.Waiting), func(a overview.Action) bool {
		return a.Kind == reconcile.Describe || a.Kind == reconcile.Settle
	})
	switch {
	case plan.Outside:
		return P(Text("The policy names no rule for this project: nothing of it is archived."))
	case len(own) > 0:
		return Ol(Class("plan"), Map(own, action))
	case len(plan.Problems) == 0:
		return P(Text("Nothing is to be done: all is as the policy wants it."))
	}
	return nil
}

func action(a overview.Action) Node {
	return Li(
		B(Text(sentence(overview.Would[a.Kind]))), Text(" "), foreign(a.Exported()),
		If(a.IterationName != "", Group{Text(" of "), foreign(a.IterationName)}),
		soft(
			foreign(fullStop(a.Why)),
			Iff(a.ExpectedCost != nil, func() Node { return Text(" " + fullStop(a.ExpectedCost.String())) }),
			Iff(a.Next != nil, func() Node { return Group{Text(" Next try "), at(*a.Next), Text(".")} }),
		),
	)
}

// projectConditions is how many conditions a project's page shows.
const projectConditions = 100

func (v *visit) cannot(list []overview.Condition) Node {
	if len(list) == 0 {
		return nil
	}
	shown := list[:min(projectConditions, len(list))]
	more := len(list) - len(shown)
	return Group{
		H3(Text("What can't be done now")),
		v.conditions(shown, If(more > 0, Li(Class("soft"), Textf("and %d more, which the JSON has", more)))),
	}
}

// dataSet is what is saved of a project's data set; nil where nobody asked for that.
func dataSet(list []state.Coverage, project string) Node {
	i := slices.IndexFunc(list, func(c state.Coverage) bool { return c.Project == project })
	if i < 0 {
		return nil
	}
	c := list[i]
	return Group{H2(Text("Data set")), card(
		P(
			Textf("%d of %s complete. %d of %s saved, %s.", c.Complete, count(c.Wanted, "snapshot"), c.Saved, count(c.Images, "image"), size(c.Bytes)),
			If(!c.Looked.IsZero(), Group{Text(" "), soft(Text("Custom Vision was last asked "), at(c.Looked), Text("."))}),
		),
		If(len(c.Missing) > 0, Ul(Class("conditions"), Map(c.Missing, func(missing string) Node {
			return blockedItem(Span(foreign(fullStop(missing))))
		}))),
	)}
}

func (v *visit) iterations(list []overview.Model) Node {
	if len(list) == 0 {
		return empty(P(Text("No model is trained yet.")))
	}
	return Map(list, v.iteration)
}

// iteration is one model, unfolded where it is the newest or published.
func (v *visit) iteration(m overview.Model) Node {
	return Details(Class("card iteration"), ID("i-"+m.ID), If(m.Newest || m.Published, Attr("open")),
		Summary(
			Span(Class("name"), foreign(m.Name)), Text(" "),
			If(m.Newest, Span(Class("tag"), Text("newest"))),
			Iff(m.Deleted != nil, func() Node {
				return Span(Class("tag"), Text("deleted by this app to make room, "), at(*m.Deleted))
			}),
			If(m.Published, Span(Class("tag live"), Text("published as "), foreign(m.PublishedName))), Text(" "),
			soft(
				Iff(m.TrainedAt != nil, func() Node { return Group{Text("trained "), at(*m.TrainedAt)} }),
				If(m.Type != "", Text(" · "+printable(m.Type))),
			), Text(" "),
			If(m.Safe, Span(Class("tag safe"), sign("proven"), Text("safe"))),
			If(!m.Safe, Span(Class("tag unsafe"), sign("blocked"), Text("no backup"))),
		),
		Iff(m.Performance != nil, func() Node {
			return Dl(Class("numbers"),
				figure("Precision", Text(percent(m.Performance.Precision))),
				figure("Recall", Text(percent(m.Performance.Recall))),
				figure("AP", Text(percent(m.Performance.AveragePrecision))),
			)
		}),
		v.copies(m),
	)
}

// figure is one entry of a list of numbers.
func figure(name string, value Node) Node { return Div(Dt(Text(name)), Dd(value)) }

// copies are a model's exports, each with its copy in the archive.
func (v *visit) copies(m overview.Model) Node {
	list := exports(m)
	if len(list) == 0 {
		return P(Class("soft"), Text("It has no exports."))
	}
	return Div(Class("scroll"), region("Exports of "+printable(m.Name)), Table(Class("copies"),
		columns("Export", "State", "Size", "SHA-256", "Verified", "Backup"),
		TBody(Map(list, func(e export) Node {
			b, has := copyOf(m, e.name)
			why := m.Blocked[e.name]
			return Tr(
				Th(Scope("row"), Text(e.name)),
				cell("State", Span(Class("chip "+e.state), sign(e.state), Span(Text(e.word))), If(why != "", soft(foreign(why)))),
				cell("Size", orDash(If(has, Text(size(b.Size))))),
				cell("SHA-256", orDash(If(b.SHA256 != "", Code(Class("hash"), Text(b.SHA256))))),
				cell("Verified", orDash(Iff(b.Verified != nil, func() Node { return at(*b.Verified) })), If(b.Note != "", soft(Text(printable(b.Note))))),
				cell("Backup", orDash(If(b.Blob != "" && b.Verdict != "" && b.Verdict != archive.Lost,
					A(Class("button"), Href(v.to("backups/"+b.Blob)), Attr("download"), Aria("label", "Download "+e.name+" of "+printable(m.Name)), Text("Download"))))),
			)
		})),
	))
}

// copyOf is the copy of an export that is shown: the last one, or the last that counts.
func copyOf(m overview.Model, export string) (copied overview.Backup, has bool) {
	for _, b := range m.Backups {
		if b.Export == export && (!has || b.Verdict.Counts()) {
			copied, has = b, true
		}
	}
	return copied, has
}

// tags are those of the newest model whose tags are known, and how well it does on each.
func tags(list []overview.Model) Node {
	for _, m := range list {
		if tags := m.Tags(); len(tags) > 0 {
			return Group{H2(Text("Tags of "), foreign(m.Name)), scrolling("Performance of each tag", Table(Class("tags"),
				columns("Tag", "Images", "Precision", "Recall", "AP"),
				TBody(Map(tags, func(t overview.Tag) Node {
					return Tr(
						Th(Scope("row"), foreign(t.Name)),
						cell("Images", Text(strconv.Itoa(t.Images))),
						cell("Precision", measured(t.Precision)),
						cell("Recall", measured(t.Recall)),
						cell("AP", measured(t.AveragePrecision)),
					)
				})),
			))}
		}
	}
	return nil
}

// measured is a share from 0 to 1, as a bar and a number.
func measured(p *float64) Node {
	return orDash(Iff(p != nil, func() Node { return Span(Class("bar"), bar(*p, "8"), Text(percent(p))) }))
}
