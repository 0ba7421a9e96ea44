package archive_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/archive"
)

func TestOneExportHasOneKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ platform, flavor, want string }{
		"as the service writes it":     {"ONNX", "ONNXFloat16", "ONNX.ONNXFloat16"},
		"other letter case":            {"onnx", "onnxfloat16", "ONNX.ONNXFloat16"},
		"no flavor":                    {"CoreML", "", "CoreML"},
		"TensorFlow's default, named":  {"TensorFlow", "TensorFlowNormal", "TensorFlow"},
		"TensorFlow's default, case":   {"TENSORFLOW", "tensorflownormal", "TensorFlow"},
		"that name on others":          {"ONNX", "TensorFlowNormal", "ONNX.TensorFlowNormal"},
		"TensorFlow, not its default":  {"TensorFlow", "TensorFlowLite", "TensorFlow.TensorFlowLite"},
		"a platform nobody knows":      {"NewThing", "", "newthing"},
		"the same in other letters":    {"NEWTHING", "", "newthing"},
		"a flavor nobody knows":        {"DockerFile", "RISC-V_64", "DockerFile.risc-v_64"},
		"a platform that is a flavour": {"Linux", "Linux", "Linux.Linux"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, err := archive.NewKey(project, iteration, c.platform, c.flavor)
			require.NoError(t, err)
			assert.Equal(t, c.want, k.String())
		})
	}
}

func TestIDsInAnyForm(t *testing.T) {
	t.Parallel()
	plain := strings.ReplaceAll(project, "-", "")
	k, err := archive.NewKey(plain, strings.ToUpper(iteration), "ONNX", "")
	require.NoError(t, err)
	assert.Equal(t, project, k.Project)
	assert.Equal(t, iteration, k.Iteration)
}

func TestNamesThatNoFolderHolds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ project, iteration, platform, flavor string }{
		"no project":                             {"", iteration, "ONNX", ""},
		"project is no id":                       {"../" + project[3:], iteration, "ONNX", ""},
		"hyphens misplaced":                      {"1111111-12222-3333-4444-555555555555", iteration, "ONNX", ""},
		"braces":                                 {"{" + project + "}", iteration, "ONNX", ""},
		"no iteration":                           {project, "", "ONNX", ""},
		"no platform":                            {project, iteration, "", ""},
		"platform is a path":                     {project, iteration, "../x", ""},
		"platform with a dot":                    {project, iteration, "ONNX.ONNX12", ""},
		"flavor is a path":                       {project, iteration, "ONNX", "a/b"},
		"flavor with a space":                    {project, iteration, "ONNX", "a b"},
		"flavor not ASCII":                       {project, iteration, "ONNX", "Ünnx"},
		"flavor with a letter that folds to one": {project, iteration, "ONNX", "\u212a"},
		"flavor with a zero":                     {project, iteration, "ONNX", "a\x00"},
		"platform is too long":                   {project, iteration, strings.Repeat("a", 65), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := archive.NewKey(c.project, c.iteration, c.platform, c.flavor)
			assert.Error(t, err)
		})
	}
}
