package twin

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

func TestATwinIsMadeTrainedArchivedComparedAndDeleted(t *testing.T) {
	t.Parallel()
	w := newScene(t, rules, emulator.Options{})
	w.sweep()
	before, err := w.Client.Project(t.Context(), w.original.ID)
	require.NoError(t, err)
	takes, err := w.maker().Takes(t.Context(), w.original)
	require.NoError(t, err)
	assert.Equal(t, [3]any{w.model, "General", "General (compact)"}, [3]any{takes.Iteration, takes.Domain, takes.Compact})
	assert.Equal(t, [3]int{2, 2, 1}, [3]int{takes.Hours, takes.Images, takes.Projects})
	assert.Empty(t, w.others(), "to look makes nothing")
	assert.Nil(t, w.run(), "nobody asked")

	w.begin()
	twin := w.ends()
	require.Empty(t, twin.Why)
	assert.Empty(t, w.others(), "it is deleted")
	assert.False(t, twin.Deleted.IsZero())
	assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven, "TensorFlow": archive.Proven}, w.Verdicts(twin.Project, twin.Trained))

	list := w.recorded()
	require.Len(t, list, 1)
	doc := list[0]
	assert.Equal(t, "not the same model", doc.Says)
	assert.Equal(t, [4]string{w.original.ID, w.model, "General", "Iteration 1"}, [4]string{doc.Original.Project, doc.Original.Iteration, doc.Original.Domain, doc.Original.IterationName})
	assert.Equal(t, [3]string{twin.Project, twin.Trained, "General (compact)"}, [3]string{doc.Twin.Project, doc.Twin.Iteration, doc.Twin.Domain})
	assert.Len(t, doc.Twin.Proofs, 2)
	for _, m := range []archive.Trained{doc.Original, doc.Twin} {
		var p customvision.Performance
		require.NoError(t, json.Unmarshal(m.Performance, &p))
		require.NotNil(t, p.Precision)
		require.NotNil(t, m.TrainedAt)
	}
	assert.Equal(t, 0.5, doc.Threshold)

	after, err := w.Client.Project(t.Context(), w.original.ID)
	require.NoError(t, err)
	before.ThumbnailURI, after.ThumbnailURI = "", "" // signed anew each time
	assert.Equal(t, before, after, "the original is as it was")
	counts := w.Service.Counts()
	assert.Equal(t, [4]int{1, 1 + 1, 1, 0}, [4]int{counts["ImportProject"], counts["TrainProject"], counts["DeleteProject"], counts["DeleteIteration"]})
	assert.Contains(t, w.trainings(), "reservedBudgetInHours=2")
	assert.Empty(t, w.condition())
}

// condition is that of the original's twin; nil where there is none.
func (w *scene) condition() *state.Condition {
	p := w.Remembered(w.original.ID)
	return p.Condition(scope)
}

// trainings are the queries of the requests to train.
func (w *scene) trainings() string {
	var all []string
	for _, r := range w.Service.Requests() {
		if r.Operation == "TrainProject" {
			all = append(all, r.Query)
		}
	}
	return strings.Join(all, " ")
}

func TestATwinThatIsToBeKeptStays(t *testing.T) {
	t.Parallel()
	w := newScene(t, strings.Replace(rules, `"budgetHours":2`, `"keep":true`, 1), emulator.Options{})
	w.begin()
	twin := w.ends()
	require.Len(t, w.others(), 1)
	assert.Equal(t, twin.Project, w.others()[0].ID)
	assert.True(t, w.recorded()[0].Keep)
	counts := w.Service.Counts()
	for range 3 { // it is no ordinary project
		w.AddPictures(twin.Project, 5, 3)
		w.Service.Advance(8 * 24 * time.Hour)
		w.sweep()
		w.run()
	}
	after := w.Service.Counts()
	for _, effect := range []string{"TrainProject", "DeleteIteration", "PublishIteration", "ImportProject", "DeleteProject", "ExportIteration"} {
		assert.Equal(t, counts[effect], after[effect], effect)
	}
	_, err := w.maker().Takes(t.Context(), w.others()[0])
	assert.ErrorContains(t, err, "is a twin itself")

	w.begin() // another one, of the project as it is now
	second := w.ends()
	assert.NotEqual(t, twin.Project, second.Project)
	assert.Len(t, w.recorded(), 2)
	assert.Len(t, w.others(), 2)
}

