package customvision

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSameFlavor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		platform, a, b string
		want           bool
	}{
		{"ONNX", "", "", true},
		{"ONNX", "ONNX12", "onnx12", true},
		{"ONNX", "ONNX10", "ONNX12", false},
		{"ONNX", "", "ONNX12", false},
		{"TensorFlow", "", "TensorFlowNormal", true},
		{"tensorflow", "TENSORFLOWNORMAL", "", true},
		{"TensorFlow", "TensorFlowLite", "", false},
		{"ONNX", "TensorFlowNormal", "", false},
		{"OpenVino", "SomethingNew", "somethingnew", true},
	} {
		assert.Equal(t, c.want, SameFlavor(c.platform, c.a, c.b), c)
		assert.Equal(t, c.want, SameFlavor(c.platform, c.b, c.a), c)
	}
}

func TestCanonicalSpelling(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "DockerFile", CanonicalPlatform("dockerfile"))
	assert.Equal(t, "SomethingNew", CanonicalPlatform("SomethingNew"))
	assert.Equal(t, "Linux", CanonicalFlavor("DockerFile", "linux"))
	assert.Equal(t, "", CanonicalFlavor("TensorFlow", "tensorflownormal"))
	assert.Equal(t, "SomethingNew", CanonicalFlavor("ONNX", "SomethingNew"))
}
