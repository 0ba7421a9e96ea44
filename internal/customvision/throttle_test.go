package customvision

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"
)

// sentOnceMethod reports whether a second call of a method could do its work twice.
func sentOnceMethod(method string) bool { return method == "POST" || method == "DELETE" }

// reset resets the connection instead of answering.
func reset(t *testing.T, w http.ResponseWriter) {
	connection, _, err := w.(http.Hijacker).Hijack()
	if assert.NoError(t, err) {
		assert.NoError(t, connection.(*net.TCPConn).SetLinger(0))
		assert.NoError(t, connection.Close())
	}
}

func TestALostAnswerRepeatsOnlyReadsAndUpdates(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			t.Parallel()
			var applied atomic.Int32
			client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == basePath+"domains" && op.name != "GetDomains" {
					answerWith(http.StatusOK, `[]`)(w, r)
					return
				}
				if applied.Add(1) == 1 {
					reset(t, w)
					return
				}
				answerWith(http.StatusOK, op.answer)(w, r)
			})
			if op.name != "GetDomains" {
				// On a connection already in use net/http has repeats of its own.
				_, err := client.Domains(t.Context())
				require.NoError(t, err)
			}
			err := op.call(t.Context(), client)
			if sentOnceMethod(op.method) {
				require.Error(t, err)
				assert.True(t, Lost(err))
				assert.EqualValues(t, 1, applied.Load())
				return
			}
			require.NoError(t, err)
			assert.EqualValues(t, 2, applied.Load())
		})
	}
}

func TestAnAnswerCutShortRepeatsNoEffect(t *testing.T) {
	t.Parallel()
	var applied atomic.Int32
	client, _ := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		applied.Add(1)
		w.Header().Set("Content-Length", "100")
		_, err := w.Write([]byte(`{"id":`))
		assert.NoError(t, err)
	})
	_, err := client.Train(t.Context(), projectID, TrainOptions{})
	require.Error(t, err)
	assert.True(t, Lost(err))
	assert.EqualValues(t, 1, applied.Load())
}

func TestServerErrorsRepeatOnlyReadsAndUpdates(t *testing.T) {
	t.Parallel()
	for _, status := range []int{408, 500, 502, 503, 504} {
		for _, op := range operations {
			t.Run(http.StatusText(status)+"/"+op.name, func(t *testing.T) {
				t.Parallel()
				var calls atomic.Int32
				client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
					if calls.Add(1) == 1 {
						answerWith(status, `{"code":"ErrorUnknown","message":"?"}`)(w, r)
						return
					}
					answerWith(http.StatusOK, op.answer)(w, r)
				})
				err := op.call(t.Context(), client)
				if sentOnceMethod(op.method) {
					assert.True(t, Lost(err))
					assert.EqualValues(t, 1, calls.Load())
					return
				}
				require.NoError(t, err)
				assert.EqualValues(t, 2, calls.Load())
			})
		}
	}
}

func TestAfter429EveryCallIsRepeated(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1) == 1 {
					answerWith(http.StatusTooManyRequests, `{"statusCode":429,"message":"slow down"}`)(w, r)
					return
				}
				answerWith(http.StatusOK, op.answer)(w, r)
			})
			require.NoError(t, op.call(t.Context(), client))
			assert.EqualValues(t, 2, calls.Load())
		})
	}
}

// offline returns a client whose answers come from f, under a fake clock.
func offline(t *testing.T, o *ClientOptions, f transporter) *Client {
	t.Helper()
	o.Transport = f
	client, err := NewClientWithKey("https://name.cognitiveservices.azure.com", testKey, o)
	require.NoError(t, err)
	return client
}

const throttled = `{"statusCode":429,"message":"Requests to the TrainProject Operation under Custom_Vision_Training_3.3 have exceeded rate limit of your current pricing tier. Please retry after 7 seconds."}`

func TestTheWaitAfter429(t *testing.T) {
	t.Parallel()
	inHeader := func(value string) http.Header { return http.Header{"Retry-After": {value}} }
	for name, c := range map[string]struct {
		header   http.Header
		body     string
		atLeast  time.Duration
		lessThan time.Duration
	}{
		"header":              {inHeader("9"), `{}`, 9 * time.Second, 9*time.Second + time.Millisecond},
		"message":             {http.Header{}, throttled, 7 * time.Second, 7*time.Second + time.Millisecond},
		"header over message": {inHeader("3"), throttled, 3 * time.Second, 3*time.Second + time.Millisecond},
		"neither":             {http.Header{}, `{"statusCode":429,"message":"slow down"}`, 500 * time.Millisecond, 2 * time.Second},
		"HTML":                {http.Header{}, `<html>after a while</html>`, 500 * time.Millisecond, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				client := offline(t, &ClientOptions{Limit: rate.NewLimiter(rate.Inf, 1)}, func(req *http.Request) (*http.Response, error) {
					if calls++; calls > 1 {
						return answer(req, http.StatusOK, `{}`), nil
					}
					resp := answer(req, http.StatusTooManyRequests, c.body)
					resp.Header = c.header.Clone()
					return resp, nil
				})
				start := time.Now()
				_, err := client.Train(t.Context(), projectID, TrainOptions{})
				require.NoError(t, err)
				assert.GreaterOrEqual(t, time.Since(start), c.atLeast)
				assert.Less(t, time.Since(start), c.lessThan)
			})
		})
	}
}

