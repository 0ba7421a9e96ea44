package state

import "time"

// Counts say how safe what was looked at is.
type Counts struct {
	// Unproven are the finished exports without a backup, whatever their condition;
	// Oldest is the earliest of their iterations' trainings.
	Unproven int       `json:"unproven"`
	Oldest   time.Time `json:"oldest,omitzero"`
	// Blocked are the things that can't be done now, each with a condition.
	Blocked int `json:"blocked"`
}

// Add adds other counts.
func (c *Counts) Add(o Counts) {
	c.Unproven += o.Unproven
	c.Blocked += o.Blocked
	c.since(o.Oldest)
}

// AddUnproven counts one export without a backup, of an iteration trained then; zero
// where that isn't known.
func (c *Counts) AddUnproven(trained time.Time) {
	c.Unproven++
	c.since(trained)
}

func (c *Counts) since(trained time.Time) {
	if c.Oldest.IsZero() || !trained.IsZero() && trained.Before(c.Oldest) {
		c.Oldest = trained
	}
}
