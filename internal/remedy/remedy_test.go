package remedy_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/assert"

	"visionkeeper/internal/remedy"
)

// refusal knows its remedy by itself, and has a text for logs.
type refusal struct{}

func (refusal) Error() string            { return "answered 403 (request 1)" }
func (refusal) Remedy() (string, string) { return "answered 403", "ask for a role" }

func TestCauseAndRemedyAreTakenApart(t *testing.T) {
	t.Parallel()
	missing := remedy.New("write one", "there is no file: %w", fs.ErrNotExist)
	for name, c := range map[string]struct {
		err     error
		why, do string
	}{
		"no remedy":              {errors.New("copy X: the source changed meanwhile"), "copy X: the source changed meanwhile", ""},
		"as it was made":         {missing, "there is no file: file does not exist", "write one"},
		"wrapped":                {fmt.Errorf("open it: %w", missing), "open it: there is no file: file does not exist", "write one"},
		"of a type of its own":   {fmt.Errorf("list: %w", refusal{}), "list: answered 403", "ask for a role"},
		"the outermost wins":     {remedy.New("wait", "not yet: %w", refusal{}), "not yet: answered 403", "wait"},
		"beside another of them": {fmt.Errorf("%w: %w", errors.New("one"), missing), "one: there is no file: file does not exist", "write one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			why, do := remedy.Of(c.err)
			assert.Equal(t, c.why, why)
			assert.Equal(t, c.do, do)
		})
	}
}

func TestTheTextHasCauseAndRemedy(t *testing.T) {
	t.Parallel()
	err := remedy.New("write one", "there is no file: %w", fs.ErrNotExist)
	assert.EqualError(t, err, "there is no file: file does not exist: write one")
	assert.ErrorIs(t, err, fs.ErrNotExist)
}
