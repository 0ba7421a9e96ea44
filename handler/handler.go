// Package handler speaks the custom-handler protocol of Azure Functions: it
// answers the readiness probe, decodes invocations, runs the Go function that
// belongs to each, and answers so that the host neither hangs nor takes a
// failure for a success. It never looks into a message, writes no output
// bindings, and knows nothing of storage or of what the functions do.
//
// Start reading at [Handler], then [Func] and [Invocation]. The protocol is
// described at
// https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers;
// where host and document differ, the host's source is followed
// (https://github.com/Azure/azure-functions-host, src/WebJobs.Script/Workers/Http).
package handler

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// DefaultMaxBody is the size limit of a request's body in bytes. A queue message
// holds up to 64 KiB; escaped twice and repeated in Metadata it still fits.
const DefaultMaxBody = 1 << 20

// Options of a Handler. The zero value is ready to use.
type Options struct {
	// Out takes log lines up to level info, Err those from warn on; os.Stdout
	// and os.Stderr by default. Each line comes in one Write.
	Out, Err io.Writer
	// Level is the lowest level logged. The zero value is zerolog.DebugLevel,
	// which adds a line for every invocation that succeeded.
	Level zerolog.Level
	// Deadline is when an invocation is given up, counted from the request's
	// arrival; see [Deadline]. Default: what Deadline gives where nothing is set.
	Deadline time.Duration
	// MaxBody is the largest request body in bytes; DefaultMaxBody by default.
	MaxBody int64
}

// Handler routes the host's requests to functions. Register every function
// before the first request is served, or, with [Handler.Listen], before
// [Server.Serve].
type Handler struct {
	log      zerolog.Logger
	deadline time.Duration
	maxBody  int64
	routes   map[string]map[string]http.HandlerFunc // path, then method
}

// New returns a Handler that answers the readiness probe and knows no function yet.
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
	if o.MaxBody <= 0 {
		o.MaxBody = DefaultMaxBody
	}
	return &Handler{
		log:      NewLog(o.Out, o.Err).Level(o.Level),
		deadline: o.Deadline,
		maxBody:  o.MaxBody,
		routes:   map[string]map[string]http.HandlerFunc{},
	}
}

// functionName is what the host accepts as the name of a function's folder:
// Utility.IsValidFunctionName in the host's source.
var functionName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_-]{0,127}$`)

// Handle registers f for the function whose folder has this name, in the same
// case. It panics where the host would refuse the name, or on a second
// registration.
func (h *Handler) Handle(function string, f Func) {
	if !functionName.MatchString(function) {
		panic(fmt.Sprintf("handler: %q cannot be the name of a function", function))
	}
	h.register(http.MethodPost, "/"+function, h.invocation(function, f))
}

// HandleHTTP registers hh for an HTTP-triggered function as the host forwards it
// (enableForwardingHttpRequest): path is the whole path, route prefix included,
// such as /api/health, and matches exactly. The answer is buffered and dropped
// if hh panics or outlives the deadline; [zerolog.Ctx] finds the invocation's
// logger in the request's context. It panics on a second registration.
func (h *Handler) HandleHTTP(method, path string, hh http.Handler) {
	if !strings.HasPrefix(path, "/") || path == readinessPath {
		panic(fmt.Sprintf("handler: %q cannot be the path of a function", path))
	}
	h.register(method, path, h.forwarded(path, hh))
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

// ServeHTTP answers one request of the host. Paths match exactly: the host
// follows a redirect with a bodiless GET and takes its 200 for a success, so
// http.ServeMux, which redirects to cleaned paths, would lose messages.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == readinessPath {
		h.ready(w, r)
		return
	}
	methods, ok := h.routes[r.URL.Path]
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

// ready answers the probe that the host sends every 25 ms until it is answered,
// and later as a health ping (DefaultHttpWorkerService.IsWorkerReady).
func (h *Handler) ready(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set(headerAllow, http.MethodGet)
		h.refuse(w, r, http.StatusMethodNotAllowed, "only the readiness probe, a GET, is answered here")
		return
	}
	succeed(w)
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, status int, reason string) {
	h.log.Error().Str(fieldInvocation, r.Header.Get(headerInvocationID)).
		Str("method", r.Method).Str("path", r.URL.Path).Msg(reason)
	fail(w, status, reason)
}
