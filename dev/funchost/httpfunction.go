package funchost

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// serveFunction calls the HTTP function that matches a request's path and method.
func (h *Host) serveFunction(w http.ResponseWriter, r *http.Request) {
	f, parameters := h.match(r)
	if f == nil || f.disabled {
		http.NotFound(w, r)
		return
	}
	c := call{function: f, id: newGUID(), reason: "This function was programmatically called via the host APIs."}
	if h.proxying && f.httpInAndOut() {
		c.proxy = &proxied{host: h, w: w, r: r, id: c.id}
	} else if err := h.requestFor(&c, r, parameters); err != nil {
		h.report(c, outcome{err: err}, 0)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if !h.begin() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer h.end()
	switch o := h.execute(c); {
	case o.err != nil && c.proxy != nil && c.proxy.begun:
		panic(http.ErrAbortHandler) // the client sees that the answer is not whole
	case o.err != nil:
		w.WriteHeader(http.StatusInternalServerError)
	case c.proxy != nil:
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

// requestFor sets the request of a call, forwarded or in an envelope. It reads a body
// only if the client says how long it is, as the host does.
func (h *Host) requestFor(c *call, r *http.Request, parameters object) (err error) {
	var body []byte
	if r.ContentLength > 0 {
		if body, err = io.ReadAll(r.Body); err != nil {
			return fmt.Errorf("read the request's body: %w", err)
		}
	}
	if c.forwarded = h.forwarding && c.function.httpInAndOut(); c.forwarded {
		c.request, err = h.forwardRequest(r, c.id, body)
	} else {
		c.request, err = h.envelopeRequest(c.function, c.id, httpEnvelope(c.function, r, parameters, body))
	}
	return err
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

// contentHeaders are the headers that .NET takes for a body's. The host forwards
// only the first two of them.
var contentHeaders = []string{
	"Content-Type", "Content-Length", "Allow", "Content-Disposition", "Content-Encoding", "Content-Language",
	"Content-Location", "Content-Md5", "Content-Range", "Expires", "Last-Modified",
}

// forwardRequest returns the client's request for the handler, with the same path,
// headers and body. In the query, values with the same name are joined by commas
// (HttpRequestExtensions.ToHttpRequestMessage).
func (h *Host) forwardRequest(r *http.Request, id string, body []byte) (*http.Request, error) {
	if len(r.TransferEncoding) > 0 {
		// The host copies the header but not the body, which the .NET client refuses.
		return nil, errors.New("an error occurred while sending the request: 'Transfer-Encoding: chunked' header can not be used when content object is not specified")
	}
	target := h.handlerURL + r.URL.EscapedPath()
	if query := joinedQuery(r.URL.RawQuery); len(query) > 0 {
		parts := make([]string, 0, len(query))
		for _, q := range query {
			parts = append(parts, urlEncode(q.name)+"="+urlEncode(q.value))
		}
		target += "?" + strings.Join(parts, "&")
	}
	request, err := http.NewRequest(r.Method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header = r.Header.Clone()
	for i, name := range contentHeaders {
		if i > 1 || len(body) == 0 {
			request.Header.Del(name)
		}
	}
	request.Host = r.Host
	hostHeaders(request, id)
	return request, nil
}

// urlEncode escapes a text as .NET's UrlEncoder.Default does.
func urlEncode(text string) string {
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', strings.IndexByte("-._~!$()*,;@", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

type parameter struct{ name, value string }

// joinedQuery returns a query's parameters in the order of their first
// appearance. Values with the same name are joined by commas. A % that begins no
// escape stays.
func joinedQuery(raw string) []parameter {
	var list []parameter
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, value = queryUnescape(name), queryUnescape(value)
		at := slices.IndexFunc(list, func(p parameter) bool { return strings.EqualFold(p.name, name) })
		if at < 0 {
			list = append(list, parameter{name, value})
		} else {
			list[at].value += "," + value
		}
	}
	return list
}

var escapedByte = regexp.MustCompile("%[0-9A-Fa-f]{2}")

func queryUnescape(text string) string {
	return escapedByte.ReplaceAllStringFunc(strings.ReplaceAll(text, "+", " "), func(escape string) string {
		b, _ := strconv.ParseUint(escape[1:], 16, 8)
		return string([]byte{byte(b)})
	})
}
