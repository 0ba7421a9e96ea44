package reconcile

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// postponed checks that something of a key can't be done now, is counted as unproven
// if it is exported, and isn't tried before its time.
func (w *app) postponed(key Key, name string, code state.Code, unproven int) state.Condition {
	w.t.Helper()
	c := w.condition(key, name)
	require.Equal(w.t, code, c.Code, c.Why)
	assert.NotEmpty(w.t, c.Why)
	assert.True(w.t, c.Next.After(w.Service.Now()), "there is a next try")
	assert.Equal(w.t, c.Unproven, unproven > 0)
	swept, err := New(w.options).Sweep(w.t.Context(), Before{})
	require.NoError(w.t, err)
	assert.True(w.t, swept.Whole, "a condition is counted, and everything was looked at")
	assert.Equal(w.t, state.Counts{Unproven: unproven, Oldest: swept.Oldest, Blocked: len(swept.Conditions)}, swept.Counts)
	assert.Contains(w.t, swept.Conditions, state.ProjectCondition{Project: key.Project, Name: w.Remembered(key.Project).Name, Condition: c})
	assert.Equal(w.t, c.Attempts, w.condition(key, name).Attempts, "it isn't tried before its time")
	return c
}

// passes checks that what was postponed is done by a sweep once its time has come.
func (w *app) passes(key Key, name string) {
	w.t.Helper()
	if wait := w.condition(key, name).Next.Sub(w.Service.Now()); wait > 0 {
		w.Service.Advance(wait + time.Second)
	}
	for range 3 {
		w.sweep()
		w.Service.Advance(world.ExportTime)
	}
	assert.Equal(w.t, map[string]archive.Verdict{name: archive.Proven}, w.backups(key))
	assert.Empty(w.t, w.Remembered(key.Project).Conditions)
}

func TestAnExportThatIsDoneWithoutALinkForOneLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	w.overLine()
	key := w.unconnected()
	w.export(key, "ONNX")
	w.line.While(w.lists("/export", each(without("downloadUri"))), func() { w.reconcile(key) })
	w.postponed(key, "ONNX", state.NoLink, 1)
	w.passes(key, "ONNX")
}

func TestALinkThatASettingRefusesIsFollowedOnceTheSettingIsMended(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.unconnected()
	w.export(key, "ONNX")
	mended := w.options
	mended.Fingerprint = "mended"
	w.options.Downloads.Loopback = nil
	w.reconcile(key)
	w.postponed(key, "ONNX", state.LinkRefused, 1)
	w.options = mended
	w.reconcile(key)
	assert.Equal(t, proven, w.backups(key), "at once")
	assert.Empty(t, w.Remembered(key.Project).Conditions)
}

func TestAPackageTooLargeForThisVersionIsTakenByTheNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	larger := w.options
	larger.Fingerprint = "another version"
	key := w.trained()
	w.export(key, "ONNX")
	w.options.Archive = archive.Open(w.Archives.Blobs(nil), w.Names.Archive, archive.Options{MaxSize: 1000})
	w.reconcile(key)
	w.postponed(key, "ONNX", state.TooLarge, 1)
	w.options = larger
	w.sweep()
	assert.Equal(t, proven, w.backups(key), "at once")
}

func TestWhatASettledIterationCouldNotIsTriedUnderAnotherPolicyAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.unconnected()
	w.overLine()
	w.export(key, "ONNX")
	w.line.While(w.lists("/export", each(without("downloadUri"))), func() { w.reconcile(key) })
	w.postponed(key, "ONNX", state.NoLink, 1)
	w.options.Policy = parsed(t, `{"mode":"observe","projects":[{"project":"*","exports":["ONNX"]}]}`)
	w.sweep()
	assert.Equal(t, proven, w.backups(key))
}

func TestAnExportThatIsRefusedForNowIsAskedForLater(t *testing.T) {
	t.Parallel()
	for _, code := range []string{
		"BadRequestExportWhileTraining", "BadRequestExceededQuota", "BadRequestCustomerManagedKeyRevoked", "BadRequestExceedIterationPerProjectLimit", "NotFoundIteration",
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, onnx)
			key := w.trained()
			status := 400
			if code == "NotFoundIteration" {
				status = 404
			}
			require.NoError(t, w.Service.FaultCalls("ExportIteration", 1, emulator.CallFault{Status: status, Code: code}))
			w.reconcile(key)
			c := w.postponed(key, "ONNX", state.ExportRefused, 0)
			assert.Contains(t, c.Why, code)
			assert.Equal(t, 1, w.Service.Counts()["ExportIteration"], "not before its time")
			w.passes(key, "ONNX")
			assert.Equal(t, 2, w.Service.Counts()["ExportIteration"])
		})
	}
}

