package page

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

// functions are those of the templates.
var functions = template.FuncMap{
	"minute":  func(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") },
	"machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"clock":   func(t time.Time) string { return t.UTC().Format("15:04") },
	"day":     func(t time.Time) string { return t.UTC().Format("2 Jan 2006") },
	"percent": percent,
	// share is a share from 0 to 1 of a bar that is 100 wide.
	"share": func(p any) float64 {
		value, plain := p.(float64)
		if !plain {
			value = *p.(*float64)
		}
		return 100 * min(max(value, 0), 1)
	},
	"size":  func(n any) string { return size(reflect.ValueOf(n).Int()) },
	"count": count,
	"would": func(k reconcile.ActionKind) string { return sentence(overview.Would[k]) },
	"short": func(s string) string { return s[:min(12, len(s))] },
	"safe":  printable,
	"when":  func(c overview.Condition) string { return c.When(time.Now()) },
	"time":  func(t *time.Time) time.Time { return *t },
	"sentence": func(s string) string {
		return strings.TrimRight(sentence(s), ".") + "."
	},
}

// percent is a share from 0 to 1 for a person.
func percent(p *float64) string {
	if p == nil {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100**p)
}

// size is a number of bytes for a person, in powers of ten.
func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1_000_000)
}

// count is a number with its noun: "1 message", "2 messages".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func sentence(s string) string {
	_, first := utf8.DecodeRuneInString(s)
	return strings.ToUpper(s[:first]) + s[first:]
}

// printable is a foreign text in which nothing but line breaks and tabs controls how it
// is shown.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ', r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return '·'
		}
		return r
	}, s)
}

// Cell is what there is of one export of a model.
type Cell struct {
	Export string
	State  string // a word for the style, and the name of its sign
	Word   string // the same for a person
}

// cells are a model's exports: those that the policy wants and those that there are.
func cells(m overview.Model) []Cell {
	names := slices.Concat(m.Wanted, m.Exported, m.Exporting, m.Failed, m.Archived)
	for export := range maps.Keys(m.Blocked) {
		if export != "" {
			names = append(names, export)
		}
	}
	slices.Sort(names)
	var list []Cell
	for _, name := range slices.Compact(names) {
		has := func(list []string) bool { return slices.Contains(list, name) }
		_, blocked := m.Blocked[name]
		_, whole := m.Blocked[""]
		c := Cell{Export: name, State: "wanted", Word: "wanted"}
		switch {
		case has(m.Proven):
			c.State, c.Word = "proven", "proven"
		case blocked && has(m.Archived):
			c.State, c.Word = "blocked", "archived, not proven"
		case blocked:
			c.State, c.Word = "blocked", "blocked"
		case has(m.Archived):
			c.State, c.Word = "archived", "archived"
		case has(m.Exported):
			c.State, c.Word = "underway", "exported, not archived yet"
		case has(m.Exporting):
			c.State, c.Word = "underway", "underway"
		case has(m.Failed):
			c.State, c.Word = "blocked", "failed"
		case whole:
			c.State, c.Word = "blocked", "blocked"
		}
		list = append(list, c)
	}
	return list
}

// Problem is something that a person should look at.
type Problem struct {
	Text string
	Link string // empty where there is no more to see
}

// problems are what isn't well, the worst first.
func (v *visit) problems(s overview.Status) []Problem {
	var list []Problem
	add := func(link, format string, a ...any) { list = append(list, Problem{fmt.Sprintf(format, a...), link}) }
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
		if n := len(p.Conditions); n > 0 {
			add(v.To("projects/"+p.ID), "%s: %s can't be done now", p.Name, count(n, "thing"))
		}
		for _, m := range p.Iterations {
			if list := m.Doubtful(); len(list) > 0 {
				add(v.To("projects/"+p.ID), "%s: no copy of %s of %s counts as a backup", p.Name, strings.Join(list, ", "), m.Name)
			}
		}
		for _, t := range p.Trainings {
			if t.Status == customvision.StatusFailed {
				add(v.To("projects/"+p.ID), "%s: the training %s failed", p.Name, t.Name)
			}
		}
	}
	for _, c := range s.Rescue {
		if c.Complete < c.Wanted {
			add(v.To("projects/"+c.Project), "%s: %d of %s of its data set complete, %d of %s saved", c.Name, c.Complete, count(c.Wanted, "snapshot"), c.Saved, count(c.Images, "image"))
		}
	}
	if s.DeadLetters != nil && *s.DeadLetters > 0 {
		add(v.To("dead-letters"), "%s that could never succeed", count(*s.DeadLetters, "message"))
	}
	return list
}

// overdue is after how long without a sweep something is wrong, whatever the schedule.
const overdue = 26 * time.Hour

type overviewPage struct {
	frame
	overview.Status
	Verdict  string
	Problems []Problem
	Rows     []row
	Observes bool
	Retires  time.Time
	Share    float64      // of the models that are safe, from 0 to 1
	Sets     *state.Total // nil where no data set is or is to be saved
	Busy     int          // trainings and exports that are underway
}

// row is one project of the overview.
type row struct {
	overview.Project
	Link      string
	Newest    *overview.Model
	Published []overview.Model
	Models    []rowModel // those whose exports are shown
	Spark     *spark
	Busy      []overview.Training
	More      int // conditions that aren't shown
}

type rowModel struct {
	overview.Model
	Cells []Cell
}

// rowConditions is how many conditions of a project the overview shows.
const rowConditions = 3

