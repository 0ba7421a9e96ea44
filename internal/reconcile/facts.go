package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// facts are what the state keeps of an iteration for its proofs. Each of the three
// questions is asked until the service has answered it or refused to.
type facts struct {
	archive.Facts
	Domained  bool      `json:"domained,omitempty"`  // the domain is known, or refused
	Tagged    bool      `json:"tagged,omitempty"`    // the tags
	Performed bool      `json:"performed,omitempty"` // the performance
	Since     time.Time `json:"since,omitzero"`      // when they were first asked for
}

// factsOf reads what is remembered; the zero value where nothing is.
func factsOf(record *state.Iteration) facts {
	var f facts
	if record != nil && record.Facts != nil {
		_ = json.Unmarshal(record.Facts, &f) // written by describe; without them the bytes still count
	}
	return f
}

// complete reports whether a proof may be written: everything is known or refused,
// or a day has passed.
func (f facts) complete(now time.Time) bool {
	return f.Domained && f.Tagged && f.Performed || !f.Since.IsZero() && now.Sub(f.Since) >= factsLate
}

// facts are what proofs of an iteration say besides the bytes.
func (v *visit) facts(iteration string) archive.Facts {
	f := factsOf(v.seen.Project.Iterations[iteration]).Facts
	f.ProjectName = v.seen.Project.Name
	if it := v.iteration(iteration); it != nil {
		f.IterationName, f.PublishedName, f.TrainedAt = it.Name, it.PublishName, it.TrainedAt
	}
	return f
}

// performanceThreshold is the probability threshold at which proofs record an
// iteration's performance: the portal's default. The overlap is left to the service.
const performanceThreshold = 0.5

// measured is an iteration's performance with the threshold it was asked at.
type measured struct {
	Threshold float64 `json:"threshold"`
	customvision.Performance
}

// describe gathers what proofs say of an iteration, as far as it isn't known:
// domain, tags, performance. It is done when the iteration is first seen completed,
// so that a backup needs no further calls. What the service refuses is left out.
func (v *visit) describe(ctx context.Context, iteration string) error {
	it := v.iteration(iteration)
	f := factsOf(v.seen.Project.Iterations[iteration])
	if f.Since.IsZero() {
		f.Since = v.now()
	}
	f.IterationName, f.PublishedName, f.TrainedAt = it.Name, it.PublishName, it.TrainedAt
	f.ClassificationType, f.Domain.ID = it.ClassificationType, it.DomainID
	err := errors.Join(v.askDomain(ctx, &f), v.askTags(ctx, &f, iteration), v.askPerformance(ctx, &f, iteration))
	data, marshalErr := json.Marshal(f)
	if marshalErr != nil {
		return marshalErr
	}
	v.learn(func(p *state.Project) { p.Iteration(iteration).Facts = data })
	return err
}

func (v *visit) askDomain(ctx context.Context, f *facts) error {
	if f.Domained {
		return nil
	}
	if f.Domain.ID == "" {
		f.Domained = true
		return nil
	}
	d, err := v.Service.Domain(ctx, f.Domain.ID)
	if f.Domained = err == nil || definite(err); !f.Domained {
		return err
	}
	f.Domain.Name, f.Domain.Type = d.Name, d.Type
	return nil
}

func (v *visit) askTags(ctx context.Context, f *facts, iteration string) error {
	if f.Tagged {
		return nil
	}
	tags, err := v.Service.Tags(ctx, v.record.ID, iteration)
	if f.Tagged = err == nil || definite(err); !f.Tagged {
		return err
	}
	for _, t := range tags {
		f.Tags = append(f.Tags, archive.Tag{ID: t.ID, Name: t.Name, Type: t.Type, ImageCount: t.ImageCount})
	}
	return nil
}

func (v *visit) askPerformance(ctx context.Context, f *facts, iteration string) error {
	if f.Performed {
		return nil
	}
	p, err := v.Service.Performance(ctx, v.record.ID, iteration, performanceThreshold, 0)
	if f.Performed = err == nil || definite(err); !f.Performed || err != nil {
		if definite(err) {
			return nil
		}
		return err
	}
	f.Performance, err = json.Marshal(measured{performanceThreshold, p})
	return err
}

// definite reports whether an answer is the service's own no, with a code in words:
// not a gateway's, not a fault on the way to it, a missing right, or a limit of calls.
func definite(err error) bool {
	var refused *customvision.Error
	return errors.As(err, &refused) && !customvision.Lost(err) && refused.Status >= 400 && refused.Status < 500 &&
		refused.Status != 401 && refused.Status != 403 && refused.Status != 429 && strings.Trim(refused.Code, "0123456789") != ""
}
