package state

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// counter counts requests, and refuses listings.
type counter struct {
	sent   atomic.Int64
	refuse bool
}

func (c *counter) Do(req *policy.Request) (*http.Response, error) {
	c.sent.Add(1)
	if c.refuse && req.Raw().URL.Query().Get("comp") == "list" {
		return nil, assert.AnError
	}
	return req.Next()
}

// counted is a store whose requests are counted.
func counted(t *testing.T) (*Store, *counter) {
	t.Helper()
	c := &counter{}
	return newStore(t, &azcore.ClientOptions{PerCallPolicies: []policy.Policy{c}}), c
}

// other is another process's store of the same state.
func other(s *Store) *Store { return &Store{name: s.name, container: s.container} }

// list lists the state, with a clock that stands still.
func list(t *testing.T, s *Store) *Listing {
	t.Helper()
	now := time.Now()
	l, err := s.List(t.Context(), func() time.Time { return now })
	require.NoError(t, err)
	return l
}

func TestWhatHasNotChangedIsReadByOneListing(t *testing.T) {
	t.Parallel()
	s, count := counted(t)
	others := other(s)
	var ids []string
	for n := range 5 {
		id := fmt.Sprintf("%s%d", projectID[:len(projectID)-1], n)
		ids = append(ids, id)
		rename(t, others, id, "Kitchen")
	}
	require.NoError(t, others.SetHealth(t.Context(), Health{Projects: 5}))
	read := func() (names []string, requests int64) {
		before := count.sent.Load()
		l := list(t, s)
		projects, err := l.Projects()
		require.NoError(t, err)
		assert.ElementsMatch(t, ids, projects)
		for _, id := range ids {
			r, err := l.Load(t.Context(), id)
			require.NoError(t, err)
			assert.Equal(t, id, r.ID)
			names = append(names, r.Name)
		}
		h, err := l.Health(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 5, h.Projects)
		return names, count.sent.Load() - before
	}
	_, requests := read()
	assert.EqualValues(t, 1+5+1, requests, "nothing is held yet")
	_, requests = read()
	assert.EqualValues(t, 1, requests)

	rename(t, others, ids[2], "Hall")
	names, requests := read()
	assert.Equal(t, []string{"Kitchen", "Kitchen", "Hall", "Kitchen", "Kitchen"}, names)
	assert.EqualValues(t, 2, requests, "another process wrote one")

	rename(t, s, ids[3], "Attic")
	require.NoError(t, s.SetHealth(t.Context(), Health{Projects: 5, Covered: 5}))
	names, requests = read()
	assert.Equal(t, "Attic", names[3])
	assert.EqualValues(t, 1, requests, "this process knows what it wrote")
}

// rename writes a project's state.
func rename(t *testing.T, s *Store, id, name string) {
	t.Helper()
	r, err := s.Load(t.Context(), id)
	require.NoError(t, err)
	require.NoError(t, s.Update(t.Context(), r, func(p *Project) error {
		p.Name = name
		return nil
	}))
}

func TestWhatWasWrittenSinceAListingIsReadAnew(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	rename(t, s, projectID, "Kitchen")
	l := list(t, s)
	rename(t, s, projectID, "Hall")
	r, err := l.Load(t.Context(), projectID)
	require.NoError(t, err)
	assert.Equal(t, "Hall", r.Name)
	assert.False(t, r.Listed)
}

func TestWhatIsNotListedIsNotThere(t *testing.T) {
	t.Parallel()
	s, count := counted(t)
	l := list(t, s)
	before := count.sent.Load()
	r, err := l.Load(t.Context(), projectID)
	require.NoError(t, err)
	assert.Equal(t, Project{ID: projectID}, r.Project)
	assert.Equal(t, before, count.sent.Load(), "that costs no request")
	rename(t, other(s), projectID, "Hall")
	require.NoError(t, s.Update(t.Context(), r, func(p *Project) error {
		p.Container = true
		return nil
	}))
	assert.Equal(t, "Hall", r.Name, "another process was first")
}

