package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/rs/zerolog"

	"visionkeeper/dev/world"
	"visionkeeper/internal/messages"
	"visionkeeper/internal/reconcile"
)

// fate is what becomes of one request.
type fate string

const (
	pass       fate = ""
	throttled  fate = "429"           // nothing done
	failed     fate = "500"           // nothing done
	cut        fate = "cut"           // the connection breaks, nothing done
	loseAnswer fate = "answer lost"   // done, and the connection breaks
	killBefore fate = "KILLED before" // the machine dies before it is sent
	killAfter  fate = "KILLED after"  // the machine dies once it is done
)

// fault is how a fate comes over the machine's requests.
func (m *machine) fault(f fate) world.Fault {
	return map[fate]world.Fault{
		pass: world.Pass, throttled: world.Refuse(http.StatusTooManyRequests), failed: world.Refuse(http.StatusInternalServerError),
		cut: world.Break, loseAnswer: world.Lose, killBefore: m.line.KillBefore, killAfter: m.line.KillAfter,
	}[f]
}

// turn is a request that waits to be let through.
type turn struct {
	what  string
	grant chan fate
}

// machine runs the app: a Reconciler whose every request waits for its turn while
// together gives turns, and else meets what chance says. A dead machine sends
// nothing any more.
type machine struct {
	name     string
	line     *world.Interceptor
	turns    chan *turn
	scripted bool        // turns are given now
	chance   func() fate // nil: everything passes
	limit    atomic.Pointer[limit]
	work     work

	reconciler *reconcile.Reconciler
	lists      string // that its last sweep saw
	messages   messages.Handler
}

// newMachine is a machine that was just started.
func (w *scene) newMachine(name string) *machine {
	m := &machine{name: name, line: world.NewInterceptor(w.t), turns: make(chan *turn)}
	m.line.Send = w.send
	m.line.Use(m.meet)
	options := w.options(azcore.ClientOptions{Transport: m.line, Retry: azpolicy.RetryOptions{RetryDelay: time.Millisecond, MaxRetryDelay: 2 * time.Millisecond}})
	options.Clock = counted{world.Clock{Server: w.Service, Interceptor: m.line}, &m.work}
	m.reconciler = reconcile.New(options)
	m.messages = messages.Handler{Reconciler: m.reconciler, State: options.State, Now: w.Service.Now}
	return m
}

// meet lets each request of the machine meet its fate.
func (m *machine) meet(req *http.Request, send world.Send) (*http.Response, error) {
	f := pass
	switch {
	case m.scripted:
		t := &turn{m.name + " " + describe(req), make(chan fate)}
		m.turns <- t
		f = <-t.grant
	case m.chance != nil:
		f = m.chance()
	}
	if l := m.limit.Load(); l != nil && l.left.Add(-1) == -1 {
		return l.timeUp(req, send)
	}
	return m.fault(f)(req, send)
}

// sweep sweeps once, and hands on what the last sweep saw.
func (m *machine) sweep(ctx context.Context) error {
	swept, err := m.reconciler.Sweep(ctx, reconcile.Before{Lists: m.lists})
	m.lists = swept.Lists
	return errors.Join(err, m.reconciler.MeasureHoldOuts(ctx, swept.Unmeasured))
}

// limit is a request at which the time of a job is up.
type limit struct {
	left atomic.Int64    // the requests before it
	late bool            // it is carried out
	ends <-chan struct{} // when the time is up
}

// timeUp lets the time be up while a request is underway.
func (l *limit) timeUp(req *http.Request, send world.Send) (*http.Response, error) {
	if l.late {
		_, _ = world.Lose(req, send)
	}
	select {
	case <-req.Context().Done():
	case <-l.ends:
	}
	return nil, context.DeadlineExceeded
}

// await waits for the end of whatever run there is for a project, by another one.
func (m *machine) await(ctx context.Context, project string) {
	_, _ = m.reconciler.Reconcile(ctx, reconcile.Request{Key: reconcile.Key{Project: project, Iteration: zeroID}})
}

// work counts what a job makes besides requests.
type work struct{ lines, looks atomic.Int64 }

// Write counts a line of the log.
func (w *work) Write(p []byte) (int, error) {
	w.lines.Add(1)
	return len(p), nil
}

// counted is a clock that counts how often it is looked at: once a round, and
// a few times more.
type counted struct {
	world.Clock
	work *work
}

func (c counted) Now() time.Time {
	c.work.looks.Add(1)
	return c.Clock.Now()
}

// A job makes these many lines and looks at the clock at most: in thousands of jobs
// it was a fifth. A run that plans the same again and again makes far more.
const (
	mostLines = 60
	mostLooks = 400
)

// do does a job with what it costs besides requests counted, and returns what was
// too much.
func (m *machine) do(ctx context.Context, work job) string {
	m.work.lines.Store(0)
	m.work.looks.Store(0)
	work(zerolog.New(&m.work).WithContext(ctx), m)
	if lines, looks := int(m.work.lines.Load()), int(m.work.looks.Load()); lines > mostLines || looks > mostLooks {
		return fmt.Sprintf("machine %s made %d lines and looked at the clock %d times", m.name, lines, looks)
	}
	return ""
}

// describe is a request for the history's log, without its query.
func describe(req *http.Request) string {
	return strings.TrimSpace(req.Method + " " + req.URL.Path + " " + req.URL.Query().Get("comp") + req.URL.Query().Get("restype"))
}

// send brings a request to the service or to Azurite.
func (w *scene) send(req *http.Request) (*http.Response, error) {
	w.requests.Add(1)
	if "http://"+req.URL.Host == w.API {
		if id := world.Deletes(req); id != "" {
			w.judge.beforeDeletion(id)
		}
		return w.callAPI(req)
	}
	w.judge.written(req)
	return w.Timed(req)
}

// callAPI calls the service under the eyes of the judge.
func (w *scene) callAPI(req *http.Request) (*http.Response, error) {
	w.judge.before(req)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		w.judge.after(req, resp.StatusCode)
	}
	return resp, err
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
func (w *scene) together(d draws, jobs map[*machine]job, order []*machine) {
	type running struct {
		*machine
		done    chan struct{}
		next    *turn
		tooMuch string
	}
	await := func(r *running) bool {
		select {
		case r.next = <-r.turns:
			return true
		case <-r.done:
			if r.tooMuch != "" {
				w.judge.find("%s", r.tooMuch)
			}
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
			r.tooMuch = m.do(w.ctx, jobs[m])
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
			w.t.Logf("      %s %s", r.next.what, f)
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
