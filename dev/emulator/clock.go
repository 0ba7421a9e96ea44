package emulator

import "time"

// clock is the emulated service's time: the real time plus Offset, or the instant
// Frozen. Signatures of links to the storage service follow the real time, by
// which that service checks them.
type clock struct {
	Offset time.Duration
	Frozen *time.Time
}

func (c *clock) now() time.Time {
	if c.Frozen != nil {
		return c.Frozen.UTC()
	}
	return time.Now().Add(c.Offset).UTC()
}

func (c *clock) set(t time.Time) {
	if c.Frozen != nil {
		c.Frozen = &t
		return
	}
	c.Offset = time.Until(t)
}

// Now returns the emulated service's time.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Clock.now()
}

// SetTime sets the clock to a time in the years from 1900 to 2199, and performs every
// job that has become due.
func (s *Server) SetTime(t time.Time) {
	s.mu.Lock()
	s.state.Clock.set(t)
	s.save()
	s.mu.Unlock()
	s.runDue()
	s.look()
}

// Advance moves the clock forward by d and performs every job that has become
// due.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	s.state.Clock.set(s.state.Clock.now().Add(d))
	s.save()
	s.mu.Unlock()
	s.runDue()
	s.look()
}

// Freeze stops the clock.
func (s *Server) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.state.Clock.now()
	s.state.Clock.Frozen = &now
	s.save()
}

// Unfreeze starts the clock again from where it stands.
func (s *Server) Unfreeze() {
	s.mu.Lock()
	if at := s.state.Clock.Frozen; at != nil {
		s.state.Clock = clock{Offset: time.Until(*at)}
		s.save()
	}
	s.mu.Unlock()
	s.runDue()
	s.look()
}
