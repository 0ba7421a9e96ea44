package world

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Fault answers a request in place of, or on top of, the true answer, for which it
// calls send.
type Fault func(req *http.Request, send Send) (*http.Response, error)

// Pass lets a request pass.
func Pass(req *http.Request, send Send) (*http.Response, error) { return send(req) }

// On lets the requests that match meet a Fault, and all others pass.
func On(match func(*http.Request) bool, f Fault) Fault {
	return func(req *http.Request, send Send) (*http.Response, error) {
		if !match(req) {
			return send(req)
		}
		return f(req, send)
	}
}

// Begins matches requests that begin so, written as Request.String writes them.
func Begins(prefix string) func(*http.Request) bool {
	return func(req *http.Request) bool {
		return strings.HasPrefix(Request{Request: req}.String(), prefix)
	}
}

// From lets the n-th request and all later ones meet a Fault.
func From(n int, f Fault) Fault {
	var met atomic.Int64
	return func(req *http.Request, send Send) (*http.Response, error) {
		if met.Add(1) < int64(n) {
			return send(req)
		}
		return f(req, send)
	}
}

// Times lets the first n requests meet a Fault.
func Times(n int, f Fault) Fault {
	var met atomic.Int64
	return func(req *http.Request, send Send) (*http.Response, error) {
		if met.Add(1) > int64(n) {
			return send(req)
		}
		return f(req, send)
	}
}

// Nth lets the n-th request alone meet a Fault.
func Nth(n int, f Fault) Fault { return From(n, Times(1, f)) }

// Break breaks the connection, and nothing is done.
func Break(*http.Request, Send) (*http.Response, error) {
	return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
}

// Lose does what is asked and breaks the connection before the answer.
func Lose(req *http.Request, send Send) (*http.Response, error) {
	finish(send(req))
	return Break(req, send)
}

// finish reads an answer that nobody gets.
func finish(resp *http.Response, err error) {
	if err == nil {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

// Refuse answers with a status, in a form that both storage and the API have, and
// nothing is done.
func Refuse(status int) Fault { return refuse(status, 0) }

// Throttle answers 429 and says when to come again.
func Throttle(after time.Duration) Fault { return refuse(http.StatusTooManyRequests, after) }

var codes = map[int]string{
	401: "NoAuthenticationInformation", 404: "BlobNotFound", 409: "BlobAlreadyExists", 412: "ConditionNotMet",
	429: "TooManyRequests", 500: "InternalError", 503: "ServerBusy",
}

func refuse(status int, after time.Duration) Fault {
	return func(req *http.Request, _ Send) (*http.Response, error) {
		body := `{"code":"` + codes[status] + `","message":"a fault of the test"}`
		h := http.Header{"Content-Type": {"application/json"}, "X-Ms-Error-Code": {codes[status]}, "Date": {time.Now().UTC().Format(http.TimeFormat)}}
		if after > 0 {
			h.Set("Retry-After", strconv.Itoa(int(after/time.Second)))
		}
		return Answer(req, status, h, []byte(body)), nil
	}
}

// Answer is an answer to a request.
func Answer(req *http.Request, status int, h http.Header, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, Status: strconv.Itoa(status) + " " + http.StatusText(status), Header: h, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}
}

// Spoil lets the true answer come with another body.
func Spoil(change func(body []byte) []byte) Fault {
	return rewrite(func(_ *http.Request, resp *http.Response, body []byte) {
		changed := change(slices.Clone(body))
		if len(changed) != len(body) {
			resp.ContentLength = int64(len(changed))
		}
		resp.Body = io.NopCloser(bytes.NewReader(changed))
	})
}

var idMember = regexp.MustCompile(`(?i)(id":")([0-9a-f]{8}-[0-9a-f-]{27}")`)

// Capitals writes the ids in a JSON text in capital letters, but not those in links.
func Capitals(body []byte) []byte {
	return idMember.ReplaceAllFunc(body, func(member []byte) []byte {
		parts := idMember.FindSubmatch(member)
		return append(slices.Clone(parts[1]), bytes.ToUpper(parts[2])...)
	})
}

func rewrite(change func(req *http.Request, resp *http.Response, body []byte)) Fault {
	return func(req *http.Request, send Send) (*http.Response, error) {
		resp, err := send(req)
		if err != nil {
			return resp, err
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil {
			change(req, resp, body)
		}
		return resp, err
	}
}

// Flip makes one byte wrong, in the middle of the body.
var Flip = Spoil(func(body []byte) []byte {
	if len(body) > 0 {
		body[len(body)/2] ^= 1
	}
	return body
})

// Cut breaks off in the middle of the body.
var Cut = rewrite(func(_ *http.Request, resp *http.Response, body []byte) {
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]), broken{}))
})

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Short has a Content-Length that is too small, at which net/http ends the body.
var Short = rewrite(func(_ *http.Request, resp *http.Response, body []byte) {
	body = body[:len(body)/2]
	resp.ContentLength = int64(len(body))
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	resp.Body = io.NopCloser(bytes.NewReader(body))
})

// Slow gives half of the body and then nothing more; of an answer without a body
// not even the head.
func Slow(req *http.Request, send Send) (*http.Response, error) {
	resp, err := NewGate().Half(req, send)
	if err == nil && resp.ContentLength == 0 {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	return resp, err
}

// Gate holds answers back until it is opened or their request is given up.
type Gate struct {
	Reached chan struct{} // closed when the first is held back
	open    chan struct{}
	once    sync.Once
}

// NewGate makes a closed one.
func NewGate() *Gate { return &Gate{Reached: make(chan struct{}), open: make(chan struct{})} }

// Open lets all go on.
func (g *Gate) Open() { close(g.open) }

// Whole is a Fault that holds the answer back, but does what is asked.
func (g *Gate) Whole(req *http.Request, send Send) (*http.Response, error) {
	resp, err := send(req)
	if err != nil {
		return resp, err
	}
	if err := g.wait(req.Context()); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// Half is a Fault that gives half of the body and holds back the rest.
func (g *Gate) Half(req *http.Request, send Send) (*http.Response, error) {
	return rewrite(func(req *http.Request, resp *http.Response, body []byte) {
		half := len(body) / 2
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:half]), gated{g, req.Context()}, bytes.NewReader(body[half:])))
	})(req, send)
}

func (g *Gate) wait(ctx context.Context) error {
	g.once.Do(func() { close(g.Reached) })
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gated reads nothing, and ends when its gate is opened.
type gated struct {
	*Gate
	ctx context.Context
}

func (g gated) Read([]byte) (int, error) {
	if err := g.wait(g.ctx); err != nil {
		return 0, err
	}
	return 0, io.EOF
}
