package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// controlPrefix is the path of the endpoints that control the emulator itself.
// The API has none of them.
const controlPrefix = "/_control/"

// control is one control endpoint. It takes the query arguments that are named
// here and no others.
type control struct {
	method, name string
	arguments    []string
	handle       func(*Server, url.Values) (any, error)
}

var controls []control

func init() { // a variable initialiser would be a cycle: one endpoint returns this list
	controls = []control{
		{http.MethodGet, "", nil, listControls},
		{http.MethodGet, "ready", nil, func(s *Server, _ url.Values) (any, error) {
			return map[string]bool{"ready": true}, s.Ready(s.ctx)
		}},
		{http.MethodGet, "view", nil, func(s *Server, _ url.Values) (any, error) { return s.View(), nil }},
		{http.MethodGet, "requests", nil, func(s *Server, _ url.Values) (any, error) {
			return map[string]any{"counts": s.Counts(), "requests": append([]Request{}, s.Requests()...)}, nil
		}},
		{http.MethodGet, "messages", nil, func(s *Server, _ url.Values) (any, error) {
			return append([]Message{}, s.Messages()...), nil
		}},
		{http.MethodPost, "create-project", []string{"name", "domain", "container", "queue"}, func(s *Server, q url.Values) (any, error) {
			id, err := s.CreateProject(q.Get("name"), q.Get("domain"), q.Get("container"), q.Get("queue"))
			return map[string]string{"project": id}, err
		}},
		{http.MethodPost, "train", []string{"project"}, func(s *Server, q url.Values) (any, error) {
			id, err := s.Train(q.Get("project"))
			return map[string]string{"iteration": id}, err
		}},
		{http.MethodPost, "export", []string{"project", "iteration", "platform", "flavor"}, func(s *Server, q url.Values) (any, error) {
			return struct{}{}, s.Export(q.Get("project"), q.Get("iteration"), q.Get("platform"), q.Get("flavor"))
		}},
		{http.MethodPost, "finish-now", []string{"project", "iteration", "platform", "fail"}, finishNow},
		counted("fail-next-training", (*Server).FailTrainings),
		counted("fail-next-export", (*Server).FailExports),
		counted("fail-next-import", (*Server).FailImports),
		counted("stall-next-training", (*Server).StallTrainings),
		counted("stall-next-export", (*Server).StallExports),
		counted("expire-next-link", (*Server).ExpireLinks),
		counted("omit-next-link", (*Server).OmitLinks),
		{http.MethodPost, "fault-notifications", []string{"do", "count", "delay"}, faultNotifications},
		{http.MethodPost, "fault-calls", []string{"operation", "count", "delay", "status", "code", "retry-after", "reset", "lose-answer"}, faultCalls},
		{http.MethodPost, "predict", []string{"name", "tag", "probability"}, addRule},
		{http.MethodPost, "reset", nil, func(s *Server, _ url.Values) (any, error) { return struct{}{}, s.Reset() }},
		{http.MethodPost, "clock", []string{"set", "advance", "frozen"}, steerClock},
		{http.MethodPost, "answer", []string{"question", "answer"}, func(s *Server, q url.Values) (any, error) {
			return struct{}{}, s.Answer(Question(q.Get("question")), q.Get("answer"))
		}},
	}
}

func listControls(*Server, url.Values) (any, error) {
	type entry struct {
		Method    string   `json:"method"`
		Path      string   `json:"path"`
		Arguments []string `json:"arguments"`
	}
	var list []entry
	for _, c := range controls {
		list = append(list, entry{c.method, controlPrefix + c.name, append([]string{}, c.arguments...)})
	}
	return list, nil
}

// counted returns an endpoint whose argument is a number of times.
func counted(name string, f func(*Server, int)) control {
	return control{http.MethodPost, name, []string{"count"}, func(s *Server, q url.Values) (any, error) {
		n, err := number(q, "count", 1)
		if err == nil {
			f(s, n)
		}
		return map[string]int{"count": n}, err
	}}
}

func finishNow(s *Server, q url.Values) (any, error) {
	fail, err := yes(q, "fail")
	if err != nil {
		return nil, err
	}
	n := s.FinishNow(Scope{Project: q.Get("project"), Iteration: q.Get("iteration"), Platform: q.Get("platform"), Fail: fail})
	return map[string]int{"finished": n}, nil
}

