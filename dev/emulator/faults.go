package emulator

// faults counts what is to go wrong next.
type faults struct {
	failTrainings, failExports, failImports int
	stallTrainings, stallExports            int
	expiredLinks                            int
	messages                                []messageFault
	calls                                   []pendingCallFault
}

// take uses up one of a kind of fault; false when none is left.
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

// StallTrainings makes the next n trainings never finish, but by FinishNow.
func (s *Server) StallTrainings(n int) { s.set(&s.faults.stallTrainings, n) }

// StallExports makes the next n exports never finish, but by FinishNow.
func (s *Server) StallExports(n int) { s.set(&s.faults.stallExports, n) }

// ExpireLinks makes the next n signed links expired ones.
func (s *Server) ExpireLinks(n int) { s.set(&s.faults.expiredLinks, n) }

func (s *Server) set(counter *int, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*counter = max(0, n)
}

// Scope names what FinishNow ends. Empty fields match everything.
type Scope struct {
	Project, Iteration string // ids
	Platform           string // an export's; "" takes trainings and imports too
	Fail               bool   // end in failure
}

// FinishNow ends running trainings, exports and imports at once, stalled ones
// too, and says how many. Where messages come before the state, the state
// follows by the clock.
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
