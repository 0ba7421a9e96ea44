package handler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const soon = 50 * time.Millisecond

func TestAFunctionThatIgnoresTheDeadlineIsAnsweredForAndItsLateResultOnlyLogged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		late func() error
		log  string
	}{
		"success": {func() error { return nil }, "succeeded after"},
		"error":   {func() error { return errors.New("too slow") }, "too slow"},
		"panic":   {func() error { panic("at last") }, "at last"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, Options{Deadline: soon})
			release := make(chan struct{})
			h.Handle("slow", func(context.Context, *Invocation) error {
				<-release
				return c.late()
			})
			reason := requireFailure(t, h.do(t, http.MethodPost, "/slow", "{}"), http.StatusInternalServerError)
			assert.Contains(t, reason, "50ms")
			close(release)
			require.Eventually(t, func() bool { return strings.Contains(h.err.String(), c.log) }, time.Minute, time.Millisecond)
			entries := h.err.entries(t)
			require.Len(t, entries, 2)
			assert.Equal(t, "warn", entries[1]["level"])
			assert.Equal(t, testID, entries[1]["invocation"])
		})
	}
}

func TestTheContextEndsAtTheDeadline(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{Deadline: soon})
	cause := make(chan error, 1)
	h.Handle("slow", func(ctx context.Context, _ *Invocation) error {
		<-ctx.Done()
		cause <- context.Cause(ctx)
		return ctx.Err()
	})
	requireFailure(t, h.do(t, http.MethodPost, "/slow", "{}"), http.StatusInternalServerError)
	assert.ErrorIs(t, <-cause, context.DeadlineExceeded)
}

func TestTheContextEndsWithTheConnection(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	started, ended := make(chan struct{}), make(chan error, 1)
	h.Handle("slow", func(ctx context.Context, _ *Invocation) error {
		close(started)
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-started
		cancel()
	}()
	_, err := h.client.Do(h.request(t, http.MethodPost, "/slow", strings.NewReader("{}")).WithContext(ctx))
	require.ErrorIs(t, err, context.Canceled)
	assert.ErrorIs(t, <-ended, context.Canceled)
}

func TestABodyThatNeverEndsFailsAtTheDeadline(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{Deadline: soon})
	h.Handle("f", nothing)
	requireFailure(t, h.unfinished(t, "/f"), http.StatusInternalServerError)
}

func TestABodyOverTheLimitFails(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{MaxBody: 20})
	h.Handle("f", nothing)
	atLimit, over := `{"Data":{"a":"123"}}`, `{"Data":{"a":"1234"}}`
	require.Len(t, atLimit, 20)
	for name, body := range map[string]func(string) io.Reader{
		"chunked":     chunked,
		"with length": func(s string) io.Reader { return strings.NewReader(s) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireSuccess(t, h.send(t, http.MethodPost, "/f", body(atLimit)))
			reason := requireFailure(t, h.send(t, http.MethodPost, "/f", body(over)), http.StatusRequestEntityTooLarge)
			assert.Contains(t, reason, "limit of 20 bytes")
		})
	}
}

// said is an error that the function has logged itself.
type said struct{ error }

func (said) Logged() bool { return true }

func TestAFailureThatIsLoggedAlreadyIsNotLoggedTwice(t *testing.T) {
	t.Parallel()
	one, other := said{errors.New("one")}, errors.New("other")
	for name, c := range map[string]struct {
		err  error
		want string // what is logged; "" for nothing
	}{
		"logged":                      {one, ""},
		"logged, with more words":     {fmt.Errorf("project a: %w", one), ""},
		"both logged":                 {errors.Join(one, one), ""},
		"one of two":                  {errors.Join(one, other), "other"},
		"one of two, with more words": {errors.Join(fmt.Errorf("project a: %w", one), fmt.Errorf("project b: %w", other)), "project b: other"},
		"not logged":                  {other, "other"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, Options{})
			h.Handle("function", func(context.Context, *Invocation) error { return c.err })
			assert.Equal(t, c.err.Error(), requireFailure(t, h.do(t, http.MethodPost, "/function", "{}"), http.StatusInternalServerError))
			entries := h.err.entries(t)
			if c.want == "" {
				assert.Empty(t, entries)
				return
			}
			require.Len(t, entries, 1)
			assert.Equal(t, c.want, entries[0]["error"])
		})
	}
}
