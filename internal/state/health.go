package state

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"visionkeeper/internal/seal"
)

// Health is the result of the last sweep, stored as health.json for people and
// monitors.
type Health struct {
	Version  string    `json:"version"`
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended"`
	Warnings []string  `json:"warnings"` // what the app doesn't do, and why
	Errors   []string  `json:"errors"`   // what this sweep couldn't do, twenty at most

	// A round is a pass over all projects, which may take several sweeps. Projects
	// counts those that a policy rule names, Covered those reconciled since the
	// round began, Failed those of them that failed, Outside those without a rule.
	Projects int `json:"projects"`
	Covered  int `json:"covered"`
	Failed   int `json:"failed"`
	Outside  int `json:"outside"`
	// Gap reports whether the round didn't see something that isn't one of the failed
	// projects, such as the list of projects: then it isn't whole.
	Gap bool `json:"gap,omitempty"`
	// Resume is the project after which the next sweep continues; "" starts a new
	// round.
	Resume string `json:"resume"`
	// Lists is a fingerprint of the lists of projects that the last sweep saw; empty where it
	// didn't look at everything that the state remembers.
	Lists string `json:"lists,omitempty"`
	// Round is when the last round was completed that looked at everything of all projects.
	Round time.Time `json:"round,omitzero"`

	// Told is the project with which the next sweep begins to tell others what happened; ""
	// where it begins with the first.
	Told string `json:"told,omitempty"`

	// Counts are those of the projects gone over since the round began, Conditions the
	// oldest of their conditions, a hundred at most: first that of the list of projects,
	// where it couldn't be had, with no project.
	Counts
	Conditions []ProjectCondition `json:"conditions"`
	// Rescue says what is saved of each project whose rule has rescue, by the last look; a
	// hundred at most. It is null while a round is under way.
	Rescue []Coverage `json:"rescue,omitempty"`
	// RescueTotal sums up what all of them say; null where Rescue is.
	RescueTotal *Total `json:"rescueTotal,omitempty"`
	// Poison counts the messages taken from the poison queue by this sweep.
	Poison int `json:"poison"`
}

// ProjectCondition is a condition with the project that it belongs to.
type ProjectCondition struct {
	Project string `json:"project"` // id; empty for the list of projects, App for what is about no one project
	Name    string `json:"name"`
	Condition
}

// Bounds of what health.json lists, and of one text in it, in bytes.
const (
	maxHealthErrors     = 20
	maxHealthConditions = 100
	maxHealthText       = 1000
)

// bounded cuts what is listed, so that the document stays small whatever went wrong.
func (h Health) bounded() Health {
	h.Warnings, h.Errors = boundedTexts(h.Warnings), boundedTexts(h.Errors)
	oldest := slices.SortedStableFunc(slices.Values(h.Conditions), func(a, b ProjectCondition) int {
		return cmp.Or(cmp.Compare(min(1, len(a.Project)), min(1, len(b.Project))), a.First.Compare(b.First))
	})
	h.Conditions = oldest[:min(len(oldest), maxHealthConditions)]
	h.Rescue = h.Rescue[:min(len(h.Rescue), maxHealthConditions)]
	for i := range h.Rescue {
		h.Rescue[i].Missing = boundedTexts(h.Rescue[i].Missing)
	}
	for i := range h.Conditions {
		c := &h.Conditions[i]
		for _, text := range []*string{&c.Project, &c.Name, (*string)(&c.Code), &c.Why, &c.Under, &c.Iteration, &c.Fact, &c.Export, &c.Blob, &c.ETag} {
			*text = boundedText(*text, maxHealthText)
		}
	}
	return h
}

func boundedTexts(list []string) []string {
	var cut []string
	for _, s := range list[:min(len(list), maxHealthErrors)] {
		cut = append(cut, boundedText(s, maxHealthText))
	}
	if more := len(list) - maxHealthErrors; more > 0 {
		cut = append(cut, fmt.Sprintf("and %d more", more))
	}
	return cut
}

func boundedText(s string, most int) string {
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

const healthBlob = "health.json"

// Health reads the result of the last sweep (Get Blob). It is the zero value if
// there is none or if it is broken: the next sweep writes it anew.
func (s *Store) Health(ctx context.Context) (Health, error) {
	var h Health
	data, _, err := s.read(ctx, healthBlob)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return h, nil
	}
	if err != nil {
		return h, s.explain("read "+healthBlob, err)
	}
	if seal.Unmarshal(data, &h) != nil {
		return Health{}, nil //nolint:nilerr // the next sweep writes it anew
	}
	return h, nil
}

// SetHealth stores the result of a sweep, whatever version is stored already (Put
// Blob).
func (s *Store) SetHealth(ctx context.Context, h Health) error {
	data, err := seal.Marshal(h.bounded())
	if err != nil {
		return fmt.Errorf("write %s: %w", healthBlob, err)
	}
	return s.replace(ctx, healthBlob, data)
}
