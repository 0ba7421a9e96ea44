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

// attempt reads the request's body and calls f with it, within the deadline, and
// logs the outcome. Nothing that f still does after attempt has returned touches
// w or r.
func (h *Handler) attempt(w http.ResponseWriter, r *http.Request, name string, f func(ctx context.Context, body []byte) error) error {
	start := time.Now()
	log := h.log.With().Str(fieldInvocation, r.Header.Get(headerInvocationID)).Str(fieldFunction, name).Logger()
	ctx, cancel := h.withDeadline(log.WithContext(r.Context()))
	defer cancel()

	body, err := h.readBody(ctx, w, r)
	if err == nil {
		err = run(ctx, log, func(ctx context.Context) error { return f(ctx, body) })
	}
	if err != nil {
		logFailure(log.Error(), err).Dur("ms", time.Since(start)).Msg("invocation failed")
		return err
	}
	log.Debug().Dur("ms", time.Since(start)).Msg("invocation succeeded")
	return nil
}

// withDeadline ends ctx at the handler's deadline, with a cause that says so.
func (h *Handler) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, h.deadline,
		fmt.Errorf("not done after %s, the deadline below functionTimeout: %w", h.deadline, context.DeadlineExceeded))
}

// readBody reads the whole body, of known length or chunked: the host sends
// either, so Content-Length is not asked.
func (h *Handler) readBody(ctx context.Context, w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if deadline, ok := ctx.Deadline(); ok {
		// net/http takes the read deadline back once the body is read. A
		// ResponseWriter without a connection has no deadlines and needs none.
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

// failureStatus is the HTTP status for a failed attempt.
func failureStatus(err error) int {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusInternalServerError
}

// run calls f in its own goroutine and returns its error, or, as soon as ctx has
// ended, why it ended. The result of an f that returns after that is logged.
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

// endOf says why ctx ended, for people.
func endOf(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("the connection to the caller was closed: %w", ctx.Err())
	}
	return context.Cause(ctx)
}
