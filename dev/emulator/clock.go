package emulator

import "time"

// clock is the emulated service's time: the real one shifted by Offset, or
// standing still at Frozen. Signatures of the storage service's links always
// follow the real time, which that service checks them by.
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

// Now is the emulated service's time.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Clock.now()
}

// SetTime sets the clock and performs everything that has become due.
func (s *Server) SetTime(t time.Time) {
	s.mu.Lock()
	s.state.Clock.set(t)
	s.save()
	s.mu.Unlock()
	s.runDue()
	s.look()
}

// Advance moves the clock on by d and performs everything that has become due.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	s.state.Clock.set(s.state.Clock.now().Add(d))
	s.save()
	s.mu.Unlock()
	s.runDue()
	s.look()
}

// Freeze makes the clock stand still.
func (s *Server) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.state.Clock.now()
	s.state.Clock.Frozen = &now
	s.save()
}

// Unfreeze lets the clock run on from where it stands.
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