// A refusal for years costs a call a week.
func TestAStandingRefusalIsAskedForMoreAndMoreSeldom(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["VAIDK"]}]}`)
	key := w.trained()
	w.reconcile(key)
	for range 12 {
		c := w.condition(key, "VAIDK")
		require.Equal(t, state.ExportRefused, c.Code)
		require.LessOrEqual(t, c.Next.Sub(c.Last), 7*24*time.Hour, "at most a week")
		w.Service.Advance(c.Next.Sub(w.Service.Now()) + time.Second)
		w.sweep()
		again := w.condition(key, "VAIDK")
		assert.Equal(t, c.Attempts+1, again.Attempts)
		assert.Equal(t, c.First, again.First, "since when it can't be done stays")
		assert.GreaterOrEqual(t, again.Next.Sub(again.Last), c.Next.Sub(c.Last), "the pauses grow")
	}
	c := w.condition(key, "VAIDK")
	assert.Equal(t, 7*24*time.Hour, c.Next.Sub(c.Last))
	assert.Equal(t, 13, w.Service.Counts()["ExportIteration"])
}

func TestAnExportThatMeetsAnOutageThreeTimesIsAskedForOnceItIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	require.NoError(t, w.Service.FaultCalls("ExportIteration", 3, emulator.CallFault{Status: 503}))
	for range 3 {
		_, err := w.try(key)
		require.Error(t, err)
		w.Service.Advance(time.Hour) // its sender is long gone
	}
	assert.Contains(t, w.settle(key), "export ONNX")
	assert.Equal(t, proven, w.backups(key))
}

func TestThreeFailedExportsInHalfAMinuteAreNotTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	w.Service.FailExports(3)
	key := w.trained()
	w.settle(key)
	for range 2 { // a person insists
		n, err := New(w.options).Retry(t.Context(), key.Project, state.Scope{Iteration: key.Iteration, Export: "ONNX"})
		require.NoError(t, err)
		require.Equal(t, 1, n)
		w.settle(key)
	}
	require.Equal(t, 3, w.Service.Counts()["ExportIteration"])
	assert.Equal(t, state.ExportFailed, w.condition(key, "ONNX").Code)
	w.passes(key, "ONNX")
}

func TestAPlatformThatIsNotOfferedForOneLookIsExportedLater(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]struct {
		change func(map[string]any)
		code   state.Code
		export string
	}{
		"exportableTo is incomplete": {func(it map[string]any) { it["exportableTo"] = []string{"CoreML"} }, state.NotOffered, "ONNX"},
		"exportable is false":        {func(it map[string]any) { it["exportable"] = false }, state.NotExportable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, onnx)
			w.overLine()
			key := w.trained()
			w.line.While(w.lists("/iterations", each(spoil.change)), func() {
				w.reconcile(key)
				c := w.condition(key, spoil.export)
				require.Equal(t, spoil.code, c.Code)
				assert.Equal(t, 1, c.Attempts)
				w.sweep()
				assert.Equal(t, 1, w.condition(key, spoil.export).Attempts)
			})
			w.passes(key, "ONNX")
		})
	}
}

func TestWhatIsProvenToBeGoneIsFinalAndStaysCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", answering(emulator.DownloadURI, "container"))
	key := w.trained()
	w.export(key, "ONNX")
	w.export(key, "ONNX.ONNX12")
	w.settle(key)
	c := w.condition(key, "ONNX")
	require.Equal(t, state.Overwritten, c.Code)
	assert.True(t, c.Next.IsZero())
	w.options.Fingerprint = "another version"
	n, err := New(w.options).Retry(t.Context(), key.Project, state.Scope{})
	require.NoError(t, err)
	assert.Zero(t, n)
	w.Service.Advance(30 * 24 * time.Hour)
	swept, err := New(w.options).Sweep(t.Context(), Before{})
	require.NoError(t, err)
	assert.Equal(t, 1, swept.Unproven)
	assert.Equal(t, 1, swept.Blocked)
	assert.Equal(t, c.Attempts, w.condition(key, "ONNX").Attempts)
}

func TestAPersonsRetryCoversWhatItNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX","CoreML"],"iterations":["all"]}]}`)
	one := w.trained()
	other := Key{Project: one.Project, Iteration: w.Train(one.Project).ID}
	require.NoError(t, w.Service.FaultCalls("ExportIteration", 4, emulator.CallFault{Status: 400, Code: "BadRequestExceededQuota"}))
	w.sweep()
	require.Equal(t, 4, w.Service.Counts()["ExportIteration"])
	for _, c := range []struct {
		scope state.Scope
		n     int
	}{
		{state.Scope{Iteration: one.Iteration, Export: "CoreML"}, 1},
		{state.Scope{Iteration: other.Iteration}, 2},
		{state.Scope{}, 4},
	} {
		n, err := New(w.options).Retry(t.Context(), one.Project, c.scope)
		require.NoError(t, err)
		assert.Equal(t, c.n, n)
	}
	w.sweep()
	assert.Equal(t, 8, w.Service.Counts()["ExportIteration"], "at once")
}

