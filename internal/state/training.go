package state

import (
	"slices"
	"strings"
	"time"
)

// Training is a training that the app asked for. It is an intent until Result or
// Nothing is set.
type Training struct {
	// Token is random. The sender recognises its own intent by it.
	Token string `json:"token"`
	Cause Cause  `json:"cause"`
	// Known are the iterations that existed before. Any other one is the result.
	Known []string `json:"known"`
	// Asked and Until as in Export.
	Asked time.Time `json:"asked"`
	Until time.Time `json:"until"`
	// Result is the iteration that the training made.
	Result string `json:"result,omitempty"`
	// Nothing says why nothing comes of it: the failure is from before the app knew the
	// project.
	Nothing string `json:"refused,omitempty"`
}

// Open reports whether the outcome of the training request isn't known yet.
func (t *Training) Open() bool { return t.Result == "" && t.Nothing == "" }

// Cause is why a training was asked for. The zero value is a person.
type Cause struct {
	Kind CauseKind
	// Of is the iteration that failed, the number of images, the day of the training that
	// is old, or the event with the ids of the project and the iteration that it was about.
	Of string
}

// CauseKind is a kind of causes.
type CauseKind string

// The kinds of causes.
const (
	Person     CauseKind = ""
	Failure    CauseKind = "failure"
	Images     CauseKind = "images"
	Age        CauseKind = "age"
	AfterEvent CauseKind = "after"
)

// FailureOf is that the training of an iteration failed.
func FailureOf(iteration string) Cause { return Cause{Failure, iteration} }

// MarshalText writes a failure as the iteration's id alone, as versions did that knew no
// other cause: they take whatever stands here for an iteration that is gone.
func (c Cause) MarshalText() ([]byte, error) {
	switch c.Kind {
	case Person, Failure:
		return []byte(c.Of), nil
	}
	return []byte(string(c.Kind) + ":" + c.Of), nil
}

// UnmarshalText reads what MarshalText writes.
func (c *Cause) UnmarshalText(text []byte) error {
	kind, of, _ := strings.Cut(string(text), ":")
	switch CauseKind(kind) {
	case Images, Age, AfterEvent:
		*c = Cause{CauseKind(kind), of}
	case "":
		*c = Cause{}
	default:
		*c = FailureOf(string(text))
	}
	return nil
}

// String says the cause for a person.
func (c Cause) String() string {
	switch c.Kind {
	case Images:
		return c.Of + " images were tagged"
	case Age:
		return "the last training was from " + c.Of
	case AfterEvent:
		event, _, _ := strings.Cut(c.Of, " ")
		return event + " of another project"
	case Failure:
		return c.Of + " failed"
	}
	return "a person asked for it"
}

// Spent is what one training costs, or may.
type Spent struct {
	Token     string    `json:"token,omitempty"`     // of the app's Training; empty where others began it
	Iteration string    `json:"iteration,omitempty"` // that it made; empty while that isn't known
	At        time.Time `json:"at"`                  // when it was asked for, or ended
	Minutes   int       `json:"minutes"`
}

// Equal reports whether two say the same.
func (s Spent) Equal(o Spent) bool {
	return s.Token == o.Token && s.Iteration == o.Iteration && s.At.Equal(o.At) && s.Minutes == o.Minutes
}

// Spend takes over what is known of trainings that made an iteration, and forgets what is
// older than a time. What was announced and isn't known to have made one stays.
func (p *Project) Spend(known []Spent, since time.Time) {
	list := slices.DeleteFunc(slices.Clone(p.Spent), func(s Spent) bool { return s.At.Before(since) })
	for _, s := range known {
		if s.Iteration == "" {
			continue
		}
		i := slices.IndexFunc(list, func(o Spent) bool { return s.Token != "" && o.Token == s.Token || o.Iteration == s.Iteration })
		if i < 0 {
			list = append(list, s)
		} else {
			list[i] = s
		}
	}
	p.Spent = list
}

// Tally counts the tagged images that a training saw.
type Tally struct {
	Iteration string    `json:"iteration"` // that was trained
	At        time.Time `json:"at"`        // when that ended, or was asked for
	Images    int       `json:"images"`
	// Tags has the images of each tag, by its id; nil where they weren't counted.
	Tags map[string]int `json:"tags,omitzero"`
}

// Happened is that something became of an iteration.
type Happened struct {
	Iteration string    `json:"iteration"` // id
	At        time.Time `json:"at"`
}
