package emulator

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Request is one request that the API received. Refused requests are included.
type Request struct {
	Time      time.Time `json:"time"` // by the emulator's clock, when it was answered
	Method    string    `json:"method"`
	Path      string    `json:"path"`
	Query     string    `json:"query"`     // without tokens and signatures
	Version   string    `json:"version"`   // v3.3 or another, or "" for another path
	Operation string    `json:"operation"` // the contract's operationId, or ""
	Status    int       `json:"status"`    // 0 when the connection was cut without an answer
}

// keptRequests is the length limit of the log. Counts have no limit.
const keptRequests = 10_000

type requestLog struct {
	last   []Request
	counts map[string]int
}

func (s *Server) record(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Time = s.state.Clock.now()
	if s.log.counts == nil {
		s.log.counts = map[string]int{}
	}
	s.log.counts[r.Operation]++
	if len(s.log.last) >= 2*keptRequests { // cut rarely, because it copies the list
		s.log.last = slices.Clone(s.log.last[keptRequests:])
	}
	s.log.last = append(s.log.last, r)
}

// recorder logs a request before its answer is sent. A caller that has the answer
// finds the request in the log.
type recorder struct {
	http.ResponseWriter
	server *Server
	entry  Request
}

func (r *recorder) WriteHeader(status int) {
	r.entry.Status = status
	r.server.record(r.entry)
	r.ResponseWriter.WriteHeader(status)
}

// cut ends the connection without an answer.
func (r *recorder) cut() {
	r.server.record(r.entry)
	reset(r.ResponseWriter)
}

// Requests returns the API requests received so far in the order of their
// answers. Only the last 10,000 are certain to be there.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log.last)
}

// Counts returns how often each operation was called. Requests that match no
// operation are counted under "".
func (s *Server) Counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := maps.Clone(s.log.counts)
	if counts == nil {
		counts = map[string]int{}
	}
	return counts
}

// redactQuery hides import tokens, which are signed links, and signatures that a
// caller put into another parameter by mistake.
func redactQuery(query string) string {
	values, err := url.ParseQuery(query)
	if err != nil {
		return ""
	}
	for key, list := range values {
		for n := range list {
			if strings.EqualFold(key, "token") {
				list[n] = "redacted"
			}
			list[n] = signature.ReplaceAllString(list[n], "${1}redacted")
		}
	}
	return values.Encode()
}
