package handler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/rs/zerolog"
)

// attempt reads the request's body, runs the work that begin makes of it, and logs the
// outcome. It returns at the deadline at the latest. If the work is still running then, it
// no longer has access to w and r. Begin runs before, in the request's own goroutine: the
// stack of that one has grown with the requests before, while one that is new would be
// copied several times as the decoding of JSON goes deep.
func (h *Handler) attempt(w http.ResponseWriter, r *http.Request, name string, begin func(body []byte) (work func(context.Context) error, _ error)) error {
	start := time.Now()
	id := r.Header.Get(headerInvocationID)
	ctx := h.log.With().Str(fieldInvocation, id).Str(fieldFunction, name).Logger().WithContext(r.Context())
	ctx, end := h.observe(ctx, name, id, r.Header.Get(headerTraceparent))
	log := *zerolog.Ctx(ctx)
	ctx, cancel := h.withDeadline(ctx)
	defer cancel()

	body, err := h.readBody(ctx, w, r)
	var work func(context.Context) error
	if err == nil {
		work, err = begin(body)
	}
	if err == nil {
		err = run(ctx, log, work)
	}
	end(err)
	if err != nil {
		event := log.Debug()
		if unlogged := unlogged(err); unlogged != nil {
			event = logFailure(log.Error(), unlogged)
		}
		event.Dur("ms", time.Since(start)).Msg("invocation failed")
		return err
	}
	log.Debug().Dur("ms", time.Since(start)).Msg("invocation succeeded")
	return nil
}

// unlogged is what of an error isn't in the log yet; nil if all of it is. An error that is
// has a method Logged, which reports true.
func unlogged(err error) error {
	switch e := err.(type) {
	case interface{ Logged() bool }:
		if e.Logged() {
			return nil
		}
	case interface{ Unwrap() []error }:
		var rest []error
		for _, part := range e.Unwrap() {
			rest = append(rest, unlogged(part))
		}
		return errors.Join(rest...)
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil && unlogged(inner) == nil {
			return nil
		}
	}
	return err
}

// withDeadline returns a context that ends at the handler's deadline. Its cause
// is an error for people.
func (h *Handler) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, h.deadline, h.late)
}

// readBody reads the whole body. The host sends some bodies chunked, so
// Content-Length is not used.
func (h *Handler) readBody(ctx context.Context, w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if deadline, ok := ctx.Deadline(); ok {
		// net/http resets the read deadline once the body is read. The error is
		// that of a ResponseWriter without a connection, which needs no deadline.
		_ = http.NewResponseController(w).SetReadDeadline(deadline)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.maxBody))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, fmt.Errorf("the request's body is over the limit of %d bytes: %w", tooLarge.Limit, err)
		}
		return nil, fmt.Errorf("cannot read the request's body: %w", err)
	}
	return body, nil
}

// failureStatus returns the HTTP status for a failed attempt.
func failureStatus(err error) int {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusInternalServerError
}

// run calls f in its own goroutine and returns its error. If ctx ends first, run
// returns the reason at once, and the result of f is logged when it comes.
func run(ctx context.Context, log zerolog.Logger, f func(context.Context) error) error {
	done := make(chan error, 1)
	go protect(ctx, f, done)
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		go logLate(log, done)
		return endOf(ctx)
	}
}

func logLate(log zerolog.Logger, done <-chan error) {
	if err := <-done; err != nil {
		logFailure(log.Warn(), err).Msg("failed after its invocation had been answered as failed")
		return
	}
	log.Warn().Msg("succeeded after its invocation had been answered as failed")
}

// endOf returns the reason why ctx ended, as an error for people.
func endOf(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("the connection to the caller was closed: %w", ctx.Err())
	}
	return context.Cause(ctx)
}
