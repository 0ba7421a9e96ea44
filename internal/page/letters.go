package page

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/rs/zerolog"

	"visionkeeper/internal/messages"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// lettersShown is how many dead letters a page has.
const lettersShown = 25

type lettersPage struct {
	frame
	Letters      []overview.Letter
	All          int
	Newer, Older string // addresses; empty where there are none
	From, To_    int    // which of all are shown, counted from 1
	May          bool   // whether a person may act here
	WhyNot       string
	Said         string
}

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
	page := lettersPage{frame: v.frame("Dead letters", "dead-letters", v.To("dead-letters.json"), &all), Letters: letters, All: all}
	page.From, page.To_ = skip+1, skip+len(letters)
	if skip > 0 {
		page.Newer = v.address("dead-letters", url.Values{"skip": {strconv.Itoa(max(0, skip-lettersShown))}})
	}
	if page.To_ < all {
		page.Older = v.address("dead-letters", url.Values{"skip": {strconv.Itoa(page.To_)}})
	}
	page.WhyNot = v.whyNot()
	page.May = page.WhyNot == ""
	page.Said = said[v.r.URL.Query().Get("done")]
	v.show(http.StatusOK, "letters.html", page)
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
