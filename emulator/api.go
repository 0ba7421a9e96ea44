package emulator

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// call is one request of an operation.
type call struct {
	version string
	ids     map[string]string // the GUIDs of the path, by the contract's names
	query   url.Values        // keys in lower case
	header  http.Header
	body    []byte
	now     time.Time
}

// reply is what an operation answers when it isn't 200 with JSON.
type reply struct {
	status int
	kind   string // content type
	body   []byte
}

var noContent = reply{status: http.StatusNoContent}

// maxBody bounds a request: 64 pictures of 6 MB in Base64.
const maxBody = 64 * 6 << 20 / 3 * 4

// serveAPI answers one request to the Training API.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	id := newID()
	w.Header().Set("apim-request-id", id)
	w.Header().Set("Request-Id", id)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains; preload")

	version, path, ok := apiPath(r.URL.Path)
	var op *apiOperation
	var ids map[string]string
	var pathKnown bool
	if ok {
		op, ids, pathKnown = route(r.Method, path)
	}
	entry := Request{Method: r.Method, Path: r.URL.Path, Query: redactQuery(r.URL.RawQuery), Version: version}
	if op != nil {
		entry.Operation = op.name
	}
	recorder := &statusWriter{ResponseWriter: w}
	defer func() {
		entry.Status = recorder.status
		s.record(entry)
	}()

	switch {
	case !s.authorised(r.Header):
		gatewayError(recorder, http.StatusUnauthorized, "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.")
		return
	case op == nil && pathKnown:
		gatewayError(recorder, http.StatusMethodNotAllowed, "The method is not allowed for this resource")
		return
	case op == nil:
		gatewayError(recorder, http.StatusNotFound, "Resource not found")
		return
	case s.throttled(op.name):
		s.tooManyRequests(recorder, op.name, version, 0)
		return
	case r.Method == http.MethodPost && r.ContentLength == 0 && r.Header.Get("Content-Length") == "":
		lengthRequired(recorder)
		return
	}
	fault := s.nextCallFault(op.name)
	if s.suffer(recorder, r, fault, op.name, version) {
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(recorder, r.Body, maxBody))
	if err != nil {
		gatewayError(recorder, http.StatusRequestEntityTooLarge, "Request body too large")
		return
	}
	c := &call{version: version, ids: ids, query: lowerKeys(r.URL.Query()), header: r.Header, body: body}
	if fault.LoseAnswer {
		s.answerCall(unheard{http.Header{}}, op, c)
		reset(recorder)
		return
	}
	s.answerCall(recorder, op, c)
}

func (s *Server) answerCall(w http.ResponseWriter, op *apiOperation, c *call) {
	s.mu.Lock()
	c.now = s.state.Clock.now()
	result, err := op.handle(s, c)
	if op.method != http.MethodGet {
		s.save()
	}
	out, ok := result.(reply)
	if err == nil && !ok {
		out = reply{status: http.StatusOK}
		out.body, err = plainJSON(result)
	}
	s.mu.Unlock()

	var refused *refusal
	if errors.As(err, &refused) {
		out = reply{status: refused.status}
		out.body = mustJSON(refused)
	} else if err != nil {
		out = reply{status: http.StatusInternalServerError}
		out.body = mustJSON(refusal{Code: "ErrorUnknown", Message: err.Error()})
	}
	if out.kind == "" && out.body != nil {
		out.kind = "application/json; charset=utf-8"
	}
	if out.kind != "" {
		w.Header().Set("Content-Type", out.kind)
		w.Header().Set("Content-Length", strconv.Itoa(len(out.body)))
	}
	w.WriteHeader(out.status)
	w.Write(out.body)
}

// authorised checks the key, or the token where tokens are accepted.
func (s *Server) authorised(h http.Header) bool {
	if token, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer "); ok && s.options.Bearer {
		return strings.TrimSpace(token) != ""
	}
	key := h.Get("Training-Key")
	if key == "" {
		s.mu.Lock()
		if s.answer(SubscriptionKey) == "accepted" {
			key = h.Get("Ocp-Apim-Subscription-Key")
		}
		s.mu.Unlock()
	}
	return subtle.ConstantTimeCompare([]byte(key), []byte(s.options.Key)) == 1
}

// decode reads a JSON body. An empty body leaves v as it is.
func (c *call) decode(v any) error {
	if len(strings.TrimSpace(string(c.body))) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.body, v); err != nil {
		return badRequest("BadRequestInvalid", "The request body is not valid: %v", err)
	}
	return nil
}

// required is a query parameter that must be there.
func (c *call) required(name string) (string, error) {
	value := c.query.Get(strings.ToLower(name))
	if value == "" {
		return "", badRequest("BadRequestRequiredParamIsNull", "The parameter %s is required", name)
	}
	return value, nil
}

// list is a comma-separated query parameter, which may also be repeated.
func (c *call) list(name string) []string {
	var all []string
	for _, value := range c.query[strings.ToLower(name)] {
		for part := range strings.SplitSeq(value, ",") {
			if part = strings.TrimSpace(part); part != "" {
				all = append(all, part)
			}
		}
	}
	return all
}

// flag is a boolean query parameter, false when absent.
func (c *call) flag(name string) (bool, error) {
	text := c.query.Get(strings.ToLower(name))
	if text == "" {
		return false, nil
	}
	value, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		return false, badRequest("BadRequestInvalid", "The value '%s' is not valid for %s", text, name)
	}
	return value, nil
}

// number is a numeric query parameter.
func (c *call) number(name string, fallback float64) (float64, error) {
	text := c.query.Get(strings.ToLower(name))
	if text == "" {
		return fallback, nil
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, badRequest("BadRequestInvalid", "The value '%s' is not valid for %s", text, name)
	}
	return value, nil
}

func lowerKeys(values url.Values) url.Values {
	lower := url.Values{}
	for key, list := range values {
		lower[strings.ToLower(key)] = append(lower[strings.ToLower(key)], list...)
	}
	return lower
}

// baseURL is where the caller reaches this server.
func baseURL(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// lengthRequired answers a POST without a Content-Length in HTML, as the
// service's front does.
func lengthRequired(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=us-ascii")
	w.WriteHeader(http.StatusLengthRequired)
	io.WriteString(w, "<html><head><title>Length Required</title></head><body><h2>Length Required</h2><hr><p>HTTP Error 411. The request must be chunked or have a content length.</p></body></html>")
}

// statusWriter remembers the status that was written.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
