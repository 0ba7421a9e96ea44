package world

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Interceptor carries the requests of one app. It records each and lets its Fault
// deal with it. To an app in this process it is the transport of the clients; before
// an app in a process of its own it stands as a server (Before).
type Interceptor struct {
	// Send carries a request to its end; nil sends it over the network. It is for
	// what is asked over Do.
	Send Send
	// OneAtATime holds every request back until the one before it is answered.
	OneAtATime bool
	// All lets a server count everybody's requests, not the app's alone.
	All bool
	// End ends the app's process, and returns once its successor runs. Without it
	// the app is a part of this process, and a killed one stays dead.
	End func()

	t         T
	transport *http.Transport
	turn      sync.Mutex
	// lives is how many times the app was killed. A connection belongs to the life
	// in which it was opened; in a later one it gets no answer.
	lives atomic.Int64

	mu      sync.Mutex
	fault   Fault
	sent    []Request
	servers map[string]string // URLs by what they stand before
}

// NewInterceptor makes one that lets everything pass.
func NewInterceptor(t T) *Interceptor {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true
	t.Cleanup(transport.CloseIdleConnections)
	return &Interceptor{t: t, transport: transport, servers: map[string]string{}}
}

// Send sends a request. It is a transport of azcore.
type Send func(*http.Request) (*http.Response, error)

// Do implements policy.Transporter.
func (s Send) Do(req *http.Request) (*http.Response, error) { return s(req) }

// Request is one that was recorded. Its body is spent.
type Request struct {
	*http.Request
	At time.Time
}

// String is the method, the path, and what the query asks for.
func (r Request) String() string {
	return strings.TrimSpace(r.Method + " " + r.URL.Path + " " + r.URL.Query().Get("comp"))
}

// Copies reports whether a request names a source to copy from.
func Copies(req *http.Request) bool { return header(req, "x-ms-copy-source") != "" }

// header finds a header in any case: the SDK sets some in lower case.
func header(req *http.Request, name string) string {
	for h, values := range req.Header {
		if strings.EqualFold(h, name) {
			return values[0]
		}
	}
	return ""
}

// Do implements policy.Transporter.
func (i *Interceptor) Do(req *http.Request) (*http.Response, error) {
	send := i.Send
	if send == nil {
		send = i.transport.RoundTrip // which follows no redirect
	}
	defer i.begin()()
	return i.carry(req, 0, send)
}

// begin waits for a request's turn, and returns what ends it.
func (i *Interceptor) begin() func() {
	if !i.OneAtATime {
		return func() {}
	}
	i.turn.Lock()
	return i.turn.Unlock
}

func (i *Interceptor) carry(req *http.Request, life int64, send Send) (*http.Response, error) {
	if life != i.lives.Load() {
		return nil, Killed{}
	}
	i.mu.Lock()
	i.sent = append(i.sent, Request{req, time.Now()})
	fault := i.fault
	i.mu.Unlock()
	if fault == nil {
		return send(req)
	}
	return fault(req, send)
}

// Use lets a Fault deal with every request from now on; nil lets all pass.
func (i *Interceptor) Use(f Fault) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fault = f
}

// While lets a Fault deal with the requests that come while do runs.
func (i *Interceptor) While(f Fault, do func()) {
	i.Use(f)
	defer i.Use(nil)
	do()
}

// Sent are all requests so far.
func (i *Interceptor) Sent() []Request {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.sent)
}

// During are the requests that come while cause runs.
func (i *Interceptor) During(cause func()) []Request {
	before := len(i.Sent())
	cause()
	return i.Sent()[before:]
}

// Killed is all that a killed app gets. No client tries again.
type Killed struct{}

func (Killed) Error() string { return "the app was killed" }

// NonRetriable marks the error as azcore asks.
func (Killed) NonRetriable() {}

// Dead reports whether an app of this process was killed.
func (i *Interceptor) Dead() bool { return i.lives.Load() > 0 }

// KillBefore is a Fault that kills the app before the request is sent.
func (i *Interceptor) KillBefore(*http.Request, Send) (*http.Response, error) {
	if i.End != nil {
		i.End()
	}
	i.lives.Add(1)
	return nil, Killed{}
}

// KillAfter is a Fault that does what is asked and kills the app before the answer.
func (i *Interceptor) KillAfter(req *http.Request, send Send) (*http.Response, error) {
	finish(send(req))
	return i.KillBefore(req, send)
}
