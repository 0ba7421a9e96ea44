package reconcile

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/state"
)

// manyBlobs fills the model container with blobs of iterations that are gone.
func (w *app) manyBlobs(n int) (project string) {
	w.t.Helper()
	project = projectID
	for i := range n {
		key := Key{Project: project, Iteration: fmt.Sprintf("%08x-1111-4111-8111-111111111111", i)}
		w.write(w.Containers.Models, w.blob(key, "ONNX"), packed(w.t, map[string]string{
			"cvexport.manifest": `{"Platform":"ONNX","IterationId":"` + key.Iteration + `","ModelFileName":"model.onnx"}`, "model.onnx": "\x08\x01" + key.Iteration,
		}))
	}
	return project
}

// However often the time is up, what was done is not done again. The machine may be
// slow, so how far one sweep comes isn't said, only that no sweep's work is lost.
func TestASweepOfManyBlobsKeepsItsProgressThroughEveryDeadline(t *testing.T) {
	t.Parallel()
	const blobs, atOnce = 12, 4
	w := newWorld(t, "")
	project := w.manyBlobs(blobs)
	w.options.Service = nil
	// One Reconciler: the next sweep waits until the cut one has written what it learnt.
	r := New(w.options)
	cut := 0
	var unanswered atomic.Int64 // copies that a deadline cut
	for kept := 0; ; cut++ {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		copies := 0
		w.line.Use(func(req *http.Request, send world.Send) (*http.Response, error) {
			if world.Copies(req) {
				if copies++; copies == atOnce { // the time is up in the middle of a copy
					<-req.Context().Done()
				}
				resp, err := send(req)
				if err != nil {
					unanswered.Add(1)
				}
				return resp, err
			}
			return send(req)
		})
		if _, err := r.Sweep(ctx, Before{}); err == nil {
			break
		}
		require.LessOrEqual(t, cut, blobs, "it comes to an end")
		now := len(w.kept(Key{Project: project}))
		assert.GreaterOrEqual(t, now, kept)
		kept = now
	}
	assert.Positive(t, cut)
	assert.LessOrEqual(t, w.copies(), blobs+int(unanswered.Load()), "nothing is copied again but what was cut")
	assert.Len(t, w.kept(Key{Project: project}), blobs)
}

// A listing for each of hundreds of iterations takes longer than a sweep may.
func TestOfManyIterationsTheArchiveIsListedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.manyBlobs(mostListings + 1)
	w.options.Service = nil
	listings := 0
	for _, r := range w.line.During(func() { w.sweep() }) {
		if strings.HasPrefix(r.String(), "GET /"+azurite.Archive+"/"+w.Names.Archive+" list") && strings.Count(r.URL.Query().Get("prefix"), "/") <= 2 {
			listings++
		}
	}
	assert.Equal(t, 1, listings)
	assert.Len(t, w.kept(Key{}), mostListings+1)
}

// copies counts the copies that were asked for.
func (w *app) copies() int {
	n := 0
	for _, r := range w.line.Sent() {
		if world.Copies(r.Request) {
			n++
		}
	}
	return n
}

// A process that is killed in a long run has written what it learnt until then.
func TestARunWritesWhatItLearntEveryFewSeconds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	project := w.manyBlobs(6)
	w.options.Service = nil
	copies := 0
	w.line.While(func(req *http.Request, send world.Send) (*http.Response, error) {
		if world.Copies(req) {
			if copies++; copies == 5 {
				return w.line.KillBefore(req, send)
			}
			w.Service.Advance(saveEvery)
		}
		return send(req)
	}, func() { New(w.options).Sweep(t.Context(), Before{}) })
	known := 0
	for _, it := range w.Remembered(project).Iterations {
		known += len(it.Blobs)
	}
	assert.GreaterOrEqual(t, known, 3)
}

