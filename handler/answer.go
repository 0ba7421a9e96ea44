package handler

import (
	"encoding/json"
	"net/http"
)

// succeed answers that the invocation is done. The host waits until its timeout
// for a 2xx with an empty body or null, and fails one that isn't JSON.
func succeed(w http.ResponseWriter) {
	w.Header().Set(headerContentType, contentJSON)
	_, _ = w.Write([]byte("{}"))
}

// fail answers that the invocation failed: any status but 2xx and 3xx says so.
// The host ignores the body, a person with curl doesn't.
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
