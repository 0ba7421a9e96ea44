package emulator

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPackages(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.trainable()
	s.call("PATCH", project, nil, map[string]any{"settings": map[string]any{"targetExportPlatforms": []string{"VAIDK"}}}).ok()
	iteration := s.trained(project)
	for _, c := range []struct {
		platform, flavor, model string
		members                 []string
		size                    int
	}{
		{"ONNX", "", "model.onnx", []string{"LICENSE", "python/onnxruntime_predict.py", "CSharp/Predict.cs"}, testModelBytes},
		{"ONNX", "ONNXFloat16", "model.onnx", nil, testModelBytes / 2},
		{"TensorFlow", "", "model.pb", []string{"python/predict.py"}, testModelBytes},
		{"TensorFlow", "TensorFlowLite", "model.tflite", nil, testModelBytes},
		{"TensorFlow", "TensorFlowSavedModel", "saved_model.pb", []string{"variables/variables.index", "variables/variables.data-00000-of-00001"}, testModelBytes},
		{"CoreML", "", "model.mlmodel", nil, testModelBytes},
		{"DockerFile", "Linux", "app/model.tflite", []string{"Dockerfile", "README.txt", "LICENSE", "app/app.py", "app/predict.py", "azureml/score.py", "azureml/README.txt"}, testModelBytes},
		{"OpenVino", "NoPostProcess", "model.xml", []string{"model.bin"}, testModelBytes},
		{"VAIDK", "", "model.dlc", nil, testModelBytes},
	} {
		e := s.exported(iteration, c.platform, c.flavor)
		members := unpack(t, download(t, e["downloadUri"].(string)))
		folder := ""
		if c.platform == "DockerFile" {
			folder = "app/"
		}
		var m manifest
		text := members[folder+"cvexport.manifest"]
		require.NoError(t, json.Unmarshal(text, &m), "%s %s", c.platform, c.flavor)
		assert.Equal(t, c.model, folder+m.ModelFileName)
		assert.Equal(t, "Classification", m.DomainType)
		assert.Equal(t, c.platform, m.Platform)
		assert.Equal(t, optional(c.flavor), m.Flavor)
		assert.Equal(t, iteration[len(iteration)-36:], m.IterationID)
		assert.Equal(t, "1.0", m.SchemaVersion)
		assert.False(t, bytes.HasSuffix(text, []byte("\n")), "the real one has no final newline")
		sum := sha1.Sum(members[c.model])
		assert.Equal(t, hex.EncodeToString(sum[:]), m.ModelFileSHA1)
		if c.platform == "OpenVino" {
			assert.Contains(t, string(members[c.model]), fmt.Sprintf(`size="%d"`, c.size))
			assert.Len(t, members["model.bin"], c.size)
		} else {
			assert.Len(t, members[c.model], c.size)
		}
		assert.Equal(t, "cat\ndog", string(members[folder+m.LabelFileName]))
		assert.Contains(t, members, folder+m.MetadataPropsFileName)
		for _, name := range c.members {
			assert.Contains(t, members, name)
		}
		s.call("GET", iteration, nil, nil).ok()
	}
}

func TestTensorFlowJsPacksOnlyTheModelsParts(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	e := s.exported(s.trained(s.project()), "TensorFlow", "TensorFlowJs")
	members := unpack(t, download(t, e["downloadUri"].(string)))
	assert.Contains(t, string(members["cvexport.manifest"]), `"ModelFileName": "model.zip"`)
	assert.NotContains(t, members, "model.zip")
	assert.Contains(t, string(members["model.json"]), fmt.Sprintf(`"shape":[%d]`, testModelBytes))
	assert.Len(t, members["weights.bin"], testModelBytes)
}

func TestExportedDateHasUpToSevenDigits(t *testing.T) {
	t.Parallel()
	at := time.Date(2025, 6, 7, 13, 50, 57, 137023400, time.UTC)
	for _, c := range []struct {
		nanoseconds int
		want        string
	}{{137023400, "57.1370234Z"}, {137023499, "57.1370234Z"}, {500000000, "57.5Z"}, {0, "57Z"}} {
		s := start(t, noValidation, func(o *Options) {
			o.Frozen = at.Truncate(time.Second).Add(time.Duration(c.nanoseconds))
			o.TrainTime, o.ExportTime = 0, 0
		})
		e := s.exported(s.trained(s.project()), "ONNX", "")
		text := unpack(t, download(t, e["downloadUri"].(string)))["cvexport.manifest"]
		assert.Contains(t, string(text), `"ExportedDate": "2025-06-07T13:50:`+c.want+`"`)
	}
}

func TestManifestFlavor(t *testing.T) {
	t.Parallel()
	flavor := regexp.MustCompile(`"Flavor": (.*),`)
	for answer, want := range map[string][]string{
		"as-asked": {"null", `"ONNX10"`, "null"},
		"named":    {`"ONNX12"`, `"ONNX10"`, "null"},
		"null":     {"null", "null", "null"},
	} {
		s := start(t, noValidation, answering(ManifestFlavor, answer))
		iteration := s.trained(s.project())
		var got []string
		for _, e := range []map[string]any{s.exported(iteration, "ONNX", ""), s.exported(iteration, "ONNX", "ONNX10"), s.exported(iteration, "CoreML", "")} {
			text := unpack(t, download(t, e["downloadUri"].(string)))["cvexport.manifest"]
			got = append(got, flavor.FindStringSubmatch(string(text))[1])
		}
		assert.Equal(t, want, got, answer)
	}
}

func TestCoreMLMayBeABareFile(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation, answering(CoreMLPackage, "mlmodel"))
	iteration := s.trained(s.project())
	content := download(t, s.exported(iteration, "CoreML", "")["downloadUri"].(string))
	assert.Len(t, content, testModelBytes)
	assert.False(t, strings.HasPrefix(string(content), "PK"))
	unpack(t, download(t, s.exported(iteration, "ONNX", "")["downloadUri"].(string)))
}

func TestPackagesAreAlwaysTheSameAndNeverAlike(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project := s.project()
	var all [][]byte
	for _, iteration := range []string{s.trained(project), s.trained(project)} {
		for _, flavor := range []string{"", "ONNX10"} {
			uri := s.exported(iteration, "ONNX", flavor)["downloadUri"].(string)
			content := download(t, uri)
			assert.Equal(t, content, download(t, uri))
			for _, other := range all {
				assert.False(t, slices.Equal(other, content))
			}
			all = append(all, content)
		}
	}
}

func TestModelSizeIsAFewMegabytesUnlessSet(t *testing.T) {
	t.Parallel()
	size := func(bytes int) int {
		s := start(t, noValidation, func(o *Options) { o.ModelSize = bytes })
		if bytes == 0 {
			return s.options.ModelSize // 3 MB take long to make; TestProgramStartsFastAndSmall downloads them
		}
		return len(download(t, s.exported(s.trained(s.project()), "ONNX", "")["downloadUri"].(string)))
	}
	assert.Equal(t, 3_000_000, size(0))
	assert.InDelta(t, 100_000, size(100_000), 4000, "noise doesn't shrink")
}
