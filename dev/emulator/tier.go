package emulator

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// tier is the limits of a pricing tier. Zero means no limit. Source: Microsoft's
// "Limits and quotas for Custom Vision".
type tier struct {
	projects, images, tags int
	trainings, others      int // calls per second
}

var tiers = map[string]tier{
	"":   {},
	"F0": {projects: 2, images: 5_000, tags: 50, trainings: 2, others: 10},
	"S0": {projects: 100, images: 100_000, tags: 500, trainings: 10, others: 10},
}

func (s *Server) tier() tier { return tiers[s.options.Tier] }

// throttle counts calls in each second of the real clock.
type throttle struct {
	second            int64
	trainings, others int
}

// throttled counts a call and reports whether it exceeds the limit.
func (s *Server) throttled(operation string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := s.tier()
	if second := time.Now().Unix(); s.throttle.second != second {
		s.throttle = throttle{second: second}
	}
	n, most := &s.throttle.others, limit.others
	if operation == "TrainProject" {
		n, most = &s.throttle.trainings, limit.trainings
	}
	*n++
	return most > 0 && *n > most
}

// tooManyRequests answers 429 in the gateway's form. A retryAfter above zero is
// sent as Retry-After in seconds.
func (s *Server) tooManyRequests(w http.ResponseWriter, operation, version string, retryAfter int) {
	name := s.options.Tier
	if name == "" {
		name = "S0"
	}
	product := "Training"
	if version == predictionV30 || version == predictionV31 {
		product = "Prediction"
	}
	if version != v34 {
		version = strings.TrimPrefix(version, "v")
	}
	if retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	gatewayError(w, http.StatusTooManyRequests, "Requests to the "+operation+" Operation under Custom_Vision_"+product+"_"+version+
		" have exceeded rate limit of your current Custom_Vision."+product+" "+name+" pricing tier. Please retry after "+strconv.Itoa(max(1, retryAfter))+" second.")
}
