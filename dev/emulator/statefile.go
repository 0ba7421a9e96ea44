package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// load reads the state file. Without one it starts with an empty state.
func (s *Server) load() error {
	s.state = state{Secret: newSecret()}
	if s.options.State == "" {
		return nil
	}
	s.pictures.dir = s.options.State + ".pictures"
	text, err := os.ReadFile(s.options.State)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &s.state); err != nil {
		return fmt.Errorf("%s is not an emulator's state: %w: delete it to begin anew", s.options.State, err)
	}
	return nil
}

// save replaces the state file in one step, so that a crash can't cut it. s.mu
// must be held.
func (s *Server) save() {
	if s.options.State == "" {
		return
	}
	text, err := json.Marshal(s.state)
	next := s.options.State + ".new"
	if err == nil {
		err = os.WriteFile(next, text, 0o600) // it holds the secret that signs links
	}
	if err == nil {
		err = os.Rename(next, s.options.State)
	}
	if err != nil {
		s.options.Logf("keep the state: %v", err)
	}
}