func (v *visit) newOverview(s overview.Status) overviewPage {
	page := overviewPage{frame: v.frame("Overview", "overview", v.To("status.json"), s.DeadLetters), Status: s, Problems: v.problems(s), Observes: s.Mode == policy.Observe, Retires: overview.Retirement, Sets: s.RescueTotal}
	if s.Models > 0 {
		page.Share = float64(s.Safe) / float64(s.Models)
	}
	for _, p := range s.Projects {
		r := row{Project: p, Link: v.To("projects/" + p.ID), Spark: newSpark(p)}
		for i, m := range p.Iterations {
			if m.Newest {
				r.Newest = &p.Iterations[i]
			}
			if m.Published {
				r.Published = append(r.Published, m)
			}
			if m.Newest || m.Published {
				r.Models = append(r.Models, rowModel{m, cells(m)})
			}
			page.Busy += len(m.Exporting)
		}
		for _, t := range p.Trainings {
			if t.Status != customvision.StatusFailed {
				r.Busy = append(r.Busy, t)
			}
		}
		page.Busy += len(r.Busy)
		if len(r.Conditions) > rowConditions {
			r.More, r.Conditions = len(r.Conditions)-rowConditions, r.Conditions[:rowConditions]
		}
		v.cleanConditions(r.Conditions)
		page.Rows = append(page.Rows, r)
	}
	switch n := len(page.Problems); {
	case n == 1:
		page.Verdict = "One thing needs a look."
	case n > 1:
		page.Verdict = fmt.Sprintf("%d things need a look.", n)
	case len(s.Projects) == 0:
		page.Verdict = "Nothing is here yet. Connect a project, and train it."
	case s.Models == 0:
		page.Verdict = "All is well. No model is trained yet."
	default:
		page.Verdict = "All is well. Every finished export has a proven backup."
	}
	return page
}

type projectPage struct {
	frame
	overview.Project
	Chart  *chart
	Set    *state.Coverage // what is saved of its data set; nil where nobody asked for that
	Tagged *overview.Model // the model whose tags are shown
	Tags   []overview.Tag
	Models []projectModel
	Plan   planLine
	Own    []overview.Action // of the plan, what only changes the app's own notes is left out
	More   int               // conditions that aren't shown
}

// projectConditions is how many conditions a project's page shows.
const projectConditions = 100

type projectModel struct {
	rowModel
	Copies []copyLine
	Open   bool
}

// copyLine is one export of a model, with a copy of it if there is one.
type copyLine struct {
	Cell
	overview.Backup
	Has  bool
	Link string // to download it; empty where it can't be
}

func (v *visit) newProject(s overview.Status, p overview.Project, plan planLine) projectPage {
	page := projectPage{frame: v.frame(p.Name, "", v.To("projects/"+p.ID+".json"), s.DeadLetters), Project: p, Plan: plan, Chart: newChart(p)}
	if i := slices.IndexFunc(s.Rescue, func(c state.Coverage) bool { return c.Project == p.ID }); i >= 0 {
		page.Set = &s.Rescue[i]
	}
	if len(page.Conditions) > projectConditions {
		page.More, page.Conditions = len(page.Conditions)-projectConditions, page.Conditions[:projectConditions]
	}
	for i, m := range p.Iterations {
		if tags := m.Tags(); len(tags) > 0 && page.Tagged == nil {
			page.Tagged, page.Tags = &p.Iterations[i], tags
		}
		one := projectModel{rowModel: rowModel{m, cells(m)}, Open: m.Newest || m.Published}
		for _, c := range one.Cells {
			line := copyLine{Cell: c}
			for _, b := range m.Backups {
				if b.Export != c.Export || line.Has && !b.Verdict.Counts() {
					continue
				}
				line.Has, line.Backup, line.Link = true, b, ""
				if b.Blob != "" && b.Verdict != "" && b.Verdict != archive.Lost {
					line.Link = v.To("backups/" + b.Blob)
				}
			}
			one.Copies = append(one.Copies, line)
		}
		page.Models = append(page.Models, one)
	}
	for _, a := range slices.Concat(plan.Planned, plan.Waiting) {
		if a.Kind != reconcile.Describe && a.Kind != reconcile.Settle {
			page.Own = append(page.Own, a)
		}
	}
	return page
}

type timelinePage struct {
	frame
	Days []timelineDay
}

type timelineDay struct {
	At     time.Time
	Events []timelineEvent
}

type timelineEvent struct {
	overview.Event
	Link  string
	Clock string
}

func (v *visit) newTimeline(s overview.Status, t overview.Timeline) timelinePage {
	page := timelinePage{frame: v.frame("Timeline", "timeline", v.To("timeline.json"), s.DeadLetters)}
	for _, e := range t.Events {
		one := timelineEvent{Event: e, Clock: e.At.Format("15:04:05")}
		if e.ProjectID != "" {
			one.Link = v.To("projects/" + e.ProjectID)
		}
		day := e.At.Truncate(24 * time.Hour)
		if n := len(page.Days); n == 0 || !page.Days[n-1].At.Equal(day) {
			page.Days = append(page.Days, timelineDay{At: day})
		}
		last := &page.Days[len(page.Days)-1]
		last.Events = append(last.Events, one)
	}
	return page
}

// Sign is the kind's sign.
func (e timelineEvent) Sign() string {
	return cmp.Or(map[overview.EventKind]string{
		overview.Trained: "trained", overview.Failed: "blocked", overview.Asked: "underway", overview.Deleted: "proven", overview.Notified: "message",
		overview.Archived: "proven", overview.Blocked: "blocked", overview.DeadLetter: "blocked", overview.Swept: "sweep", overview.Policed: "message",
	}[e.Kind], "message")
}
