package policy

import (
	"fmt"
	"strings"
	"time"
)

// Retrain says what causes a training, and how much trainings may cost. Whatever causes
// one, the next is counted from it, also where a person trained.
type Retrain struct {
	AfterFailure int      `json:"afterFailure,omitempty"` // trainings after one another that may follow a failure, 1 to 5; 0 trains after none
	Within       Duration `json:"within"`                 // age in which a failure or an event of After leads to a training; 24 hours by default
	// OnImages trains once so many images are tagged more than the last training saw,
	// OnImagesPerTag once each tag has so many more. With both, both are needed.
	OnImages       int `json:"onImages,omitempty"`
	OnImagesPerTag int `json:"onImagesPerTag,omitempty"`
	// OlderThan trains when the last training is older, if the service says that anything
	// changed. 0 doesn't.
	OlderThan Duration `json:"olderThan,omitzero"`
	// After trains because of what became of another project.
	After *After `json:"after,omitempty"`

	PerMonth int  `json:"perMonth"` // most trainings in 30 days; 10 by default
	Force    bool `json:"force"`    // train although nothing changed
	// Type is Regular or Advanced. Where it is empty, a failed training is repeated as it
	// was, and others are regular.
	Type TrainingType `json:"type,omitempty"`
	// BudgetHours are reserved for one advanced training. A regular one counts as so many
	// while it isn't known how long it took; 0 is one hour.
	BudgetHours int `json:"budgetHours,omitempty"`
	// MonthlyBudgetHours bounds the hours of all trainings in 30 days, whoever began them: the
	// app begins none that could cost more. 0 is no bound.
	MonthlyBudgetHours int `json:"monthlyBudgetHours,omitempty"`
	// Email gets a mail of the service when a training ends.
	Email string `json:"email,omitempty"`
}

// TrainingType is how a project is trained.
type TrainingType string

// The types of trainings.
const (
	Regular  TrainingType = "regular"
	Advanced TrainingType = "advanced"
)

// After names what becomes of another project.
type After struct {
	Project string `json:"project"` // its id or name
	Event   string `json:"event"`   // TrainingCompleted or ModelPromoted
}

// The events of After, named as others are told of them.
const (
	TrainingCompleted = "training.completed"
	ModelPromoted     = "model.promoted"
)

// Images reports whether numbers of tagged images cause trainings.
func (r *Retrain) Images() bool { return r.OnImages > 0 || r.OnImagesPerTag > 0 }

func (r *Retrain) fillDefaults() {
	if r.Within == 0 {
		r.Within = Duration(24 * time.Hour)
	}
	if r.PerMonth == 0 {
		r.PerMonth = 10
	}
}

// String says it for a person.
func (r *Retrain) String() string {
	var parts []string
	add := func(there bool, format string, a ...any) {
		if there {
			parts = append(parts, fmt.Sprintf(format, a...))
		}
	}
	add(r.AfterFailure > 0, "afterFailure %d", r.AfterFailure)
	add(r.OnImages > 0, "onImages %d", r.OnImages)
	add(r.OnImagesPerTag > 0, "onImagesPerTag %d", r.OnImagesPerTag)
	add(r.OlderThan > 0, "olderThan %s", r.OlderThan)
	if r.After != nil {
		add(true, "after %s of %s", r.After.Event, r.After.Project)
	}
	add(true, "within %s, perMonth %d", r.Within, r.PerMonth)
	add(r.Type != "", "type %s", r.Type)
	add(r.BudgetHours > 0, "budgetHours %d", r.BudgetHours)
	add(r.MonthlyBudgetHours > 0, "monthlyBudgetHours %d", r.MonthlyBudgetHours)
	add(r.Email != "", "email %s", r.Email)
	add(r.Force, "force")
	return strings.Join(parts, ", ")
}

// circle finds projects whose trainings cause one another, by the names that the policy
// has for them; it is empty where there are none.
func (p Policy) circle() string {
	for _, r := range p.Projects {
		if r.Retrain == nil || r.Retrain.After == nil {
			continue
		}
		if c := p.CircleFrom(r.Retrain.After.Project, func(project string) (id, name string) { return project, project }); c != "" {
			return c
		}
	}
	return ""
}

// CircleFrom follows what a project is trained after, from one to the next, and returns the
// way if it comes back; it is empty if it ends. Known gives the id and the name of a
// project that the policy names by either.
func (p Policy) CircleFrom(project string, known func(project string) (id, name string)) string {
	way, passed := []string{project}, map[string]bool{}
	for {
		id, name := known(project)
		passed[strings.ToLower(id)] = true
		rule, ok := p.For(id, name)
		if !ok || rule.Retrain == nil || rule.Retrain.After == nil {
			return ""
		}
		project = rule.Retrain.After.Project
		way = append(way, project)
		if id, _ := known(project); passed[strings.ToLower(id)] {
			return strings.Join(way, " after ")
		}
	}
}
