package budget

import (
	"context"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/world"
	"visionkeeper/internal/state"
)

func TestMain(m *testing.M) { os.Exit(azuritetest.Run(m)) }

// clock moves on once all processes sleep, to when the first of them wakes.
type clock struct {
	mu     sync.Mutex
	now    time.Time
	awake  int
	sleeps map[chan struct{}]time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	if d > 0 {
		woken := make(chan struct{})
		c.mu.Lock()
		c.sleeps[woken] = c.now.Add(d)
		c.mu.Unlock()
		c.add(-1)
		<-woken
	}
	return ctx.Err()
}

// add counts who is awake, and wakes the next if nobody is.
func (c *clock) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.awake += n
	if c.awake > 0 || len(c.sleeps) == 0 {
		return
	}
	var first chan struct{}
	for woken, at := range c.sleeps {
		if first == nil || at.Before(c.sleeps[first]) {
			first = woken
		}
	}
	c.now, c.awake = c.sleeps[first], 1
	delete(c.sleeps, first)
	close(first)
}

// site is where processes share a budget of 8 calls a second.
type site struct {
	*world.World
	t     *testing.T
	clock *clock
	line  *world.Interceptor

	mu    sync.Mutex
	calls map[int][]time.Duration // of each process, since the beginning
}

func newSite(t *testing.T) *site {
	s := &site{
		World: world.New(t, world.Options{}), t: t, line: world.NewInterceptor(t), calls: map[int][]time.Duration{},
		clock: &clock{now: time.Unix(1_800_000_000, 0), sleeps: map[chan struct{}]time.Time{}},
	}
	s.line.Send = func(req *http.Request) (*http.Response, error) {
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err == nil {
			resp.Header.Set("Date", s.clock.Now().UTC().Format(http.TimeFormat))
		}
		return resp, err
	}
	return s
}

func (s *site) process() *Budget {
	o := azcore.ClientOptions{Transport: s.line, Retry: azpolicy.RetryOptions{RetryDelay: time.Millisecond, MaxRetryDelay: time.Millisecond}}
	return New(state.Open(s.Archives.Blobs(&o), s.Names.State), 8, s.clock)
}

// run lets processes call as fast as they may, each until its time is up.
func (s *site) run(until ...time.Duration) {
	begin := s.clock.Now()
	var all sync.WaitGroup
	s.clock.add(len(until))
	for i, end := range until {
		all.Go(func() {
			defer s.clock.add(-1)
			for b := s.process(); b.Wait(s.t.Context()) == nil && s.clock.Now().Sub(begin) < end; {
				s.mu.Lock()
				s.calls[i] = append(s.calls[i], s.clock.Now().Sub(begin))
				s.mu.Unlock()
			}
		})
	}
	all.Wait()
}

// between counts the calls of a time: all of them, and the fewest and most of one process.
func (s *site) between(from, to time.Duration, processes int) (all, fewest, most int) {
	fewest = 1 << 30
	for i := range processes {
		n := 0
		for _, at := range s.calls[i] {
			if at >= from && at < to {
				n++
			}
		}
		all, fewest, most = all+n, min(fewest, n), max(most, n)
	}
	return all, fewest, most
}

func TestProcessesShareTheBudget(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 20, 70} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			const end = 2 * time.Minute
			s.run(slices.Repeat([]time.Duration{end}, n)...)
			for at := time.Duration(0); at < end; at += 10 * time.Second {
				all, _, _ := s.between(at, at+10*time.Second, n)
				require.LessOrEqual(t, all, 80+n, "each process's first call waits for nothing")
			}
			all, fewest, most := s.between(end/2, end, n)
			assert.GreaterOrEqual(t, all, 8*60/2-1, "the budget is used")
			if n <= 64 {
				assert.Positive(t, fewest)
				assert.LessOrEqual(t, most, 2*fewest+2, "each has its share")
			}
		})
	}
}

func TestWhoDiesFreesItsShare(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run(5*time.Minute, time.Minute, time.Minute, time.Minute)
	_, _, shared := s.between(30*time.Second, time.Minute, 1)
	assert.InDelta(t, 8.0/5*30, shared, 5)
	_, _, alone := s.between(2*time.Minute, 5*time.Minute, 1)
	assert.InDelta(t, 8.0/2*180, alone, 20)
}

