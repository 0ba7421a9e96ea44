package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

func TestEveryKindOfActionHasWords(t *testing.T) {
	t.Parallel()
	for _, kind := range []reconcile.ActionKind{reconcile.Describe, reconcile.Backup, reconcile.Collect, reconcile.Export,
		reconcile.Retrain, reconcile.Train, reconcile.Measure, reconcile.Publish, reconcile.Promote, reconcile.Adopt, reconcile.Postpone, reconcile.Wait, reconcile.Settle} {
		assert.NotEmpty(t, wasDone[kind], kind)
		assert.NotEmpty(t, overview.Would[kind], kind)
	}
}

func TestABlobIsShownByItsPlatform(t *testing.T) {
	t.Parallel()
	const id = "11111111-1111-4111-8111-111111111111"
	blob := customvision.BlobName(id, id, "ONNX")
	list := overview.Actions([]reconcile.Action{{Step: reconcile.Step{Kind: reconcile.Collect, Scope: state.Scope{Iteration: id, Blob: blob}}, Why: "why"}}, reconcile.Report{})
	assert.Equal(t, blob, list[0].Blob)
	assert.Equal(t, [][]string{{"archived", "Kitchen", id, "ONNX", "why"}}, (&program{}).rows("Kitchen", list, wasDone))
}

func TestACostIsShownToTheMinute(t *testing.T) {
	t.Parallel()
	for minutes := range 2000 {
		list := overview.Actions([]reconcile.Action{{Step: reconcile.Step{Kind: reconcile.Retrain}, Training: &reconcile.Training{Minutes: minutes}}}, reconcile.Report{})
		assert.Equal(t, "it counts as "+reconcile.Hours(minutes)+" of training", list[0].ExpectedCost.String())
	}
}