func TestWhereNoTwinCanBeMadeThatIsSaid(t *testing.T) {
	t.Parallel()
	w := newScene(t, rules, emulator.Options{})
	refused := func(p customvision.Project, why string) {
		t.Helper()
		_, err := w.maker().Takes(t.Context(), p)
		assert.ErrorContains(t, err, why)
	}
	refused(w.Create(customvision.CreateProjectOptions{DomainID: world.General}), "nothing is trained")
	compact := w.Create(customvision.CreateProjectOptions{})
	w.Train(compact.ID)
	refused(compact, "can be exported itself")
	w.begin()
	for _, other := range []string{strings.Replace(rules, `{"projects"`, `{"mode":"observe","projects"`, 1), strings.Replace(rules, `"twin":{"budgetHours":2},`, "", 1)} {
		w.follow(other)
		_, err := w.maker().Takes(t.Context(), w.original)
		assert.Error(t, err)
		w.run()
		assert.Equal(t, 0, w.Service.Counts()["ImportProject"], "what was begun under another policy waits")
	}
}

func TestALostAnswerToTheImportDoesNotDoubleTheTwin(t *testing.T) {
	t.Parallel()
	w := newScene(t, rules, emulator.Options{})
	w.begin()
	line := world.NewInterceptor(t)
	line.Use(world.On(func(r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/import") || strings.HasSuffix(r.URL.Path, "/train")
	}, world.Lose))
	for range 6 {
		_, _ = w.process(line).Run(t.Context(), w.original)
		w.Service.Advance(10 * time.Minute)
	}
	assert.Empty(t, w.ends().Why)
	counts := w.Service.Counts()
	assert.Equal(t, [2]int{1, 1 + 1}, [2]int{counts["ImportProject"], counts["TrainProject"]})
}

func TestAnAnnouncementIsLeftToItsSenderUntilThatIsGone(t *testing.T) {
	t.Parallel()
	w := newScene(t, rules, emulator.Options{})
	w.begin()
	line := world.NewInterceptor(t)
	line.Use(world.On(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/import") }, line.KillBefore))
	_, err := w.process(line).Run(t.Context(), w.original)
	require.Error(t, err)
	w.run()
	assert.Empty(t, w.others(), "its sender may still be at it")
	w.Service.Advance(senderTime + 3*time.Minute)
	w.run()
	assert.Len(t, w.others(), 1)
}

func TestAForgottenTwinIsGoneOnWith(t *testing.T) {
	t.Parallel()
	w := newScene(t, rules, emulator.Options{})
	w.begin()
	for range 3 {
		w.run()
		w.Service.Advance(10 * time.Minute)
	}
	require.NotEmpty(t, w.Remembered(w.original.ID).Twin.Trained)
	_, err := w.Containers.State.NewBlobClient("projects/"+w.original.ID+".json").Delete(t.Context(), nil)
	require.NoError(t, err)
	w.begin()
	assert.Empty(t, w.ends().Why)
	counts := w.Service.Counts()
	assert.Equal(t, [2]int{1, 1 + 1}, [2]int{counts["ImportProject"], counts["TrainProject"]}, "what it cost isn't spent again")
}

// TestWhatEndsATwin is done by others, or comes to nothing at the service.
func TestWhatEndsATwin(t *testing.T) {
	t.Parallel()
	for why, c := range map[string]struct {
		before, during func(*scene, string)
	}{
		"could not make the copy": {before: func(w *scene, _ string) { w.Service.FailImports(1) }},
		"status Failed":           {before: func(w *scene, _ string) { w.Service.FailTrainings(1) }},
		"somebody deleted it":     {during: func(w *scene, id string) { require.NoError(w.t, w.Client.DeleteProject(context.Background(), id)) }},
		"somebody renamed it": {during: func(w *scene, id string) {
			p, err := w.Client.Project(context.Background(), id)
			require.NoError(w.t, err)
			p.Name = "mine"
			_, err = w.Client.UpdateProject(context.Background(), id, p)
			require.NoError(w.t, err)
		}},
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			w := newScene(t, rules, emulator.Options{ImportTime: time.Minute})
			if c.before != nil {
				c.before(w, "")
			}
			w.begin()
			w.run()
			if c.during != nil {
				c.during(w, w.others()[0].ID)
			}
			twin := w.ends()
			assert.Contains(t, twin.Why, why)
			assert.Empty(t, w.recorded())
			counts := w.Service.Counts()
			w.Service.Advance(30 * 24 * time.Hour)
			w.sweep()
			w.run()
			assert.Equal(t, counts["ImportProject"], w.Service.Counts()["ImportProject"], "nobody asked for another one")
			assert.Equal(t, counts["TrainProject"], w.Service.Counts()["TrainProject"])
		})
	}
}