// The list has the platform's default as Failed and, by its other name, as Done.
func TestTwoListedNamesOfOneExportComeToAnEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["TensorFlow"]}]}`)
	key := w.trained()
	w.Service.FailExports(1)
	w.export(key, "TensorFlow")
	w.export(key, "TensorFlow.TensorFlowNormal")
	exports, err := w.Client.Exports(t.Context(), key.Project, key.Iteration)
	require.NoError(t, err)
	require.Len(t, exports, 2)
	ctx, log := logged(t)
	report, err := New(w.options).Reconcile(ctx, Request{Key: key})
	require.NoError(t, err)
	assert.Equal(t, []string{"describe", "backup TensorFlow", "settle"}, steps(report.Done))
	assert.LessOrEqual(t, lines(log), 5)
	require.Len(t, w.kept(key), 1)
	assert.True(t, w.kept(key)[0].Verdict.Counts())
	assert.Equal(t, 2, w.Service.Counts()["ExportIteration"], "the person's")
}

func TestOfTwoEntriesOfOneExportTheDoneOneWins(t *testing.T) {
	for name, statuses := range map[string][]string{
		customvision.ExportDone:      {"Failed", "Done", "Exporting", "Failed"},
		customvision.ExportExporting: {"Failed", "Exporting", "Failed"},
		customvision.ExportFailed:    {"Failed", "Failed"},
	} {
		look := &Look{}
		for _, status := range statuses {
			look.list(listed("ONNX", status))
		}
		require.Len(t, look.Exports, 1)
		assert.Equal(t, name, look.Exports[0].Status)
	}
}

// What lies in the Archive tier, and has no other way to it, is said to rest.
func TestABlobInTheArchiveTier(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		link string
		want map[string]archive.Verdict
	}{
		"is backed up by its export's link": {"service", proven},
		"rests where there is no link":      {"container", map[string]archive.Verdict{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, onnx, answering(emulator.DownloadURI, c.link))
			key := w.trained()
			w.export(key, "ONNX")
			w.tier(w.blob(key, "ONNX"), "Archive")
			w.sweep()
			assert.Equal(t, c.want, w.backups(key))
			if len(c.want) == 0 {
				condition := w.postponed(key, "ONNX", state.Resting, 1)
				assert.Contains(t, condition.Why, "rehydrate")
				w.tier(w.blob(key, "ONNX"), "Hot")
				w.passes(key, "ONNX")
			}
			w.sweep()
			assert.Len(t, w.kept(key), 1)
		})
	}
}

// The next flavor of a platform overwrites the blob of the one before. That one couldn't be
// archived for hours, and can be now, though its next try isn't due yet.
func TestWhatWillBeOverwrittenIsTriedOnceMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX","ONNX.ONNX12"]}]}`, answering(emulator.DownloadURI, "container"))
	key := w.trained()
	w.export(key, "ONNX")
	w.tier(w.blob(key, "ONNX"), "Archive")
	w.sweep()
	for range 3 {
		w.Service.Advance(w.condition(key, "ONNX").Next.Sub(w.Service.Now()))
		w.sweep()
	}
	w.Service.Advance(w.options.Times.StuckAfter - time.Hour)
	require.True(t, w.condition(key, "ONNX").Next.After(w.Service.Now()))
	w.tier(w.blob(key, "ONNX"), "Hot")
	w.sweep()
	w.Service.Advance(world.ExportTime)
	w.sweep()
	assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven, "ONNX.ONNX12": archive.Proven}, w.backups(key))
}

// A blob that no listed export is, in the Archive tier, holds up nothing else.
func TestALoneBlobInTheArchiveTierIsACondition(t *testing.T) {
	t.Parallel()
	w, key := withoutEndpoint(t)
	w.tier(w.blob(key, "ONNX"), "Archive")
	swept, err := New(w.options).Sweep(t.Context(), Before{})
	require.NoError(t, err)
	w.seen = swept.Lists
	assert.True(t, swept.Whole)
	require.Len(t, swept.Conditions, 1)
	assert.Equal(t, state.Resting, swept.Conditions[0].Code)
	assert.Equal(t, w.blob(key, "ONNX"), swept.Conditions[0].Blob)
	requests := w.line.During(func() { w.sweep() })
	assert.Len(t, requests, 2, "it isn't tried before its time: %v", requests)
	w.tier(w.blob(key, "ONNX"), "Hot")
	w.Service.Advance(swept.Conditions[0].Next.Sub(w.Service.Now()) + time.Second)
	w.sweep()
	assert.Equal(t, proven, w.backups(key))
	assert.Empty(t, w.Remembered(key.Project).Conditions)
}
