package page

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/rs/zerolog"
	. "maragu.dev/gomponents"
	. "maragu.dev/gomponents/html"

	"visionkeeper/internal/messages"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// lettersShown is how many dead letters a page has.
const lettersShown = 25

func (v *visit) letters(asJSON bool) {
	skip, _ := strconv.Atoi(v.r.URL.Query().Get("skip"))
	skip = max(0, skip)
	letters, all, err := v.Gatherer.Letters(v.r.Context(), skip, lettersShown)
	if err != nil {
		v.problem(http.StatusServiceUnavailable, "The state can't be read", overview.Why(err))
		return
	}
	for i := range letters {
		letters[i].Reason, letters[i].Text = v.Clean(letters[i].Reason), v.Clean(letters[i].Text)
	}
	if asJSON {
		v.tell(http.StatusOK, overview.Letters{Letters: letters})
		return
	}
	whyNot := v.whyNot()
	told := said[v.r.URL.Query().Get("done")]
	v.show(http.StatusOK, frame{title: "Dead letters", here: "Dead letters", json: v.to("dead-letters.json"), letters: &all},
		H1(Text("Dead letters")),
		P(Class("soft"), Text("Messages that could never succeed: the app can't read them, or they name a project that isn't there. Each is kept for 180 days, byte for byte, a thousand at most.")),
		If(told != "", P(Class("said"), Role("status"), sign("proven"), Text(told))),
		If(whyNot != "", P(Class("said look"), Role("note"), sign("blocked"), Text(whyNot))),
		Map(letters, func(l overview.Letter) Node { return v.letter(l, whyNot == "") }),
		If(len(letters) == 0, empty(sign("proven"), P(Text("There are no dead letters.")))),
		v.pager(skip, len(letters), all),
	)
}

// letter is one dead letter, with its buttons where a person may act.
func (v *visit) letter(l overview.Letter, may bool) Node {
	short := l.ID[:min(12, len(l.ID))]
	more := ""
	if l.Base64 {
		more = ", no text, here as Base64"
	}
	button := func(do, class, name, spoken string) Node {
		return Form(Method("post"), Action(v.to("dead-letters/"+l.ID+"/"+do)), Button(Class(class), Aria("label", spoken+short), Text(name)))
	}
	return Article(Class("card letter"), Aria("labelledby", "l-"+l.ID),
		H2(ID("l-"+l.ID), Code(Text(short))),
		P(foreign(fullStop(l.Reason))),
		Dl(Class("numbers"),
			figure("Came", Text(count(l.Count, "time"))),
			figure("First", at(l.First)),
			figure("Last", at(l.Last)),
			figure("Size", Text(size(int64(l.Bytes)))),
		),
		Details(ID("d-"+l.ID), Summary(Text("The message"+more)), Pre(TabIndex("0"), foreign(l.Text))),
		If(may, Div(Class("actions"),
			button("replay", "button", "Replay", "Replay "),
			Details(Class("sure"), ID("x-"+l.ID),
				Summary(Class("button quiet"), Aria("label", "Drop … "+short), Text("Drop …")),
				button("drop", "button danger", "Drop it for good", "Drop it for good, "),
			),
		)),
	)
}

// pager leads to newer and older letters, where a page shows some of all.
func (v *visit) pager(skip, shown, all int) Node {
	end := skip + shown
	if skip == 0 && end >= all {
		return nil
	}
	from := func(skip int) Node {
		return Href(v.address("dead-letters", url.Values{"skip": {strconv.Itoa(skip)}}))
	}
	return P(Class("pager"),
		If(skip > 0, A(from(max(0, skip-lettersShown)), Text("Newer"))), Text(" "),
		soft(Textf("%d to %d of %d", skip+1, end, all)), Text(" "),
		If(end < all, A(from(end), Text("Older"))),
	)
}

// said is what a person is told after an action.
var said = map[string]string{
	"replay": "The message is on the queue again. The app takes it within a minute.",
	"drop":   "The dead letter is dropped.",
	"gone":   "That dead letter wasn't there any more.",
	"again":  "The message came again meanwhile, so it is kept.",
}

// whyNot says why nobody may act here; empty where they may.
func (v *visit) whyNot() string {
	if !v.Actions {
		return "The setting STATUS_ACTIONS is off, so nothing can be replayed or dropped here."
	}
	mode, err := v.Mode(v.r.Context())
	switch {
	case err != nil:
		return "The policy can't be read, so nothing can be replayed or dropped here."
	case mode == policy.Observe:
		return "The policy only observes, so nothing can be replayed or dropped here."
	}
	return ""
}

// post acts: dead-letters/ID/replay and dead-letters/ID/drop.
func (v *visit) post(path []string) {
	if err := sameOrigin.Check(v.r); err != nil {
		v.problem(http.StatusForbidden, "This was refused", "The request came from a page of another site, or through one. Open this page and press the button there")
		return
	}
	if len(path) != 3 || path[0] != "dead-letters" || path[2] != "replay" && path[2] != "drop" {
		v.notFound("There is no such action")
		return
	}
	if why := v.whyNot(); why != "" {
		v.problem(http.StatusForbidden, "This is switched off", why)
		return
	}
	done, err := v.act(path[1], path[2])
	if err != nil {
		zerolog.Ctx(v.r.Context()).Error().Err(err).Str("deadLetter", path[1]).Msg("a person's " + path[2] + " failed")
		v.problem(http.StatusServiceUnavailable, "The dead letter is left as it was", overview.Why(err))
		return
	}
	zerolog.Ctx(v.r.Context()).Info().Str("deadLetter", path[1]).Str("outcome", done).Msg("a person's " + path[2] + " on the page")
	v.w.Header().Set("Location", v.address("dead-letters", url.Values{"done": {done}}))
	v.w.WriteHeader(http.StatusSeeOther)
}

// act does one thing to a dead letter, and says in a word what came of it.
func (v *visit) act(id, do string) (done string, err error) {
	ctx := v.r.Context()
	held, err := v.Letters.DeadLetter(ctx, id)
	if errors.Is(err, state.ErrNoDeadLetter) {
		return "gone", nil
	}
	if err != nil {
		return "", err
	}
	if do == "replay" {
		return do, messages.Replay(ctx, v.Letters, v.Queues, v.Queue, held)
	}
	err = v.Letters.DropDeadLetter(ctx, held)
	if errors.Is(err, state.ErrBuriedAgain) {
		return "again", nil
	}
	return do, err
}
