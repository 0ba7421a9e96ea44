package cli

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/remedy"
	"visionkeeper/internal/storage"
)

// problem is an error as a person reads it, a sentence each: what couldn't be
// done, why, and what to do.
type problem struct {
	What string `json:"what"`
	Why  string `json:"why"`
	Do   string `json:"do"`
	// RequestID is the service's, for Azure support. Detail is a library's whole
	// text. Both are shown with --verbose alone.
	RequestID string `json:"requestId,omitempty"`
	Detail    string `json:"detail,omitempty"`
}

func (p problem) Error() string { return p.What + ": " + p.Why }

// failedTo says what could not be done, such as "list the dead letters". It is nil
// if err is.
func failedTo(do string, err error) error {
	if err == nil {
		return nil
	}
	return attempt{do, err}
}

// attempt is an error with what was being done.
type attempt struct {
	what string
	err  error
}

func (a attempt) Error() string { return a.what + ": " + a.err.Error() }
func (a attempt) Unwrap() error { return a.err }

// checkHint is what to do where nothing better is known.
const checkHint = "Run `visionkeeper check`: it looks at each thing by itself and says what is wrong"

// explain makes a problem of each error that was joined.
func explain(err error) []problem {
	what := "do it"
	var tried attempt
	if errors.As(err, &tried) {
		what, err = tried.what, tried.err
	}
	var list []problem
	for _, e := range flatten(err) {
		list = append(list, explainOne("Could not "+what, e))
	}
	return list
}

func explainOne(what string, err error) problem {
	var known problem
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.Canceled):
		return problem{What: what, Why: "It was interrupted", Do: "Run it again to go on"}
	case storage.NotSignedIn(err):
		return problem{
			What: what, Why: "No identity could sign in", Detail: err.Error(),
			Do: storage.HowToSignIn,
		}
	}
	why, do := remedy.Of(err)
	if do == "" {
		do = checkHint
	}
	return problem{What: what, Why: why, Do: do, RequestID: requestID(err)}
}

// requestID is that of the service whose answer led to err; empty if none did.
func requestID(err error) string {
	var stored *storage.Error
	var service *customvision.Error
	switch {
	case errors.As(err, &stored):
		return stored.RequestID
	case errors.As(err, &service):
		return service.RequestID
	}
	return ""
}

// flatten lists the errors that errors.Join joined, whose text has one a line.
func flatten(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var lines []string
	var list []error
	for _, e := range joined.Unwrap() {
		lines = append(lines, e.Error())
		list = append(list, flatten(e)...)
	}
	if strings.Join(lines, "\n") != err.Error() {
		return []error{err}
	}
	return list
}

// problems prints them on stderr; as JSON if that was asked for.
func (o *output) problems(list []problem, verbose bool) {
	if o.json {
		if !verbose {
			for i := range list {
				list[i].RequestID, list[i].Detail = "", ""
			}
		}
		json.NewEncoder(o.stderr).Encode(map[string][]problem{"problems": list})
		return
	}
	for _, p := range list {
		o.print(o.stderr, "%s.\n%s.\n%s.", o.red(sentence(p.What)), sentence(p.Why), sentence(p.Do))
		if verbose && p.RequestID != "" {
			o.print(o.stderr, "Request id, for Azure support: %s", p.RequestID)
		}
		if verbose && p.Detail != "" {
			o.print(o.stderr, "In full: %s", strings.Join(strings.Fields(p.Detail), " "))
		}
	}
}

// sentence begins with a capital and has no full stop.
func sentence(s string) string {
	s = strings.TrimRight(strings.Join(strings.Fields(s), " "), ".")
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + s[size:]
}
