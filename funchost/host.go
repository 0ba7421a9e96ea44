package funchost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// drainTime is how long a stopping host waits for invocations (WebJobsScriptHostService.cs).
const drainTime = 10 * time.Second

// Options says what to host.
type Options struct {
	// Root is the script root: the folder of host.json, with a folder per function.
	Root string
	// Port is that of the host's own HTTP front on 127.0.0.1; 0 takes a free one.
	Port int
	// Settings is the path of a local.settings.json; "" for none.
	Settings string
	// Env is further environment of host and handler, as KEY=value. It wins over
	// the process's own, and both over Settings.
	Env []string
	// Output gets the log, one line per event, the handler's own lines among them;
	// nil discards it.
	Output io.Writer
	// OnInvocation, if set, is called at the end of every invocation, from several
	// goroutines at once, before the message is deleted or released.
	OnInvocation func(Invocation)
	// MessageLock replaces the 10 minutes for which a received message is hidden
	// and after which a killed host's messages come back; whole seconds, at least 2.
	MessageLock time.Duration

	timing timing
}

// timing holds the host's fixed times, for tests to shorten.
type timing struct {
	lock, drain, grace, startup time.Duration
	now                         func() time.Time // counts the handler's failures
}

// Host is a running stand-in for the Functions host.
type Host struct {
	log          *logger
	settings     *settings
	functions    []*function
	timers       map[string]*timer
	queues       queueOptions
	onInvocation func(Invocation)
	timing       timing

	functionTimeout time.Duration // 0: none
	forwarding      bool
	routePrefix     string

	client     *http.Client
	handlerURL string
	supervisor *supervisor // nil where there are no functions
	front      *http.Server
	url        string
	started    time.Time

	running context.Context // ends when the host no longer waits for anything
	abandon context.CancelFunc
	listen  context.Context // ends when the host stops taking work
	unlisten,
	killHandler context.CancelFunc

	mu        sync.Mutex
	stopping  bool
	work      sync.WaitGroup // invocations and fetches
	listeners sync.WaitGroup
	err       error
	done      chan struct{}
}

// Start reads the app, starts the handler and the listeners, and returns; the
// handler need not be ready yet, nor have started at all: like the host, this one
// then logs it and waits for an invocation to time out. It lives until Close,
// until ctx ends, or until the handler has failed too often: see Wait.
func Start(ctx context.Context, o Options) (*Host, error) {
	root, err := filepath.Abs(o.Root)
	if err != nil {
		return nil, err
	}
	h := &Host{timers: map[string]*timer{}, onInvocation: o.OnInvocation, timing: o.timing.withDefaults(o.MessageLock),
		started: time.Now(), done: make(chan struct{})}
	out := o.Output
	if out == nil {
		out = io.Discard
	}
	h.log = &logger{out: out}
	if h.settings, err = readSettings(o.Settings, o.Env, h.log); err != nil {
		return nil, err
	}
	config, err := readHostJSON(root, h.settings)
	if err != nil {
		return nil, err
	}
	var errs [5]error
	h.functionTimeout, errs[0] = config.functionTimeout()
	h.queues, errs[1] = config.queues(processors(h.settings))
	h.forwarding, errs[2] = config.boolean("customHandler:enableForwardingHttpRequest", false)
	initialise, err3 := config.duration("customHandler:initializationTimeout", 30*time.Second, time.Millisecond)
	errorsOnly, err4 := config.boolean("customHandler:description:useStdErrorStreamForErrorsOnly", true)
	errs[3], errs[4] = err3, err4
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	h.routePrefix = "api"
	if prefix, ok := config["extensions:http:routeprefix"]; ok {
		h.routePrefix = strings.Trim(prefix, "/")
	}
	handler, err := readCommand(root, config, h.settings)
	if err != nil {
		return nil, err
	}
	if h.functions, err = findFunctions(root, config, h.settings, h.log); err != nil {
		return nil, err
	}

	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(o.Port)))
	if err != nil {
		return nil, fmt.Errorf("listen for HTTP: %w", err)
	}
	h.url = "http://" + listener.Addr().String()
	h.settings.setDefault("AZURE_FUNCTIONS_ENVIRONMENT", "Development")
	h.settings.setDefault("AzureWebJobsScriptRoot", root)
	h.settings.setDefault("WEBSITE_HOSTNAME", listener.Addr().String())

	port, err := freePort()
	if err != nil {
		listener.Close()
		return nil, err
	}
	h.handlerURL = "http://127.0.0.1:" + strconv.Itoa(port)
	h.client = newClient(h.forwarding, h.functionTimeout)
	h.running, h.abandon = context.WithCancel(context.Background())
	h.listen, h.unlisten = context.WithCancel(h.running)
	supervised, kill := context.WithCancel(context.Background())
	h.killHandler = kill

	h.front = &http.Server{Handler: h.routes(), ReadHeaderTimeout: time.Minute}
	if len(h.functions) > 0 {
		h.supervise(supervised, initialise, func() (*process, error) {
			return startProcess(handler, root, port, h.settings, &console{log: h.log, errorsOnly: errorsOnly})
		})
	} else {
		h.log.warnf("No functions found below %s: the handler is not started", root)
	}
	h.startListeners()
	h.log.infof("Listening on %s", h.url)
	go h.front.Serve(listener)
	context.AfterFunc(ctx, func() { h.shutdown(nil) })
	return h, nil
}

func (t timing) withDefaults(lock time.Duration) timing {
	or := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	or(&t.lock, lock)
	or(&t.lock, messageLock)
	or(&t.drain, drainTime)
	or(&t.grace, timeoutGrace)
	or(&t.startup, startupLimit)
	if t.now == nil {
		t.now = time.Now
	}
	return t
}

// processors is what newBatchThreshold counts with (SkuUtility.cs).
func processors(s *settings) int {
	if s.get("WEBSITE_SKU") == "Dynamic" {
		return 1
	}
	return runtime.NumCPU()
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a port for the handler: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (h *Host) supervise(ctx context.Context, initialise time.Duration, start func() (*process, error)) {
	s := &supervisor{
		log: h.log, start: start, client: h.client, url: h.handlerURL, initialise: initialise,
		now: h.timing.now, giveUp: h.shutdown, ready: make(chan struct{}), gone: make(chan struct{}),
	}
	h.supervisor = s
	first, err := start()
	if err != nil {
		h.log.errorf("%v", err)
	}
	s.current = first
	go s.run(ctx, first)
}

// startListeners starts what triggers the functions that aren't disabled. A
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
		}
		if run != nil && !f.disabled {
			h.listeners.Go(func() { run(h.listen) })
		}
	}
}

// URL is that of the host's own HTTP front, without a trailing slash.
func (h *Host) URL() string { return h.url }

// Pid is the handler's process id, 0 if none was started. Between a death and the
// restart it is still the old one.
func (h *Host) Pid() int {
	if h.supervisor == nil {
		return 0
	}
	p := h.supervisor.process()
	if p == nil {
		return 0
	}
	return p.pid()
}

// Kill ends the handler by SIGKILL, as a crash: the host counts it and starts
// the handler again, but stops itself at the third within 30 minutes.
func (h *Host) Kill() {
	if h.supervisor == nil {
		return
	}
	if p := h.supervisor.process(); p != nil {
		p.cmd.Process.Kill()
	}
}

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
