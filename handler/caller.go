package handler

import (
	"net/http"
	"strings"

	"visionkeeper/internal/loopback"
)

// A rule returns why a request can't be the host's, with the status that refuses
// it, or 0. The port is open to whatever runs on this machine, a web page in its
// browser included. A page of another site can't set these headers and this content
// type, and one whose site's name leads here (DNS rebinding) can't hide the name.
type rule func(*http.Request) (status int, reason string)

// only serves the requests that keep all rules.
func (h *Handler) only(serve http.HandlerFunc, rules ...rule) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, broken := range rules {
			if status, reason := broken(r); status != 0 {
				h.refuse(w, r, status, reason)
				return
			}
		}
		serve(w, r)
	}
}

// withHostHeaders asks for the two headers that the host sets on every invocation,
// forwarded ones included (DefaultHttpWorkerService.AddHeaders).
func withHostHeaders(r *http.Request) (int, string) {
	for _, name := range []string{headerHostVersion, headerInvocationID} {
		if r.Header.Get(name) == "" {
			return http.StatusForbidden, "only the Functions host may call this, and the header " + name + ", which it sends, is missing"
		}
	}
	return 0, ""
}

// toLoopback asks for a Host of this machine: the host dials 127.0.0.1
// (WorkerConstants.HostName). Forwarded requests carry the client's Host instead.
func toLoopback(r *http.Request) (int, string) {
	if loopback.Asked(r) {
		return 0, ""
	}
	return http.StatusMisdirectedRequest, "only the Functions host may call this, and it calls 127.0.0.1, not the name in this request's Host header"
}

// asJSON asks for the content type of an envelope, which the host sends as
// "application/json; charset=utf-8". Forwarded requests carry the client's.
func asJSON(r *http.Request) (int, string) {
	if kind, _, _ := strings.Cut(r.Header.Get(headerContentType), ";"); strings.EqualFold(strings.TrimSpace(kind), contentJSON) {
		return 0, ""
	}
	return http.StatusUnsupportedMediaType, "only the Functions host may call this, and it sends " + contentJSON
}
