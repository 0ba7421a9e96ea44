package emulator

import (
	"slices"
	"time"
)

// Kinds of jobs.
const (
	jobTrain    = "train"
	jobExport   = "export"
	jobImport   = "import"
	jobSend     = "send"
	jobTestBlob = "delete test blob"
)

// job is a change that will happen at a set time. It is data, so that the state
// file can hold it.
type job struct {
	ID, Kind           string
	Due                time.Time // zero means never: only FinishNow ends it
	Project, Iteration string
	Platform           string
	Flavor             *string
	Fail               bool
	Announced          bool    // its message was sent before the state changed
	Message            Message // what a send job sends
	Blob               string  // container and name of the test blob to delete
}

// schedule adds a job. s.mu must be held.
func (s *Server) schedule(j job) {
	j.ID = newID()
	s.state.Jobs = append(s.state.Jobs, j)
	s.look()
}

// look makes run check the clock and the jobs.
func (s *Server) look() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run performs jobs as they become due.
func (s *Server) run() {
	for {
		s.runDue()
		s.mu.Lock()
		wait, any := s.untilNext()
		s.mu.Unlock()
		var timer <-chan time.Time
		if any {
			timer = time.After(wait)
		}
		select {
		case <-timer:
		case <-s.wake:
		case <-s.ctx.Done():
			return
		}
	}
}

// untilNext returns the wait for the next job. any is false if no job has a time.
func (s *Server) untilNext() (wait time.Duration, any bool) {
	i := s.nextJob()
	if i < 0 || s.state.Clock.Frozen != nil {
		return 0, false
	}
	return s.state.Jobs[i].Due.Sub(s.state.Clock.now()), true
}

// nextJob returns the index of the job that is due first, of two equal ones the
// older, or -1.
func (s *Server) nextJob() int {
	next := -1
	for i, j := range s.state.Jobs {
		if !j.Due.IsZero() && (next < 0 || j.Due.Before(s.state.Jobs[next].Due)) {
			next = i
		}
	}
	return next
}

// runDue performs all due jobs, one after the other in their order.
func (s *Server) runDue() {
	s.work.Lock()
	defer s.work.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.ctx.Err() == nil {
		i := s.nextJob()
		if i < 0 || s.state.Jobs[i].Due.After(s.state.Clock.now()) {
			return
		}
		done := s.state.Jobs[i]
		s.performJob(done)
		if s.ctx.Err() != nil { // cut short; a restart does it again
			return
		}
		s.state.Jobs = slices.DeleteFunc(s.state.Jobs, func(j job) bool { return j.ID == done.ID })
		s.save()
	}
}

// performJob performs one job. s.mu must be held; it is released during requests
// to storage.
func (s *Server) performJob(j job) {
	switch j.Kind {
	case jobTrain:
		s.finishTraining(j)
	case jobExport:
		s.finishExport(j)
	case jobImport:
		s.finishImport(j)
	case jobSend:
		s.deliver(j.Message)
	case jobTestBlob:
		s.deleteTestBlob(j.Blob)
	}
}

// unlocked releases s.mu while f makes requests. The caller must look everything
// up again afterwards.
func (s *Server) unlocked(f func()) {
	s.mu.Unlock()
	defer s.mu.Lock()
	f()
}
