package funchost

import "time"

// Close stops the host: it takes no more work, waits up to 10 s for what runs,
// and kills the handler. Messages of invocations that didn't end stay hidden until
// their lock runs out. It returns nil if Close, or the end of Start's context, was
// what stopped the host.
func (h *Host) Close() error {
	h.shutdown(nil)
	return h.Wait()
}

// Wait returns when the host has stopped and the handler is gone; the error says
// why it stopped itself.
func (h *Host) Wait() error {
	<-h.done
	return h.err
}

// shutdown begins the end; only the first call counts.
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

// begin reserves the right to work; false once the host is stopping. Each true
// needs an end.
func (h *Host) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopping {
		return false
	}
	h.work.Add(1)
	return true
}

// mustBegin is begin for one who already holds a begin.
func (h *Host) mustBegin() { h.work.Add(1) }

func (h *Host) end() { h.work.Done() }
