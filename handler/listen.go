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
// used yet. .NET's client keeps such connections for up to two minutes
// (SocketsHttpHandler.PooledConnectionIdleTimeout). If we closed one just as the
// client used it, an invocation would fail. For the same reason idle connections
// have no timeout. Answers have none because invocations have their deadline.
const readHeaderTimeout = 3 * time.Minute

// Server listens for the host. It answers the readiness probe as soon as it
// exists. Invocations wait until Serve is called.
type Server struct {
	listener net.Listener
	server   *http.Server
	open     chan struct{} // closed by Serve
	ended    chan error    // gets the reason if accepting connections ends
}

// ListenAndServe calls Listen and Serve, for a program that has nothing slow to
// do between them. It always returns an error.
func (h *Handler) ListenAndServe(ctx context.Context, getenv func(string) string) error {
	s, err := h.Listen(getenv)
	if err != nil {
		return err
	}
	return s.Serve(ctx)
}

// Listen opens the port that the host chose (FUNCTIONS_CUSTOMHANDLER_PORT) on
// 127.0.0.1, the only address the host dials. Call it before anything slow: the
// program must answer the host's probe within 30 seconds
// (customHandler.initializationTimeout). It fails if the port is not set, is not
// a number, or is taken.
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

// Addr returns the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Serve lets invocations through until ctx ends, SIGINT or SIGTERM arrives, or
// the port is lost. Running invocations are cut off, as they would be by the
// host's SIGKILL. Call it once.
//
// It always returns an error, which names the cause. The program must then exit
// with a code other than zero: the host doesn't restart a program that ended with
// zero, and every later message fails (WorkerProcess.OnProcessExited).
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

// gate holds back all requests but the readiness probe until Serve is called. A
// request waits no longer than an invocation may take, and the wait counts
// towards its deadline.
func (s *Server) gate(h *Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-s.open:
			h.ServeHTTP(w, r)
			return
		default:
		}
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

// portFrom reads the port. Port 0 stands for any free port.
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
