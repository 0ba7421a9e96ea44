package archive_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/archive"
)

const manifest = `{
  "DomainType": "Classification",
  "Platform": "DockerFile",
  "Flavor": "Linux",
  "ExporterVersion": "2.2",
  "ExportedDate": "2025-06-07T13:50:57.1370234Z",
  "IterationId": "` + iteration + `",
  "ModelFileName": "model.tflite",
  "LabelFileName": null,
  "ModelFileSHA1": "5f804bc96729122bf7ec67486d852288806bfbc1",
  "SchemaVersion": "1.0"
}`

func TestManifestsInAllForms(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"as exported":     manifest,
		"with CRLF":       strings.ReplaceAll(manifest, "\n", "\r\n"),
		"with a BOM":      "\uFEFF" + manifest,
		"with extra keys": strings.Replace(manifest, "{", `{"Mine": {"a": [1]}, `, 1),
		"final newline":   manifest + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := archive.ParseManifest([]byte(text))
			require.NoError(t, err)
			assert.True(t, m.Is(key(t, "DockerFile", "Linux")))
			assert.Equal(t, "model.tflite", m.ModelFileName)
			assert.Contains(t, string(m.Raw), "2025-06-07T13:50:57.1370234Z")
		})
	}
}

func TestWhichExportAManifestIs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		platform, flavor string // JSON
		key              archive.Key
		want             bool
	}{
		"null is the default":           {`"ONNX"`, `null`, key(t, "ONNX", ""), true},
		"empty is the default":          {`"ONNX"`, `""`, key(t, "ONNX", ""), true},
		"other letter case":             {`"onnx"`, `"onnxfloat16"`, key(t, "ONNX", "ONNXFloat16"), true},
		"TensorFlow's default, named":   {`"TensorFlow"`, `"TensorFlowNormal"`, key(t, "TensorFlow", ""), true},
		"another platform":              {`"CoreML"`, `null`, key(t, "ONNX", ""), false},
		"another flavor":                {`"ONNX"`, `"ONNX10"`, key(t, "ONNX", "ONNX12"), false},
		"null is not a flavor":          {`"ONNX"`, `null`, key(t, "ONNX", "ONNX12"), false},
		"a flavor is not the default":   {`"ONNX"`, `"ONNX12"`, key(t, "ONNX", ""), false},
		"a flavor that no folder holds": {`"ONNX"`, `"../x"`, key(t, "ONNX", ""), false},
		"no platform":                   {`null`, `null`, key(t, "ONNX", ""), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := archive.ParseManifest(fmt.Appendf(nil, `{"IterationId":%q,"Platform":%s,"Flavor":%s}`, strings.ToUpper(iteration), c.platform, c.flavor))
			require.NoError(t, err)
			assert.Equal(t, c.want, m.Is(c.key))
		})
	}
	m, err := archive.ParseManifest([]byte(`{"IterationId":"` + other + `","Platform":"ONNX"}`))
	require.NoError(t, err)
	assert.False(t, m.Is(key(t, "ONNX", "")), "another iteration")
}

func TestWhatIsNoManifest(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":          "",
		"null":             "null",
		"an array":         "[]",
		"cut":              manifest[:100],
		"twice":            manifest + manifest,
		"numbers for text": `{"Platform": 7}`,
		"not UTF-8":        "{\"Platform\": \"\xff\"}",
		"too large":        `{"x":"` + strings.Repeat("x", 64<<10) + `"}`,
		"nested deeply":    `{"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := archive.ParseManifest([]byte(text))
			assert.Error(t, err)
		})
	}
}
