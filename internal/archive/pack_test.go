package archive_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
)

// export describes a package as Custom Vision makes it. The zero value but for
// platform is a true one.
type export struct {
	platform, flavor string // as the manifest has them; an empty flavor is null
	iteration        string // default iteration
	size             int    // of the model file, default 2,000
	seed             uint64 // of its bytes
	place            string // of the manifest among the entries: first, middle, last (default)
	manifest         func(m map[string]any)
	rawManifest      []byte // instead of it
	without          string // an entry to leave out
	extra            []string
	name             string            // of the model file, without a folder
	model            []byte            // its bytes; noise where nil
	parts            map[string]string // files in place of the model file
	files            map[string]string // more files
	store            bool              // don't compress
}

var modelNames = map[string]string{
	"ONNX": "model.onnx", "TensorFlow": "model.pb", "CoreML": "model.mlmodel", "DockerFile": "model.tflite",
}

func pack(e export) []byte {
	folder, name := "", modelNames[e.platform]
	if e.platform == "DockerFile" {
		folder = "app/"
	}
	if name == "" {
		name = "model.bin"
	}
	if e.iteration == "" {
		e.iteration = iteration
	}
	if e.size == 0 {
		e.size = 2000
	}
	if e.name != "" {
		name = e.name
	}
	model := e.model
	if model == nil {
		model = modelOf(e.platform, e.size, e.seed)
	}
	sum := sha1.Sum(model)
	m := map[string]any{
		"DomainType": "Classification", "Platform": e.platform, "Flavor": nil, "ExporterVersion": "2.2",
		"ExportedDate": "2025-06-07T13:50:57.137023Z", "IterationId": e.iteration,
		"ModelFileName": name, "LabelFileName": "labels.txt", "MetadataPropsFileName": "metadata_properties.json",
		"ModelFileSHA1": hex.EncodeToString(sum[:]), "SchemaVersion": "1.0",
	}
	if e.flavor != "" {
		m["Flavor"] = e.flavor
	}
	if e.manifest != nil {
		e.manifest(m)
	}
	raw := e.rawManifest
	if raw == nil {
		raw, _ = json.MarshalIndent(m, "", "  ")
	}
	type entry struct {
		name string
		data []byte
	}
	manifest := entry{folder + "cvexport.manifest", raw}
	entries := []entry{
		{folder + name, model}, {folder + "labels.txt", []byte("a\r\nb")}, {folder + "metadata_properties.json", []byte("{}")},
	}
	switch e.place {
	case "first":
		entries = slices.Insert(entries, 0, manifest)
	case "middle":
		entries = slices.Insert(entries, 1, manifest)
		entries = append(entries, entry{path.Join(folder, "second.bin"), noise(e.size, e.seed+1)})
	default:
		entries = append(entries, manifest)
	}
	if e.parts != nil {
		entries = slices.DeleteFunc(entries, func(f entry) bool { return f.name == folder+name })
	}
	for _, more := range []map[string]string{e.parts, e.files} {
		for _, name := range slices.Sorted(maps.Keys(more)) {
			entries = append(entries, entry{name, []byte(more[name])})
		}
	}
	for _, name := range e.extra {
		entries = append(entries, entry{name, []byte("extra")})
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, entry := range entries {
		if entry.name == e.without {
			continue
		}
		method := zip.Deflate
		if e.store || e.size >= 1<<20 {
			method = zip.Store
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: entry.name, Method: method})
		if err != nil {
			panic(err)
		}
		if len(entry.data) > 0 {
			w.Write(entry.data)
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// heads are how the model files of a platform begin.
var heads = map[string]string{
	"ONNX": "\x08\x07\x12\x07pytorch", "CoreML": "\x08\x01\x12\x10", "DockerFile": "\x1c\x00\x00\x00TFL3", "TensorFlow": "\n\x1c\n\x06Placeh",
}

// modelOf is a model file of a platform: noise that begins as a model does.
func modelOf(platform string, size int, seed uint64) []byte {
	b := noise(size, seed)
	copy(b, heads[platform])
	return b
}

// noise is bytes that don't compress, the same for the same seed.
func noise(n int, seed uint64) []byte {
	var s [32]byte
	s[0], s[1] = byte(seed), 1
	b := make([]byte, n)
	rand.NewChaCha8(s).Read(b)
	return b
}
