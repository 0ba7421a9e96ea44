// Package remedy keeps what a person can do about an error beside its cause, as
// a value. It stands below every other package and knows none of them. Start
// reading at Of.
package remedy

import (
	"errors"
	"fmt"
	"strings"
)

// Error is a cause and what to do about it. Its text has both.
type Error struct {
	Cause error
	Do    string // an instruction without a full stop, such as "set NAME to a port"
}

// New is an error with this text and remedy. The format is that of fmt.Errorf.
func New(do, format string, a ...any) error {
	return &Error{Cause: fmt.Errorf(format, a...), Do: do}
}

func (e *Error) Error() string { return e.Cause.Error() + ": " + e.Do }
func (e *Error) Unwrap() error { return e.Cause }

// Remedy implements Remedied.
func (e *Error) Remedy() (why, do string) {
	why, _ = Of(e.Cause)
	return why, e.Do
}

// Remedied is an error that knows its remedy. Other packages implement it where
// what to do follows from an error's own fields.
type Remedied interface {
	error
	// Remedy is the cause as a person reads it, and what to do about it; do is
	// empty where nothing is known.
	Remedy() (why, do string)
}

// Of splits an error into its cause and its remedy. The cause keeps the text that
// was wrapped around it. The remedy is the outermost one, empty if there is none.
func Of(err error) (why, do string) {
	text := err.Error()
	var e Remedied
	if !errors.As(err, &e) {
		return text, ""
	}
	why, do = e.Remedy()
	return strings.Replace(text, e.Error(), why, 1), do
}
