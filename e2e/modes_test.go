package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// generalID is the domain General, which can't be exported.
const generalID = "ee85a74c-405e-4adc-bb47-ffa8ca0c9f31"

func TestAModelThatCannotBeExportedIsSaidToBeSoOnce(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{policy: exportsAndRetrain})
	p := a.connect("Kitchen", generalID)
	it := a.Train(p.ID)
	a.Eventually("it is put off", func() bool {
		remembered := a.Remembered(p.ID)
		record := remembered.Iterations[it.ID]
		return record != nil && record.Settled != nil && remembered.Condition(state.Scope{Iteration: it.ID}) != nil
	})
	a.sweep()
	a.succeeds(2) // the connection test, and the training
	remembered := a.Remembered(p.ID)
	assert.Contains(t, remembered.Condition(state.Scope{Iteration: it.ID}).Why, "cannot be exported, because")
	assert.Contains(t, a.printed.String(), "cannot be exported, because")
	assert.Zero(t, a.Service.Counts()["ExportIteration"])
	_, failed := a.ended("notifications")
	assert.Zero(t, failed, "no retries")
}

func TestWithoutAnEndpointWhatLandsInTheContainerIsArchived(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{settings: map[string]string{"CUSTOMVISION_ENDPOINT": "", "CUSTOMVISION_KEY": ""}})
	p := a.connect("Kitchen", world.Compact)
	it := a.Train(p.ID)
	_, err := a.Client.Export(t.Context(), p.ID, it.ID, "ONNX", "ONNXFloat16")
	require.NoError(t, err)
	a.Eventually("the message leads to a backup, named by its manifest", func() bool {
		return assert.ObjectsAreEqual(map[string]archive.Verdict{"ONNX.ONNXFloat16": archive.Proven}, a.Verdicts(p.ID, it.ID))
	})

	quiet := a.Create(customvision.CreateProjectOptions{Name: "Quiet", DomainID: world.Compact, ExportModelContainerURI: a.Containers.Models.URL()})
	other := a.Train(quiet.ID)
	_, err = a.Client.Export(t.Context(), quiet.ID, other.ID, "TensorFlow", "")
	require.NoError(t, err)
	a.Eventually("the blob is there", func() bool {
		exports, err := a.Client.Exports(t.Context(), quiet.ID, other.ID)
		require.NoError(t, err)
		return len(exports) == 1 && exports[0].Status == customvision.ExportDone
	})
	a.sweep()
	assert.Equal(t, map[string]archive.Verdict{"TensorFlow": archive.Proven}, a.Verdicts(quiet.ID, other.ID), "without a message the sweep finds it")
	assert.Contains(t, a.printed.String(), "CUSTOMVISION_ENDPOINT is not set", "it says what it isn't doing")
}

func TestATypoInThePolicyDoesNotStopBackups(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{policy: `{"projects":[{"project":"*","export":["ONNX"]}]}`})
	p := a.connect("Kitchen", world.Compact)
	it := a.Train(p.ID)
	_, err := a.Client.Export(t.Context(), p.ID, it.ID, "ONNX", "")
	require.NoError(t, err)
	a.Eventually("the export is archived", func() bool { return a.Verdicts(p.ID, it.ID)["ONNX"] == archive.Proven })
	a.sweep()
	assert.Contains(t, a.printed.String(), "policy.json: the policy does not follow its schema")
}

func TestModeObserveOnlyArchives(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{policy: `{"mode":"observe","projects":[{"project":"*","exports":["ONNX","CoreML"],"retrain":{"afterFailure":1}}]}`})
	p := a.connect("Kitchen", world.Compact)
	it := a.Train(p.ID)
	_, err := a.Client.Export(t.Context(), p.ID, it.ID, "TensorFlow", "")
	require.NoError(t, err)
	a.Eventually("what a person exported is archived", func() bool { return a.Verdicts(p.ID, it.ID)["TensorFlow"] == archive.Proven })
	a.Service.FailTrainings(1)
	a.Train(p.ID)
	a.succeeds(4) // the connection test, two trainings and an export
	a.sweep()     // of a project that the app didn't know from its beginning, nothing is trained before this
	a.sweep()
	assert.Equal(t, 1, a.Service.Counts()["ExportIteration"], "the person's")
	assert.Equal(t, 2, a.Service.Counts()["TrainProject"], "the person's")
	assert.Contains(t, a.printed.String(), "would export, but the policy only observes")
	assert.Contains(t, a.printed.String(), "would retrain, but the policy only observes")
}

func TestAProjectOutsideThePolicyIsLeftAlone(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{policy: `{"projects":[{"project":"Garden","exports":["ONNX"]}]}`})
	p := a.connect("Kitchen", world.Compact)
	a.Train(p.ID)
	a.succeeds(2) // the connection test, and the training
	a.sweep()
	assert.Zero(t, a.Service.Counts()["ExportIteration"])
	letters := a.Letters()
	assert.Empty(t, letters)
}
