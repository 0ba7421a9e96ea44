package emulator

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// CallFault is a fault of an API call. Delay can go with any other. Of the others
// only the first that is set counts, in the order LoseAnswer, Reset, Status. The
// zero CallFault does nothing.
type CallFault struct {
	Delay      time.Duration // how much later the answer comes, by the real clock
	Status     int           // answer this status, 400 to 599, and do nothing
	Code       string        // with Status: the error's code; "" is ErrorUnknown. 429 has its own form
	RetryAfter int           // with Status: this Retry-After in seconds; 0 leaves it out
	Reset      bool          // cut the connection and do nothing
	LoseAnswer bool          // carry the call out, then cut the connection
}

type pendingCallFault struct {
	operation string // "" is every operation
	left      int
	fault     CallFault
}

// FaultCalls orders a fault for the next n calls of an operation, named by its
// operationId; "" means any operation. Faults of one operation happen one after
// the other. n = 0 takes back those of the operation that haven't happened yet.
func (s *Server) FaultCalls(operation string, n int, f CallFault) error {
	if operation != "" && !slices.ContainsFunc(slices.Concat(operations, predictionOperations), func(o apiOperation) bool { return o.name == operation }) {
		return fmt.Errorf("there is no operation %q: take an operationId of the API, such as TrainProject", operation)
	}
	if f.Status != 0 && (f.Status < 400 || f.Status > 599) {
		return fmt.Errorf("a fault's status goes from 400 to 599, not %d", f.Status)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > 0 {
		s.faults.calls = append(s.faults.calls, pendingCallFault{operation, n, f})
		return nil
	}
	s.faults.calls = slices.DeleteFunc(s.faults.calls, func(p pendingCallFault) bool { return p.operation == operation })
	return nil
}

func (s *Server) nextCallFault(operation string) CallFault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.faults.calls {
		next := &s.faults.calls[n]
		if next.operation != "" && next.operation != operation {
			continue
		}
		f := next.fault
		if next.left--; next.left == 0 {
			s.faults.calls = slices.Delete(s.faults.calls, n, n+1)
		}
		return f
	}
	return CallFault{}
}

// suffer applies a fault to a call. It reports whether the call has been
// answered.
func (s *Server) suffer(w *recorder, r *http.Request, f CallFault, operation, version string) bool {
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-r.Context().Done():
		case <-s.ctx.Done():
		}
	}
	switch {
	case f.LoseAnswer: // the call was carried out before
		return false
	case f.Reset:
		w.cut()
	case f.Status == http.StatusTooManyRequests:
		s.tooManyRequests(w, operation, version, f.RetryAfter)
	case f.Status != 0:
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(f.Status)
		code := f.Code
		if code == "" {
			code = "ErrorUnknown"
		}
		w.Write(mustJSON(refusal{Code: code, Message: "The emulator was told to fail this call"}))
	default:
		return false
	}
	return true
}

// reset cuts the connection. The caller sees no answer.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if errors.Is(err, http.ErrNotSupported) { // HTTP/2: this ends the stream
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0) // sends RST instead of FIN
	}
	conn.Close()
}