func TestATwinThatSomebodyUsesStays(t *testing.T) {
	t.Parallel()
	w := newScene(t, rules, emulator.Options{})
	w.begin()
	line := world.NewInterceptor(t)
	line.Use(world.On(func(r *http.Request) bool { return r.Method == http.MethodDelete }, world.Refuse(http.StatusInternalServerError)))
	for range 10 {
		w.sweep()
		_, _ = w.process(line).Run(t.Context(), w.original)
		w.Service.Advance(10 * time.Minute)
	}
	twin := *w.Remembered(w.original.ID).Twin
	require.NotEmpty(t, twin.Record)
	w.Train(twin.Project)
	twin = w.ends()
	assert.Contains(t, twin.Why, "it stays in Custom Vision")
	assert.Len(t, w.others(), 1)
}

// TestATwinIsDeletedOnlyOnceTheArchiveHasIt has a package that somebody overwrites, which a
// listing doesn't show.
func TestATwinIsDeletedOnlyOnceTheArchiveHasIt(t *testing.T) {
	t.Parallel()
	w := newScene(t, rules, emulator.Options{})
	w.begin()
	for w.Remembered(w.original.ID).Twin.Record == "" {
		w.sweep()
		line := world.NewInterceptor(t)
		line.Use(world.On(func(r *http.Request) bool { return r.Method == http.MethodDelete }, world.Refuse(http.StatusInternalServerError)))
		_, _ = w.process(line).Run(t.Context(), w.original)
		w.Service.Advance(10 * time.Minute)
	}
	before := w.Service.Counts()["DeleteProject"]
	_, err := w.Containers.Archive.NewBlockBlobClient(w.Backups("", "")[1].Blob).UploadBuffer(t.Context(), []byte("another"), nil)
	require.NoError(t, err)
	_, err = w.maker().Run(t.Context(), w.original)
	require.ErrorContains(t, err, "the twin isn't deleted")
	assert.Len(t, w.others(), 1, "nobody else would have it")
	assert.Equal(t, before, w.Service.Counts()["DeleteProject"])
}

// TestTwoProcessesMakeOneTwin lets the second one go first, each time that the first one is
// about to write what it will do.
func TestTwoProcessesMakeOneTwin(t *testing.T) {
	t.Parallel()
	w := newScene(t, rules, emulator.Options{ImportTime: time.Minute})
	w.begin()
	for range 12 {
		w.sweep()
		line := world.NewInterceptor(t)
		line.Use(world.On(func(r *http.Request) bool {
			return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/projects/")
		},
			world.Nth(1, func(r *http.Request, send world.Send) (*http.Response, error) {
				w.run()
				return send(r)
			})))
		_, err := w.process(line).Run(t.Context(), w.original)
		require.NoError(t, err)
		w.Service.Advance(10 * time.Minute)
	}
	assert.Empty(t, w.ends().Why)
	counts := w.Service.Counts()
	assert.Equal(t, [3]int{1, 1 + 1, 1}, [3]int{counts["ImportProject"], counts["TrainProject"], counts["DeleteProject"]})
}

func TestATrainingThatFailsAtOnceIsKnownThoughItsAnswerIsLost(t *testing.T) {
	t.Parallel()
	w := newScene(t, rules, emulator.Options{})
	w.begin()
	w.Service.FailTrainings(5)
	line := world.NewInterceptor(t)
	line.Use(world.On(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/train") }, world.Lose))
	_, err := w.process(line).Run(t.Context(), w.original)
	require.Error(t, err)
	w.Service.Advance(time.Hour)
	assert.Contains(t, w.ends().Why, "status Failed")
	assert.Equal(t, 1+1, w.Service.Counts()["TrainProject"])
}

func TestARefusalIsAConditionAndIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := newScene(t, rules, emulator.Options{})
	w.begin()
	require.NoError(t, w.Service.FaultCalls("ImportProject", 1, emulator.CallFault{Status: http.StatusBadRequest, Code: "BadRequestExceedProjectLimit"}))
	w.run()
	c := w.condition()
	require.NotNil(t, c)
	assert.Equal(t, state.TwinRefused, c.Code)
	assert.Contains(t, c.Why, "BadRequestExceedProjectLimit")
	w.sweep()
	w.run()
	assert.NotNil(t, w.condition(), "a sweep leaves it")
	assert.Equal(t, 1, w.Service.Counts()["ImportProject"], "it waits")
	assert.Empty(t, w.ends().Why)
	assert.Nil(t, w.condition())
}

// TestWhoMayCopyProjectsGoesOnWhereTheAppMayNot has an app with the role Trainer, which may
// neither copy nor delete a project, and a person who may.
func TestWhoMayCopyProjectsGoesOnWhereTheAppMayNot(t *testing.T) {
	t.Parallel()
	w := newScene(t, rules, emulator.Options{})
	w.begin()
	line := world.NewInterceptor(t)
	line.Use(world.On(func(r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, w.original.ID+"/export") || strings.HasSuffix(r.URL.Path, "/import") || r.Method == http.MethodDelete
	}, func(r *http.Request, _ world.Send) (*http.Response, error) {
		return world.Answer(r, http.StatusForbidden, nil, []byte(`{"error":{"code":"PermissionDenied","message":"no"}}`)), nil
	}))
	app := w.process(line)
	for range 12 {
		w.sweep()
		twin, err := app.Run(t.Context(), w.original)
		require.NoError(t, err, "a sweep doesn't fail for it each time")
		if w.condition() != nil {
			assert.Contains(t, w.condition().Why, "Contributor")
			person := w.maker()
			person.Now = true
			twin, err = person.Run(t.Context(), w.original)
			require.NoError(t, err)
			assert.Nil(t, w.condition())
		}
		if !twin.Open() {
			assert.Empty(t, twin.Why)
			return
		}
		w.Service.Advance(time.Minute)
	}
	t.Fatal("it comes to no end")
}

