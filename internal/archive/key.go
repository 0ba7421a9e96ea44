package archive

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Key names one export: Custom Vision makes at most one for each. Make it with
// NewKey; keys so made are equal if they name the same export.
type Key struct {
	Project   string `json:"projectId"`   // lower-case hyphenated GUID
	Iteration string `json:"iterationId"` // lower-case hyphenated GUID
	Platform  string `json:"platform"`
	Flavor    string `json:"flavor"` // empty is the platform's default
}

// knownNames are the platforms and flavors that the Training API documents or is
// known to take, as it writes them. Unknown ones are kept in lower case.
var knownNames = canonical(
	"CoreML", "TensorFlow", "DockerFile", "ONNX", "VAIDK", "OpenVino", "IVS",
	"Linux", "Windows", "ARM", "ONNX10", "ONNX12", "ONNXFloat16", "CoreMLFloat16",
	tensorFlowNormal, "TensorFlowLite", "TensorFlowLiteFloat16", "TensorFlowSavedModel", tensorFlowJs,
	"NoPostProcess",
)

const (
	tensorFlowNormal = "TensorFlowNormal" // how TensorFlow's default was called before 2020
	tensorFlowJs     = "TensorFlowJs"
)

// maxNameLength bounds platform and flavor, so that a blob's name stays far below 1,024 characters.
const maxNameLength = 64

// NewKey is the canonical form of an export's name: ids with or without hyphens
// in any letter case, platform and flavor in any letter case. Platform and
// flavor are names of folders, so they may have letters, digits, - and _ only.
func NewKey(project, iteration, platform, flavor string) (Key, error) {
	var k Key
	var err error
	if k.Project, err = canonicalID(project); err != nil {
		return Key{}, fmt.Errorf("project id: %w", err)
	}
	if k.Iteration, err = canonicalID(iteration); err != nil {
		return Key{}, fmt.Errorf("iteration id: %w", err)
	}
	if k.Platform, err = canonicalName(platform); err != nil {
		return Key{}, fmt.Errorf("export platform: %w", err)
	}
	if flavor == "" {
		return k, nil
	}
	if k.Flavor, err = canonicalName(flavor); err != nil {
		return Key{}, fmt.Errorf("export flavor: %w", err)
	}
	if k.Platform == "TensorFlow" && k.Flavor == tensorFlowNormal {
		k.Flavor = ""
	}
	return k, nil
}

// String is platform and flavor, as the archive's folders have it: ONNX.ONNXFloat16.
func (k Key) String() string {
	if k.Flavor == "" {
		return k.Platform
	}
	return k.Platform + "." + k.Flavor
}

// dir is the folder of the export's backups, with a slash at its end.
func (k Key) dir() string { return k.Project + "/" + k.Iteration + "/" + k.String() + "/" }

func canonicalID(s string) (string, error) {
	plain := s
	if len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' {
		plain = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	if _, err := hex.DecodeString(plain); err != nil || len(plain) != 32 {
		return "", fmt.Errorf("%q is not a GUID", shorten(s))
	}
	p := strings.ToLower(plain)
	return p[:8] + "-" + p[8:12] + "-" + p[12:16] + "-" + p[16:20] + "-" + p[20:], nil
}

func canonicalName(s string) (string, error) {
	if s == "" {
		return "", fmt.Errorf("it is empty")
	}
	for _, c := range []byte(s) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
			return "", fmt.Errorf("%q holds more than letters, digits, - and _", shorten(s))
		}
	}
	if len(s) > maxNameLength {
		return "", fmt.Errorf("%q is longer than %d characters", shorten(s), maxNameLength)
	}
	lower := strings.ToLower(s)
	if known, ok := knownNames[lower]; ok {
		return known, nil
	}
	return lower, nil
}

func canonical(names ...string) map[string]string {
	m := map[string]string{}
	for _, n := range names {
		m[strings.ToLower(n)] = n
	}
	return m
}

// shorten keeps an error readable whatever a service sent.
func shorten(s string) string {
	if len(s) > maxNameLength {
		return s[:maxNameLength] + "…"
	}
	return s
}
