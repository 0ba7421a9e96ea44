package funchost

import "time"

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
