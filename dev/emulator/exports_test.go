package emulator

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExportRunsToItsEnd(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	iteration := s.trained(s.project())
	assert.Empty(t, s.call("GET", iteration+"/export", nil, nil).list())
	s.call("POST", iteration+"/export", q("platform", "onnx", "flavor", "ONNXfloat16"), nil).ok()
	e := s.call("GET", iteration+"/export", nil, nil).list()[0]
	assert.Equal(t, map[string]any{"platform": "ONNX", "status": "Exporting", "downloadUri": nil, "flavor": "ONNXFloat16", "newerVersionAvailable": false}, e)
	s.Advance(s.options.ExportTime)
	e = s.call("GET", iteration+"/export", nil, nil).list()[0]
	assert.Equal(t, "Done", e["status"])
	assert.NotEmpty(t, e["downloadUri"])
}

func TestSameExportIsRefusedForEver(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	iteration := s.trained(s.project())
	export := func(pairs ...string) *answer { return s.call("POST", iteration+"/export", q(pairs...), nil) }
	export("platform", "ONNX").ok()
	want := iteration[len(iteration)-36:] + " is already queued for export"
	for range 2 {
		assert.Equal(t, want, export("platform", "onnx").refused(400, "BadRequestExportAlreadyInProgress"))
		assert.Equal(t, want, export("platform", "ONNX", "flavor", "").refused(400, "BadRequestExportAlreadyInProgress"))
		s.Advance(100 * s.options.ExportTime)
	}
	export("platform", "ONNX", "flavor", "ONNX10").ok()
	export("platform", "ONNX", "flavor", "ONNXFloat16").ok()
	export("platform", "ONNX", "flavor", "onnxfloat16").refused(400, "BadRequestExportAlreadyInProgress")
	export("platform", "CoreML").ok()
	assert.Len(t, s.call("GET", iteration+"/export", nil, nil).list(), 4)
}

func TestExportIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project := s.project()
	training := project + "/iterations/" + s.call("POST", project+"/train", nil, nil).ok()["id"].(string)
	export := func(iteration, platform string) *answer {
		return s.call("POST", iteration+"/export", q("platform", platform), nil)
	}
	export(training, "ONNX").refused(400, "BadRequestExportWhileTraining")
	s.FinishNow(Scope{Fail: true})
	export(training, "ONNX").refused(400, "BadRequestIterationIsNotTrained")
	iteration := s.trained(project)
	export(iteration, "").refused(400, "BadRequestRequiredParamIsNull")
	export(iteration, "Toaster").refused(400, "BadRequestInvalid")
	export(iteration, "IVS").refused(400, "BadRequestExportValidationFailed")
	export(iteration, "VAIDK").refused(400, "BadRequestExportValidationFailed")
	s.call("PATCH", project, nil, map[string]any{"settings": map[string]any{"targetExportPlatforms": []string{"VAIDK"}}}).ok()
	export(iteration, "VAIDK").ok()

	general := s.trained("projects/" + s.call("POST", "projects", q("name", "general"), nil).ok()["id"].(string))
	assert.Equal(t, false, s.call("GET", general, nil, nil).ok()["exportable"])
	export(general, "ONNX").refused(400, "BadRequestExportValidationFailed")
}

func TestUnlistedFlavorsMayBeRefused(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation, answering(UnlistedFlavors, "refused"))
	iteration := s.trained(s.project())
	s.call("POST", iteration+"/export", q("platform", "TensorFlow", "flavor", "TensorFlowJs"), nil).refused(400, "BadRequestInvalid")
	s.call("POST", iteration+"/export", q("platform", "TensorFlow", "flavor", "tensorflowlite"), nil).ok()
}

func TestRepeatAfterAFailedExport(t *testing.T) {
	t.Parallel()
	for answer, status := range map[string]int{"allowed": 200, "refused": 400} {
		s := start(t, noValidation, answering(RepeatAfterFailure, answer))
		iteration := s.trained(s.project())
		s.FailExports(1)
		e := s.exported(iteration, "ONNX", "")
		assert.Equal(t, "Failed", e["status"])
		assert.Nil(t, e["downloadUri"])
		assert.Equal(t, status, s.call("POST", iteration+"/export", q("platform", "ONNX"), nil).status, answer)
	}
}

