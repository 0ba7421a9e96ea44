// Package inforce says which policy counts: policy.json in the state container if
// there is one, else the one that was published with the program. It looks again
// every half minute, so that a change counts in every running process within a
// minute. Start reading at Source.
package inforce

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/internal/policy"
	"visionkeeper/internal/remedy"
	"visionkeeper/internal/state"
)

// lookEvery is how old the policy may be that a decision is made on.
const lookEvery = 30 * time.Second

// Source finds the policy that counts. It is safe for concurrent use.
type Source struct {
	Published string // path of the policy that was published
	Store     *state.Store
	// Records reports whether what counts is recorded in the state container, for
	// other processes. The app does it, a person's command doesn't.
	Records bool
	Clock   interface{ Now() time.Time }

	mu     sync.Mutex
	looked time.Time
	now    policy.InForce
	good   *policy.Policy // the last one that was right
}

// Now is the policy that counts. A policy with a fault leaves the last good one in
// force, for archiving alone: its mode is Observe then. An error means that the
// state container can't be read.
func (s *Source) Now(ctx context.Context) (policy.InForce, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.Clock.Now()
	if !s.looked.IsZero() && at.Sub(s.looked) < lookEvery {
		return s.now, nil
	}
	newest, err := s.newest(ctx)
	if err != nil {
		return policy.InForce{}, err
	}
	now, err := s.inForce(ctx, newest)
	if err != nil {
		return policy.InForce{}, err
	}
	s.looked, s.now = at, now
	return now, nil
}

// document is a policy as it was written.
type document struct {
	data  []byte
	from  string
	set   bool  // in the state container
	fault error // why it can't be read
}

// newest reads the policy that a person set, else the published one.
func (s *Source) newest(ctx context.Context) (document, error) {
	data, err := s.Store.Policy(ctx)
	if err != nil || data != nil {
		return document{data: data, from: s.Store.PolicyPlace(), set: true}, err
	}
	data, err = policy.ReadFile(s.Published)
	return document{data: data, from: s.Published, fault: err}, nil
}

// inForce is what follows from the newest policy.
func (s *Source) inForce(ctx context.Context, newest document) (policy.InForce, error) {
	now, fault := policy.InForce{From: newest.from, Set: newest.set}, newest.fault
	if fault == nil {
		if now.Policy, fault = policy.Parse(newest.data); fault != nil {
			fault = fmt.Errorf("%s: %w", newest.from, fault)
		}
	}
	last, err := s.last(ctx)
	if err != nil {
		return policy.InForce{}, err
	}
	if fault != nil {
		now.Policy, now.Fault = policy.ArchiveOnly, fault
		if last != nil {
			now.Policy = *last
		}
		now.Mode = policy.Observe
		return now, nil
	}
	now.Doubts = policy.Doubts(newest.data)
	var changes []string
	if last != nil {
		changes = policy.Changes(*last, now.Policy)
	}
	switch {
	case s.Records:
		if last == nil || len(changes) > 0 {
			s.record(ctx, newest, changes)
		}
		s.good = &now.Policy
	case !newest.set && len(changes) > 0:
		now.Doubts = append(now.Doubts, remedy.New("publish it, or run `visionkeeper policy set "+newest.from+"`", "the app follows another policy than %s", newest.from))
	}
	return now, nil
}

// last is the last good policy: this process's, else the recorded one; nil if there
// is none.
func (s *Source) last(ctx context.Context) (*policy.Policy, error) {
	if s.good != nil {
		return s.good, nil
	}
	recorded, err := s.Store.PolicyInForce(ctx)
	if err != nil || recorded.Policy == "" {
		return nil, err
	}
	p, err := policy.Parse([]byte(recorded.Policy))
	if err != nil {
		return nil, nil //nolint:nilerr // of another version of the program
	}
	return &p, nil
}

// record logs what a new policy changes, and writes it down for others. What can't
// be written now, the next process writes.
func (s *Source) record(ctx context.Context, newest document, changes []string) {
	log := zerolog.Ctx(ctx)
	if len(changes) == 0 {
		log.Info().Str("from", newest.from).Msg("the policy is read for the first time")
	}
	for _, change := range changes {
		log.Info().Str("from", newest.from).Str("change", change).Msg("the policy changed")
	}
	record := state.PolicyInForce{From: newest.from, Since: s.Clock.Now().UTC(), Policy: string(newest.data)}
	if err := s.Store.SetPolicyInForce(ctx, record); err != nil {
		log.Warn().Err(err).Msg("the policy that counts can't be recorded")
	}
}
