package funchost

import (
	"context"
	"fmt"
	"time"
)

// Supervise runs hosts one after the other, as the platform does with a host that
// has stopped itself: it starts the next after pause. It returns nil once ctx ends,
// and an error if a host can't be started.
func Supervise(ctx context.Context, o Options, pause time.Duration) error {
	for {
		h, err := Start(ctx, o)
		if err != nil {
			return err
		}
		h.Wait()
		if !sleep(ctx, pause) {
			return nil
		}
		h.log.infof("Starting the host again")
	}
}

// Close stops the host. It accepts no more work, waits up to 10 s for running
// invocations, and kills the handler. Messages of unfinished invocations stay
// hidden until their lock ends. It returns nil if Close or the end of Start's
// context stopped the host, and otherwise the reason why the host stopped itself.
func (h *Host) Close() error {
	h.shutdown(nil)
	return h.Wait()
}

// Wait returns when the host has stopped and the handler has ended. The error is
// the reason why the host stopped itself.
func (h *Host) Wait() error {
	<-h.done
	return h.err
}

// unhandled stops the host for an error of a listener that nothing handles
// (WebScriptHostExceptionHandler.cs). With it end all other listeners and the
// handler.
func (h *Host) unhandled(err error) {
	if h.running.Err() != nil {
		return // the host's own end cut the request
	}
	h.log.errorf("An unhandled exception has occurred. Host is shutting down. %v", err)
	h.shutdown(fmt.Errorf("an unhandled exception ended the host: %w", err))
}

// shutdown starts the stop. Only the first call counts.
func (h *Host) shutdown(cause error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopping {
		return
	}
	h.stopping, h.err = true, cause
	go h.stop()
}

func (h *Host) stop() {
	defer close(h.done)
	h.log.infof("Stopping the host")
	h.unlisten()
	idle := make(chan struct{})
	go func() {
		h.work.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-time.After(h.timing.drain):
		h.log.warnf("Invocations did not end within %s; the host leaves them", h.timing.drain)
	}
	h.abandon()
	h.listeners.Wait()
	<-idle
	h.killHandler()
	if h.supervisor != nil {
		<-h.supervisor.gone
	}
	h.front.Close()
	h.client.CloseIdleConnections()
	h.log.infof("Host stopped")
}

// begin reports whether work may start; it is false once the host is stopping.
// After true the caller must call end.
func (h *Host) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopping {
		return false
	}
	h.work.Add(1)
	return true
}

// mustBegin is begin for a caller that has already called begin.
func (h *Host) mustBegin() { h.work.Add(1) }

func (h *Host) end() { h.work.Done() }
