package funchost

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// The host's rules for a handler that ends (HttpFunctionInvocationDispatcher.cs,
// WorkerConstants.cs).
const (
	intentionalRestart = 200              // exit code: start again, don't count
	maxFailures        = 3                // the third counted failure stops the host
	failuresForgotten  = 30 * time.Minute // after this time without a failure the count starts again
	probeInterval      = 25 * time.Millisecond
)

// errAbandoned is the error of an invocation whose host has stopped.
var errAbandoned = errors.New("the host has stopped")

// supervisor keeps the handler's process running by the host's rules.
type supervisor struct {
	log        *logger
	start      func() (*process, error)
	client     *http.Client
	url        string        // of the handler, without a trailing slash
	initialise time.Duration // customHandler.initializationTimeout
	now        func() time.Time
	giveUp     func(error) // stops the host

	failures    int
	lastFailure time.Time

	mu      sync.Mutex
	current *process
	ready   chan struct{} // closed while the handler is ready
	gone    chan struct{} // closed when no further process will be started
}

// run runs until ctx ends or the handler has failed too often. first is a process
// that already runs. Nil means that it could not be started, which the host never
// tries again.
func (s *supervisor) run(ctx context.Context, first *process) {
	defer close(s.gone)
	for p := first; p != nil; {
		again := s.watch(ctx, p)
		s.hold()
		if !again {
			return
		}
		next, err := s.start()
		if err != nil {
			s.log.errorf("%v", err)
			break
		}
		s.mu.Lock()
		p, s.current = next, next
		s.mu.Unlock()
	}
	<-ctx.Done()
}

// watch waits for the end of one process. It reports whether another must be
// started.
func (s *supervisor) watch(ctx context.Context, p *process) bool {
	probing, cancel := context.WithCancel(ctx)
	defer cancel()
	probed := make(chan error, 1)
	go func() { probed <- s.probe(probing) }()
	exited := p.exited
	for {
		select {
		case <-ctx.Done():
			p.kill()
			return false
		case err := <-probed:
			if err != nil {
				p.kill()
				return ctx.Err() == nil && s.failed(err)
			}
			s.log.infof("The handler is ready (process %d at %s)", p.pid(), s.url)
			s.mu.Lock()
			close(s.ready)
			s.mu.Unlock()
			probed = nil
		case <-p.condemned:
			s.hold()
			p.kill()
			return true
		case <-exited:
			exited = nil
			switch p.code {
			case 0:
				s.log.warnf("The handler exited with code 0. The host takes that for a normal end and will not start it again: every invocation fails from now on")
			case intentionalRestart:
				s.log.infof("The handler exited with code %d: it wants to be started again", p.code)
				return true
			default:
				return s.failed(fmt.Errorf("%s exited with code %d (0x%X)\n %s", p.cmd.Path, p.code, p.code, p.console.complaints()))
			}
		}
	}
}

// hold makes invocations wait until the next process is ready.
func (s *supervisor) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.ready:
		s.ready = make(chan struct{})
	default:
	}
}

// failed counts a failure. It reports whether the handler may be started again.
func (s *supervisor) failed(cause error) bool {
	now := s.now()
	if s.failures > 0 && now.Sub(s.lastFailure) > failuresForgotten {
		s.failures = 0
	}
	s.failures++
	s.lastFailure = now
	s.log.errorf("%v", cause)
	if s.failures < maxFailures {
		s.log.infof("Restarting the handler (failure %d of %d)", s.failures, maxFailures)
		return true
	}
	s.log.errorf("Exceeded http worker restart retry count. Shutting down Functions Host")
	s.giveUp(fmt.Errorf("exceeded http worker restart retry count: %w", cause))
	return false
}

// probe sends GET / until there is an answer (DefaultHttpWorkerService.cs). It
// repeats the request only if no connection can be made. Any other failure counts
// as ready. Of the time it takes only the pauses count, as in the host
// (Utility.DelayAsync).
func (s *supervisor) probe(ctx context.Context) error {
	for waited := time.Duration(0); ; waited += probeInterval {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/", nil)
		if err != nil {
			return err
		}
		request.Header["User-Agent"] = nil
		response, err := s.client.Do(request)
		if err == nil {
			response.Body.Close()
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var dial *net.OpError
		if !errors.As(err, &dial) || dial.Op != "dial" {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				return fmt.Errorf("the handler took GET / at %s and never answered: %w", s.url, err)
			}
			return nil
		}
		if waited >= s.initialise {
			return fmt.Errorf("the handler did not listen at %s within %s: it must listen on 127.0.0.1 and on the port of FUNCTIONS_CUSTOMHANDLER_PORT", s.url, s.initialise)
		}
		if !sleep(ctx, probeInterval) {
			return ctx.Err()
		}
	}
}

// await returns the process once it is ready.
func (s *supervisor) await(ctx context.Context, limit time.Duration) (*process, error) {
	s.mu.Lock()
	ready := s.ready
	s.mu.Unlock()
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	select {
	case <-ready:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.current, nil
	case <-s.gone:
		return nil, errAbandoned
	case <-ctx.Done():
		return nil, errAbandoned
	case <-timeout.C:
		err := errors.New("initialization timed out and host is shutting down")
		s.giveUp(err)
		return nil, err
	}
}

func (s *supervisor) process() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// sleep waits for d. It reports whether d passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
