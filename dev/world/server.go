package world

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
)

// Before starts a server before another and returns its URL. It forwards byte for
// byte what the Fault lets pass; an error breaks the connection. What somebody else
// than the app asks goes through unseen.
func (i *Interceptor) Before(target string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.servers[target] != "" {
		return i.servers[target]
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { i.serve(w, r, target) }))
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, lifeKey{}, i.lives.Load())
	}
	server.Start()
	i.t.Cleanup(server.Close)
	i.servers[target] = server.URL
	return server.URL
}

type lifeKey struct{}

// strangers name themselves in the User-Agent: the host, the emulated service,
// the test, and Azurite, which to copy asks for the source's properties.
var strangers = []string{"funchost ", "emulator ", "test ", "axios/"}

func (i *Interceptor) serve(w http.ResponseWriter, r *http.Request, target string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // it ended in the middle of its request
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	send := func(r *http.Request) (*http.Response, error) { return i.forward(r, target) }
	if !i.All && slices.ContainsFunc(strangers, func(prefix string) bool { return strings.HasPrefix(r.UserAgent(), prefix) }) {
		answer(w)(send(r))
		return
	}
	defer i.begin()()
	answer(w)(i.carry(r, r.Context().Value(lifeKey{}).(int64), send))
}

// forward sends the request on as it came, to its end even if its sender is gone,
// and reads the answer to its end.
func (i *Interceptor) forward(r *http.Request, target string) (*http.Response, error) {
	out := &http.Request{
		Method: r.Method, Header: r.Header, Body: r.Body, ContentLength: r.ContentLength, Host: r.Host,
		URL: &url.URL{Scheme: "http", Host: strings.TrimPrefix(target, "http://"), Opaque: r.RequestURI},
	}
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	if r.Header["User-Agent"] == nil {
		r.Header["User-Agent"] = nil // else net/http adds its own
	}
	resp, err := i.transport.RoundTrip(out.WithContext(context.WithoutCancel(r.Context())))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// answer writes an answer as its bytes come, or breaks the connection.
func answer(w http.ResponseWriter) func(*http.Response, error) {
	return func(resp *http.Response, err error) {
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer resp.Body.Close()
		for k, v := range resp.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(resp.StatusCode)
		if _, err := io.Copy(flushing{w, http.NewResponseController(w)}, resp.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// flushing hands on each piece at once.
type flushing struct {
	io.Writer
	to *http.ResponseController
}

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	if err == nil {
		err = f.to.Flush()
	}
	return n, err
}
