package funchost

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// serveFunction calls the HTTP function that matches a request's path and method.
func (h *Host) serveFunction(w http.ResponseWriter, r *http.Request) {
	f, parameters := h.match(r)
	if f == nil || f.disabled {
		http.NotFound(w, r)
		return
	}
	var body []byte
	if r.ContentLength > 0 { // the host loses a chunked body too
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			http.Error(w, "the request's body could not be read", http.StatusBadRequest)
			return
		}
	}
	c := call{function: f, id: newGUID(), reason: "This function was programmatically called via the host APIs."}
	var err error
	if c.forwarded = h.forwarding && f.httpInAndOut(); c.forwarded {
		c.request, err = h.forwardRequest(r, c.id, body)
	} else {
		c.request, err = h.envelopeRequest(f, c.id, httpEnvelope(f, r, parameters, body))
	}
	if err != nil || !h.begin() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer h.end()
	switch o := h.execute(c); {
	case o.err != nil:
		w.WriteHeader(http.StatusInternalServerError)
	case c.forwarded:
		header := w.Header()
		maps.Copy(header, o.answer.header)
		header.Del("Content-Length")
		w.WriteHeader(o.answer.status)
		w.Write(o.answer.body)
	default:
		h.writeOutput(w, f, o.result)
	}
}

// match returns the function with the closest route and the parameters of that
// route.
func (h *Host) match(r *http.Request) (*function, object) {
	var found *function
	var parameters object
	best := -1
	for _, f := range h.functions {
		if !f.trigger.is(httpTrigger) || !f.takes(r.Method) {
			continue
		}
		if p, literals, ok := parseRoute(h.routePrefix, f).match(r.URL.EscapedPath()); ok && literals > best {
			found, parameters, best = f, p, literals
		}
	}
	return found, parameters
}

func (f *function) takes(method string) bool {
	return len(f.trigger.Methods) == 0 ||
		slices.ContainsFunc(f.trigger.Methods, func(m string) bool { return strings.EqualFold(m, method) })
}

// forwardRequest returns the client's request for the handler, with the same
// path, headers and body. In the query, values with the same name are joined by
// commas (HttpRequestExtensions.cs).
func (h *Host) forwardRequest(r *http.Request, id string, body []byte) (*http.Request, error) {
	target := h.handlerURL + r.URL.EscapedPath()
	if query := joinedQuery(r.URL.RawQuery); len(query) > 0 {
		parts := make([]string, 0, len(query))
		for _, q := range query {
			parts = append(parts, url.QueryEscape(q.name)+"="+url.QueryEscape(q.value))
		}
		target += "?" + strings.Join(parts, "&")
	}
	request, err := http.NewRequest(r.Method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header = r.Header.Clone()
	request.Host = r.Host
	hostHeaders(request, id)
	return request, nil
}

type parameter struct{ name, value string }

// joinedQuery returns a query's parameters in the order of their first
// appearance. Values with the same name are joined by commas.
func joinedQuery(raw string) []parameter {
	var list []parameter
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, errName := url.QueryUnescape(name)
		value, errValue := url.QueryUnescape(value)
		if pair == "" || errName != nil || errValue != nil {
			continue
		}
		at := slices.IndexFunc(list, func(p parameter) bool { return strings.EqualFold(p.name, name) })
		if at < 0 {
			list = append(list, parameter{name, value})
		} else {
			list[at].value += "," + value
		}
	}
	return list
}
