package reconcile_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"visionkeeper/dev/emulator"
	"visionkeeper/functions/notifications"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

// fate is what becomes of one request.
type fate int

const (
	pass       fate = iota
	throttled       // refused with 429, nothing done
	failed          // refused with 500, nothing done
	cut             // the connection breaks, nothing done
	loseAnswer      // done, and the connection breaks
	killBefore      // the machine dies before it is sent
	killAfter       // the machine dies once it is done
)

var fates = map[fate]string{pass: "", throttled: "429", failed: "500", cut: "cut", loseAnswer: "answer lost", killBefore: "KILLED before", killAfter: "KILLED after"}

// turn is a request that waits to be let through.
type turn struct {
	what  string
	grant chan fate
}

// machine runs the app: a Reconciler whose every request waits for its turn while
// together gives turns, and else meets what chance says. A dead machine sends
// nothing any more.
type machine struct {
	world    *world
	name     string
	turns    chan *turn
	scripted bool        // turns are given now
	chance   func() fate // nil: everything passes
	dead     atomic.Bool

	reconciler *reconcile.Reconciler
	messages   notifications.Function
	state      *state.Store
}

// killed is all that a dead machine gets.
type killed struct{}

func (killed) Error() string { return "this machine is dead" }
func (killed) NonRetriable() {}

var errCut = errors.New("connection reset by peer")

// Do is the transport of all the machine's clients.
func (m *machine) Do(req *http.Request) (*http.Response, error) {
	if m.dead.Load() {
		return nil, killed{}
	}
	f := pass
	switch {
	case m.scripted:
		t := &turn{m.name + " " + describe(req), make(chan fate)}
		m.turns <- t
		f = <-t.grant
	case m.chance != nil:
		f = m.chance()
	}
	switch f {
	case killBefore:
		m.dead.Store(true)
		return nil, killed{}
	case throttled:
		return answer(req, http.StatusTooManyRequests), nil
	case failed:
		return answer(req, http.StatusInternalServerError), nil
	case cut:
		return nil, errCut
	}
	resp, err := m.world.forward(req)
	if err != nil || f == pass {
		return resp, err
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if f == killAfter {
		m.dead.Store(true)
		return nil, killed{}
	}
	return nil, errCut
}

// describe is a request for the history's log, without its query.
func describe(req *http.Request) string {
	return strings.TrimSpace(req.Method + " " + req.URL.Path + " " + req.URL.Query().Get("comp") + req.URL.Query().Get("restype"))
}

func answer(req *http.Request, status int) *http.Response {
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{}, Body: http.NoBody, Request: req, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
}

// forward brings a request to the service or to Azurite, whose Date is set to the
// emulated time: the storage service's clock is simulated too.
func (w *world) forward(req *http.Request) (*http.Response, error) {
	w.requests.Add(1)
	if req.URL.Host == apiHost {
		return w.callAPI(req)
	}
	w.judge.written(req)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		resp.Header.Set("Date", w.service.Now().Format(http.TimeFormat))
	}
	return resp, err
}

// apiHost is a name of loopback; no connection is made to it.
const apiHost = "127.0.0.1:1"

// callAPI calls the emulator in this process, under the eyes of the judge.
func (w *world) callAPI(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	w.judge.before(req)
	inner := httptest.NewRequest(req.Method, req.URL.String(), bytes.NewReader(body))
	inner.Header = req.Header.Clone()
	inner.Header.Set("Content-Length", strconv.Itoa(len(body))) // as a connection would have it
	recorder := httptest.NewRecorder()
	w.service.ServeHTTP(recorder, inner)
	resp := recorder.Result()
	resp.Request = req
	w.judge.after(req, resp.StatusCode)
	return resp, nil
}

// clock is the emulated service's time; who sleeps moves it on.
type clock struct {
	*emulator.Server
	machine *machine
}

func (c clock) Sleep(ctx context.Context, d time.Duration) error {
	if c.machine.dead.Load() {
		return killed{}
	}
	c.Advance(d)
	return ctx.Err()
}

// newMachine is a machine that was just started.
func (w *world) newMachine(name string) *machine {
	m := &machine{world: w, name: name, turns: make(chan *turn)}
	o := &azcore.ClientOptions{Transport: m, Retry: azpolicy.RetryOptions{RetryDelay: time.Millisecond, MaxRetryDelay: 2 * time.Millisecond}}
	service, err := customvision.NewClientWithKey("http://"+apiHost, trainingKey, &customvision.ClientOptions{ClientOptions: *o, RatePerSecond: -1})
	w.must(err)
	options := w.options(o, service)
	options.Clock = clock{w.service, m}
	m.state = options.State
	m.reconciler = reconcile.New(options)
	m.messages = notifications.Function{Reconciler: m.reconciler, State: options.State, ModelContainer: w.models.URL(), Now: w.service.Now}
	return m
}

// job is what a machine is started for.
type job func(context.Context, *machine)

// draws is where chance comes from.
type draws interface {
	who(waiting []string) int // which of these requests goes on
	fate(what string) fate
}

// giveUp is how long a machine may take between two requests.
const giveUp = 2 * time.Minute

// together runs a job on each machine at once and gives one request after the
// other its turn and its fate, so that the same draws make the same history.
func (w *world) together(d draws, jobs map[*machine]job, order []*machine) {
	type running struct {
		*machine
		done chan struct{}
		next *turn
	}
	await := func(r *running) bool {
		select {
		case r.next = <-r.turns:
			return true
		case <-r.done:
			return false
		case <-time.After(giveUp):
			w.t.Fatalf("machine %s neither sends nor ends", r.name)
			return false
		}
	}
	var live []*running
	for _, m := range order {
		m.scripted = true
		r := &running{machine: m, done: make(chan struct{})}
		go func() {
			defer close(r.done)
			jobs[m](w.ctx, m)
		}()
		if await(r) {
			live = append(live, r)
		}
	}
	for len(live) > 0 {
		var waiting []string
		for _, r := range live {
			waiting = append(waiting, r.next.what)
		}
		i := d.who(waiting)
		f := d.fate(live[i].next.what)
		if r := live[i]; f != pass {
			w.t.Logf("      %s %s", r.next.what, fates[f])
		}
		live[i].next.grant <- f
		if !await(live[i]) {
			live = append(live[:i], live[i+1:]...)
		}
	}
	for _, m := range order {
		m.scripted = false
	}
}
