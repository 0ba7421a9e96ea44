package state

import (
	"slices"
	"time"
)

// Promotion is what is remembered of the name that the policy publishes an iteration under.
type Promotion struct {
	Name string `json:"name"`
	// Holder is the iteration that had the name when the app last knew; empty for none.
	Holder string `json:"holder,omitempty"`
	// At is when the app learnt that Holder got the name, From who had it before, and By who
	// gave it away. At is zero where Holder had it when the app first looked.
	At   time.Time `json:"at,omitzero"`
	From string    `json:"from,omitempty"`
	By   Promoter  `json:"by,omitempty"`
	// Left is the iteration that was the newest when somebody else than the policy gave the
	// name away: the policy doesn't publish it.
	Left string `json:"left,omitempty"`
	// Before are those that had the name before, the oldest first.
	Before []string `json:"before,omitempty"`
	// Move is a promotion whose outcome isn't known yet; nil for none.
	Move *Move `json:"move,omitempty"`
}

// Promoter is who gives a name away.
type Promoter string

// The promoters.
const (
	ByPolicy   Promoter = "policy"
	ByPerson   Promoter = "person"   // by this program
	ByRollback Promoter = "rollback" // a person too, by this program
	ByOthers   Promoter = "others"   // by Custom Vision's page or another program
)

// Move is a promotion that is announced: the name goes from one iteration to another.
type Move struct {
	// Token is random. The sender recognises its own intent by it.
	Token string `json:"token"`
	// From has the name, or had it until the app freed it; empty where the name was free. To
	// is to have it, and is the same as From where the name is to be given back.
	From string `json:"from,omitempty"`
	To   string `json:"to"`
	// Resource is the prediction resource that To is published to, FromResource that of From.
	Resource     string   `json:"resource"`
	FromResource string   `json:"fromResource,omitempty"`
	By           Promoter `json:"by"`
	// Asked and Until as in Export.
	Asked time.Time `json:"asked"`
	Until time.Time `json:"until"`
}

// Freed reports whether the app may have freed the name for an iteration, or is to give it
// back to that one.
func (m *Move) Freed(iteration string) bool {
	return m.From != "" && (iteration == m.To || iteration == m.From)
}

// ResourceOf is the prediction resource that one of the two iterations is published to.
func (m *Move) ResourceOf(iteration string) string {
	if iteration == m.From && m.FromResource != "" {
		return m.FromResource
	}
	return m.Resource
}

// Figures are how well an iteration predicts at a probability threshold.
type Figures struct {
	Threshold float64 `json:"threshold"`
	// Set is the hash of the hold-out set that it was measured on; empty where the service
	// measured it.
	Set string `json:"set,omitempty"`
	Measures
	Tags map[string]TagFigures `json:"tags,omitempty"` // by id
}

// TagFigures are those of one tag.
type TagFigures struct {
	Name string `json:"name"`
	Measures
}

// Measures are between 0 and 1; one that the service has none of is nil.
type Measures struct {
	Precision        *float64 `json:"precision,omitempty"`
	Recall           *float64 `json:"recall,omitempty"`
	AveragePrecision *float64 `json:"averagePrecision,omitempty"`
}

// mostBefore is how many former holders of a name are remembered: as many as a project has
// iterations.
const mostBefore = 20

// Promoted records that an iteration has got the name, by whom, and which one is the newest.
func (p *Promotion) Promoted(to string, by Promoter, newest string, now time.Time) {
	p.Move = nil
	if to == p.Holder { // it was given back
		return
	}
	p.Forget(to)
	if p.Holder != "" && by != ByRollback {
		p.Before = append(p.Before, p.Holder)
		p.Before = p.Before[max(len(p.Before)-mostBefore, 0):]
	}
	p.From, p.Holder, p.By, p.At, p.Left = p.Holder, to, by, now, ""
	if by != ByPolicy && newest != to {
		p.Left = newest
	}
}

// Had reports whether an iteration had the name before.
func (p *Promotion) Had(iteration string) bool { return slices.Contains(p.Before, iteration) }

// Forget drops an iteration from those that had the name before.
func (p *Promotion) Forget(iteration string) {
	p.Before = slices.DeleteFunc(p.Before, func(id string) bool { return id == iteration })
}

func (p *Promotion) clone() *Promotion {
	c := pointer(p)
	if c != nil {
		c.Before, c.Move = slices.Clone(p.Before), pointer(p.Move)
	}
	return c
}

func (f *Figures) clone() *Figures {
	c := pointer(f)
	if c == nil {
		return nil
	}
	c.Measures, c.Tags = f.Measures.clone(), nil
	for id, tag := range f.Tags {
		if c.Tags == nil {
			c.Tags = make(map[string]TagFigures, len(f.Tags))
		}
		tag.Measures = tag.Measures.clone()
		c.Tags[id] = tag
	}
	return c
}

func (m Measures) clone() Measures {
	return Measures{Precision: pointer(m.Precision), Recall: pointer(m.Recall), AveragePrecision: pointer(m.AveragePrecision)}
}