func faultNotifications(s *Server, q url.Values) (any, error) {
	n, err := number(q, "count", 1)
	if err != nil {
		return nil, err
	}
	delay, err := duration(q, "delay")
	if err != nil {
		return nil, err
	}
	return struct{}{}, s.FaultNotifications(n, NotificationFault(q.Get("do")), delay)
}

func faultCalls(s *Server, q url.Values) (any, error) {
	f := CallFault{Code: q.Get("code")}
	n, err := number(q, "count", 1)
	if err == nil {
		f.Status, err = number(q, "status", 0)
	}
	if err == nil {
		f.RetryAfter, err = number(q, "retry-after", 0)
	}
	if err == nil {
		f.Delay, err = duration(q, "delay")
	}
	if err == nil {
		f.Reset, err = yes(q, "reset")
	}
	if err == nil {
		f.LoseAnswer, err = yes(q, "lose-answer")
	}
	if err != nil {
		return nil, err
	}
	return struct{}{}, s.FaultCalls(q.Get("operation"), n, f)
}

func addRule(s *Server, q url.Values) (any, error) {
	probability, err := strconv.ParseFloat(q.Get("probability"), 64)
	if err != nil {
		return nil, fmt.Errorf("probability is a number from 0 to 1, not %q", q.Get("probability"))
	}
	return struct{}{}, s.Predict(PredictionRule{Name: q.Get("name"), Tag: q.Get("tag"), Probability: probability})
}

// The years to which the clock can be set: JSON has none after 9999, and a clock that
// runs is at most 292 years, the longest time.Duration, from the real one.
const firstYear, lastYear = 1900, 2199

func steerClock(s *Server, q url.Values) (any, error) {
	by, err := duration(q, "advance")
	if err != nil {
		return nil, err
	}
	at, text := s.Now(), q.Get("set")
	if text != "" {
		if at, err = time.Parse(time.RFC3339, text); err != nil {
			return nil, fmt.Errorf("set is a time such as 2026-01-02T15:04:05Z, not %q", text)
		}
	}
	for _, t := range []time.Time{at, at.Add(by)} {
		if t.Year() < firstYear || t.Year() > lastYear {
			return nil, fmt.Errorf("the clock goes from %d to %d, so not to %d", firstYear, lastYear, t.Year())
		}
	}
	frozen, err := yes(q, "frozen")
	if err != nil {
		return nil, err
	}
	if q.Has("frozen") && frozen {
		s.Freeze()
	} else if q.Has("frozen") {
		s.Unfreeze()
	}
	if text != "" {
		s.SetTime(at)
	}
	if by != 0 {
		s.Advance(by)
	}
	return map[string]time.Time{"now": s.Now()}, nil
}

func number(q url.Values, name string, fallback int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s is a number from 0 on, not %q", name, text)
	}
	return n, nil
}

func duration(q url.Values, name string) (time.Duration, error) {
	text := q.Get(name)
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%s is a duration such as 25h or 90s, not %q", name, text)
	}
	return d, nil
}

func yes(q url.Values, name string) (bool, error) {
	text := q.Get(name)
	if text == "" {
		return false, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("%s is true or false, not %q", name, text)
	}
	return value, nil
}

// serveControl answers with JSON, or with one line of text if something is wrong.
func (s *Server) serveControl(w http.ResponseWriter, r *http.Request) {
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
		result, err := c.answer(s, r.URL.Query())
		if err != nil {
			status := http.StatusBadRequest
			if errors.Is(err, errNotReady) {
				status = http.StatusServiceUnavailable
			}
			http.Error(w, err.Error(), status)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		json.NewEncoder(w).Encode(result)
		return
	}
	http.Error(w, "no such control endpoint: GET "+controlPrefix+" lists them", http.StatusNotFound)
}

// answer refuses arguments that it doesn't know, so that a typo can't pass for
// success.
func (c control) answer(s *Server, q url.Values) (any, error) {
	for name, values := range q {
		if len(values) > 1 {
			return nil, fmt.Errorf("%s takes the argument %q once", c.name, name)
		}
		known := false
		for _, a := range c.arguments {
			known = known || a == name
		}
		if !known {
			return nil, fmt.Errorf("%s takes no argument %q, but: %s", c.name, name, strings.Join(c.arguments, ", "))
		}
	}
	return c.handle(s, q)
}