// Others write meanwhile: who goes by the listing loses no race to them.
func TestAnUpdateOfAListedRecordKeepsWhatOthersWrote(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	others := other(s)
	rename(t, s, projectID, "Kitchen")
	r, err := list(t, s).Load(t.Context(), projectID)
	require.NoError(t, err)
	assert.True(t, r.Listed)
	rename(t, others, projectID, "Hall")
	require.NoError(t, s.Update(t.Context(), r, func(p *Project) error {
		p.Container = true
		return nil
	}))
	assert.Equal(t, "Hall", r.Name)
	again, err := list(t, others).Load(t.Context(), projectID)
	require.NoError(t, err)
	assert.Equal(t, "Hall", again.Name)
	assert.True(t, again.Container)
}

func TestWhatIsHeldIsNotChangedByWhoReadsIt(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	rename(t, s, projectID, "Kitchen")
	for range 2 {
		r, err := list(t, s).Load(t.Context(), projectID)
		require.NoError(t, err)
		assert.Empty(t, r.Iterations)
		require.ErrorIs(t, s.Update(t.Context(), r, func(p *Project) error {
			p.Iteration("i").Ended = time.Now()
			return assert.AnError
		}), assert.AnError)
	}
}

func TestAListedRecordIsDatedByTheListing(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	rename(t, s, projectID, "Kitchen")
	now := time.Now()
	l, err := s.List(t.Context(), func() time.Time { return now })
	require.NoError(t, err)
	first, err := l.Load(t.Context(), projectID)
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), first.Seen, time.Minute)
	now = now.Add(time.Hour)
	later, err := l.Load(t.Context(), projectID)
	require.NoError(t, err)
	assert.Equal(t, time.Hour, later.Seen.Sub(first.Seen))
}

func TestOneStateThatCannotBeReadKeepsNoOther(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	const newer, broken = "0a6c3a5e-0b8e-4bb0-9b5e-0d6e7f8a9b01", "0a6c3a5e-0b8e-4bb0-9b5e-0d6e7f8a9b02"
	rename(t, s, projectID, "Kitchen")
	later := sealed(t, map[string]any{"id": newer, "version": formatVersion + 1})
	for name, data := range map[string][]byte{projectBlob(newer): later, projectBlob(broken): []byte("{")} {
		_, err := s.write(t.Context(), name, data, "")
		require.NoError(t, err)
	}
	for range 2 {
		l := list(t, s)
		r, err := l.Load(t.Context(), projectID)
		require.NoError(t, err)
		assert.Equal(t, "Kitchen", r.Name)
		_, err = l.Load(t.Context(), newer)
		assert.ErrorIs(t, err, ErrNewer)
		r, err = l.Load(t.Context(), broken)
		require.NoError(t, err)
		assert.Error(t, r.Lost)
	}
}

func TestWithoutAListingEverythingIsRead(t *testing.T) {
	t.Parallel()
	s, count := counted(t)
	rename(t, s, projectID, "Kitchen")
	count.refuse = true
	l, err := s.List(t.Context(), time.Now)
	assert.Error(t, err)
	projects, err := l.Projects()
	assert.Error(t, err, "which they are isn't known")
	assert.Empty(t, projects)
	r, err := l.Load(t.Context(), projectID)
	require.NoError(t, err)
	assert.Equal(t, "Kitchen", r.Name)
	_, err = l.Health(t.Context())
	assert.NoError(t, err)
}

// The policy in the container may be replaced, or taken away, by others.
func TestWhatIsReplacedMayHaveChangedSinceItWasRead(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	others := other(s)
	for _, between := range []func(){
		func() {},
		func() { require.NoError(t, others.SetPolicy(t.Context(), []byte(`{"mode":"act"}`))) },
		func() { _, err := others.ResetPolicy(t.Context()); require.NoError(t, err) },
	} {
		require.NoError(t, s.SetPolicy(t.Context(), []byte(`{}`)))
		between()
		require.NoError(t, s.SetPolicy(t.Context(), []byte(`{"mode":"observe"}`)))
		now, err := others.Policy(t.Context())
		require.NoError(t, err)
		assert.JSONEq(t, `{"mode":"observe"}`, string(now))
	}
}
