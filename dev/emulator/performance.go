package emulator

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
)

type performanceWire struct {
	PerTagPerformance     []tagPerformanceWire `json:"perTagPerformance"`
	Precision             float64              `json:"precision"`
	PrecisionStdDeviation float64              `json:"precisionStdDeviation"`
	Recall                float64              `json:"recall"`
	RecallStdDeviation    float64              `json:"recallStdDeviation"`
	AveragePrecision      float64              `json:"averagePrecision"`
}

type tagPerformanceWire struct {
	ID                    string  `json:"id"`
	Name                  string  `json:"name"`
	Precision             float64 `json:"precision"`
	PrecisionStdDeviation float64 `json:"precisionStdDeviation"`
	Recall                float64 `json:"recall"`
	RecallStdDeviation    float64 `json:"recallStdDeviation"`
	AveragePrecision      float64 `json:"averagePrecision"`
}

// The default thresholds. The service's own aren't documented.
const (
	defaultThreshold = 0.5
	defaultOverlap   = 0.3
)

// getIterationPerformance invents plausible numbers. They are the same for the
// same iteration and threshold, better with more pictures, and with a higher
// threshold precision rises and recall falls.
func (s *Server) getIterationPerformance(c *call) (any, error) {
	_, i, err := s.lookup(c)
	if err != nil {
		return nil, err
	}
	if i.Status != statusCompleted {
		return nil, badRequest("BadRequestIterationIsNotTrained", "The iteration is not trained")
	}
	threshold, err := c.number("threshold", defaultThreshold)
	if err != nil {
		return nil, err
	}
	overlap, err := c.number("overlapThreshold", defaultOverlap)
	if err != nil {
		return nil, err
	}
	if threshold < 0 || threshold > 1 || overlap < 0 || overlap > 1 {
		return nil, badRequest("BadRequestInvalid", "Thresholds go from 0 to 1")
	}
	d, _ := findDomain(i.DomainID)
	if d.kind != objectDetection {
		overlap = defaultOverlap
	}
	all := performanceWire{PerTagPerformance: []tagPerformanceWire{}}
	if len(i.Tags) == 0 && i.Quality > 0 { // trained without validation
		w := i.performance(&tag{}, threshold, overlap)
		all.Precision, all.Recall, all.AveragePrecision = w.Precision, w.Recall, w.AveragePrecision
	}
	for _, t := range i.Tags {
		w := i.performance(t, threshold, overlap)
		all.PerTagPerformance = append(all.PerTagPerformance, w)
		all.Precision += w.Precision
		all.Recall += w.Recall
		all.AveragePrecision += w.AveragePrecision
	}
	if n := float64(len(i.Tags)); n > 0 {
		all.Precision, all.Recall, all.AveragePrecision = all.Precision/n, all.Recall/n, all.AveragePrecision/n
	}
	return all, nil
}

// SetQuality says how well the trainings that are asked for from now on predict, whatever
// their pictures are: their average precision, between 0 and 1. With 0 the pictures count
// again.
func (s *Server) SetQuality(q float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quality = q
}

func (i *iteration) performance(t *tag, threshold, overlap float64) tagPerformanceWire {
	quality := 0.6 + 0.38*float64(t.ImageCount)/float64(t.ImageCount+15)
	quality -= 0.04 * unit(i.ID, t.ID) // no two trainings are alike
	if i.Quality > 0 {
		quality = i.Quality
	}
	quality *= 1 - 0.3*max(0, overlap-defaultOverlap) // a tighter box is missed more often
	return tagPerformanceWire{
		ID: t.ID, Name: t.Name,
		Precision:        round(quality + (1-quality)*threshold*0.95),
		Recall:           round(quality * (1 - 0.8*math.Pow(threshold, 4))),
		AveragePrecision: round(quality),
	}
}

// unit returns a number in [0,1) that depends only on its arguments.
func unit(parts ...string) float64 {
	h := sha256.New()
	for _, part := range parts {
		h.Write([]byte(part + "\n"))
	}
	return float64(binary.BigEndian.Uint32(h.Sum(nil))) / (1 << 32)
}

func round(x float64) float64 { return math.Round(x*1e6) / 1e6 }
