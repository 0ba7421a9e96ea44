package funchost

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync/atomic"
	"time"
)

// How often a proxied request is sent, and the pauses between (RetryProxyHandler.cs).
const (
	proxyTries    = 10
	proxyPause    = 50 * time.Millisecond
	maxProxyPause = 250 * time.Millisecond
)

// proxied is a client's request that the handler answers itself: path, query, headers
// and both bodies pass as they are and as they come (DefaultHttpProxyService.cs,
// DefaultHttpWorkerService.ProxyInvocationRequest).
type proxied struct {
	host  *Host
	w     http.ResponseWriter
	r     *http.Request
	id    string
	begun bool // whether the answer has begun; valid after send
}

// send lets the handler answer. Any answer is a success, and so is a client that has
// gone.
func (p *proxied) send(ctx context.Context) (o outcome) {
	client, cancel := context.WithCancel(p.r.Context())
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	proxy := &httputil.ReverseProxy{
		Transport:     retrying{p.host.client.Transport},
		FlushInterval: -1,
		Rewrite:       p.rewrite,
		ModifyResponse: func(response *http.Response) error {
			p.begun, o.answer.status = true, response.StatusCode
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { o.err = err },
		ErrorLog:     log.New(io.Discard, "", 0), // the host has a log of its own
	}
	defer func() {
		switch broken := recover(); {
		case broken == http.ErrAbortHandler:
			o.err = errors.New("the handler's answer broke off")
		case broken != nil:
			panic(broken)
		}
		if o.err != nil && p.r.Context().Err() != nil {
			p.host.log.infof("The client disconnected while the function was processing the request.")
			o.err = nil
		}
	}()
	http.NewResponseController(p.w).EnableFullDuplex() // an answer may begin before the client's body ends
	proxy.ServeHTTP(p.w, p.r.WithContext(client))
	return o
}

func (p *proxied) rewrite(to *httputil.ProxyRequest) {
	to.Out.URL.Scheme, to.Out.URL.Host = "http", strings.TrimPrefix(p.host.handlerURL, "http://")
	to.Out.URL.RawQuery = to.In.URL.RawQuery
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values, given := to.In.Header[name]; given {
			to.Out.Header[name] = values
		}
	}
	setHeader(to.Out.Header, headerHostVersion, hostVersion)
	setHeader(to.Out.Header, headerInvocationID, p.id)
	setHeader(to.Out.Header, headerCorrelation, p.id)
}

// retrying sends a request again that failed, unless its body has been read.
type retrying struct{ http.RoundTripper }

func (t retrying) RoundTrip(r *http.Request) (*http.Response, error) {
	body := &kept{Reader: r.Body}
	if r.Body != nil {
		r = r.Clone(r.Context())
		r.Body = body
	}
	for try, pause := 1, proxyPause; ; try, pause = try+1, min(2*pause, maxProxyPause) {
		response, err := t.RoundTripper.RoundTrip(r)
		if err == nil || errors.Is(err, context.Canceled) || try == proxyTries || body.begun.Load() || !sleep(r.Context(), pause) {
			return response, err
		}
	}
}

// kept is a body that a failed request leaves open for the next.
type kept struct {
	io.Reader
	begun atomic.Bool
}

func (k *kept) Read(p []byte) (int, error) {
	k.begun.Store(true)
	return k.Reader.Read(p)
}

func (k *kept) Close() error { return nil }
