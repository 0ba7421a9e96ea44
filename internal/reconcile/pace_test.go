package reconcile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/state"
)

const interval = 10 * time.Second

// paced is a pace whose runs are recorded and answered by a test.
type paced struct {
	pace
	answer func(ctx context.Context, n int) (Report, error)
	start  time.Time
	begun  []time.Duration // since start
	scopes []scope
}

// newPaced makes a pace for a bubble of synctest; answer gets the number of the run.
func newPaced(answer func(ctx context.Context, n int) (Report, error)) *paced {
	return &paced{pace: pace{clock: SystemClock{}, interval: interval, lanes: map[string]*lane{}}, answer: answer, start: time.Now()}
}

func (p *paced) run(ctx context.Context, s scope) (Report, error) {
	p.mu.Lock()
	p.begun, p.scopes = append(p.begun, time.Since(p.start)), append(p.scopes, s)
	n := len(p.begun)
	p.mu.Unlock()
	return p.answer(ctx, n)
}

// join waits for a run of the test's.
func (p *paced) join(ctx context.Context, s scope) (Report, error) {
	return p.pace.join(ctx, s, "", p.run)
}

var waits = Report{Waiting: []Action{{Step: Step{Kind: Wait}}}}

// taking is a run that takes so long, whatever its context says.
func taking(d time.Duration, report Report) func(context.Context, int) (Report, error) {
	return func(context.Context, int) (Report, error) {
		time.Sleep(d)
		return report, nil
	}
}

func TestCallsWhileOneRunsShareTheNextRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(taking(time.Second, Report{}))
		var calls sync.WaitGroup
		for i := range 20 {
			calls.Go(func() {
				if i > 0 {
					time.Sleep(500 * time.Millisecond)
				}
				_, err := p.join(t.Context(), scope{project: projectID, iterations: map[string]time.Time{fmt.Sprint(i): {}}})
				assert.NoError(t, err)
			})
		}
		calls.Wait()
		assert.Equal(t, []time.Duration{0, time.Second}, p.begun)
		assert.Equal(t, map[string]time.Time{"0": {}}, p.scopes[0].iterations)
		assert.Len(t, p.scopes[1].iterations, 19, "of everybody who came meanwhile")
	})
}

func TestARunThatBeganBeforeACallDoesNotAnswerIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(func(_ context.Context, n int) (Report, error) {
			time.Sleep(time.Second)
			return Report{Counts: state.Counts{Blocked: n}}, nil
		})
		go p.join(t.Context(), scope{project: projectID})
		time.Sleep(time.Millisecond)
		report, err := p.join(t.Context(), scope{project: projectID})
		require.NoError(t, err)
		assert.Equal(t, 2, report.Blocked)
	})
}

func TestAProjectThatWaitsIsNotLookedAtBeforeTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(taking(time.Second, waits))
		for range 3 {
			_, err := p.join(t.Context(), scope{project: projectID})
			require.NoError(t, err)
		}
		assert.Equal(t, []time.Duration{0, 11 * time.Second, 22 * time.Second}, p.begun, "counted from the end of a run")
	})
}

func TestAProjectThatWaitsForNothingIsLookedAtAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(func(_ context.Context, n int) (Report, error) {
			if n == 1 {
				return waits, nil
			}
			return Report{}, nil
		})
		for range 3 {
			_, err := p.join(t.Context(), scope{project: projectID})
			require.NoError(t, err)
		}
		assert.Equal(t, []time.Duration{0, interval, interval}, p.begun)
	})
}

func TestAFailedLookDoesNotEndTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(func(_ context.Context, n int) (Report, error) {
			if n == 1 {
				return waits, nil
			}
			return Report{}, errors.New("the service is down")
		})
		for range 3 {
			p.join(t.Context(), scope{project: projectID})
		}
		assert.Equal(t, []time.Duration{0, interval, 2 * interval}, p.begun)
	})
}

func TestProjectsDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(taking(time.Second, waits))
		var calls sync.WaitGroup
		for i := range 5 {
			calls.Go(func() { p.join(t.Context(), scope{project: fmt.Sprint(i)}) })
		}
		calls.Wait()
		assert.Equal(t, make([]time.Duration, 5), p.begun)
	})
}

func TestWhoGivesUpLeavesTheRunToTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(func(ctx context.Context, _ int) (Report, error) {
			select {
			case <-time.After(time.Second):
				return Report{Counts: state.Counts{Blocked: 1}}, nil
			case <-ctx.Done():
				return Report{}, ctx.Err()
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		var calls sync.WaitGroup
		calls.Go(func() { // the first: the run is made for it
			_, err := p.join(ctx, scope{project: projectID})
			assert.ErrorIs(t, err, context.Canceled)
		})
		for range 3 {
			calls.Go(func() {
				time.Sleep(time.Millisecond)
				report, err := p.join(t.Context(), scope{project: projectID})
				assert.NoError(t, err)
				assert.Equal(t, 1, report.Blocked)
			})
		}
		time.Sleep(500 * time.Millisecond)
		cancel()
		calls.Wait()
		assert.Equal(t, []time.Duration{0, time.Second}, p.begun, "the first run wasn't cut short")
	})
}

func TestTheOnlyCallersDeadlineBoundsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var ended time.Duration
		p := newPaced(func(ctx context.Context, _ int) (Report, error) {
			<-ctx.Done()
			ended = time.Since(begin)
			return Report{}, ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		go p.join(ctx, scope{project: projectID})
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		assert.Equal(t, time.Minute, ended)
	})
}

// Who joins a run gets the latest deadline of those who wait, whoever came first.
func TestTheLatestDeadlineOfThoseWhoWaitBoundsTheRun(t *testing.T) {
	for name, c := range map[string]struct {
		deadlines []time.Duration // 0 for none
		want      time.Duration
	}{
		"the first":  {[]time.Duration{5 * time.Minute, time.Minute}, 5 * time.Minute},
		"the last":   {[]time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute}, 5 * time.Minute},
		"the middle": {[]time.Duration{time.Minute, 5 * time.Minute, 2 * time.Minute}, 5 * time.Minute},
		"none":       {[]time.Duration{time.Minute, 0}, 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ended time.Duration
				var begin time.Time
				p := newPaced(func(ctx context.Context, n int) (Report, error) {
					if n == 1 { // they all wait for the one after it
						time.Sleep(time.Second)
						return Report{}, nil
					}
					select {
					case <-ctx.Done():
					case <-time.After(10*time.Minute - time.Since(begin)):
					}
					ended = time.Since(begin)
					return Report{}, ctx.Err()
				})
				begin = time.Now()
				go p.join(t.Context(), scope{project: projectID})
				synctest.Wait()
				for _, d := range c.deadlines {
					ctx := t.Context()
					if d > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, d)
						defer cancel()
					}
					go p.join(ctx, scope{project: projectID})
					synctest.Wait()
				}
				time.Sleep(11 * time.Minute)
				synctest.Wait()
				assert.Equal(t, c.want, ended)
			})
		})
	}
}

func TestASharedRunsLogNamesEverybodysCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &bytes.Buffer{}
		p := newPaced(func(ctx context.Context, n int) (Report, error) {
			zerolog.Ctx(ctx).Info().Int("run", n).Msg("run")
			time.Sleep(time.Second)
			return Report{}, nil
		})
		ctx := zerolog.New(log).WithContext(t.Context())
		for _, cause := range []string{"one", "two", "three"} {
			go p.pace.join(ctx, scope{project: projectID}, cause, p.run)
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		require.Len(t, lines, 2)
		assert.NotContains(t, lines[0], "shared")
		assert.Contains(t, lines[1], `"shared":["two","three"]`)
	})
}

// A sweep names no cause: its own log is the run's, whenever it came.
func TestARunSharedWithASweepNamesBoth(t *testing.T) {
	for name, order := range map[string][]string{"the sweep first": {"sweep", "message"}, "the message first": {"message", "sweep"}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &bytes.Buffer{}
				p := newPaced(func(ctx context.Context, n int) (Report, error) {
					zerolog.Ctx(ctx).Info().Int("run", n).Msg("run")
					time.Sleep(time.Second)
					return Report{}, nil
				})
				for _, caller := range append([]string{"before"}, order...) {
					ctx := zerolog.New(log).With().Str("invocation", caller).Logger().WithContext(t.Context())
					cause := caller
					if caller == "sweep" {
						cause = ""
					}
					go p.pace.join(ctx, scope{project: projectID}, cause, p.run)
					synctest.Wait()
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				lines := strings.Split(strings.TrimSpace(log.String()), "\n")
				require.Len(t, lines, 2)
				assert.Contains(t, lines[1], `"invocation":"sweep"`)
				assert.Contains(t, lines[1], `"shared":["message"]`)
			})
		})
	}
}

func TestADeadlineBeforeTheEndOfTheRestIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(taking(0, waits))
		_, err := p.join(t.Context(), scope{project: projectID})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = p.join(ctx, scope{project: projectID})
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		synctest.Wait()
		_, err = p.join(t.Context(), scope{project: projectID})
		assert.NoError(t, err)
		assert.Equal(t, []time.Duration{0, interval}, p.begun, "the rest goes on, and the next caller gets a run")
	})
}

func TestAPanicBecomesAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(func(_ context.Context, n int) (Report, error) {
			if n == 1 {
				panic("surprise")
			}
			return Report{}, nil
		})
		_, err := p.join(t.Context(), scope{project: projectID})
		assert.ErrorContains(t, err, "surprise")
		_, err = p.join(t.Context(), scope{project: projectID})
		assert.NoError(t, err, "the project can be reconciled again")
	})
}

// Goroutines that are left would fail every test here: synctest waits for all.
func TestNothingIsKeptOfProjectsThatDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(func(_ context.Context, n int) (Report, error) {
			if n%2 == 0 {
				return Report{}, ErrUnknownProject
			}
			return Report{}, nil
		})
		for i := range 100 {
			p.join(t.Context(), scope{project: fmt.Sprint(i)})
		}
		synctest.Wait()
		assert.Empty(t, p.lanes)
	})
}
