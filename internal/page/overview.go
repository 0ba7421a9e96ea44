package page

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	. "maragu.dev/gomponents"
	. "maragu.dev/gomponents/html"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/policy"
)

// overview is the first page: whether all is well, the numbers, and each project.
func (v *visit) overview() {
	s, ok := v.gather()
	if !ok {
		return
	}
	v.show(http.StatusOK, frame{title: "Overview", here: "Overview", json: v.to("status.json"), letters: s.DeadLetters},
		v.verdict(s),
		v.numbers(s),
		H2(Text("Projects")),
		v.projects(s.Projects),
	)
}

func (v *visit) verdict(s overview.Status) Node {
	problems := v.problems(s)
	class, name := "verdict well", "proven"
	if len(problems) > 0 {
		class, name = "verdict look", "blocked"
	}
	busy := 0
	for _, p := range s.Projects {
		busy += len(underway(p))
		for _, m := range p.Iterations {
			busy += len(m.Exporting)
		}
	}
	return Section(Class(class), sign(name), Div(
		H1(Text(verdict(s, len(problems)))),
		If(busy > 0, P(Text(count(busy, "thing")+" underway."))),
		If(s.Mode == policy.Observe, P(Text("The policy only observes: finished exports are archived, nothing is asked for or trained."))),
		If(len(problems) > 0, Ul(Class("problems"), Map(problems, func(p problem) Node {
			if p.link == "" {
				return Li(foreign(p.text))
			}
			return Li(A(Href(p.link), foreign(p.text)))
		}))),
	))
}

// verdict is how it stands, in a sentence.
func verdict(s overview.Status, problems int) string {
	switch {
	case problems == 1:
		return "One thing needs a look."
	case problems > 1:
		return fmt.Sprintf("%d things need a look.", problems)
	case len(s.Projects) == 0:
		return "Nothing is here yet. Connect a project, and train it."
	case s.Models == 0:
		return "All is well. No model is trained yet."
	}
	return "All is well. Every finished export has a proven backup."
}

// underway are a project's trainings that didn't fail.
func underway(p overview.Project) []overview.Training {
	return slices.DeleteFunc(slices.Clone(p.Trainings), failed)
}

func failed(t overview.Training) bool { return t.Status == customvision.StatusFailed }

// problem is something that a person should look at.
type problem struct {
	text string
	link string // empty where there is no more to see
}

// problems are what isn't well, the worst first.
func (v *visit) problems(s overview.Status) []problem {
	var list []problem
	add := func(link, format string, a ...any) { list = append(list, problem{fmt.Sprintf(format, a...), link}) }
	for _, n := range s.Notes {
		add("", "%s", sentence(n))
	}
	if s.Unproven > 0 {
		add("", "%s without a proven backup", count(s.Unproven, "finished export"))
	}
	if s.Sweep != nil {
		for _, text := range append(slices.Clone(s.Sweep.Errors), s.Sweep.Warnings...) {
			add("", "The last sweep said: %s", text)
		}
		for _, c := range s.Sweep.Conditions {
			add("", "%s; %s", sentence(c.Why), c.When(v.Now()))
		}
		if v.Now().Sub(s.Sweep.Ended) > overdue {
			add("", "The last sweep ended more than a day ago: see whether the app runs")
		}
	}
	for _, c := range s.Conditions {
		add("", "%s; %s", sentence(c.Why), c.When(v.Now()))
	}
	if s.Queue != nil && s.Queue.Poison > 0 {
		add("", "%s in the poison queue: the next sweep takes them", count(s.Queue.Poison, "message"))
	}
	for _, p := range s.Projects {
		link := v.to("projects/" + p.ID)
		if n := len(p.Conditions); n > 0 {
			add(link, "%s: %s can't be done now", p.Name, count(n, "thing"))
		}
		for _, m := range p.Iterations {
			if list := m.Doubtful(); len(list) > 0 {
				add(link, "%s: no copy of %s of %s counts as a backup", p.Name, strings.Join(list, ", "), m.Name)
			}
		}
		for _, t := range p.Trainings {
			if failed(t) {
				add(link, "%s: the training %s failed", p.Name, t.Name)
			}
		}
	}
	for _, c := range s.Rescue {
		if c.Complete < c.Wanted {
			add(v.to("projects/"+c.Project), "%s: %d of %s of its data set complete, %d of %s saved", c.Name, c.Complete, count(c.Wanted, "snapshot"), c.Saved, count(c.Images, "image"))
		}
	}
	if s.DeadLetters != nil && *s.DeadLetters > 0 {
		add(v.to("dead-letters"), "%s that could never succeed", count(*s.DeadLetters, "message"))
	}
	return list
}

// overdue is after how long without a sweep something is wrong, whatever the schedule.
const overdue = 26 * time.Hour

