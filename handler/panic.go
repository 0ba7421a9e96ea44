package handler

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/rs/zerolog"
)

// panicError is a recovered panic of a function, with its stack.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// errGone is the error of a function that called runtime.Goexit.
var errGone = errors.New("the function ended its goroutine instead of returning")

// protect calls f and sends its error to done. A panic is sent as an error,
// because after three crashes, each within half an hour of the last, the host
// stops the whole app. protect must run in a goroutine of its own, because f may
// end it.
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

// logFailure adds err to a log line. For a panic it adds the stack.
func logFailure(e *zerolog.Event, err error) *zerolog.Event {
	var p *panicError
	if errors.As(err, &p) {
		e = e.Bytes("stack", p.stack)
	}
	return e.Err(err)
}
