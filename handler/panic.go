package handler

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/rs/zerolog"
)

// panicError is what a function panicked with, and where.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// errGone is the outcome of a function that ended its goroutine (runtime.Goexit).
var errGone = errors.New("the function ended its goroutine instead of returning")

// protect calls f and sends its outcome, a panic included: three crashes within
// half an hour of each other, and the host stops the whole app. It runs in a
// goroutine of its own, because f may end that.
func protect(ctx context.Context, f func(context.Context) error, done chan<- error) {
	err := errGone
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{v, debug.Stack()}
		}
		done <- err
	}()
	err = f(ctx)
}

// logFailure adds err to a log line, with the stack where it was a panic.
func logFailure(e *zerolog.Event, err error) *zerolog.Event {
	var p *panicError
	if errors.As(err, &p) {
		e = e.Bytes("stack", p.stack)
	}
	return e.Err(err)
}
