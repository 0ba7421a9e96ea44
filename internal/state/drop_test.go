package state

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestADeadLetterIsFoundByTheBeginningOfItsID(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	letter, err := s.Bury(t.Context(), []byte{0, '<', 0xff}, "no text", time.Now().UTC())
	require.NoError(t, err)
	found, err := s.FindDeadLetter(t.Context(), letter.ID[:8])
	require.NoError(t, err)
	assert.Equal(t, []byte{0, '<', 0xff}, found.Raw)

	for _, id := range []string{"", "nonsense", "../x", "0000000000000000"} {
		_, err := s.FindDeadLetter(t.Context(), id)
		assert.ErrorIs(t, err, ErrNoDeadLetter, id)
	}
}

func TestAnIDThatIsNotAloneFindsNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	seen := map[byte]bool{}
	for n := byte(0); ; n++ { // after 17 letters at the latest, two begin alike
		letter, err := s.Bury(t.Context(), []byte{n}, "", time.Now())
		require.NoError(t, err)
		if first := letter.ID[0]; seen[first] {
			_, err = s.FindDeadLetter(t.Context(), letter.ID[:1])
			assert.ErrorIs(t, err, ErrNoDeadLetter)
			return
		}
		seen[letter.ID[0]] = true
	}
}

func TestADroppedDeadLetterIsGone(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	letter, err := s.Bury(t.Context(), []byte("x"), "", time.Now())
	require.NoError(t, err)
	held, err := s.FindDeadLetter(t.Context(), letter.ID)
	require.NoError(t, err)
	require.NoError(t, s.DropDeadLetter(t.Context(), held))
	require.NoError(t, s.DropDeadLetter(t.Context(), held), "again is no error")
	all, err := s.DeadLetters(t.Context())
	require.NoError(t, err)
	assert.Empty(t, all)
}

func TestAMessageThatCameAgainIsNotDropped(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	_, err := s.Bury(t.Context(), []byte("x"), "", time.Now())
	require.NoError(t, err)
	all, err := s.DeadLetters(t.Context())
	require.NoError(t, err)
	held, err := s.FindDeadLetter(t.Context(), all[0].ID)
	require.NoError(t, err)
	_, err = s.Bury(t.Context(), []byte("x"), "", time.Now())
	require.NoError(t, err)
	assert.ErrorIs(t, s.DropDeadLetter(t.Context(), held), ErrBuriedAgain)
}
