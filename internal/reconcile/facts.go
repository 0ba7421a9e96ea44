package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// facts are what the state keeps of an iteration for its proofs, and which of the three
// questions about it the service has answered.
type facts struct {
	archive.Facts
	Domained  bool `json:"domained,omitempty"`
	Tagged    bool `json:"tagged,omitempty"`
	Performed bool `json:"performed,omitempty"`
}

// question is one of those that the service is asked for the proofs of an iteration. One
// that it doesn't answer now has a condition.
type question struct {
	fact     string
	answered func(*facts) *bool
	ask      func(context.Context, *visit, *facts, string) error
}

var questions = []question{
	{"domain", func(f *facts) *bool { return &f.Domained }, askDomain},
	{"tags", func(f *facts) *bool { return &f.Tagged }, askTags},
	{"performance", func(f *facts) *bool { return &f.Performed }, askPerformance},
}

// factsOf reads what is remembered; the zero value where nothing is.
func factsOf(record *state.Iteration) facts {
	var f facts
	if record != nil && record.Facts != nil {
		_ = json.Unmarshal(record.Facts, &f) // written by describe; without them the bytes still count
	}
	return f
}

// factsLate is how long a proof waits for what the service doesn't say.
const factsLate = 24 * time.Hour

// askable reports whether the service is to be asked a question about an iteration now.
func (o Observed) askable(r Rules, iteration string) bool {
	f := factsOf(o.Project.Iterations[iteration])
	return slices.ContainsFunc(questions, func(q question) bool {
		return !*q.answered(&f) && due(o.Project.Condition(state.Scope{Iteration: iteration, Fact: q.fact}), r.Under, o.Now)
	})
}

// provable reports whether a proof of the iteration's exports may be written: each
// question is answered or refused, or has been in vain for a day.
func (o Observed) provable(iteration string, now time.Time) bool {
	f := factsOf(o.Project.Iterations[iteration])
	return !slices.ContainsFunc(questions, func(q question) bool {
		c := o.Project.Condition(state.Scope{Iteration: iteration, Fact: q.fact})
		return !*q.answered(&f) && (c == nil || c.Code != state.FactRefused && now.Sub(c.First) < factsLate)
	})
}

// awaits reports whether the proof of a package has to wait, at most a day: for facts, or,
// where the exports couldn't be listed, for what shows which of them it is if its
// manifest doesn't.
func (v *visit) awaits(key archive.Key, m *archive.Manifest) bool {
	it, look, now := key.Iteration, v.seen.Looks[key.Iteration], v.now()
	if v.iteration(it) != nil && !v.seen.provable(it, now) {
		return true
	}
	if look == nil || !look.Unlisted {
		return false
	}
	c := v.seen.Project.Condition(state.Scope{Iteration: it, Fact: state.FactExports})
	if v.blind != nil {
		c = v.seen.Project.Condition(state.Scope{})
	}
	named := m != nil && m.Flavor != "" && m.Is(key)
	return (!named || v.blind != nil && !v.seen.described(it)) && c != nil && now.Sub(c.First) < factsLate
}

// described reports whether all that proofs record of an iteration is known.
func (o Observed) described(iteration string) bool {
	f := factsOf(o.Project.Iterations[iteration])
	return !slices.ContainsFunc(questions, func(q question) bool { return !*q.answered(&f) })
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

// describe gathers what proofs say of an iteration, as far as it isn't known and its
// time has come: domain, tags, performance. It is done when the iteration is first seen
// completed, so that a backup needs no further calls. What the service doesn't say now
// gets a condition; the error tells what may pass by itself.
func (v *visit) describe(ctx context.Context, iteration string) error {
	it := v.iteration(iteration)
	f := factsOf(v.seen.Project.Iterations[iteration])
	f.IterationName, f.PublishedName, f.TrainedAt = it.Name, it.PublishName, it.TrainedAt
	f.ClassificationType, f.Domain.ID = it.ClassificationType, it.DomainID
	var errs []error
	for _, q := range questions {
		s := state.Scope{Iteration: iteration, Fact: q.fact}
		if *q.answered(&f) || !due(v.seen.Project.Condition(s), v.rules.Under, v.now()) {
			continue
		}
		err := q.ask(ctx, v, &f, iteration)
		if *q.answered(&f) = err == nil; err == nil {
			v.learn(func(p *state.Project) { p.Clear(s) })
			continue
		}
		err = unanswered(q.fact, err)
		missing := faultOf(err)
		v.learn(func(p *state.Project) { note(p, s, idle(err), missing, false, v.rules.Under, v.now()) })
		if missing.code == state.Unavailable {
			errs = append(errs, err)
		} else {
			log := v.logOf(ctx, iteration).Logger()
			log.Warn().Str("code", string(missing.code)).AnErr("cause", err).Msg(said[Postpone])
		}
	}
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	v.learn(func(p *state.Project) { p.Iteration(iteration).Facts = data })
	return errors.Join(errs...)
}

// askDomain asks nothing where it is known of another iteration: what a domain is called
// doesn't change.
func askDomain(ctx context.Context, v *visit, f *facts, _ string) error {
	if f.Domain.ID == "" {
		return nil
	}
	for _, it := range v.seen.Project.Iterations {
		if other := factsOf(it); other.Domained && other.Domain.ID == f.Domain.ID {
			f.Domain = other.Domain
			return nil
		}
	}
	d, err := v.Service.Domain(ctx, f.Domain.ID)
	if err == nil {
		f.Domain.Name, f.Domain.Type = d.Name, d.Type
	}
	return err
}

func askTags(ctx context.Context, v *visit, f *facts, iteration string) error {
	tags, err := v.Service.Tags(ctx, v.record.ID, iteration)
	if err != nil {
		return err
	}
	f.Tags = nil
	for _, t := range tags {
		f.Tags = append(f.Tags, archive.Tag{ID: t.ID, Name: t.Name, Type: t.Type, ImageCount: t.ImageCount})
	}
	return nil
}

func askPerformance(ctx context.Context, v *visit, f *facts, iteration string) error {
	p, err := v.Service.Performance(ctx, v.record.ID, iteration, performanceThreshold, 0)
	if err != nil {
		return err
	}
	f.Performance, err = json.Marshal(measured{performanceThreshold, p})
	return err
}

// unanswered is what it means that the service didn't answer a question: it refused, or
// it may answer any time.
func unanswered(fact string, err error) error {
	if customvision.Definite(err) {
		return faultf(state.FactRefused, "the service refuses to say the %s, which its proofs record: %s", fact, err)
	}
	return fmt.Errorf("the %s, which its proofs record, is not known yet: %w", fact, err)
}
