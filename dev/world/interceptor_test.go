package world_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/leak"
	"visionkeeper/dev/world"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(func() int { return azuritetest.Run(m) })) }

// target is a server that counts what arrives, and an Interceptor of each kind
// before it.
type target struct {
	*testing.T
	line    *world.Interceptor
	arrived atomic.Int64
	get     func(agent string) (status int, body string, err error)
}

// onBoth runs a test over a transport and over a server: a Fault does the same.
func onBoth(t *testing.T, test func(*target)) {
	for name, server := range map[string]bool{"transport": false, "server": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := &target{T: t, line: world.NewInterceptor(t)}
			behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				to.arrived.Add(1)
				io.WriteString(w, "0123456789")
			}))
			t.Cleanup(behind.Close)
			address, send := behind.URL, to.line.Do
			if server {
				transport := &http.Transport{DisableKeepAlives: true} // which would send again what is broken off
				address, send = to.line.Before(behind.URL), transport.RoundTrip
			}
			to.get = func(agent string) (int, string, error) {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/a?comp=list", nil)
				require.NoError(t, err)
				req.Header.Set("User-Agent", agent)
				resp, err := send(req)
				if err != nil {
					return 0, "", err
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				return resp.StatusCode, string(body), err
			}
			test(to)
		})
	}
}

func TestEveryRequestIsRecordedAndPasses(t *testing.T) {
	t.Parallel()
	onBoth(t, func(to *target) {
		sent := to.line.During(func() {
			status, body, err := to.get("app")
			require.NoError(to, err)
			assert.Equal(to, 200, status)
			assert.Equal(to, "0123456789", body)
		})
		require.Len(to, sent, 1)
		assert.Equal(to, "GET /a list", sent[0].String())
	})
}

func TestAFaultDealsWithTheRequestsItIsFor(t *testing.T) {
	t.Parallel()
	onBoth(t, func(to *target) {
		to.line.Use(world.On(world.Begins("GET /a"), world.Nth(2, world.Refuse(503))))
		var statuses []int
		for range 3 {
			status, _, err := to.get("app")
			require.NoError(to, err)
			statuses = append(statuses, status)
		}
		assert.Equal(to, []int{200, 503, 200}, statuses)
		assert.EqualValues(to, 2, to.arrived.Load(), "what is refused does not arrive")

		to.line.Use(world.On(world.Begins("PUT"), world.Refuse(503)))
		status, _, err := to.get("app")
		require.NoError(to, err)
		assert.Equal(to, 200, status)
	})
}

func TestWhatEachFaultDoes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault   world.Fault
		body    string
		fails   bool
		arrives int64
	}{
		"break": {world.Break, "", true, 0},
		"lose":  {world.Lose, "", true, 1},
		"cut":   {world.Cut, "01234", true, 1},
		"short": {world.Short, "01234", false, 1},
		"flip":  {world.Flip, "0123446789", false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(to *target) {
				to.line.Use(c.fault)
				_, body, err := to.get("app")
				assert.Equal(to, c.fails, err != nil, "%v", err)
				assert.Equal(to, strings.ReplaceAll(c.body, "0123446789", "0123446789"), body)
				assert.Equal(to, c.arrives, to.arrived.Load())
			})
		})
	}
}

func TestAGateHoldsBackTheRest(t *testing.T) {
	t.Parallel()
	onBoth(t, func(to *target) {
		gate := world.NewGate()
		to.line.Use(gate.Half)
		ended := make(chan string)
		go func() {
			_, body, _ := to.get("app")
			ended <- body
		}()
		<-gate.Reached
		select {
		case <-ended:
			to.Error("it was not held back")
		case <-time.After(10 * time.Millisecond):
		}
		gate.Open()
		assert.Equal(to, "0123456789", <-ended)
	})
}

func TestAKilledAppOfThisProcessGetsNoMoreAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kill    func(*world.Interceptor) world.Fault
		arrives int64
	}{
		"before": {func(i *world.Interceptor) world.Fault { return i.KillBefore }, 0},
		"after":  {func(i *world.Interceptor) world.Fault { return i.KillAfter }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(to *target) {
				to.line.Use(world.Times(1, c.kill(to.line)))
				_, _, err := to.get("app")
				assert.Error(to, err)
				assert.True(to, to.line.Dead())
				assert.Equal(to, c.arrives, to.arrived.Load())
			})
		})
	}
	line := world.NewInterceptor(t)
	line.Use(line.KillBefore)
	for range 2 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:1/", nil)
		require.NoError(t, err)
		_, err = line.Do(req)
		assert.ErrorIs(t, err, world.Killed{})
	}
	assert.Len(t, line.Sent(), 1, "a dead app sends nothing")
}

func TestTheSuccessorOfAKilledProcessIsAnswered(t *testing.T) {
	t.Parallel()
	behind := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(behind.Close)
	line := world.NewInterceptor(t)
	var ended atomic.Bool
	line.End = func() { ended.Store(true) }
	line.Use(world.Times(1, line.KillAfter))
	first, second := &http.Transport{}, &http.Transport{}
	t.Cleanup(first.CloseIdleConnections)
	t.Cleanup(second.CloseIdleConnections)
	get := func(over *http.Transport) error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, line.Before(behind.URL), nil)
		require.NoError(t, err)
		resp, err := over.RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	assert.Error(t, get(first))
	assert.True(t, ended.Load())
	assert.NoError(t, get(second))
}

func TestWhatOthersAskGoesThroughAServerUnseen(t *testing.T) {
	t.Parallel()
	onBoth(t, func(to *target) {
		to.line.Use(world.Break)
		_, _, err := to.get("axios/1.0")
		if strings.HasSuffix(to.Name(), "transport") { // whose clients are the app's alone
			assert.Error(to, err)
			return
		}
		assert.NoError(to, err)
		assert.Empty(to, to.line.Sent())
		to.line.All = true
		_, _, err = to.get("axios/1.0")
		assert.Error(to, err)
	})
}