func TestNewerVersionAllowsARepeat(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation, answering(NewerVersion, "once"))
	iteration := s.trained(s.project())
	first := s.exported(iteration, "ONNX", "")
	assert.Equal(t, true, first["newerVersionAvailable"])
	old := download(t, first["downloadUri"].(string))
	second := s.exported(iteration, "ONNX", "")
	assert.Equal(t, false, second["newerVersionAvailable"])
	assert.NotEqual(t, old, download(t, second["downloadUri"].(string)))
	s.call("POST", iteration+"/export", q("platform", "ONNX"), nil).refused(400, "BadRequestExportAlreadyInProgress")
}

func TestSecondFlavor(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	for _, answer := range []string{"overwrites", "refused", "fails"} {
		s := start(t, c.connected, noValidation, answering(SecondFlavor, answer))
		project := s.project("exportModelContainerUri", c.blobURL)
		s.Advance(testBlobLife)
		iteration := s.trained(project)
		s.exported(iteration, "ONNX", "")
		name := strings.TrimPrefix(project, "projects/") + " - " + iteration[len(iteration)-36:] + ".ONNX"
		before := c.blob(name)
		switch answer {
		case "refused":
			s.call("POST", iteration+"/export", q("platform", "ONNX", "flavor", "ONNX10"), nil).refused(400, "BadRequestExportAlreadyInProgress")
		case "fails":
			assert.Equal(t, "Failed", s.exported(iteration, "ONNX", "ONNX10")["status"])
		default:
			e := s.exported(iteration, "ONNX", "ONNX10")
			assert.Equal(t, download(t, e["downloadUri"].(string)), c.blob(name))
			assert.NotEqual(t, before, c.blob(name))
			continue
		}
		assert.Equal(t, before, c.blob(name), answer)
	}
}

func TestExportFailsWhereTheContainerIsGone(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	s := start(t, c.connected, noValidation)
	iteration := s.trained(s.project("exportModelContainerUri", c.blobURL, "notificationQueueUri", c.queueURL))
	blobs, err := c.account.Blob(nil)
	require.NoError(t, err)
	_, err = blobs.DeleteContainer(t.Context(), c.container, nil)
	require.NoError(t, err)
	assert.Equal(t, "Failed", s.exported(iteration, "ONNX", "")["status"])
	messages := c.receive()
	assert.Contains(t, decoded(t, messages[len(messages)-1]), `"exportStatus":"ExportFailed"}`)
}

func TestFailedExportsModelURI(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{"missing": `"ExportFailed"}`, "null": `"ExportFailed","modelUri":null}`, "empty": `"ExportFailed","modelUri":""}`} {
		s := start(t, noValidation, answering(FailedModelURI, answer))
		iteration := s.trained(s.project("notificationQueueUri", "https://a.queue.core.windows.net/q"))
		s.FailExports(1)
		s.exported(iteration, "ONNX", "")
		messages := s.Messages()
		assert.Contains(t, messages[len(messages)-1].Text, want, answer)
	}
}

func TestBlobNamesAndModelURIs(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	for names, form := range map[string]func(string) string{"hyphenated": func(id string) string { return id }, "compact": compact} {
		for uris, space := range map[string]string{"escaped": "%20", "raw": " "} {
			s := start(t, c.connected, noValidation, answering(BlobNames, names), answering(ModelURI, uris))
			project := s.project("exportModelContainerUri", c.blobURL, "notificationQueueUri", c.queueURL)
			s.Advance(testBlobLife)
			iteration := s.trained(project)
			s.exported(iteration, "TensorFlow", "TensorFlowLite")
			name := form(strings.TrimPrefix(project, "projects/")) + " - " + form(iteration[len(iteration)-36:]) + ".TensorFlow"
			assert.Contains(t, c.blobNames(), name)
			messages := c.receive()
			assert.Contains(t, decoded(t, messages[len(messages)-1]), `"modelUri":"`+c.blobURL+"/"+strings.ReplaceAll(name, " ", space)+`"}}`)
		}
	}
}
