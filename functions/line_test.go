package functions_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// line carries every request of the app, below its retries, and spoils those of
// one operation.
type line struct {
	client *http.Client
	names  names

	mu        sync.Mutex
	operation string
	fault     fault
	left      int // how many are still to be spoilt; negative for all
	met       int
	last      time.Time // when the last one was spoilt
	url       string    // of that one
	waited    time.Duration
	see       func(*http.Request)
}

func newLine(t *testing.T, n names) *line {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true
	t.Cleanup(transport.CloseIdleConnections)
	return &line{names: n, client: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// spoil makes the next n requests of an operation go wrong; a negative n all of them.
func (l *line) spoil(operation string, f fault, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.operation, l.fault, l.left = operation, f, n
}

// mend ends all faults and tells how often they were met.
func (l *line) mend() (met int, waited time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.operation = ""
	return l.met, l.waited
}

func (l *line) Do(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	if l.see != nil {
		l.see(req)
	}
	same := l.operation != "" && l.names.operation(req) == l.operation
	if same && l.url == req.URL.String() && l.waited == 0 {
		l.waited = time.Since(l.last)
	}
	spoilt := same && l.left != 0
	f := l.fault
	if spoilt {
		l.met, l.left, l.last, l.url = l.met+1, l.left-1, time.Now(), req.URL.String()
	}
	l.mu.Unlock()
	if !spoilt {
		return l.client.Do(req)
	}
	return f(req, l.client.Do)
}

var callPaths = []struct {
	method, name string
	path         *regexp.Regexp
}{
	{"GET", "GetProjects", regexp.MustCompile(`/projects$`)},
	{"GET", "GetProject", regexp.MustCompile(`/projects/[^/]+$`)},
	{"POST", "TrainProject", regexp.MustCompile(`/train$`)},
	{"GET", "GetIterations", regexp.MustCompile(`/iterations$`)},
	{"GET", "GetExports", regexp.MustCompile(`/export$`)},
	{"POST", "ExportIteration", regexp.MustCompile(`/export$`)},
	{"GET", "GetIterationPerformance", regexp.MustCompile(`/performance$`)},
	{"GET", "GetTags", regexp.MustCompile(`/tags$`)},
	{"GET", "GetDomain", regexp.MustCompile(`/domains/[^/]+$`)},
	{"GET", "GetArtifact", regexp.MustCompile(`/artifacts$`)},
}

// operation names a request for the table of outcomes.
func (n names) operation(req *http.Request) string {
	path, comp := req.URL.Path, req.URL.Query().Get("comp")
	in := func(container string) bool { return strings.Contains(path+"/", "/"+container+"/") }
	file := path[strings.LastIndex(path, "/")+1:]
	switch {
	case req.URL.Host == n.api:
		for _, c := range callPaths {
			if c.method == req.Method && c.path.MatchString(path) {
				return c.name
			}
		}
	case in(n.queue):
		return map[string]string{"GET": "poison receive", "DELETE": "poison delete"}[req.Method]
	case in(n.state):
		return map[bool]string{true: "dead letter ", false: map[bool]string{true: "health ", false: "state "}[file == "health.json"]}[strings.Contains(path, "/dead-letters/")] + req.Method
	case comp == "list" && in(n.models):
		return "model list"
	case comp == "list":
		return "archive list"
	case !in(n.archive):
		return "source GET"
	case comp == "blocklist" || comp == "block":
		return comp + " " + req.Method
	case strings.HasSuffix(file, ".json"):
		return "proof " + req.Method
	case slices.ContainsFunc(slices.Collect(maps.Keys(req.Header)), func(h string) bool { return strings.EqualFold(h, "x-ms-copy-source") }):
		return "copy"
	}
	return "archive " + req.Method
}

// fault answers a request in place of, or on top of, the true answer.
type fault func(*http.Request, func(*http.Request) (*http.Response, error)) (*http.Response, error)

// reset is how a cut connection looks.
func reset(*http.Request, func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
}

// lost does what is asked for and cuts the connection then.
func lost(req *http.Request, do func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	if resp, err := do(req); err == nil {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	return reset(req, do)
}

// answer is a refusal in the form of whoever is asked.
func answer(status int, retryAfter int) fault {
	return func(req *http.Request, _ func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		code := map[int]string{401: "NoAuthenticationInformation", 404: "BlobNotFound", 409: "BlobAlreadyExists", 412: "ConditionNotMet", 429: "TooManyRequests", 500: "InternalError", 503: "ServerBusy"}[status]
		body := `{"code":"` + code + `","message":"a fault of the test"}`
		h := http.Header{"Content-Type": {"application/json"}, "X-Ms-Error-Code": {code}, "Date": {time.Now().UTC().Format(http.TimeFormat)}}
		if retryAfter > 0 {
			h.Set("Retry-After", strconv.Itoa(retryAfter))
		}
		return &http.Response{
			StatusCode: status, Status: strconv.Itoa(status) + " " + http.StatusText(status), Header: h, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req,
		}, nil
	}
}

// spoilt lets the true answer come with another body.
func spoilt(change func(ctx context.Context, resp *http.Response, body []byte)) fault {
	return func(req *http.Request, do func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		resp, err := do(req)
		if err != nil {
			return resp, err
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil {
			change(req.Context(), resp, body)
		}
		return resp, err
	}
}

// slow gives half of the body and then nothing more; of an answer without a body
// not even the head.
func slow(req *http.Request, do func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	resp, err := spoilt(func(ctx context.Context, resp *http.Response, body []byte) {
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]), stalled{ctx}))
	})(req, do)
	if err == nil && resp.ContentLength == 0 {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	return resp, err
}

// stalled gives nothing until the end of ctx.
type stalled struct{ ctx context.Context }

func (s stalled) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

// truncated breaks off in the middle of the body.
var truncated = spoilt(func(_ context.Context, resp *http.Response, body []byte) {
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]), broken{}))
})

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// short has a Content-Length that is too small, at which net/http ends the body.
var short = spoilt(func(_ context.Context, resp *http.Response, body []byte) {
	body = body[:len(body)/2]
	resp.ContentLength = int64(len(body))
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	resp.Body = io.NopCloser(bytes.NewReader(body))
})

// flipped has one wrong byte, in the middle.
var flipped = spoilt(func(_ context.Context, resp *http.Response, body []byte) {
	if len(body) > 0 {
		body[len(body)/2] ^= 1
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
})
