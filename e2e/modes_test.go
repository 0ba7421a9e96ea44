package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
)

// generalID is the domain General, which can't be exported.
const generalID = "ee85a74c-405e-4adc-bb47-ffa8ca0c9f31"

func TestAModelThatCannotBeExportedIsSaidToBeSoOnce(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{policy: exportsAndRetrain})
	p := a.connect("Kitchen", generalID)
	it := a.train(p.ID)
	a.eventually("it is given up", func() bool {
		record := a.project(p.ID).Iterations[it.ID]
		return record != nil && record.Blocked != "" && record.Settled != nil
	})
	a.sweep()
	a.succeeds(2) // the connection test, and the training
	assert.Contains(t, a.project(p.ID).Iterations[it.ID].Blocked, "cannot be exported, because")
	assert.Contains(t, a.printed.String(), "cannot be exported, because")
	assert.Zero(t, a.service.Counts()["ExportIteration"])
	_, failed := a.ended("notifications")
	assert.Zero(t, failed, "no retries")
}

func TestWithoutAnEndpointWhatLandsInTheContainerIsArchived(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{settings: map[string]string{"CUSTOMVISION_ENDPOINT": "", "CUSTOMVISION_KEY": ""}})
	p := a.connect("Kitchen", compact)
	it := a.train(p.ID)
	_, err := a.client.Export(t.Context(), p.ID, it.ID, "ONNX", "ONNXFloat16")
	require.NoError(t, err)
	a.eventually("the message leads to a backup, named by its manifest", func() bool {
		return assert.ObjectsAreEqual(map[string]archive.Verdict{"ONNX.ONNXFloat16": archive.Proven}, a.backups(p.ID, it.ID))
	})

	quiet := a.create(customvision.CreateProjectOptions{Name: "Quiet", DomainID: compact, ExportModelContainerURI: a.models})
	other := a.train(quiet.ID)
	_, err = a.client.Export(t.Context(), quiet.ID, other.ID, "TensorFlow", "")
	require.NoError(t, err)
	a.eventually("the blob is there", func() bool {
		exports, err := a.client.Exports(t.Context(), quiet.ID, other.ID)
		require.NoError(t, err)
		return len(exports) == 1 && exports[0].Status == customvision.ExportDone
	})
	a.sweep()
	assert.Equal(t, map[string]archive.Verdict{"TensorFlow": archive.Proven}, a.backups(quiet.ID, other.ID), "without a message the sweep finds it")
	assert.Contains(t, a.printed.String(), "CUSTOMVISION_ENDPOINT is not set", "it says what it isn't doing")
}

func TestATypoInThePolicyDoesNotStopBackups(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{policy: `{"projects":[{"project":"*","export":["ONNX"]}]}`})
	p := a.connect("Kitchen", compact)
	it := a.train(p.ID)
	_, err := a.client.Export(t.Context(), p.ID, it.ID, "ONNX", "")
	require.NoError(t, err)
	a.eventually("the export is archived", func() bool { return a.backups(p.ID, it.ID)["ONNX"] == archive.Proven })
	a.sweep()
	assert.Contains(t, a.printed.String(), "policy.json: the policy does not follow its schema")
}

func TestModeObserveOnlyArchives(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{policy: `{"mode":"observe","projects":[{"project":"*","exports":["ONNX","CoreML"],"retrain":{"afterFailure":1}}]}`})
	p := a.connect("Kitchen", compact)
	it := a.train(p.ID)
	_, err := a.client.Export(t.Context(), p.ID, it.ID, "TensorFlow", "")
	require.NoError(t, err)
	a.eventually("what a person exported is archived", func() bool { return a.backups(p.ID, it.ID)["TensorFlow"] == archive.Proven })
	a.service.FailTrainings(1)
	a.train(p.ID)
	a.succeeds(4) // the connection test, two trainings and an export
	a.sweep()     // of a project that the app didn't know from its beginning, nothing is trained before this
	a.sweep()
	assert.Equal(t, 1, a.service.Counts()["ExportIteration"], "the person's")
	assert.Equal(t, 2, a.service.Counts()["TrainProject"], "the person's")
	assert.Contains(t, a.printed.String(), "would export, but the policy only observes")
	assert.Contains(t, a.printed.String(), "would retrain, but the policy only observes")
}

func TestAProjectOutsideThePolicyIsLeftAlone(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{policy: `{"projects":[{"project":"Garden","exports":["ONNX"]}]}`})
	p := a.connect("Kitchen", compact)
	a.train(p.ID)
	a.succeeds(2) // the connection test, and the training
	a.sweep()
	assert.Zero(t, a.service.Counts()["ExportIteration"])
	letters, err := a.state.DeadLetters(t.Context())
	require.NoError(t, err)
	assert.Empty(t, letters)
}
