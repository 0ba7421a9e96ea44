package state

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/leak"
	"visionkeeper/internal/seal"
	"visionkeeper/internal/storage"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(func() int { return azuritetest.Run(m) })) }

const projectID = "0a6c3a5e-0b8e-4bb0-9b5e-0d6e7f8a9b0c"

// newStore opens a store in a container of its own; the client options may be nil.
func newStore(t *testing.T, o *azcore.ClientOptions) *Store {
	t.Helper()
	account, err := storage.ParseConnectionString(azuritetest.Start(t).ConnectionString(azurite.Archive))
	require.NoError(t, err)
	client, err := account.Blob(o)
	require.NoError(t, err)
	name := azuritetest.Name("state")
	_, err = client.CreateContainer(t.Context(), name, nil)
	require.NoError(t, err)
	return Open(client, name)
}

func TestWhatIsUpdatedIsLoadedAgain(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	r, err := s.Load(t.Context(), projectID)
	require.NoError(t, err)
	assert.Equal(t, Project{ID: projectID}, r.Project, "nothing is known yet")
	assert.WithinDuration(t, time.Now(), r.Seen, time.Minute, "the answer for a missing blob has the service's time too")

	require.NoError(t, s.Update(t.Context(), r, func(p *Project) error {
		p.Name = "Kitchen"
		p.Trainings = append(p.Trainings, &Training{Token: "t"})
		return nil
	}))
	again, err := s.Load(t.Context(), projectID)
	require.NoError(t, err)
	assert.Equal(t, "Kitchen", again.Name)
	assert.Len(t, again.Trainings, 1)
}

func TestUpdatesOfManyWritersAreAllKept(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			r, err := s.Load(t.Context(), projectID)
			if assert.NoError(t, err) {
				assert.NoError(t, s.Update(t.Context(), r, func(p *Project) error {
					p.Trainings = append(p.Trainings, &Training{Token: "t"})
					return nil
				}))
			}
		})
	}
	writers.Wait()
	r, err := s.Load(t.Context(), projectID)
	require.NoError(t, err)
	assert.Len(t, r.Trainings, 8)
}

func TestAnUpdateThatIsGivenUpWritesNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	r, err := s.Load(t.Context(), projectID)
	require.NoError(t, err)
	taken := errors.New("taken")
	assert.ErrorIs(t, s.Update(t.Context(), r, func(p *Project) error {
		p.Name = "changed"
		return taken
	}), taken)
	assert.Empty(t, r.Name)
	again, err := s.Load(t.Context(), projectID)
	require.NoError(t, err)
	assert.Empty(t, again.Name)
}

// lostAnswer passes the first write on and drops its answer, so that the SDK
// repeats the write and finds its own blob.
type lostAnswer struct{ once sync.Once }

func (l *lostAnswer) Do(req *policy.Request) (*http.Response, error) {
	resp, err := req.Next()
	if req.Raw().Method == http.MethodPut && req.Raw().URL.Query().Get("restype") == "" {
		lost := false
		l.once.Do(func() { lost = true })
		if lost {
			resp.Body.Close()
			return nil, errors.New("connection reset by peer")
		}
	}
	return resp, err
}

func TestAWriteWhoseAnswerWasLostCountsOnce(t *testing.T) {
	t.Parallel()
	o := &azcore.ClientOptions{PerRetryPolicies: []policy.Policy{&lostAnswer{}}}
	o.Retry.RetryDelay = time.Millisecond
	s := newStore(t, o)
	r, err := s.Load(t.Context(), projectID)
	require.NoError(t, err)
	require.NoError(t, s.Update(t.Context(), r, func(p *Project) error {
		p.Trainings = append(p.Trainings, &Training{Token: "t"})
		return nil
	}))
	assert.Len(t, r.Trainings, 1)
}

func TestAFlippedByteInStateIsFound(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	r, err := s.Load(t.Context(), projectID)
	require.NoError(t, err)
	require.NoError(t, s.Update(t.Context(), r, func(p *Project) error { p.Name = "Kitchen"; return nil }))

	data, v, err := s.read(t.Context(), projectBlob(projectID))
	require.NoError(t, err)
	data[len(data)/2] ^= 1
	_, err = s.write(t.Context(), projectBlob(projectID), data, v.etag)
	require.NoError(t, err)
	broken, err := s.Load(t.Context(), projectID)
	require.NoError(t, err)
	assert.ErrorIs(t, broken.Lost, seal.ErrBroken)
	assert.Empty(t, broken.Revision, "nothing of it is believed")

	require.NoError(t, s.Update(t.Context(), broken, func(p *Project) error { p.Name = "Garden"; return nil }))
	again, err := s.Load(t.Context(), projectID)
	require.NoError(t, err)
	assert.NoError(t, again.Lost)
	assert.Equal(t, "Garden", again.Name, "the broken blob's place is taken")
}

func TestTheSameDeadLetterIsCounted(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	raw := []byte("\xff not a notification")
	first := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for i := range 3 {
		_, err := s.Bury(t.Context(), raw, "malformed", first.Add(time.Duration(i)*time.Hour))
		require.NoError(t, err)
	}
	_, err := s.Bury(t.Context(), []byte("another"), "unknown", first)
	require.NoError(t, err)

	letters, err := s.DeadLetters(t.Context())
	require.NoError(t, err)
	require.Len(t, letters, 2)
	i := 0
	if letters[1].Reason == "malformed" {
		i = 1
	}
	letter := letters[i]
	assert.Equal(t, raw, letter.Raw, "byte for byte")
	assert.Equal(t, 3, letter.Count)
	assert.Equal(t, first, letter.First)
	assert.Equal(t, first.Add(2*time.Hour), letter.Last)
}

func TestAMissingContainerIsNamed(t *testing.T) {
	t.Parallel()
	account, err := storage.ParseConnectionString(azuritetest.Start(t).ConnectionString(azurite.Archive))
	require.NoError(t, err)
	client, err := account.Blob(nil)
	require.NoError(t, err)
	s := Open(client, azuritetest.Name("absent"))
	_, err = s.Load(context.Background(), projectID)
	assert.ErrorContains(t, err, "STATE_CONTAINER")
}

func TestHealthIsReadBack(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	h, err := s.Health(t.Context())
	require.NoError(t, err)
	assert.Zero(t, h, "no sweep yet")
	for n := range 2 {
		require.NoError(t, s.SetHealth(t.Context(), Health{Projects: 5, Covered: n, Resume: "p"}))
		h, err = s.Health(t.Context())
		require.NoError(t, err)
		assert.Equal(t, Health{Projects: 5, Covered: n, Resume: "p"}, h)
	}

	_, v, err := s.read(t.Context(), healthBlob)
	require.NoError(t, err)
	_, err = s.write(t.Context(), healthBlob, []byte("{}"), v.etag)
	require.NoError(t, err)
	h, err = s.Health(t.Context())
	require.NoError(t, err)
	assert.Zero(t, h, "a broken one is as good as none")
}