func TestThrottlingThatLastsIsAnErrorThatSaysHowLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		client := offline(t, &ClientOptions{Limit: rate.NewLimiter(rate.Inf, 1)}, func(req *http.Request) (*http.Response, error) {
			calls++
			return answer(req, http.StatusTooManyRequests, throttled), nil
		})
		_, err := client.Train(t.Context(), projectID, TrainOptions{})
		var e *Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, http.StatusTooManyRequests, e.Status)
		assert.Equal(t, 7*time.Second, e.RetryAfter)
		assert.False(t, Lost(err), "429 says that nothing was done")
		assert.Equal(t, 4, calls)
	})
}

func TestALongRetryAfterIsLeftToTheCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := offline(t, &ClientOptions{Limit: rate.NewLimiter(rate.Inf, 1)}, func(req *http.Request) (*http.Response, error) {
			resp := answer(req, http.StatusTooManyRequests, `{}`)
			resp.Header.Set("Retry-After", time.Now().Add(2*time.Hour).UTC().Format(http.TimeFormat))
			return resp, nil
		})
		start := time.Now()
		_, err := client.Projects(t.Context())
		var e *Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, 2*time.Hour, e.RetryAfter)
		assert.Zero(t, time.Since(start))
	})
}

func TestCallsAreSpacedByTheClientsOwnLimit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit Limit
		took  time.Duration
	}{"default": {nil, 2250 * time.Millisecond}, "given": {rate.NewLimiter(2, 1), 4500 * time.Millisecond}, "none": {rate.NewLimiter(rate.Inf, 1), 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := offline(t, &ClientOptions{Limit: c.limit}, func(req *http.Request) (*http.Response, error) {
					return answer(req, http.StatusOK, `[]`), nil
				})
				start := time.Now()
				var calls sync.WaitGroup
				for range 10 {
					calls.Go(func() {
						_, err := client.Projects(t.Context())
						assert.NoError(t, err)
					})
				}
				calls.Wait()
				assert.Equal(t, c.took, time.Since(start).Round(time.Millisecond))
			})
		})
	}
}

func TestRepeatsCountForTheLimitToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		o := quick()
		o.Limit = rate.NewLimiter(1, 1)
		client := offline(t, o, func(req *http.Request) (*http.Response, error) {
			if calls++; calls < 3 {
				return nil, errors.New("connection refused")
			}
			return answer(req, http.StatusOK, `[]`), nil
		})
		start := time.Now()
		_, err := client.Projects(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 2*time.Second, time.Since(start).Round(time.Millisecond))
	})
}

// endless is a Limit whose turn never comes.
type endless struct{}

func (endless) Wait(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestWhatEndsWhileItWaitsForItsTurnWasNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := offline(t, &ClientOptions{Limit: endless{}}, func(*http.Request) (*http.Response, error) {
			panic("it is sent")
		})
		late, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		stopped, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		for ended, ctx := range map[error]context.Context{context.DeadlineExceeded: late, context.Canceled: stopped} {
			_, err := client.Train(ctx, projectID, TrainOptions{})
			require.ErrorIs(t, err, ended)
			assert.False(t, Lost(err), "nothing was sent")
		}
	})
}

func TestNothingIsSentThatWouldWaitBeyondTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		client := offline(t, &ClientOptions{Limit: rate.NewLimiter(0.1, 1)}, func(req *http.Request) (*http.Response, error) {
			calls++
			return answer(req, http.StatusOK, `{}`), nil
		})
		_, err := client.Train(t.Context(), projectID, TrainOptions{})
		require.NoError(t, err)

		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		_, effect := client.Train(ctx, projectID, TrainOptions{})
		_, read := client.Projects(ctx)
		for _, err := range []error{effect, read} {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.False(t, Lost(err), "nothing was sent")
		}
		assert.Zero(t, time.Since(start), "nor is there anything to wait for")
		assert.Equal(t, 1, calls)
	})
}
