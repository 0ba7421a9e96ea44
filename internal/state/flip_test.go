package state

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/figures"
	"visionkeeper/internal/seal"
)

// shown repeats the first answer to each read, except for one blob.
type shown struct {
	answers map[string]answer // by URL
	name    string            // of the blob; while it is empty nothing is kept
	data    []byte            // what is shown of it
}

type answer struct {
	resp *http.Response
	body []byte
}

func (s *shown) Do(req *policy.Request) (*http.Response, error) {
	if s.name == "" || req.Raw().Method != http.MethodGet {
		return req.Next()
	}
	url := req.Raw().URL
	a, ok := s.answers[url.String()]
	if !ok {
		resp, err := req.Next()
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		a = answer{resp, body}
		s.answers[url.String()] = a
	}
	if strings.HasSuffix(url.Path, "/"+s.name) {
		a.body = s.data
	}
	resp := *a.resp
	resp.Body = io.NopCloser(bytes.NewReader(a.body))
	return &resp, nil
}

// newShownStore opens a store whose reads go through the policy.
func newShownStore(t *testing.T) (*Store, *shown) {
	t.Helper()
	blobs := &shown{answers: map[string]answer{}}
	return newStore(t, &azcore.ClientOptions{PerRetryPolicies: []policy.Policy{blobs}}), blobs
}

// flips calls found once for each byte of a blob, with that byte flipped. found
// reports whether the flip was noticed. A flip that only changes the letter case
// of a key may go unnoticed.
func flips(t *testing.T, s *Store, blobs *shown, name string, found func() bool) {
	t.Helper()
	data, _, err := s.read(t.Context(), name)
	require.NoError(t, err)
	noticed := 0
	blobs.name = name
	for at := range data {
		blobs.data = bytes.Clone(data)
		blobs.data[at] ^= 0x20 // of a letter this is its case
		if found() {
			noticed++
		}
	}
	assert.Greater(t, noticed, len(data)*95/100)
	figures.Print(t, "%s: %d flipped bytes, %d found, %d harmless", name, len(data), noticed, len(data)-noticed)
}

func TestAFlippedByteOfAStateIsFound(t *testing.T) {
	t.Parallel()
	s, blobs := newShownStore(t)
	r, err := s.Load(t.Context(), projectID)
	require.NoError(t, err)
	require.NoError(t, s.Update(t.Context(), r, func(p *Project) error {
		p.Name = "Kitchen"
		p.Iteration("i").Export("ONNX").Asked = time.Now().UTC()
		p.Trainings = []*Training{{Token: "t", Cause: FailureOf("i"), Known: []string{"i"}, Asked: time.Now().UTC(), Until: time.Now().UTC()}}
		return nil
	}))
	flips(t, s, blobs, projectBlob(projectID), func() bool {
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
	s, blobs := newShownStore(t)
	letter, err := s.Bury(t.Context(), []byte{0, '<', 0xff}, "no text", time.Now().UTC())
	require.NoError(t, err)
	flips(t, s, blobs, deadLetterPrefix+letter.ID+".json", func() bool {
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

// flippedOnce flips a byte of the first answer that has a body.
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
