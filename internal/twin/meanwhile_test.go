package twin

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
)

// TestATwinWhosePicturesSomebodyChangedStays has a picture that is nowhere else.
func TestATwinWhosePicturesSomebodyChangedStays(t *testing.T) {
	t.Parallel()
	w := newScene(t, rules, emulator.Options{})
	w.begin()
	w.trained()
	w.AddPictures(w.Remembered(w.original.ID).Twin.Project, 5, 1)
	assert.Contains(t, w.ends().Why, "it stays in Custom Vision")
	assert.Len(t, w.others(), 1)
}

// trained runs until the twin's training was asked for.
func (w *scene) trained() {
	w.t.Helper()
	for n := 0; w.run().Trained == ""; n++ {
		require.Less(w.t, n, 20)
		w.Service.Advance(time.Minute)
	}
}

// TestATwinThatSomebodyTrainsBeforeItIsExportedIsArchived has a newer iteration than the one
// that the twin was made for.
func TestATwinThatSomebodyTrainsBeforeItIsExportedIsArchived(t *testing.T) {
	t.Parallel()
	w := newScene(t, rules, emulator.Options{})
	w.begin()
	w.trained()
	w.Service.Advance(10 * time.Minute)
	w.Train(w.Remembered(w.original.ID).Twin.Project)
	twin := w.ends()
	assert.Contains(t, twin.Why, "it stays in Custom Vision")
	assert.Len(t, w.recorded(), 1)
	assert.Len(t, w.others(), 1)
}

// TestATwinIsTrainedWithinTheBudgetOfThePolicyThatCounts has one that was lowered after the
// person's yes, and one that was raised.
func TestATwinIsTrainedWithinTheBudgetOfThePolicyThatCounts(t *testing.T) {
	t.Parallel()
	for budget, hours := range map[string]int{`"budgetHours":1`: 1, `"budgetHours":9`: 2} {
		w := newScene(t, rules, emulator.Options{})
		w.begin()
		w.follow(strings.Replace(rules, `"budgetHours":2`, budget, 1))
		assert.Empty(t, w.ends().Why)
		assert.Contains(t, w.trainings(), fmt.Sprintf("reservedBudgetInHours=%d", hours))
		assert.Equal(t, hours, w.recorded()[0].Hours)
	}
}

// TestATwinIsTrainedOnTheDomainThatWasNamed has a project that somebody put on another
// compact domain, and didn't train yet.
func TestATwinIsTrainedOnTheDomainThatWasNamed(t *testing.T) {
	t.Parallel()
	w := newScene(t, rules, emulator.Options{})
	const food = "8882951b-82cd-4c32-970b-d5f8cb8bf6d7" // Food (compact)
	w.original.Settings.DomainID = food
	var err error
	w.original, err = w.Client.UpdateProject(t.Context(), w.original.ID, w.original)
	require.NoError(t, err)
	takes, err := w.maker().Takes(t.Context(), w.original)
	require.NoError(t, err)
	w.begin()
	assert.Empty(t, w.ends().Why)
	assert.Equal(t, takes.Compact, w.recorded()[0].Twin.Domain)
}

// TestADeletedIterationThatIsStillListedDoesNotSpin has a full twin, of which the service
// says over and over that the oldest iteration is there, and isn't.
func TestADeletedIterationThatIsStillListedDoesNotSpin(t *testing.T) {
	t.Parallel()
	w := newScene(t, strings.Replace(rules, `,"keep":1`, "", 1), emulator.Options{ImportTime: time.Minute})
	for range mostIterations - 1 {
		w.model = w.Train(w.original.ID).ID
	}
	w.Service.Advance(time.Minute)
	w.begin()
	w.run()
	w.Service.Advance(time.Minute)
	line := world.NewInterceptor(t)
	deletions := 0
	line.Use(func(r *http.Request, send world.Send) (*http.Response, error) {
		if r.Method == http.MethodDelete {
			if deletions++; deletions > 5 {
				line.KillBefore(r, send)
			}
			return world.Answer(r, http.StatusNotFound, nil, []byte(`{"code":"NotFoundIteration","message":"no"}`)), nil
		}
		return send(r)
	})
	for range 3 {
		_, _ = w.process(line).Run(t.Context(), w.original)
		w.Service.Advance(10 * time.Minute)
	}
	assert.LessOrEqual(t, deletions, 3, "one with each run")
}

// TestACopyOfAKeptTwinIsAPersons has a person copy a twin that was to stay, which gets its
// name with a number, and twins that aren't kept after it.
func TestACopyOfAKeptTwinIsAPersons(t *testing.T) {
	t.Parallel()
	kept := strings.Replace(rules, `"budgetHours":2`, `"keep":true`, 1)
	w := newScene(t, kept, emulator.Options{})
	w.begin()
	first := w.ends()
	export, err := w.Client.ExportProject(t.Context(), first.Project)
	require.NoError(t, err)
	copied, err := w.Client.ImportProject(t.Context(), export.Token, first.Name)
	require.NoError(t, err)
	require.Equal(t, first.Name+" (1)", copied.Name)
	w.follow(rules)
	for range 2 { // the first is the last that is remembered, and then it isn't
		w.Service.Advance(time.Hour)
		w.begin()
		assert.NotContains(t, []string{first.Project, copied.ID}, w.ends().Project)
	}
	assert.Len(t, w.others(), 2)
}
