package state

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// prune prunes what is listed, and returns how many are left.
func prune(t *testing.T, s *Store, now time.Time) int {
	t.Helper()
	l, err := s.List(t.Context(), time.Now)
	require.NoError(t, err)
	left, err := l.PruneDeadLetters(t.Context(), now)
	require.NoError(t, err)
	return left
}

func TestDeadLettersThatCameLongAgoAreDeleted(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	for n := range 3 {
		_, err := s.Bury(t.Context(), fmt.Append(nil, n), "malformed", time.Now())
		require.NoError(t, err)
	}
	for _, c := range []struct {
		after time.Duration
		left  int
	}{{0, 3}, {deadLettersSince - time.Hour, 3}, {deadLettersSince + time.Hour, 0}} {
		prune(t, s, time.Now().Add(c.after))
		letters, err := s.DeadLetters(t.Context())
		require.NoError(t, err)
		assert.Len(t, letters, c.left, "after %s", c.after)
	}
}

func TestOfManyDeadLettersTheOldestGo(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	bury := func(text string) string {
		l, err := s.Bury(t.Context(), []byte(text), "malformed", time.Now())
		assert.NoError(t, err)
		return l.ID
	}
	oldest := bury("the oldest")
	again := bury("the next, but it came again")
	time.Sleep(time.Second) // the service dates blobs in whole seconds
	var writers sync.WaitGroup
	for n := range 8 {
		writers.Go(func() {
			for i := range maxDeadLetters / 8 {
				bury(fmt.Sprint(n, i))
			}
		})
	}
	writers.Wait()
	bury("the next, but it came again")
	left := prune(t, s, time.Now())
	assert.Equal(t, maxDeadLetters, left)
	listed, err := s.deadLetterBlobs(t.Context())
	require.NoError(t, err)
	assert.Len(t, listed, maxDeadLetters)
	_, err = s.FindDeadLetter(t.Context(), oldest)
	assert.ErrorIs(t, err, ErrNoDeadLetter)
	_, err = s.FindDeadLetter(t.Context(), again)
	assert.NoError(t, err)
}

// Anyone who may write to the queue can make up projects.
func TestDeadLettersAboutProjectsThatAreNotThereGoFirst(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	_, err := s.Bury(t.Context(), []byte("a true one"), "malformed", time.Now())
	require.NoError(t, err)
	time.Sleep(time.Second) // the service dates blobs in whole seconds
	var writers sync.WaitGroup
	for n := range 8 {
		writers.Go(func() {
			for i := range maxDeadLetters/8 + 1 {
				_, err := s.BuryStranger(t.Context(), []byte(fmt.Sprint(n, i)), "unknown project", time.Now())
				assert.NoError(t, err)
			}
		})
	}
	writers.Wait()
	_, err = s.BuryStranger(t.Context(), []byte("0 0"), "unknown project", time.Now())
	require.NoError(t, err, "one that comes again")
	time.Sleep(time.Second)
	_, err = s.Bury(t.Context(), []byte("another true one"), "malformed", time.Now())
	require.NoError(t, err)
	left := prune(t, s, time.Now())
	assert.Equal(t, maxDeadLetters, left, "ten of 1,010 are gone")
	for _, raw := range []string{"a true one", "another true one"} {
		_, _, err := s.deadLetter(t.Context(), idOf([]byte(raw)))
		assert.NoError(t, err, raw)
	}
}

func TestHealthIsBoundedAndReadBack(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	long := string(make([]byte, 1<<20))
	var h Health
	for n := range 500 {
		h.Errors, h.Warnings = append(h.Errors, long), append(h.Warnings, long)
		h.Conditions = append(h.Conditions, ProjectCondition{Name: fmt.Sprint(n), Condition: Condition{Why: long, First: time.Unix(int64(1000-n), 0).UTC()}})
	}
	h.Blocked = 500
	require.NoError(t, s.SetHealth(t.Context(), h))
	data, _, err := s.read(t.Context(), healthBlob)
	require.NoError(t, err)
	assert.Less(t, len(data), 1<<20)
	got, err := s.Health(t.Context())
	require.NoError(t, err)
	assert.Len(t, got.Errors, maxHealthErrors+1)
	assert.Equal(t, "and 480 more", got.Errors[maxHealthErrors])
	assert.Len(t, got.Conditions, maxHealthConditions)
	assert.Equal(t, "499", got.Conditions[0].Name, "the oldest are kept")
	assert.Equal(t, 500, got.Blocked, "and all are counted")
}

func TestHealthIsReadBackWhateverThingsAreCalled(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	long := strings.Repeat("x", 200_000)
	h := Health{Resume: "11111111-1111-4111-8111-111111111111", Counts: Counts{Unproven: 3}}
	for n := range maxHealthConditions {
		h.Conditions = append(h.Conditions, ProjectCondition{Project: long, Name: long, Condition: Condition{
			Scope: Scope{Iteration: long, Export: long, Blob: long, ETag: long}, Code: Code(long), Under: long, First: time.Unix(int64(n), 0),
		}})
	}
	require.NoError(t, s.SetHealth(t.Context(), h))
	got, err := s.Health(t.Context())
	require.NoError(t, err)
	assert.Equal(t, h.Resume, got.Resume)
	assert.Equal(t, 3, got.Unproven)
	assert.Len(t, got.Conditions, maxHealthConditions)
}
