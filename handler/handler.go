// Package handler speaks the custom-handler protocol of Azure Functions: it
// answers the readiness probe, decodes invocations, and runs the Go function
// registered for each. It takes an invocation only as the host sends it. Its answers
// never make the host wait in vain or take a failure for a success. It never looks into a message, writes no output
// bindings, and knows nothing of storage or of what the functions do.
//
// Start reading at [Handler], then [Func] and [Invocation]. The protocol is
// described at
// https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers;
// where they differ, this package follows the host's source
// (https://github.com/Azure/azure-functions-host, src/WebJobs.Script/Workers/Http).
package handler

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/internal/pattern"
)

// defaultMaxBody is the size limit of a request's body in bytes. A queue message
// holds up to 64 KiB. Escaped twice, and repeated in Metadata, it still fits.
const defaultMaxBody = 1 << 20

// Options of a Handler. The zero value is ready to use.
type Options struct {
	// Out takes log lines up to level info, Err those from warn on; os.Stdout
	// and os.Stderr by default. Each line comes in one Write.
	Out, Err io.Writer
	// Level is the lowest level logged. The zero value is zerolog.DebugLevel,
	// which adds a line for every invocation that succeeded.
	Level zerolog.Level
	// Deadline is the time after which an invocation is answered as failed,
	// counted from the request's arrival. The default is what the function
	// [Deadline] returns where nothing is set.
	Deadline time.Duration
	// MaxBody is the size limit of a request body in bytes, 1 MiB by default.
	MaxBody int64
	// Observe, if set, is called when an invocation begins, with the function's name, the
	// host's id of the invocation and its traceparent header. The invocation runs in the
	// context that it returns, whose logger it may have extended. end is called with the
	// outcome before the host is answered.
	Observe func(ctx context.Context, function, id, traceparent string) (_ context.Context, end func(error))
}

// Handler routes the host's requests to functions. Register every function
// before the first request is served, or, with [Handler.Listen], before
// [Server.Serve].
type Handler struct {
	log      zerolog.Logger
	deadline time.Duration
	late     error // why an invocation ends at the deadline, for people
	maxBody  int64
	observe  func(ctx context.Context, function, id, traceparent string) (context.Context, func(error))
	routes   map[string]map[string]http.HandlerFunc // path, then method
	trees    []tree
}

// tree is what serves a path and everything below it.
type tree struct {
	path  string
	serve http.HandlerFunc
}

// has reports whether a path is the tree's own or below it. To the host letter case makes
// no difference.
func (t tree) has(path string) bool {
	if len(path) < len(t.path) || !strings.EqualFold(path[:len(t.path)], t.path) {
		return false
	}
	return len(path) == len(t.path) || path[len(t.path)] == '/'
}

// New returns a Handler that answers the readiness probe and has no functions
// yet.
func New(o Options) *Handler {
	if o.Out == nil {
		o.Out = os.Stdout
	}
	if o.Err == nil {
		o.Err = os.Stderr
	}
	if o.Deadline <= 0 {
		o.Deadline = lessMargin(defaultTimeout)
	}
	if o.Observe == nil {
		o.Observe = func(ctx context.Context, _, _, _ string) (context.Context, func(error)) { return ctx, func(error) {} }
	}
	if o.MaxBody <= 0 {
		o.MaxBody = defaultMaxBody
	}
	return &Handler{
		log:      NewLog(o.Out, o.Err).Level(o.Level),
		deadline: o.Deadline,
		late:     fmt.Errorf("not done after %s, the deadline below functionTimeout: %w", o.Deadline, context.DeadlineExceeded),
		maxBody:  o.MaxBody,
		observe:  o.Observe,
		routes:   map[string]map[string]http.HandlerFunc{},
	}
}

// functionName matches the names of at most 128 characters that the host accepts for a
// function's folder (Utility.IsValidFunctionName in the host's source).
var functionName = pattern.Of(`^[a-zA-Z][a-zA-Z0-9_-]*$`)

