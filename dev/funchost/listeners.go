package funchost

import "context"

// startListeners starts the triggers of the functions that aren't disabled. A
// listener that can't start is logged and left out.
func (h *Host) startListeners() {
	for _, f := range h.functions {
		state := ""
		if f.disabled {
			state = " (disabled)"
		}
		h.log.infof("Function %s: %s%s", f.name, f.trigger.Type, state)
		var run func(context.Context)
		var err error
		switch {
		case f.trigger.is(queueTrigger):
			var l *queueListener
			if l, err = h.newQueueListener(f); err == nil {
				run = l.run
			}
		case f.trigger.is(timerTrigger):
			var t *timer
			if t, err = h.newTimer(f); err == nil {
				h.timers[f.name], run = t, t.run
			}
		}
		if err != nil {
			h.log.errorf("The listener for function 'Functions.%s' was unable to start: %v", f.name, err)
			h.wrong(f.name, err)
		}
		if run != nil && !f.disabled {
			h.listeners.Go(func() { run(h.listen) })
		}
	}
}
