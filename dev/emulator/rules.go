package emulator

import (
	"fmt"
	"strings"
)

// PredictionRule decides a prediction: in pictures whose name contains Name, in any
// letter case, the tag called Tag is seen with this Probability. An empty Name is
// part of every name. A picture in a URL has the last part of it as its name. One
// that is the whole body has none.
type PredictionRule struct {
	Name, Tag   string
	Probability float64 // from 0 to 1
}

// Predict adds a rule for predictions from now on. Of two rules for one tag the
// later counts.
func (s *Server) Predict(r PredictionRule) error {
	if r.Tag == "" || !(r.Probability >= 0 && r.Probability <= 1) {
		return fmt.Errorf("a rule names a tag and a probability from 0 to 1, not %q and %v", r.Tag, r.Probability)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = append(s.rules, r)
	return nil
}

// ruled applies the rules to a picture's predictions.
func (s *Server) ruled(list []predictionWire, name string) []predictionWire {
	for _, r := range s.rules {
		if !strings.Contains(strings.ToLower(name), strings.ToLower(r.Name)) {
			continue
		}
		for n := range list {
			if list[n].TagName == r.Tag {
				list[n].Probability = r.Probability
			}
		}
	}
	return likeliestFirst(list)
}
