package emulator

// faults counts the faults that were ordered and haven't happened yet.
type faults struct {
	failTrainings, failExports, failImports int
	stallTrainings, stallExports            int
	expiredLinks, omittedLinks              int
	messages                                []messageFault
	calls                                   []pendingCallFault
}

// take takes one of a kind of fault. It reports whether there was one.
func (*faults) take(n *int) bool {
	if *n == 0 {
		return false
	}
	*n--
	return true
}

// FailTrainings makes the next n trainings that are asked for fail.
func (s *Server) FailTrainings(n int) { s.set(&s.faults.failTrainings, n) }

// FailExports makes the next n exports that are asked for fail.
func (s *Server) FailExports(n int) { s.set(&s.faults.failExports, n) }

// FailImports makes the next n imports of a project fail.
func (s *Server) FailImports(n int) { s.set(&s.faults.failImports, n) }

// StallTrainings makes the next n trainings run until FinishNow ends them.
func (s *Server) StallTrainings(n int) { s.set(&s.faults.stallTrainings, n) }

// StallExports makes the next n exports run until FinishNow ends them.
func (s *Server) StallExports(n int) { s.set(&s.faults.stallExports, n) }

// ExpireLinks makes the next n signed links expired from the start.
func (s *Server) ExpireLinks(n int) { s.set(&s.faults.expiredLinks, n) }

// OmitLinks lists the next n finished exports without a download link.
func (s *Server) OmitLinks(n int) { s.set(&s.faults.omittedLinks, n) }

func (s *Server) set(counter *int, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*counter = max(0, n)
}

// Scope selects what FinishNow ends. An empty field matches everything.
type Scope struct {
	Project, Iteration string // ids
	Platform           string // of an export; "" matches trainings and imports too
	Fail               bool   // end as failed
}

// FinishNow ends running trainings, exports and imports at once, stalled ones
// included, and returns how many. If messages come before the state, the state
// still changes a second later.
func (s *Server) FinishNow(scope Scope) int {
	s.mu.Lock()
	n := 0
	for k := range s.state.Jobs {
		j := &s.state.Jobs[k]
		if (j.Kind != jobTrain && j.Kind != jobExport && j.Kind != jobImport) ||
			(scope.Project != "" && scope.Project != j.Project) ||
			(scope.Iteration != "" && scope.Iteration != j.Iteration) ||
			(scope.Platform != "" && scope.Platform != j.Platform) {
			continue
		}
		j.Due = s.state.Clock.now()
		j.Fail = j.Fail || scope.Fail
		n++
	}
	s.mu.Unlock()
	s.runDue()
	return n
}
