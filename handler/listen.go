package handler

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/internal/remedy"
)

// readHeaderTimeout is long because it also ends a connection that has not been
// used yet: .NET's client pools such connections for up to two minutes
// (SocketsHttpHandler.PooledConnectionIdleTimeout), and one that we closed under
// its hands would fail an invocation. Idle connections have no limit for the same
// reason, and answers none because the deadline is theirs.
const readHeaderTimeout = 3 * time.Minute

// Server listens for the host. It answers the readiness probe from the moment it
// exists; invocations wait for Serve.
type Server struct {
	listener net.Listener
	server   *http.Server
	open     chan struct{} // closed by Serve
	ended    chan error    // gets the reason if accepting connections ends
}

// ListenAndServe is Listen and Serve in one, for a program with nothing slow to do
// between them. Its error is never nil.
func (h *Handler) ListenAndServe(ctx context.Context, getenv func(string) string) error {
	s, err := h.Listen(getenv)
	if err != nil {
		return err
	}
	return s.Serve(ctx)
}

// Listen opens the port that the host chose, on 127.0.0.1, which is all the host
// ever dials. Call it before anything slow: the host gives the program 30 seconds
// (customHandler.initializationTimeout) to answer its probe.
func (h *Handler) Listen(getenv func(string) string) (*Server, error) {
	port, err := portFrom(getenv)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, remedy.New("end whatever holds it, or give another", "cannot listen on the port that %s gives: %w", envPort, err)
	}
	s := &Server{listener: listener, open: make(chan struct{}), ended: make(chan error, 1)}
	s.server = &http.Server{
		Handler:                      s.gate(h),
		ReadHeaderTimeout:            readHeaderTimeout,
		DisableGeneralOptionsHandler: true, // it answers OPTIONS * with an empty 200
		ErrorLog:                     log.New(errorLines{h.log}, "", 0),
	}
	go func() { s.ended <- s.server.Serve(listener) }()
	h.log.Info().Str("address", listener.Addr().String()).Msg("listening for the Functions host")
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Serve lets invocations through, and returns when ctx ends, on SIGINT or SIGTERM,
// or when the port is lost. Invocations that run are cut off, as the host's own
// SIGKILL would. The error is never nil and says which it was. A program must then
// exit with a code that isn't zero: the host doesn't restart one that ended well,
// and lets every later message fail (WorkerProcess.OnProcessExited).
// Call it once.
func (s *Server) Serve(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer func() { _ = s.server.Close() }()
	close(s.open)
	select {
	case <-ctx.Done():
		return fmt.Errorf("serving on %s ended: %w", s.Addr(), context.Cause(ctx))
	case err := <-s.ended:
		return fmt.Errorf("serving on %s broke off: %w", s.Addr(), err)
	}
}

// gate holds back all but the readiness probe until Serve is called, at most for
// as long as an invocation may take, which includes this wait.
func (s *Server) gate(h *Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == readinessPath {
			h.ServeHTTP(w, r)
			return
		}
		ctx, cancel := h.withDeadline(r.Context())
		defer cancel()
		r = r.WithContext(ctx)
		select {
		case <-s.open:
			h.ServeHTTP(w, r)
		case <-ctx.Done():
			h.refuse(w, r, http.StatusInternalServerError, "the program was still starting when the invocation's time was up")
		}
	})
}

// portFrom reads the port, which may be 0 for any free one.
func portFrom(getenv func(string) string) (string, error) {
	port := getenv(envPort)
	if port == "" {
		return "", remedy.New("run the program with `func start`, whose host sets it, or set it to a free port", "%s is not set", envPort)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", remedy.New("set it to a port number", "%s is %q", envPort, port)
	}
	return port, nil
}

// errorLines turns net/http's own log into warnings.
type errorLines struct{ log zerolog.Logger }

func (l errorLines) Write(p []byte) (int, error) {
	l.log.Warn().Msg(strings.TrimSpace(string(p)))
	return len(p), nil
}