// Handle registers f for the function whose folder has this name, in the same
// letter case. It panics if the host would refuse the name, or if the name is
// registered already.
func (h *Handler) Handle(function string, f Func) {
	if len(function) > 128 || !functionName().MatchString(function) {
		panic(fmt.Sprintf("handler: %q cannot be the name of a function", function))
	}
	h.register(http.MethodPost, "/"+function, h.only(h.invocation(function, f), toLoopback, asJSON, withHostHeaders))
}

// HandleHTTP registers hh for a function with an HTTP trigger whose requests the
// host forwards or proxies (enableForwardingHttpRequest, enableProxyingHttpRequest in
// host.json). path is the whole path with its route prefix, such as /api/health, and
// matches exactly. Host, Origin and the other headers are the client's: who
// may call is for the function's authLevel and hh to decide.
//
// The answer is kept until hh flushes it or returns. It is dropped if hh panics or
// outlives the deadline before; after that the connection is cut.
// [zerolog.Ctx] returns the invocation's logger from the request's context.
// HandleHTTP panics on an impossible path and on a second registration of the
// same method and path.
func (h *Handler) HandleHTTP(method, path string, hh http.Handler) {
	if !strings.HasPrefix(path, "/") || path == readinessPath {
		panic(fmt.Sprintf("handler: %q cannot be the path of a function", path))
	}
	h.register(method, path, h.only(h.forwarded(path, hh), withHostHeaders))
}

// HandleHTTPTree is HandleHTTP for a path and every path below it, in any letter case,
// and for every method. A closer path that is registered by itself wins.
func (h *Handler) HandleHTTPTree(path string, hh http.Handler) {
	if !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") {
		panic(fmt.Sprintf("handler: %q cannot be the path of a function", path))
	}
	h.trees = append(h.trees, tree{path, h.only(h.forwarded(path, hh), withHostHeaders)})
}

func (h *Handler) register(method, path string, serve http.HandlerFunc) {
	if h.routes[path] == nil {
		h.routes[path] = map[string]http.HandlerFunc{}
	}
	if h.routes[path][method] != nil {
		panic(fmt.Sprintf("handler: %s %s is registered twice", method, path))
	}
	h.routes[path][method] = serve
}

// ServeHTTP answers one request of the host. Paths match exactly. An
// http.ServeMux would not do: it redirects to cleaned paths, the host follows
// with a GET without a body, and takes the 200 for a success. The message would
// be lost.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == readinessPath {
		h.ready(w, r)
		return
	}
	methods, ok := h.routes[r.URL.Path]
	if i := slices.IndexFunc(h.trees, func(t tree) bool { return t.has(r.URL.Path) }); !ok && i >= 0 {
		h.trees[i].serve(w, r)
		return
	}
	if !ok {
		h.refuse(w, r, http.StatusNotFound, "no function answers at this path: the folder of a function.json and the name in the program must be the same, case included")
		return
	}
	serve, ok := methods[r.Method]
	if !ok {
		w.Header().Set(headerAllow, strings.Join(slices.Sorted(maps.Keys(methods)), ", "))
		h.refuse(w, r, http.StatusMethodNotAllowed, "the function at this path takes another method")
		return
	}
	serve(w, r)
}

// ready answers the readiness probe. The host sends it every 25 ms until it is
// answered, and later as a health ping (DefaultHttpWorkerService.IsWorkerReady). It
// has none of the host's headers, and whoever sends it moves nothing.
func (h *Handler) ready(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set(headerAllow, http.MethodGet)
		h.refuse(w, r, http.StatusMethodNotAllowed, "only the readiness probe, a GET, is answered here")
		return
	}
	succeed(w)
}

// refuse answers without a look at the body. It closes the connection, because
// net/http would first wait for a body that may never end.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, status int, reason string) {
	h.log.Error().Str(fieldInvocation, r.Header.Get(headerInvocationID)).
		Str("method", r.Method).Str("path", r.URL.Path).Msg(reason)
	w.Header().Set(headerConnection, "close")
	fail(w, status, reason)
}
