package reconcile

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/state"
)

// hasty lets the app's calls go over its line, and try again at once.
func (w *app) hasty() {
	w.options.Service = w.Open(azcore.ClientOptions{Transport: w.line, Retry: azpolicy.RetryOptions{RetryDelay: time.Millisecond, MaxRetryDelay: time.Millisecond}})
}

// For hours each call meets the limit of calls, or one kind of them does. What wasn't
// done is no try: when the storm is over everything is done at once, and once.
func TestAStormOfTooManyCallsIsNoTry(t *testing.T) {
	t.Parallel()
	for name, meets := range map[string]func(*app, *http.Request) bool{
		"every call": func(w *app, r *http.Request) bool { return r.URL.Host == world.Host(w.t, w.API) },
		"what is asked for": func(w *app, r *http.Request) bool {
			return r.Method == http.MethodPost && r.URL.Host == world.Host(w.t, w.API)
		},
		"the lists": func(w *app, r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "/iterations") || strings.HasSuffix(r.URL.Path, "/export") && r.Method == http.MethodGet
		},
		"the facts": func(w *app, r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "/tags") || strings.HasSuffix(r.URL.Path, "/performance")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX","CoreML"],"retrain":{"afterFailure":1}}]}`)
			w.hasty()
			key := w.trained()
			w.export(key, "ONNX")
			w.Service.FailTrainings(1)
			failed := w.Train(key.Project).ID
			ctx, log := logged(t)
			w.line.Use(world.On(func(r *http.Request) bool { return meets(w, r) }, world.Refuse(http.StatusTooManyRequests)))
			r := New(w.options)
			for range 3 {
				before := lines(log)
				_, err := r.Sweep(ctx, Before{})
				_, other := r.Reconcile(ctx, Request{Key: key, Inserted: w.Service.Now()})
				_, _ = err, other
				assert.Less(t, lines(log)-before, 40)
				w.Service.Advance(2 * time.Hour)
			}
			w.line.Use(nil)
			for range 4 {
				w.sweepAnyhow()
				w.Service.Advance(world.ExportTime + world.TrainTime)
				w.sweepAnyhow()
				w.Service.Advance(30 * time.Minute)
			}
			assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven, "CoreML": archive.Proven}, w.backups(key))
			assert.Equal(t, 3, w.Service.Counts()["TrainProject"], "two of the person's, one of the app's")
			remembered := w.Remembered(key.Project)
			assert.NotNil(t, answerTo(remembered.Trainings, state.FailureOf(failed)))
			assert.Empty(t, remembered.Conditions)
			for _, k := range w.kept(key) {
				assert.NotEqual(t, archive.Damaged, k.Verdict)
			}
			assert.Len(t, w.kept(key), 2)
		})
	}
}

// The policy changes while an answer is lost: what was asked for is looked for first, and
// no policy makes it be asked for twice.
func TestThePolicyChangesWhileAnEffectIsOpen(t *testing.T) {
	t.Parallel()
	rules := []string{
		`{"projects":[{"project":"*","exports":["ONNX"],"retrain":{"afterFailure":1}}]}`,
		`{"projects":[{"project":"*","exports":[]}]}`,
		`{"mode":"observe","projects":[{"project":"*","exports":["ONNX"],"retrain":{"afterFailure":1}}]}`,
		`{"projects":[{"project":"another","exports":["ONNX"]}]}`,
		`{"projects":[{"project":"*","exports":["ONNX","CoreML"],"retrain":{"afterFailure":1}}]}`,
	}
	for _, then := range rules {
		t.Run(then, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, rules[0])
			w.hasty()
			key := w.trained()
			w.Service.FailTrainings(1)
			failed := w.Train(key.Project).ID
			posts := func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Host == world.Host(t, w.API) }
			w.line.While(world.On(posts, world.Lose), func() { w.sweepAnyhow() })
			open := w.Remembered(key.Project)
			require.NotNil(t, answerTo(open.Trainings, state.FailureOf(failed)))
			asked, trained := w.Service.Counts()["ExportIteration"], w.Service.Counts()["TrainProject"]
			require.Equal(t, 1, asked)
			require.Equal(t, 3, trained)

			w.options.Policy = parsed(t, then)
			for range 3 {
				w.sweepAnyhow()
				w.reconcile(key)
				w.Service.Advance(time.Minute)
			}
			w.options.Policy = parsed(t, rules[0])
			for range 6 {
				w.sweepAnyhow()
				w.Service.Advance(10 * time.Minute)
			}
			assert.Equal(t, archive.Proven, w.best(key, "ONNX"))
			exports := 0
			for _, r := range w.Service.Requests() {
				if r.Operation == "ExportIteration" && strings.Contains(r.Path, key.Iteration) && strings.Contains(r.Query, "ONNX") {
					exports++
				}
			}
			assert.Equal(t, 3, w.Service.Counts()["TrainProject"], "once")
			assert.LessOrEqual(t, exports, 1)
			remembered := w.Remembered(key.Project)
			assert.NotEmpty(t, answerTo(remembered.Trainings, state.FailureOf(failed)).Result)
			for _, c := range remembered.Conditions {
				assert.NotEqual(t, state.Unavailable, c.Code, c.Why)
			}
		})
	}
}