func TestATwinOfAFullProjectIsTrained(t *testing.T) {
	t.Parallel()
	w := newScene(t, strings.Replace(rules, `,"keep":1`, "", 1), emulator.Options{})
	for range mostIterations - 1 {
		w.model = w.Train(w.original.ID).ID
	}
	w.Service.Advance(time.Minute)
	w.begin()
	assert.Empty(t, w.ends().Why)
	list, err := w.Client.Iterations(t.Context(), w.original.ID)
	require.NoError(t, err)
	assert.Len(t, list, mostIterations, "the original has all of its own")
	assert.Equal(t, w.model, w.recorded()[0].Original.Iteration)
}

// TestATwinIsArchivedThoughTheOriginalsModelIsGone has figures of the twin alone.
func TestATwinIsArchivedThoughTheOriginalsModelIsGone(t *testing.T) {
	t.Parallel()
	w := newScene(t, strings.Replace(rules, `,"keep":1`, "", 1), emulator.Options{})
	w.begin()
	w.run()
	w.Train(w.original.ID)
	require.NoError(t, w.Client.DeleteIteration(t.Context(), w.original.ID, w.model))
	for range 10 {
		w.sweep()
		w.run()
		w.Service.Advance(10 * time.Minute)
	}
	require.Contains(t, w.condition().Why, "how well both predict")
	w.Service.Advance(refusedFor)
	assert.Empty(t, w.ends().Why)
	doc := w.recorded()[0]
	assert.Nil(t, doc.Original.TrainedAt)
	assert.JSONEq(t, "null", string(doc.Original.Performance))
	assert.Contains(t, string(doc.Twin.Performance), "precision")
}

// TestATwinIsRecordedWithAllOfItsExports has two that the service makes one after the other,
// since they share a blob's name, and one that a person asks for.
func TestATwinIsRecordedWithAllOfItsExports(t *testing.T) {
	t.Parallel()
	w := newScene(t, strings.Replace(rules, `"TensorFlow"`, `"ONNX.ONNXFloat16"`, 1), emulator.Options{})
	w.begin()
	w.run()
	w.Service.Advance(10 * time.Minute)
	w.sweep()
	w.Service.Advance(10 * time.Minute)
	line := world.NewInterceptor(t) // this process archives the first, and dies before it asks for the second
	line.Use(world.On(func(r *http.Request) bool {
		return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/export")
	}, line.KillBefore))
	_, _ = reconcile.New(w.options(line)).Sweep(t.Context(), reconcile.Before{})
	require.Len(t, w.Backups("", ""), 1)
	for len(w.Backups("", "")) < 2 {
		w.run()
		require.Empty(t, w.recorded(), "not before all of it is there")
		w.Service.Advance(10 * time.Minute)
		w.sweep()
	}
	twin := w.Remembered(w.original.ID).Twin
	w.Export(twin.Project, twin.Trained, "CoreML", "")
	w.run()
	require.Empty(t, w.recorded(), "one isn't archived")
	w.Service.Advance(8 * 24 * time.Hour)
	assert.Empty(t, w.ends().Why)
	assert.Len(t, w.recorded()[0].Twin.Proofs, 3)
}
