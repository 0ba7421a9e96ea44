package state

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/figures"
	"visionkeeper/seal"
)

// flips calls found for every 7th byte of a blob, flipped, and puts the blob back.
// It tells whether the flip was found; one that only changes white space may not be.
func flips(t *testing.T, s *Store, name string, found func() bool) {
	t.Helper()
	data, v, err := s.read(t.Context(), name)
	require.NoError(t, err)
	n, noticed := 0, 0
	for at := rand.IntN(7); at < len(data); at += 7 {
		flipped := bytes.Clone(data)
		flipped[at] ^= 0x10
		v, err = s.write(t.Context(), name, flipped, v.etag)
		require.NoError(t, err)
		n++
		if found() {
			noticed++
		}
	}
	_, err = s.write(t.Context(), name, data, v.etag)
	require.NoError(t, err)
	assert.Greater(t, noticed, n*3/4)
	figures.Print(t, "%s: %d flipped bytes, %d found, %d harmless", name, n, noticed, n-noticed)
}

func TestAFlippedByteOfAStateIsFound(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	r, err := s.Load(t.Context(), projectID)
	require.NoError(t, err)
	require.NoError(t, s.Update(t.Context(), r, func(p *Project) error {
		p.Name = "Kitchen"
		p.Iteration("i").Export("ONNX").Attempts = 1
		p.Trainings = []*Training{{Token: "t", Cause: "i", Known: []string{"i"}, Asked: time.Now().UTC(), Until: time.Now().UTC()}}
		return nil
	}))
	flips(t, s, projectBlob(projectID), func() bool {
		got, err := s.Load(t.Context(), projectID)
		require.NoError(t, err)
		if got.Lost == nil {
			assert.Equal(t, r.Project, got.Project, "what isn't found changes nothing")
			return false
		}
		assert.ErrorIs(t, got.Lost, seal.ErrBroken)
		assert.Equal(t, Project{ID: projectID}, got.Project, "nothing broken is believed")
		return true
	})
}

func TestAFlippedByteOfADeadLetterIsFound(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	letter, err := s.Bury(t.Context(), []byte{0, '<', 0xff}, "no text", time.Now().UTC())
	require.NoError(t, err)
	flips(t, s, deadLetterPrefix+letter.ID+".json", func() bool {
		got, err := s.DeadLetters(t.Context())
		if err != nil {
			return assert.ErrorIs(t, err, seal.ErrBroken)
		}
		assert.Equal(t, []DeadLetter{letter}, got, "what isn't found changes nothing")
		return false
	})
}

func TestABrokenDeadLetterIsReplacedWhenItsMessageComesAgain(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	raw := []byte("no notification")
	letter, err := s.Bury(t.Context(), raw, "malformed", time.Now())
	require.NoError(t, err)
	name := deadLetterPrefix + letter.ID + ".json"
	_, v, err := s.read(t.Context(), name)
	require.NoError(t, err)
	_, err = s.write(t.Context(), name, []byte("{"), v.etag)
	require.NoError(t, err)

	_, err = s.Bury(t.Context(), raw, "malformed", time.Now())
	require.NoError(t, err)
	letters, err := s.DeadLetters(t.Context())
	require.NoError(t, err)
	require.Len(t, letters, 1)
	assert.Equal(t, raw, letters[0].Raw)
}

// flippedOnce spoils the first answer that has a body.
type flippedOnce struct{ once sync.Once }

func (f *flippedOnce) Do(req *policy.Request) (*http.Response, error) {
	resp, err := req.Next()
	if err == nil && req.Raw().Method == http.MethodGet && resp.StatusCode == http.StatusOK {
		f.once.Do(func() {
			data, _ := io.ReadAll(resp.Body)
			data[len(data)/2] ^= 1
			resp.Body = io.NopCloser(bytes.NewReader(data))
		})
	}
	return resp, err
}

func TestAStateThatIsBrokenOnItsWayIsNotLost(t *testing.T) {
	t.Parallel()
	s := newStore(t, &azcore.ClientOptions{PerRetryPolicies: []policy.Policy{&flippedOnce{}}})
	r, err := s.Load(t.Context(), projectID)
	require.NoError(t, err)
	require.NoError(t, s.Update(t.Context(), r, func(p *Project) error { p.Name = "Kitchen"; return nil }))
	r, err = s.Load(t.Context(), projectID)
	require.NoError(t, err)
	assert.NoError(t, r.Lost)
	assert.Equal(t, "Kitchen", r.Name)
}
