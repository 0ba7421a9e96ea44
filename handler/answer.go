package handler

import (
	"encoding/json"
	"net/http"
)

// succeed answers that the invocation succeeded. The body must not be empty: on a
// 2xx with an empty body or null the host waits until its timeout, and a body
// that isn't JSON fails the invocation.
func succeed(w http.ResponseWriter) {
	w.Header().Set(headerContentType, contentJSON)
	_, _ = w.Write([]byte("{}"))
}

// fail answers that the invocation failed. The host takes any status but 2xx and
// 3xx for a failure. It ignores the body, which is for people who call the
// handler by hand.
func fail(w http.ResponseWriter, status int, reason string) {
	body, err := json.Marshal(struct {
		Error string `json:"error"`
	}{reason})
	if err != nil {
		panic(err) // a string always encodes
	}
	w.Header().Set(headerContentType, contentJSON)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