func TestWhoGivesItsPartsBackLeavesThemToTheNext(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.clock.add(1)
	stays := s.process()
	require.NoError(t, stays.Wait(t.Context()))
	begin := s.clock.Now()
	for range 20 {
		b := s.process()
		require.NoError(t, b.Wait(t.Context()))
		require.NoError(t, b.Wait(t.Context()))
		require.NoError(t, b.Release(t.Context()))
		assert.Empty(t, s.line.During(func() { require.NoError(t, b.Release(t.Context())) }), "it has none any more")
	}
	assert.Less(t, s.clock.Now().Sub(begin), 20*time.Second, "the second call of each waits for its turn, and nobody for parts")
	shares, err := s.State.Shares(t.Context())
	require.NoError(t, err)
	require.Len(t, shares.List, 1)
	assert.Equal(t, stays.name, shares.List[0].Name)
}

func TestPartsAreGivenBackThoughAnotherWritesMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.clock.add(1)
	first, second := s.process(), s.process()
	require.NoError(t, first.Wait(t.Context()))
	require.NoError(t, second.Wait(t.Context()))
	require.NoError(t, first.Release(t.Context()))
	shares, err := s.State.Shares(t.Context())
	require.NoError(t, err)
	require.Len(t, shares.List, 1)
	assert.Equal(t, second.name, shares.List[0].Name)
}

func TestAloneItIsCheap(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	requests := s.line.During(func() { s.run(100 * time.Second) })
	all, _, _ := s.between(0, 100*time.Second, 1)
	assert.InDelta(t, 400, all, 4)
	assert.Less(t, len(requests), 13, "one in ten seconds, and one more at first")
}

func TestWhoCallsSeldomAsksSeldom(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.process()
	s.clock.add(1)
	require.NoError(t, b.Wait(t.Context()))
	require.NoError(t, s.clock.Sleep(t.Context(), time.Hour))
	assert.Len(t, s.line.During(func() { require.NoError(t, b.Wait(t.Context())) }), 1, "nobody else wrote meanwhile")
}

func TestWithoutStorageItGoesOnSlowly(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]world.Fault{"refused": world.Refuse(403), "broken": world.Break} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			var down atomic.Bool
			down.Store(true)
			s.line.Use(func(req *http.Request, send world.Send) (*http.Response, error) {
				if down.Load() && strings.Contains(req.URL.Path, "calls.json") {
					return fault(req, send)
				}
				return send(req)
			})
			s.run(80 * time.Second)
			all, _, _ := s.between(0, 80*time.Second, 1)
			assert.InDelta(t, 10, all, 2, "one part of 64")
			down.Store(false)
			s.calls = map[int][]time.Duration{}
			s.run(40 * time.Second)
			all, _, _ = s.between(0, 40*time.Second, 1)
			assert.InDelta(t, 160, all, 4)
		})
	}
}

func TestALostAnswerCostsNoPart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.line.Use(world.On(func(req *http.Request) bool { return req.Method == http.MethodPut }, world.Nth(1, world.Lose)))
	s.run(40 * time.Second)
	all, _, _ := s.between(0, 40*time.Second, 1)
	assert.InDelta(t, 160, all, 4)
}

func TestABrokenBlobIsWrittenAnew(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, err := s.Containers.State.NewBlockBlobClient("calls.json").UploadBuffer(t.Context(), []byte(`{"body":[{"parts":64}]}`), nil)
	require.NoError(t, err)
	s.run(40 * time.Second)
	all, _, _ := s.between(0, 40*time.Second, 1)
	assert.InDelta(t, 160, all, 4)
}

func TestNobodyWaitsLongerThanItsTime(t *testing.T) {
	t.Parallel()
	b := newSite(t).process()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, b.Wait(ended), context.Canceled)
	b.waiting.Store(1000)
	short, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.ErrorIs(t, b.Wait(short), context.DeadlineExceeded, "a thousand before it take longer")
}

// Whoever comes, renews or dies: what is held is never more than the budget, and nobody
// is left without a part for more than three rounds of renewals.
func TestPartsAreNeverHeldTwice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_800_000_000, 0)
		var list []state.Share
		got := map[string]int{}
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
			name := rapid.StringMatching(`[a-z]`).Draw(t, "name")
			list, got[name] = divide(list, name, now)
			sum := 0
			for _, s := range list {
				if s.Until.After(now) {
					sum += s.Parts
				}
			}
			require.LessOrEqual(t, sum, parts)
			require.LessOrEqual(t, got[name], parts/2)
		}
		// All 26 renew three times: then each has one.
		for range 3 {
			for name := 'a'; name <= 'z'; name++ {
				list, got[string(name)] = divide(list, string(name), now)
			}
		}
		for name := 'a'; name <= 'z'; name++ {
			require.Positive(t, got[string(name)], string(name))
		}
	})
}
