package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// manifestNames are where exports keep their manifest: at the root, but for
// DockerFile.
var manifestNames = []string{"cvexport.manifest", "app/cvexport.manifest"}

const (
	maxManifestSize    = 64 << 10
	maxManifestObjects = 256 // bounds nesting too: a proof must stay readable
)

// Manifest is a package's cvexport.manifest: an export's identity card, which
// the service puts into every package. Fields that are missing or null are empty.
type Manifest struct {
	DomainType    string
	Platform      string
	Flavor        string
	IterationID   string
	ModelFileName string // beside the manifest; TensorFlowJs names an archive of parts instead
	ModelFileSHA1 string // hexadecimal

	Raw json.RawMessage `json:"-"` // the whole manifest as it was read
}

// parseManifest reads a cvexport.manifest of at most 64 KiB. Unknown keys are
// kept in Raw.
func parseManifest(data []byte) (Manifest, error) {
	if len(data) > maxManifestSize {
		return Manifest{}, fmt.Errorf("the manifest is larger than %d bytes", maxManifestSize)
	}
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF")))
	if !utf8.Valid(data) {
		return Manifest{}, errors.New("the manifest is not UTF-8")
	}
	if bytes.Count(data, []byte("{"))+bytes.Count(data, []byte("[")) > maxManifestObjects {
		return Manifest{}, errors.New("the manifest is nested too deeply")
	}
	if !bytes.HasPrefix(data, []byte("{")) {
		return Manifest{}, errors.New("the manifest is not a JSON object")
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return Manifest{}, fmt.Errorf("read the manifest: %w", err)
	}
	var raw bytes.Buffer
	if err := json.Compact(&raw, data); err != nil {
		return Manifest{}, fmt.Errorf("read the manifest: %w", err)
	}
	m.Raw = raw.Bytes()
	return m, nil
}

// Is reports whether the manifest names exactly this export: its iteration, its
// platform, and its flavor, where null is the default. A manifest has no project.
func (m Manifest) Is(k Key) bool { return m.IsOf(k) && m.flavorIs(k) }

// IsOf reports whether the manifest names the export's iteration and platform,
// whatever the flavor.
func (m Manifest) IsOf(k Key) bool {
	own, err := NewKey(k.Project, m.IterationID, m.Platform, "")
	return err == nil && own.Iteration == k.Iteration && own.Platform == k.Platform
}

func (m Manifest) flavorIs(k Key) bool {
	own, err := NewKey(k.Project, k.Iteration, k.Platform, m.Flavor)
	return err == nil && own.Flavor == k.Flavor
}
