package emulator

import (
	"cmp"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// reply is the answer of an operation that isn't a 200 with JSON.
type reply struct {
	status int
	kind   string // content type
	body   []byte
}

var noContent = reply{status: http.StatusNoContent}

// maxBody is the size limit of a request in bytes: 64 pictures of 6 MB in Base64.
const maxBody = 64 * 6 << 20 / 3 * 4

// serveAPI answers one request to the Training or the Prediction API.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	id := newID()
	w.Header().Set("apim-request-id", id)
	w.Header().Set("Request-Id", id)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains; preload")

	of, version, path, ok := apiPath(r.URL.Path)
	var op *apiOperation
	var ids map[string]string
	var pathKnown bool
	if ok {
		op, ids, pathKnown = of.route(r.Method, path)
	}
	answer := &recorder{ResponseWriter: w, server: s, entry: Request{Method: r.Method, Path: r.URL.Path, Query: redactQuery(r.URL.RawQuery), Version: version}}
	if op != nil {
		answer.entry.Operation = op.name
	}

	switch {
	case !s.authorised(r.Header, cmp.Or(of.keyHeader, "Training-Key")):
		gatewayError(answer, http.StatusUnauthorized, "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.")
		return
	case op == nil && pathKnown:
		gatewayError(answer, http.StatusMethodNotAllowed, "The method is not allowed for this resource")
		return
	case op == nil:
		gatewayError(answer, http.StatusNotFound, "Resource not found")
		return
	case s.throttled(op.name):
		s.tooManyRequests(answer, op.name, version, 0)
		return
	case r.Method == http.MethodPost && r.ContentLength == 0 && r.Header.Get("Content-Length") == "":
		lengthRequired(answer)
		return
	}
	fault := s.nextCallFault(op.name)
	if s.suffer(answer, r, fault, op.name, version) {
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(answer, r.Body, maxBody))
	if err != nil {
		gatewayError(answer, http.StatusRequestEntityTooLarge, "Request body too large")
		return
	}
	c := &call{id: id, version: version, ids: ids, query: lowerKeys(r.URL.Query()), header: r.Header, body: body}
	out := s.perform(op, c)
	if fault.LoseAnswer {
		answer.cut()
		return
	}
	out.write(answer)
}

// perform runs an operation and returns its answer.
func (s *Server) perform(op *apiOperation, c *call) reply {
	result, err := s.handle(op, c)
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		return reply{status: refused.status, body: mustJSON(refused)}
	case err != nil:
		return reply{status: http.StatusInternalServerError, body: mustJSON(refusal{Code: "ErrorUnknown", Message: err.Error()})}
	}
	return result
}

// handle runs the operation and encodes its answer while s.mu is held.
func (s *Server) handle(op *apiOperation, c *call) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.now = s.state.Clock.now()
	result, err := op.handle(s, c)
	if op.method != http.MethodGet {
		s.save()
	}
	if err != nil {
		return reply{}, err
	}
	if out, ok := result.(reply); ok {
		return out, nil
	}
	return jsonReply(http.StatusOK, result)
}

// jsonReply returns an answer with JSON.
func jsonReply(status int, body any) (reply, error) {
	text, err := plainJSON(body)
	return reply{status: status, body: text}, err
}

func (out reply) write(w http.ResponseWriter) {
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

// authorised reports whether the request has the key in its header, or a token if
// tokens are accepted.
func (s *Server) authorised(h http.Header, keyHeader string) bool {
	if token, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer "); ok && s.options.Bearer {
		return strings.TrimSpace(token) != ""
	}
	key := h.Get(keyHeader)
	if key == "" {
		s.mu.Lock()
		if s.answer(SubscriptionKey) == "accepted" {
			key = h.Get("Ocp-Apim-Subscription-Key")
		}
		s.mu.Unlock()
	}
	return subtle.ConstantTimeCompare([]byte(key), []byte(s.options.Key)) == 1
}

// baseURL returns the address at which the caller reached this server.
func baseURL(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// lengthRequired answers a POST without Content-Length with HTML, as the
// service's front end does.
func lengthRequired(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=us-ascii")
	w.WriteHeader(http.StatusLengthRequired)
	io.WriteString(w, "<html><head><title>Length Required</title></head><body><h2>Length Required</h2><hr><p>HTTP Error 411. The request must be chunked or have a content length.</p></body></html>")
}