// The announcement took so long that no time was left to send the export.
func TestAnExportThatWasNeverSentIsNotCounted(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(*app, *http.Request, world.Send) (*http.Response, error){
		"the announcement is written late": func(w *app, req *http.Request, send world.Send) (*http.Response, error) {
			resp, err := send(req)
			w.Service.Advance(senderTime + time.Minute)
			return resp, err
		},
		"the answer to the announcement is lost": func(w *app, req *http.Request, send world.Send) (*http.Response, error) {
			world.Lose(req, send)
			<-req.Context().Done()
			return nil, req.Context().Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, onnx)
			key := w.trained()
			require.NoError(t, w.Service.FaultCalls("ExportIteration", 1, emulator.CallFault{Status: 400, Code: "BadRequestExceededQuota"}))
			w.reconcile(key)
			for range 4 {
				before := w.condition(key, "ONNX")
				require.Equal(t, state.ExportRefused, before.Code)
				if wait := before.Next.Sub(w.Service.Now()); wait > 0 {
					w.Service.Advance(wait + time.Second)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				if name == "the announcement is written late" {
					ctx = context.WithoutCancel(ctx)
				}
				var written atomic.Int64
				w.line.While(world.On(world.Begins("PUT /"+azurite.Archive+"/state"), func(req *http.Request, send world.Send) (*http.Response, error) {
					if written.Add(1) == 1 {
						return answer(w, req, send)
					}
					return send(req)
				}), func() {
					report, err := New(w.options).Reconcile(ctx, Request{Key: key})
					assert.True(t, err != nil || len(report.Failed) > 0, "it comes again")
				})
				cancel()
				require.Equal(t, 1, w.Service.Counts()["ExportIteration"], "nothing left the process")
				w.Eventually("the announcement is taken back", func() bool {
					return w.Remembered(key.Project).Iterations[key.Iteration].Exports["ONNX"].Asked.IsZero()
				})
				after := w.condition(key, "ONNX")
				assert.Equal(t, before.Attempts, after.Attempts)
				assert.False(t, after.Next.After(w.Service.Now()), "it is due as before: %s", after.Next)
			}
			w.settle(key)
			assert.Equal(t, proven, w.backups(key))
		})
	}
}

// While one process's time is up as it announces, another one asks: that try counts, and
// its announcement stands.
func TestOnlyTheOwnAnnouncementIsTakenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	require.NoError(t, w.Service.FaultCalls("ExportIteration", 2, emulator.CallFault{Status: 503}))
	_, err := w.try(key)
	require.Error(t, err)
	require.Equal(t, 1, w.condition(key, "ONNX").Attempts)
	w.Service.Advance(senderTime + w.options.Times.IntentGrace + time.Second)

	other := w.options
	other.State = state.Open(w.Archives.Blobs(&azcore.ClientOptions{Transport: world.Send(w.Timed)}), w.Names.State)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour) // no process's time ends with another's
	defer cancel()
	w.line.While(world.On(world.Begins("PUT /"+azurite.Archive+"/state"), func(req *http.Request, send world.Send) (*http.Response, error) {
		if ctx.Err() != nil {
			return send(req)
		}
		_, err := New(other).Reconcile(t.Context(), Request{Key: key})
		assert.NoError(t, err)
		cancel()
		<-req.Context().Done()
		return nil, req.Context().Err()
	}), func() {
		_, err := New(w.options).run(ctx, Request{Key: key}.scope()) // whoever asked may be gone before it is written
		require.ErrorIs(t, err, context.Canceled)
	})
	require.Equal(t, 2, w.Service.Counts()["ExportIteration"])
	assert.Equal(t, 2, w.condition(key, "ONNX").Attempts)
	assert.False(t, w.Remembered(key.Project).Iterations[key.Iteration].Exports["ONNX"].Until.IsZero())
}

// A run's time is up while it copies: what it knew by then is written on a context
// of its own.
func TestWhatWasLearntIsWrittenThoughTheTimeIsUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":[]}]}`)
	key := w.trained()
	w.export(key, "CoreML")
	w.export(key, "ONNX")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.line.While(world.On(func(req *http.Request) bool { return world.Copies(req) && strings.Contains(req.URL.Path, "/ONNX/") }, func(req *http.Request, _ world.Send) (*http.Response, error) {
		cancel()
		<-req.Context().Done()
		return nil, req.Context().Err()
	}), func() {
		_, err := New(w.options).run(ctx, Request{Key: key}.scope()) // whoever asked may be gone before it is written
		require.ErrorIs(t, err, context.Canceled)
	})
	known := w.Remembered(key.Project).Iterations[key.Iteration]
	require.NotNil(t, known)
	assert.NotEmpty(t, known.Facts)
	assert.Len(t, known.Blobs, 1)
	assert.Equal(t, map[string]archive.Verdict{"CoreML": archive.Proven}, w.backups(key))
}
