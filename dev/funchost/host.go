package funchost

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// drainTime is how long a stopping host waits for invocations (WebJobsScriptHostService.cs).
const drainTime = 10 * time.Second

// Options are the options of a Host. Only Root is required.
type Options struct {
	// Root is the script root: the folder of host.json, with a folder for each
	// function.
	Root string
	// Port is the port of the host's HTTP front on 127.0.0.1; 0 means a free one.
	Port int
	// Settings is the path of a local.settings.json; "" for none.
	Settings string
	// Env is more environment of host and handler, as KEY=value. It wins over this
	// process's environment, and both win over Settings.
	Env []string
	// Output receives the log, one line for each event, with the handler's lines.
	// Nil discards it.
	Output io.Writer
	// OnInvocation, if set, is called at the end of every invocation, before the
	// message is deleted or released. Several goroutines may call it at once.
	OnInvocation func(Invocation)
	// MessageLock is how long a received message is hidden. After that time the
	// messages of a killed host appear again. It is in whole seconds, at least 2; 0
	// means the host's 10 minutes.
	MessageLock time.Duration

	timing timing
}

// timing holds the host's fixed times, for tests to shorten.
type timing struct {
	drain, grace, startup time.Duration
	retry                 time.Duration    // the storage SDK's first pause before it tries again; 0 means the SDK's own
	now                   func() time.Time // the clock that the count of failures uses
}

// Host is a running stand-in for the Functions host.
type Host struct {
	definition
	log          *logger
	settings     *settings
	timers       map[string]*timer
	onInvocation func(Invocation)
	messageLock  time.Duration
	timing       timing

	client     *http.Client
	handlerURL string
	supervisor *supervisor // nil without functions
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

// Start reads the app, starts the handler and the listeners, and returns. The
// handler may not be ready yet. If it can't be started at all, Start logs that
// and returns no error, as the host does; invocations then time out. The host
// runs until Close, until ctx ends, or until it stops itself: because the handler
// has failed too often, was never ready, or because storage refuses a queue. See
// Wait.
func Start(ctx context.Context, o Options) (*Host, error) {
	if o.MessageLock != 0 && o.MessageLock < 2*time.Second {
		return nil, fmt.Errorf("a message lock of %s is too short: the least is 2s", o.MessageLock)
	}
	root, err := filepath.Abs(o.Root)
	if err != nil {
		return nil, err
	}
	h := &Host{timers: map[string]*timer{}, onInvocation: o.OnInvocation, messageLock: cmp.Or(o.MessageLock, messageLock),
		timing: o.timing.withDefaults(), started: time.Now(), done: make(chan struct{})}
	out := o.Output
	if out == nil {
		out = io.Discard
	}
	h.log = &logger{out: out}
	if h.settings, err = readSettings(o.Settings, o.Env, h.log); err != nil {
		return nil, err
	}
	d, err := readDefinition(root, h.settings, h.log)
	if err != nil {
		return nil, err
	}
	h.definition = d

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
		h.supervise(supervised, func() (*process, error) {
			return startProcess(d.handler, root, port, h.settings, &console{log: h.log, errorsOnly: d.errorsOnly})
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

func (t timing) withDefaults() timing {
	if t.now == nil {
		t.now = time.Now
	}
	return timing{cmp.Or(t.drain, drainTime), cmp.Or(t.grace, timeoutGrace), cmp.Or(t.startup, startupLimit), t.retry, t.now}
}

// handedOut holds the ports that this process has assigned to handlers.
var handedOut sync.Map

// freePort returns a loopback port for a handler. As in the host, the port is
// free but not reserved. Unlike the host's it is above Azurite's own ports and
// below the ports that systems use for outgoing connections (from 32768 on
// Linux), so that no such connection has taken it when the handler is started
// again.
func freePort() (int, error) {
	for range 100 {
		port := 11_000 + rand.IntN(21_000)
		if _, taken := handedOut.LoadOrStore(port, true); taken {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("find a free port for the handler: a hundred were taken")
}

func (h *Host) supervise(ctx context.Context, start func() (*process, error)) {
	s := &supervisor{
		log: h.log, start: start, client: h.client, url: h.handlerURL, initialise: h.initialise,
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

// URL returns the URL of the host's HTTP front, without a trailing slash.
func (h *Host) URL() string { return h.url }

// Pid returns the handler's process id, or 0 if none was started. Between a crash
// and the restart it is the old one.
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

// kill ends the handler by SIGKILL, like a crash. The host counts it and starts
// the handler again. At the third crash within 30 minutes it stops itself.
func (h *Host) kill() {
	if h.supervisor == nil {
		return
	}
	if p := h.supervisor.process(); p != nil {
		p.cmd.Process.Kill()
	}
}
