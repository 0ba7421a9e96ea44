package customvision

import "strings"

// platforms and flavors in the service's own spelling. Both lists are open: the
// service takes more than its description names.
var (
	platforms = []string{"CoreML", "TensorFlow", "DockerFile", "ONNX", "VAIDK", "OpenVino"}
	flavors   = []string{
		"Linux", "Windows", "ARM", "ONNX10", "ONNX12", "ONNXFloat16", "CoreMLFloat16", "NoPostProcess",
		"TensorFlowLite", "TensorFlowLiteFloat16", "TensorFlowSavedModel", "TensorFlowJs",
	}
)

// CanonicalPlatform gives a platform in the service's spelling; one that isn't
// known stays as it is.
func CanonicalPlatform(platform string) string { return spelled(platform, platforms) }

// CanonicalFlavor gives a flavor in the service's spelling, and "" for the
// platform's default, which TensorFlowNormal is by name. One that isn't known
// stays as it is.
func CanonicalFlavor(platform, flavor string) string {
	if SamePlatform(platform, "TensorFlow") && strings.EqualFold(flavor, "TensorFlowNormal") {
		return ""
	}
	return spelled(flavor, flavors)
}

// SamePlatform compares platforms as the service does: without letter case.
func SamePlatform(a, b string) bool { return strings.EqualFold(a, b) }

// SameFlavor compares two flavors of a platform: without letter case, and with
// "" as the platform's default.
func SameFlavor(platform, a, b string) bool {
	return strings.EqualFold(CanonicalFlavor(platform, a), CanonicalFlavor(platform, b))
}

func spelled(s string, known []string) string {
	for _, k := range known {
		if strings.EqualFold(s, k) {
			return k
		}
	}
	return s
}
