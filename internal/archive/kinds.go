package archive

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"path"
	"slices"
	"strings"

	"visionkeeper/internal/zipfile"
)

// kind is a format of model files that is known by its head.
type kind struct {
	extension string
	platforms []string
	fits      func(head []byte) bool
}

var kinds = []kind{
	{".onnx", []string{"ONNX", "DockerFile"}, isONNX},
	{".mlmodel", []string{"CoreML"}, isCoreML},
	{".pb", []string{"TensorFlow", "DockerFile"}, isGraph},
	{".tflite", []string{"TensorFlow", "DockerFile"}, isLite},
	{".json", []string{"TensorFlow"}, isObject},
	{".xml", []string{"OpenVino"}, isNetwork},
	{".dlc", []string{"VAIDK"}, zipfile.IsZip},
}

// isModel reports whether a file is a model of the platform, by its name and its
// head. A platform whose models aren't known may have any known kind.
func isModel(platform, name string, head []byte) bool {
	familiar := slices.ContainsFunc(kinds, func(k kind) bool { return slices.Contains(k.platforms, platform) })
	extension := strings.ToLower(path.Ext(name))
	return slices.ContainsFunc(kinds, func(k kind) bool {
		return k.extension == extension && (k.extension != ".json" || path.Base(name) == "model.json") &&
			(!familiar || slices.Contains(k.platforms, platform)) && k.fits(head)
	})
}

// isText reports whether a file is text: an error page or message that was stored in
// place of a model.
func isText(head []byte) bool {
	return strings.HasPrefix(http.DetectContentType(head), "text/")
}

// isONNX reports whether a file begins as a ModelProto: the version of the format,
// then a field of a small number.
// https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
func isONNX(head []byte) bool {
	return len(head) > 2 && head[0] == 0x08 && 0 < head[1] && head[1] < 0x40 && bytes.IndexByte([]byte{0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42}, head[2]) >= 0
}

// isCoreML reports whether a file begins as a Model: the version of the
// specification, then its description, or another field.
// https://github.com/apple/coremltools/blob/main/mlmodel/format/Model.proto
func isCoreML(head []byte) bool {
	return len(head) > 2 && head[0] == 0x08 && 0 < head[1] && head[1] < 0x40 && (head[2] == 0x12 || head[2] == 0x50 || head[2] >= 0x80)
}

// isGraph reports whether a file begins as a GraphDef, whose first field is a node
// with its name, or as a SavedModel of version 1.
func isGraph(head []byte) bool {
	if bytes.HasPrefix(head, []byte{0x08, 0x01, 0x12}) {
		return true
	}
	if len(head) < 4 || head[0] != 0x0a {
		return false
	}
	length, n := binary.Uvarint(head[1:])
	return n > 0 && length > 1 && len(head) > 1+n && head[1+n] == 0x0a
}

// isLite reports whether a file has the TensorFlow Lite schema's identifier.
func isLite(head []byte) bool { return len(head) >= 8 && string(head[4:8]) == "TFL3" }

func isObject(head []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xEF\xBB\xBF"))), []byte("{"))
}

func isNetwork(head []byte) bool {
	head = bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xEF\xBB\xBF")))
	return bytes.HasPrefix(head, []byte("<?xml")) || bytes.HasPrefix(head, []byte("<net"))
}
