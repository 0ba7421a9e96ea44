package page

import (
	"net/http"
	"time"

	. "maragu.dev/gomponents"
	. "maragu.dev/gomponents/html"

	"visionkeeper/internal/overview"
)

func (v *visit) timeline(asJSON bool) {
	status, ok := v.gather()
	if !ok {
		return
	}
	t := status.Timeline("")
	for i := range t.Events {
		t.Events[i].Text = v.Clean(t.Events[i].Text)
	}
	if asJSON {
		v.tell(http.StatusOK, t)
		return
	}
	v.show(http.StatusOK, frame{title: "Timeline", here: "Timeline", json: v.to("timeline.json"), letters: status.DeadLetters},
		H1(Text("Timeline")),
		P(Class("soft"), Text("What the app saw and did lately, by the dates that archive and state keep. What has passed without a trace isn't in it.")),
		v.days(t.Events),
	)
}

// days are the events of each day.
func (v *visit) days(events []overview.Event) Node {
	if len(events) == 0 {
		return empty(P(Text("Nothing has happened yet.")))
	}
	var days Group
	for len(events) > 0 {
		date := events[0].At.Truncate(24 * time.Hour)
		n := 1
		for n < len(events) && events[n].At.Truncate(24*time.Hour).Equal(date) {
			n++
		}
		days = append(days, Section(Class("card day"),
			H2(moment(date, day(date))),
			Ol(Class("events"), Map(events[:n], v.event)),
		))
		events = events[n:]
	}
	return days
}

func (v *visit) event(e overview.Event) Node {
	name := signOf(e.Kind)
	return Li(Class("event "+name), sign(name),
		moment(e.At, e.At.Format("15:04:05")),
		Span(Class("tag"), Text(e.Kind.Word())),
		Span(Class("text"),
			If(e.ProjectID != "", Group{A(Href(v.to("projects/"+e.ProjectID)), foreign(e.Project)), Text(" ")}),
			foreign(fullStop(e.Text)),
		),
	)
}

// signOf is a kind's sign, and its word for the style.
func signOf(kind overview.EventKind) string {
	switch kind {
	case overview.Trained:
		return "trained"
	case overview.Failed, overview.Blocked, overview.DeadLetter:
		return "blocked"
	case overview.Asked:
		return "underway"
	case overview.Deleted, overview.Archived:
		return "proven"
	case overview.Swept:
		return "sweep"
	}
	return "message"
}
