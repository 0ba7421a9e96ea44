package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"visionkeeper/internal/zipfile"
)

// packed is a file of a package whose bytes are what the zip's directory says.
type packed struct {
	entry zipfile.Entry
	from  io.ReaderAt // the package
	head  []byte      // its first bytes, headLength at most
}

// headLength is as much of a file as shows its kind, and whether it is text.
const headLength = 512

// model is what the files of a package say of the model in it.
type model struct {
	files  map[string]packed // by path
	folder string            // of the manifest, with a slash at its end; empty for the root
	// platform and flavor are the manifest's, and the export's own where it names none.
	platform, flavor string
}

// errUnsure says that a package lacks what a model of its kind has, while its own
// bytes don't prove that anything is wrong with them.
var errUnsure = errors.New("it can't be told whether the model is whole")

// The bounds of a file that lists a model's parts: its bytes, and what it holds of
// lists, objects, values, elements and attributes, each of which takes more in memory.
const (
	maxPartsList  = 8 << 20
	maxPartsItems = 500_000
)

// inParts reports whether the package is of a format whose manifest names an archive
// that isn't in it, only its parts are.
func (m model) inParts() bool {
	return m.platform == "TensorFlow" && strings.EqualFold(m.flavor, tensorFlowJs)
}

// known is the path of a file that is a model of the platform by its name and its
// head; empty where there is none.
func (m model) known() string {
	best := ""
	for name, f := range m.files {
		if isModel(m.platform, name, f.head) && (best == "" || name < best) {
			best = name
		}
	}
	return best
}

// whole is nil if every part of the model whose main file is at name is there. The
// main file is there. An error that isn't errUnsure means that the bytes contradict
// themselves.
func (m model) whole(name string) error {
	stem := strings.TrimSuffix(name, path.Ext(name))
	switch {
	case m.inParts() || path.Base(name) == "model.json":
		return m.webParts(name)
	case path.Base(name) == "saved_model.pb":
		return m.variables(path.Join(path.Dir(name), "variables"))
	case m.platform == "OpenVino":
		return m.network(stem+".xml", stem+".bin")
	}
	return nil
}

// filled is nil if a file is there and has content.
func (m model) filled(name string) error {
	f, ok := m.files[name]
	switch {
	case !ok:
		return fmt.Errorf("%q is not in it", shorten(name))
	case f.entry.Size == 0:
		return fmt.Errorf("%q is empty", shorten(name))
	}
	return nil
}

// read returns a file that lists parts, each of which begins with or follows one of these
// characters.
func (m model) read(name, begins string) ([]byte, error) {
	if err := m.filled(name); err != nil {
		return nil, err
	}
	f := m.files[name]
	if f.entry.Size > maxPartsList {
		return nil, fmt.Errorf("%w: %q has more than %d bytes", errUnsure, shorten(name), maxPartsList)
	}
	data, err := readSmall(f.from, f.entry, maxPartsList)
	items := 0
	for _, c := range []byte(begins) {
		items += bytes.Count(data, []byte{c})
	}
	if items > maxPartsItems {
		return nil, fmt.Errorf("%w: %q lists more than %d things", errUnsure, shorten(name), maxPartsItems)
	}
	return data, err
}

// variables is nil if the folder of a SavedModel's variables has their index, and every
// shard with as many bytes as that says.
func (m model) variables(folder string) error {
	shards := 0
	for name := range m.files {
		var number, of int
		if path.Dir(name) != folder {
			continue
		}
		if n, _ := fmt.Sscanf(path.Base(name), "variables.data-%05d-of-%05d", &number, &of); n == 2 {
			shards = max(shards, of)
		}
	}
	if shards == 0 {
		return fmt.Errorf("%w: there are no variables beside saved_model.pb", errUnsure)
	}
	if shards > zipfile.MaxEntries {
		return fmt.Errorf("its variables claim to be in %d files", shards)
	}
	index := folder + "/variables.index"
	data, err := m.read(index, "")
	if err != nil {
		return err
	}
	sizes, err := bundleSizes(data)
	if err != nil {
		return fmt.Errorf("%q: %w", shorten(index), err)
	}
	for n := range sizes {
		if n >= uint64(shards) {
			return fmt.Errorf("%q names a file of variables that is not in it, number %d", shorten(index), n)
		}
	}
	var all uint64
	for n := range uint64(shards) {
		name := fmt.Sprintf("%s/variables.data-%05d-of-%05d", folder, n, shards)
		f, ok := m.files[name]
		switch there := uint64(f.entry.Size); {
		case !ok:
			return fmt.Errorf("%q is not in it", shorten(name))
		case there < sizes[n]:
			return fmt.Errorf("%q has %d bytes, %q says %d", shorten(name), there, shorten(index), sizes[n])
		}
		all += sizes[n]
	}
	if all == 0 {
		return fmt.Errorf("%w: %q lists no variables", errUnsure, shorten(index))
	}
	return nil
}
