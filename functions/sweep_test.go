package functions_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

// projects adds as many, and gives all of the world's in the order of a sweep.
func (w *world) projects(more int) []string {
	all := []string{w.project}
	for range more {
		w.create(setting{container: true})
		all = append(all, w.project)
	}
	slices.Sort(all)
	return all
}

// within sweeps once, in an invocation that may take so long.
func (w *world) within(d time.Duration) error {
	ctx, cancel := context.WithTimeout(w.t.Context(), d)
	defer cancel()
	return w.sweep(ctx)
}

func (w *world) health() state.Health {
	h, err := w.state.Health(w.t.Context())
	require.NoError(w.t, err)
	return h
}

func (w *world) verdicts() []archive.Verdict {
	var verdicts []archive.Verdict
	for _, b := range w.kept() {
		verdicts = append(verdicts, b.Verdict)
	}
	return verdicts
}

// Whatever one project takes, the sweeps go over the others, and say what the
// whole round came to.
func TestARoundOfSweepsGoesOnPastAProjectThatHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx, container: true})
	projects := w.projects(2)
	w.sweeping.Now = time.Now // as invocations have it
	for _, w.project = range projects {
		w.export(w.train())
	}
	w.line.spoil("copy", func(req *http.Request, do func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		switch {
		case strings.Contains(req.URL.Path, projects[0]):
			return answer(403, 0)(req, do)
		case strings.Contains(req.URL.Path, projects[1]):
			<-req.Context().Done()
			return nil, req.Context().Err()
		}
		return do(req)
	}, -1)

	require.Error(t, w.within(12*time.Second))
	cut := w.health()
	assert.Equal(t, projects[1], cut.Resume)
	assert.Equal(t, []int{3, 0, 2}, []int{cut.Projects, cut.Covered, cut.Failed})
	assert.Positive(t, cut.Unproven, "of the one that was cut it may not be known any more")
	assert.False(t, cut.Oldest.IsZero())

	require.NoError(t, w.within(time.Minute), "the third is all that was left")
	whole := w.health()
	assert.Equal(t, []int{3, 1, 2, cut.Unproven}, []int{whole.Projects, whole.Covered, whole.Failed, whole.Unproven})
	assert.Equal(t, cut.Oldest, whole.Oldest)
	assert.Empty(t, whole.Resume)
	assert.True(t, whole.Round.IsZero(), "the round wasn't whole")
	assert.Equal(t, []archive.Verdict{archive.Proven}, w.verdicts(), "of the third project")

	w.line.mend()
	require.NoError(t, w.within(time.Minute))
	mended := w.health()
	assert.Equal(t, []int{3, 3, 0, 0}, []int{mended.Projects, mended.Covered, mended.Failed, mended.Unproven})
	assert.Equal(t, mended.Ended, mended.Round)
	assert.Len(t, w.verdicts(), 3)
}

// The messages are about a project that waits for its export: each has to wait
// until it may be looked at again.
func TestPoisonDoesNotKeepTheSweepWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx, container: true})
	n := trained(w)
	w.service.StallExports(1)
	require.NoError(t, w.tell(t.Context(), n))
	w.create(setting{container: true})
	w.export(w.train())
	w.options.Clock = reconcile.SystemClock{}
	w.options.Times.LookInterval = 2 * time.Second
	w.restart()
	w.sweeping.Now = time.Now
	const messages = 20
	for i := range messages {
		text := fmt.Sprintf(`{"version":"1.0","type":"Training","Content":{"projectId":"%s","iterationId":"%s","trainingStatus":"TrainingCompleted"}}%*s`, n.ProjectID, n.IterationID, i, "")
		_, err := w.poison.EnqueueMessage(t.Context(), base64.StdEncoding.EncodeToString([]byte(text)), nil)
		require.NoError(t, err)
	}
	for range 4 { // more often than a message is tried
		require.Error(t, w.within(8*time.Second), "most of them are left")
		assert.Less(t, w.health().Poison, messages)
	}
	assert.Equal(t, []archive.Verdict{archive.Proven}, w.verdicts(), "the other project is swept all the same")
	assert.Equal(t, 2, w.health().Projects)
	assert.Empty(t, w.letters(), "none is given up that there was no time for")
}

// A copy may seem damaged, and copying it again fail: the blob is still good.
func TestADamagedCopyIsNotTheBlob(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: `{"projects":[{"project":"*"}]}`, container: true})
	it := w.train()
	data := zipped("cvexport.manifest", `{"IterationId":"OWN","Platform":"ONNX","Flavor":null,"ModelFileName":"model.onnx","ModelFileSHA1":"`+sha1Hex("model")+`"}`, "model.onnx", "model")(it)
	_, err := w.models.NewContainerClient(w.names.models).NewBlockBlobClient(customvision.BlobName(w.project, it, "ONNX")).UploadBuffer(t.Context(), data, nil)
	require.NoError(t, err)
	reads := 0
	w.line.spoil("archive GET", func(req *http.Request, do func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		if reads++; reads == 2 { // both alike: else it is taken for spoilt on its way
			w.line.spoil("copy", answer(403, 0), -1)
		}
		return spoilt(func(_ context.Context, resp *http.Response, body []byte) {
			body[60] ^= 1
			resp.Body = io.NopCloser(bytes.NewReader(body))
		})(req, do)
	}, 2)
	require.Error(t, w.sweep(t.Context()))
	require.Equal(t, []archive.Verdict{archive.Damaged}, w.verdicts())

	w.line.mend()
	require.NoError(t, w.sweep(t.Context()))
	assert.Contains(t, w.verdicts(), archive.Proven)
	assert.Zero(t, w.health().Blocked)
}
