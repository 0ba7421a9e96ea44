package answers

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAnAnswerIsReadAgainOnlyWhenItIsAnother(t *testing.T) {
	t.Parallel()
	var m Memory[string]
	reads := 0
	ask := func(question, answer string) string {
		says, err := m.Read(question, []byte(answer), func() (string, error) { reads++; return answer, nil })
		assert.NoError(t, err)
		return says
	}
	for _, step := range []struct {
		question, answer string
		reads            int // until then
	}{
		{"a", "1", 1},
		{"a", "1", 1},
		{"b", "1", 2}, // another question
		{"a", "2", 3}, // another answer of the same size
		{"a", "1", 4}, // only the last one is remembered
		{"b", "1", 4},
		{"a", "", 5},
		{"a", "", 5},
	} {
		assert.Equal(t, step.answer, ask(step.question, step.answer))
		assert.Equal(t, step.reads, reads, "%+v", step)
	}
	m.Keep(func(question string) bool { return question == "b" })
	ask("b", "1")
	assert.Equal(t, 5, reads)
	ask("a", "")
	assert.Equal(t, 6, reads, "it was forgotten")
}

func TestWhatCannotBeReadIsNotRemembered(t *testing.T) {
	t.Parallel()
	var m Memory[int]
	broken := errors.New("broken")
	for range 2 {
		_, err := m.Read("a", []byte("x"), func() (int, error) { return 0, broken })
		assert.ErrorIs(t, err, broken)
	}
	says, err := m.Read("a", []byte("1"), func() (int, error) { return 1, nil })
	assert.NoError(t, err)
	assert.Equal(t, 1, says)
	_, err = m.Read("a", []byte("x"), func() (int, error) { return 0, broken })
	assert.ErrorIs(t, err, broken)
	says, err = m.Read("a", []byte("1"), func() (int, error) { return 2, nil })
	assert.NoError(t, err)
	assert.Equal(t, 2, says, "an answer that couldn't be read came between")
}
