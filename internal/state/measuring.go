package state

import (
	"slices"
	"time"
)

// Measuring is how far the measure of an iteration by the pictures of a hold-out set has
// come. The next run goes on from there.
type Measuring struct {
	Set       string  `json:"set"` // its hash
	Threshold float64 `json:"threshold"`
	Asked     int     `json:"asked"` // so many pictures, in the order of their names
	// Token is that of the run that asks, and Until when it has said that again, or is lost;
	// zero while none asks.
	Token string    `json:"token,omitempty"`
	Until time.Time `json:"until,omitzero"`
	// Tags are what was seen so far, by the tags' ids.
	Tags map[string]*Sightings `json:"tags,omitempty"`
}

// Sightings are how often a tag was there, and how often it was seen.
type Sightings struct {
	Name  string `json:"name"`
	There int    `json:"there"` // in so many pictures, or in so many boxes
	// Right and Wrong count the predictions from the threshold on.
	Right int `json:"right,omitempty"`
	Wrong int `json:"wrong,omitempty"`
	// Hits and Misses are the probabilities of all predictions, right ones and wrong ones.
	Hits   []float64 `json:"hits,omitempty"`
	Misses []float64 `json:"misses,omitempty"`
}

// Of reports whether it is a measure by this set at this threshold.
func (m *Measuring) Of(set string, threshold float64) bool {
	return m != nil && m.Set == set && m.Threshold == threshold
}

// Clone returns a deep copy.
func (m *Measuring) Clone() *Measuring {
	c := pointer(m)
	if c != nil {
		c.Tags = each(m.Tags, func(t Sightings) Sightings {
			t.Hits, t.Misses = slices.Clone(t.Hits), slices.Clone(t.Misses)
			return t
		})
	}
	return c
}