func (v *visit) numbers(s overview.Status) Node {
	safe := 0.0
	if s.Models > 0 {
		safe = float64(s.Safe) / float64(s.Models)
	}
	var round *time.Time
	if s.Sweep != nil {
		round = s.Sweep.Round
	}
	return Ul(Class("tiles"), Aria("label", "Numbers"),
		tile("Models safe",
			Strong(number(s.Safe), Small(Textf(" of %d", s.Models))),
			bar(safe, "6", Class("meter")),
			soft(Text("as far as seen")),
		),
		Iff(s.RescueTotal != nil, func() Node {
			return tile("Data sets safe",
				Strong(number(s.RescueTotal.Complete), Small(Text(" of "+count(s.RescueTotal.Wanted, "snapshot")))),
				bar(s.RescueTotal.Share(), "6", Class("meter")),
				soft(Text("of "+count(len(s.Rescue), "project"))),
			)
		}),
		tile("Custom Vision ends",
			Strong(Small(Text("in ")), number(s.RetirementDays), Small(Text(" days"))),
			soft(Text("on "), moment(overview.Retirement, day(overview.Retirement))),
		),
		tile("Last notification", clock(s.LastNotification)),
		tile("Last whole sweep", clock(round)),
		tile("Messages waiting", waiting(s.Queue)),
		tile("Dead letters", v.buried(s.DeadLetters), soft(Text("could never succeed"))),
	)
}

func tile(label string, content ...Node) Node {
	return Li(Span(Class("label"), Text(label)), Group(content))
}

// clock is when something was last, large.
func clock(t *time.Time) Node {
	if t == nil {
		return Group{Strong(Text("–")), soft(Text("none yet"))}
	}
	return Group{Strong(moment(*t, t.UTC().Format("15:04")), Small(Text(" UTC"))), soft(Text(day(*t)))}
}

func waiting(q *overview.Queue) Node {
	if q == nil {
		return Group{Strong(Text("–")), soft(Text("the queue can't be seen"))}
	}
	return Group{Strong(number(q.Messages)), soft(Textf("%d in the poison queue", q.Poison))}
}

func (v *visit) buried(letters *int) Node {
	if letters == nil {
		return Strong(Text("–"))
	}
	return Strong(A(Href(v.to("dead-letters")), number(*letters)))
}

func (v *visit) projects(list []overview.Project) Node {
	if len(list) == 0 {
		return empty(P(Text("No project is known yet. "), Code(Text("visionkeeper connect --project NAME")), Text(" connects one; after its next training it is shown here.")))
	}
	return scrolling("Projects", Table(Class("projects"),
		columns("Project", "Newest", "Published", "Average precision", "Exports of the newest and the published"),
		TBody(Map(list, v.row)),
	))
}

// row is one project of the overview.
func (v *visit) row(p overview.Project) Node {
	link := v.to("projects/" + p.ID)
	newest := slices.IndexFunc(p.Iterations, func(m overview.Model) bool { return m.Newest })
	var published, shown []overview.Model
	for _, m := range p.Iterations {
		if m.Published {
			published = append(published, m)
		}
		if m.Newest || m.Published {
			shown = append(shown, m)
		}
	}
	return Tr(
		Th(Scope("row"), A(Href(link), foreign(p.Name)), If(p.Domain != "", soft(Text(printable(p.Domain))))),
		cell("Newest",
			Iff(newest >= 0, func() Node {
				m := p.Iterations[newest]
				return Group{foreign(m.Name), Iff(m.TrainedAt != nil, func() Node { return soft(Text(day(*m.TrainedAt))) })}
			}),
			If(newest < 0, soft(Text("no model yet"))),
			Text(" "),
			Map(underway(p), func(t overview.Training) Node {
				return Span(Class("chip underway"), sign("underway"), B(foreign(t.Name)), Text(" "), Span(Text(printable(t.Status))))
			}),
		),
		cell("Published",
			Map(published, func(m overview.Model) Node {
				return Div(foreign(m.Name), soft(Text("as "), foreign(m.PublishedName)))
			}),
			If(len(published) == 0, soft(Text("none"))),
		),
		cell("Average precision", spark(p)),
		cell("Exports",
			Map(shown, func(m overview.Model) Node {
				return Div(Class("matrix"), If(len(shown) > 1, Span(Class("of"), foreign(m.Name))), chips(m))
			}),
			v.first(p.Conditions, link),
		),
	)
}

// chips are a model's exports, in short.
func chips(m overview.Model) Node {
	list := exports(m)
	return Ul(Class("chips"),
		Map(list, func(e export) Node {
			return Li(Class("chip "+e.state), sign(e.state), B(Text(e.name)), Text(" "), Span(Text(e.word)))
		}),
		If(len(list) == 0, Li(Class("soft"), Text("none"))),
	)
}

// rowConditions is how many conditions of a project the overview shows.
const rowConditions = 3

// first are the first conditions of a project, and a link to more.
func (v *visit) first(list []overview.Condition, link string) Node {
	if len(list) == 0 {
		return nil
	}
	shown := list[:min(rowConditions, len(list))]
	v.cleanConditions(shown)
	more := len(list) - len(shown)
	return v.conditions(shown, If(more > 0, Li(Class("condition"), A(Href(link), Textf("and %d more", more)))))
}
