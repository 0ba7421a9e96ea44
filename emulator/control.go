package emulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// controlPrefix is where the emulator itself is steered, apart from the API.
const controlPrefix = "/_control/"

// control is one control endpoint. Arguments come in the query.
type control struct {
	method, name string
	handle       func(*Server, url.Values) (any, error)
}

// count adapts a method that takes how often; count=1 if not given.
func count(f func(*Server, int)) func(*Server, url.Values) (any, error) {
	return func(s *Server, q url.Values) (any, error) {
		n := 1
		if text := q.Get("count"); text != "" {
			var err error
			if n, err = strconv.Atoi(text); err != nil || n < 0 {
				return nil, fmt.Errorf("count is a number from 0 on, not %q", text)
			}
		}
		f(s, n)
		return map[string]int{"count": n}, nil
	}
}

var controls = []control{
	{http.MethodPost, "fail-next-training", count((*Server).FailTrainings)},
	{http.MethodPost, "fail-next-export", count((*Server).FailExports)},
	{http.MethodPost, "stall-next-training", count((*Server).StallTrainings)},
	{http.MethodPost, "stall-next-export", count((*Server).StallExports)},
	{http.MethodPost, "expire-next-link", count((*Server).ExpireLinks)},
	{http.MethodPost, "finish-now", func(s *Server, q url.Values) (any, error) {
		scope := Scope{Project: q.Get("project"), Iteration: q.Get("iteration"), Platform: q.Get("platform"), Fail: q.Get("fail") == "true"}
		return map[string]int{"finished": s.FinishNow(scope)}, nil
	}},
	{http.MethodPost, "answer", func(s *Server, q url.Values) (any, error) {
		for name := range q {
			if err := s.Answer(Question(name), q.Get(name)); err != nil {
				return nil, err
			}
		}
		return q, nil
	}},
	{http.MethodPost, "clock", steerClock},
	{http.MethodGet, "requests", func(s *Server, _ url.Values) (any, error) {
		return map[string]any{"counts": s.Counts(), "requests": append([]Request{}, s.Requests()...)}, nil
	}},
	{http.MethodGet, "messages", func(s *Server, _ url.Values) (any, error) {
		return append([]Message{}, s.Messages()...), nil
	}},
}

// steerClock takes set=TIME, advance=DURATION and frozen=true|false.
func steerClock(s *Server, q url.Values) (any, error) {
	var at time.Time
	var by time.Duration
	var err error
	if text := q.Get("set"); text != "" {
		if at, err = time.Parse(time.RFC3339, text); err != nil {
			return nil, fmt.Errorf("set is a time such as 2026-01-02T15:04:05Z, not %q", text)
		}
	}
	if text := q.Get("advance"); text != "" {
		if by, err = time.ParseDuration(text); err != nil {
			return nil, fmt.Errorf("advance is a duration such as 25h or 90s, not %q", text)
		}
	}
	switch q.Get("frozen") {
	case "true":
		s.Freeze()
	case "false":
		s.Unfreeze()
	}
	if !at.IsZero() {
		s.SetTime(at)
	}
	if by != 0 {
		s.Advance(by)
	}
	return map[string]time.Time{"now": s.Now()}, nil
}

var sameOrigin = http.NewCrossOriginProtection()

func (s *Server) serveControl(w http.ResponseWriter, r *http.Request) {
	if err := sameOrigin.Check(r); err != nil { // a web page elsewhere has no business here
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, controlPrefix)
	for _, c := range controls {
		if c.name != name {
			continue
		}
		if c.method != r.Method {
			w.Header().Set("Allow", c.method)
			http.Error(w, "use "+c.method, http.StatusMethodNotAllowed)
			return
		}
		result, err := c.handle(s, r.URL.Query())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(result)
		return
	}
	http.Error(w, "no such control endpoint", http.StatusNotFound)
}
