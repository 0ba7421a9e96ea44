package handler

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// listen starts a server on a free port that Serve hasn't opened yet.
func listen(t *testing.T, o Options) (*host, *Server) {
	h := &host{out: &lines{}, err: &lines{}, client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}}
	o.Out, o.Err = h.out, h.err
	h.Handler = New(o)
	s, err := h.Listen(env(envPort, "0"))
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = s.server.Close()
		h.client.CloseIdleConnections()
	})
	h.url = "http://" + s.Addr().String()
	return h, s
}

// serve runs Serve and returns its error.
func serve(ctx context.Context, s *Server) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	return ended
}

func TestOnlyTheReadinessProbeIsAnsweredBeforeServe(t *testing.T) {
	t.Parallel()
	h, s := listen(t, Options{})
	requireSuccess(t, h.do(t, http.MethodGet, "/", ""))

	sent := make(chan struct{})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { close(sent) },
	})
	r := h.request(t, http.MethodPost, "/sweep", strings.NewReader("{}")).WithContext(ctx)
	status := make(chan int, 1)
	go func() {
		response, err := h.client.Do(r)
		if !assert.NoError(t, err) {
			status <- 0
			return
		}
		_ = response.Body.Close()
		status <- response.StatusCode
	}()
	<-sent
	h.Handle("sweep", nothing) // what takes long comes between Listen and Serve
	requireSuccess(t, h.do(t, http.MethodGet, "/", ""))
	require.Empty(t, status)

	ctx, cancel := context.WithCancel(t.Context())
	ended := serve(ctx, s)
	assert.Equal(t, http.StatusOK, <-status)
	cancel()
	assert.Error(t, <-ended)
}

func TestAnInvocationThatWaitsForServeFailsAtItsDeadline(t *testing.T) {
	t.Parallel()
	h, _ := listen(t, Options{Deadline: soon})
	reason := requireFailure(t, h.do(t, http.MethodPost, "/sweep", "{}"), http.StatusInternalServerError)
	assert.Contains(t, reason, "still starting")
}

func TestServeAlwaysEndsWithAnErrorThatSaysWhy(t *testing.T) {
	t.Parallel()
	t.Run("context", func(t *testing.T) {
		t.Parallel()
		_, s := listen(t, Options{})
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := serve(ctx, s)
		cancel(errors.New("enough"))
		assert.ErrorContains(t, <-ended, "enough")
	})
	t.Run("listener", func(t *testing.T) {
		t.Parallel()
		_, s := listen(t, Options{})
		ended := serve(t.Context(), s)
		require.NoError(t, s.listener.Close())
		assert.ErrorIs(t, <-ended, net.ErrClosed)
	})
}

func TestServeEndsWithoutWaitingForInvocations(t *testing.T) {
	t.Parallel()
	h, s := listen(t, Options{})
	started, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	h.Handle("stuck", func(context.Context, *Invocation) error {
		close(started)
		<-release
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := serve(ctx, s)
	stuck := h.request(t, http.MethodPost, "/stuck", strings.NewReader("{}"))
	cut := make(chan error, 1)
	go func() {
		response, err := h.client.Do(stuck)
		if err == nil {
			_ = response.Body.Close()
		}
		cut <- err
	}()
	<-started
	cancel()
	assert.Error(t, <-ended)
	err := <-cut
	require.Error(t, err, "an invocation that is cut off is never answered as a success")
	assert.False(t, os.IsTimeout(err), "nor left hanging: %s", err)
}

func TestOptionsStarIsNotAnsweredWithNothing(t *testing.T) {
	t.Parallel()
	h, s := listen(t, Options{})
	_ = serve(t.Context(), s)
	r, err := http.NewRequest(http.MethodOptions, h.url, nil)
	require.NoError(t, err)
	r.URL.Opaque = "*"
	response, err := h.client.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	requireFailure(t, answer{response.StatusCode, response.Header, string(body)}, http.StatusNotFound)
}

func TestNothingCutsAnAnswerBelowTheDeadline(t *testing.T) {
	t.Parallel()
	_, s := listen(t, Options{})
	assert.Positive(t, s.server.ReadHeaderTimeout)
	assert.Zero(t, s.server.ReadTimeout)
	assert.Zero(t, s.server.WriteTimeout)
	assert.Zero(t, s.server.IdleTimeout)
}

func TestItListensOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	h, s := listen(t, Options{})
	assert.Equal(t, "127.0.0.1", s.Addr().(*net.TCPAddr).IP.String())
	assert.Equal(t, s.Addr().String(), h.out.entries(t)[0]["address"])
}

func TestListenErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ port, want string }{
		"not set":     {"", "`func start`"},
		"no number":   {"http", `"http"`},
		"too large":   {"65536", `"65536"`},
		"with a sign": {"-1", `"-1"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := New(Options{}).ListenAndServe(t.Context(), env(envPort, c.port))
			require.ErrorContains(t, err, c.want)
			assert.ErrorContains(t, err, "FUNCTIONS_CUSTOMHANDLER_PORT")
		})
	}
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	t.Parallel()
	_, s := listen(t, Options{})
	_, port, err := net.SplitHostPort(s.Addr().String())
	require.NoError(t, err)
	err = New(Options{}).ListenAndServe(t.Context(), env(envPort, port))
	require.ErrorContains(t, err, s.Addr().String())
	require.ErrorContains(t, err, "FUNCTIONS_CUSTOMHANDLER_PORT")
	assert.ErrorContains(t, err, "in use")
}

func TestNetHTTPsOwnLogIsAWarningInOneLine(t *testing.T) {
	t.Parallel()
	_, s := listen(t, Options{})
	err := &lines{}
	_, writeErr := errorLines{NewLog(io.Discard, err)}.Write([]byte("http: Accept error\n"))
	require.NoError(t, writeErr)
	entries := err.entries(t)
	require.Len(t, entries, 1)
	assert.Equal(t, "warn", entries[0]["level"])
	assert.Equal(t, "http: Accept error", entries[0]["message"])
	assert.NotNil(t, s.server.ErrorLog)
}
