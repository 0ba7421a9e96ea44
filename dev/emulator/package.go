package emulator

import (
	"archive/zip"
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"time"
)

// manifest is cvexport.manifest, a file in every exported package. Its fields and
// their order are those of about 75 public files from 2019 to 2026.
type manifest struct {
	DomainType            string
	Platform              string
	Flavor                *string
	ExporterVersion       string
	ExportedDate          string
	IterationID           string `json:"IterationId"`
	ModelFileName         string
	LabelFileName         string
	MetadataPropsFileName string
	ModelFileSHA1         string
	SchemaVersion         string
}

// member is one file of a package.
type member struct {
	name    string
	content []byte
}

// packageSpec is everything that a package depends on. The same spec always makes
// the same bytes, so packages needn't be kept.
type packageSpec struct {
	iterationID    string
	domain         domain
	classification string
	labels         []string
	platform       string
	flavor         string
	manifestFlavor *string
	number         int // of the packages made of this export
	exported       time.Time
	size           int  // of the model file
	bare           bool // whether the package is the model file alone
}

// packageSpec returns the spec of an export. s.mu must be held.
func (s *Server) packageSpec(i *iteration, e *export) packageSpec {
	spec := packageSpec{
		iterationID: i.ID, classification: i.Classification, platform: e.Platform, flavor: e.flavor(),
		manifestFlavor: s.manifestFlavor(e), number: e.Packages, exported: e.Exported.UTC(), size: s.options.ModelSize,
		bare: e.Platform == "CoreML" && s.answer(CoreMLPackage) == "mlmodel",
	}
	spec.domain, _ = findDomain(i.DomainID)
	for _, t := range i.Tags {
		spec.labels = append(spec.labels, t.Name)
	}
	slices.Sort(spec.labels)
	if strings.HasSuffix(spec.flavor, "Float16") {
		spec.size /= 2
	}
	return spec
}

// build returns the bytes of an exported package.
func (p packageSpec) build() ([]byte, error) {
	model, content := p.modelName(), p.modelBytes()
	if p.bare {
		return content, nil
	}
	sum := sha1.Sum(content)
	manifestText, err := json.MarshalIndent(manifest{
		DomainType: p.domain.kind, Platform: p.platform, Flavor: p.manifestFlavor,
		ExporterVersion: "2.2", ExportedDate: p.exported.Format("2006-01-02T15:04:05.9999999Z07:00"),
		IterationID: p.iterationID, ModelFileName: model, LabelFileName: "labels.txt",
		MetadataPropsFileName: "metadata_properties.json",
		ModelFileSHA1:         hex.EncodeToString(sum[:]), SchemaVersion: "1.0",
	}, "", "  ")
	if err != nil {
		return nil, err
	}
	metadata, err := json.MarshalIndent(p.metadata(), "", "  ")
	if err != nil {
		return nil, err
	}
	members := []member{
		{"cvexport.manifest", manifestText},
		{"labels.txt", []byte(strings.Join(p.labels, "\n"))},
		{"metadata_properties.json", metadata},
	}
	members = append(members, p.modelMembers(model, content)...)
	return writeZip(packaged(p.platform, members), p.exported)
}

// packaged adds the other files of a platform's package. For a DockerFile it puts
// the model's files under app/.
func packaged(platform string, members []member) []member {
	const license = "This package was made by an emulator. The model in it is random and recognises nothing."
	switch platform {
	case "DockerFile":
		for n := range members {
			members[n].name = path.Join("app", members[n].name)
		}
		return append(members,
			member{"Dockerfile", []byte("FROM python:3.7-slim\nCOPY app /app\nEXPOSE 80\nWORKDIR /app\nCMD python -u app.py\n")},
			member{"README.txt", []byte(license + "\n")},
			member{"LICENSE", []byte(license + "\n")},
			member{"app/app.py", []byte("# " + license + "\n")},
			member{"app/predict.py", []byte("# " + license + "\n")},
			member{"azureml/score.py", []byte("# " + license + "\n")},
			member{"azureml/README.txt", []byte(license + "\n")})
	case "ONNX":
		return append(members,
			member{"LICENSE", []byte(license + "\n")},
			member{"python/onnxruntime_predict.py", []byte("# " + license + "\n")},
			member{"CSharp/Predict.cs", []byte("// " + license + "\n")})
	case "TensorFlow":
		return append(members, member{"python/predict.py", []byte("# " + license + "\n")})
	}
	return members
}

// modelName returns the model file's name as the manifest has it.
func (p packageSpec) modelName() string {
	switch p.platform {
	case "ONNX":
		return "model.onnx"
	case "CoreML":
		return "model.mlmodel"
	case "DockerFile":
		return "model.tflite"
	case "VAIDK":
		return "model.dlc"
	case "OpenVino":
		return "model.xml"
	case "TensorFlow":
		switch p.flavor {
		case "TensorFlowLite", "TensorFlowLiteFloat16":
			return "model.tflite"
		case "TensorFlowSavedModel":
			return "saved_model.pb"
		case "TensorFlowJs":
			return "model.zip" // the manifest names it, although only its parts are packed
		}
		return "model.pb"
	}
	return "model.bin"
}

// modelMembers returns the model's files: the one that the manifest names, but for
// TensorFlowJs, and its other parts.
func (p packageSpec) modelMembers(name string, content []byte) []member {
	switch {
	case p.flavor == "TensorFlowJs":
		const web = `{"format":"graph-model","modelTopology":{},"weightsManifest":[{"paths":["./weights.bin"],"weights":[{"name":"Const","shape":[%d],"dtype":"float32","quantization":{"dtype":"uint8","min":-1,"scale":0.0078}}]}]}`
		return []member{{"model.json", fmt.Appendf(nil, web, p.size)}, {"weights.bin", p.noise()}}
	case p.flavor == "TensorFlowSavedModel":
		return []member{{name, content}, {"variables/variables.index", variablesIndex(p.size)}, {"variables/variables.data-00000-of-00001", p.noise()}}
	case p.platform == "OpenVino":
		return []member{{name, content}, {"model.bin", p.noise()}}
	}
	return []member{{name, content}}
}

// heads are how the files of a format begin, by extension.
var heads = map[string]string{
	".onnx": "\x08\x07\x12\x07pytorch", ".mlmodel": "\x08\x01\x12\x10", ".pb": "\n\x1c\n\x06Placeh",
	".tflite": "\x1c\x00\x00\x00TFL3", ".dlc": "PK\x03\x04",
}

// modelBytes returns the file that the manifest names: noise that begins as its
// format does, or, for OpenVino, a network that refers to the noise beside it.
func (p packageSpec) modelBytes() []byte {
	if p.platform == "OpenVino" {
		const network = `<?xml version="1.0"?><net name="model" version="10"><layers><layer id="0" name="weights" type="Const" version="opset1"><data element_type="u8" offset="0" shape="%d" size="%[1]d"/></layer></layers></net>`
		return fmt.Appendf(nil, network, p.size)
	}
	content, name := p.noise(), p.modelName()
	head := heads[path.Ext(name)]
	if name == "saved_model.pb" {
		head = "\x08\x01\x12\x10"
	}
	copy(content, head)
	return content
}

// variablesIndex is the index of a SavedModel's variables: a table in the format of
// LevelDB that holds one tensor of so many bytes, in the first of one file.
// https://github.com/google/leveldb/blob/main/doc/table_format.md
func variablesIndex(size int) []byte {
	var table []byte
	block := func(entries ...[2][]byte) (handle []byte) {
		var b []byte
		for _, e := range entries {
			b = append(b, 0, byte(len(e[0])), byte(len(e[1])))
			b = append(append(b, e[0]...), e[1]...)
		}
		b = append(b, 0, 0, 0, 0, 1, 0, 0, 0) // one place to begin at, the first
		handle = binary.AppendUvarint(binary.AppendUvarint(nil, uint64(len(table))), uint64(len(b)))
		table = append(append(table, b...), 0) // not packed
		sum := crc32.Checksum(table[len(table)-len(b)-1:], crc32.MakeTable(crc32.Castagnoli))
		table = binary.LittleEndian.AppendUint32(table, (sum>>15|sum<<17)+0xa282ead8)
		return handle
	}
	header := []byte{0x08, 1, 0x1a, 2, 0x08, 1}                         // one file, version 1
	tensor := binary.AppendUvarint([]byte{0x08, 4, 0x28}, uint64(size)) // of bytes, at the file's begin
	handle := block([2][]byte{nil, header}, [2][]byte{[]byte("variable"), tensor})
	footer := append(block(), block([2][]byte{[]byte("w"), handle})...)
	table = append(append(table, footer...), make([]byte, 40-len(footer))...)
	return binary.LittleEndian.AppendUint64(table, 0xdb4775248b80fb57)
}

// noise returns bytes that depend only on the spec.
func (p packageSpec) noise() []byte {
	seed := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %d", p.iterationID, p.platform, p.flavor, p.number))
	content := make([]byte, p.size)
	rand.NewChaCha8(seed).Read(content)
	return content
}

// defaultFlavors are the manifest's flavors of exports without a flavor.
var defaultFlavors = map[string]string{"TensorFlow": "TensorFlowNormal", "ONNX": "ONNX12", "DockerFile": "Linux"}

func (s *Server) manifestFlavor(e *export) *string {
	switch s.answer(ManifestFlavor) {
	case "null":
		return nil
	case "named":
		if e.Flavor == nil {
			return optional(defaultFlavors[e.Platform])
		}
	}
	return e.Flavor
}

// metadata returns metadata_properties.json: a flat map of strings.
func (p packageSpec) metadata() map[string]string {
	method := "ClassificationMultiLabel"
	switch {
	case p.domain.kind == objectDetection:
		method = "Yolo"
	case p.classification == "Multiclass":
		method = "ClassificationMultiClass"
	}
	return map[string]string{
		"CustomVision.Metadata.AdditionalModelInfo":  "",
		"CustomVision.Metadata.Version":              "1.2",
		"CustomVision.Postprocess.Method":            method,
		"CustomVision.Postprocess.Yolo.Biases":       "[]",
		"CustomVision.Postprocess.Yolo.NmsThreshold": "0.0",
		"CustomVision.Preprocess.CropHeight":         "0",
		"CustomVision.Preprocess.CropMethod":         "FullImageShorterSide",
		"CustomVision.Preprocess.CropWidth":          "0",
		"CustomVision.Preprocess.MaxDimension":       "0",
		"CustomVision.Preprocess.MaxScale":           "0.0",
		"CustomVision.Preprocess.MinDimension":       "0",
		"CustomVision.Preprocess.MinScale":           "0.0",
		"CustomVision.Preprocess.NormalizeMean":      "[0.0, 0.0, 0.0]",
		"CustomVision.Preprocess.NormalizeStd":       "[1.0, 1.0, 1.0]",
		"CustomVision.Preprocess.ResizeMethod":       "Stretch",
		"CustomVision.Preprocess.TargetHeight":       "300",
		"CustomVision.Preprocess.TargetWidth":        "300",
		"Image.BitmapPixelFormat":                    "Rgb8",
		"Image.ColorSpaceGamma":                      "SRGB",
		"Image.NominalPixelRange":                    "Normalized_0_1",
	}
}

func writeZip(members []member, at time.Time) ([]byte, error) {
	var buffer bytes.Buffer
	w := zip.NewWriter(&buffer)
	for _, m := range members {
		f, err := w.CreateHeader(&zip.FileHeader{Name: m.name, Method: zip.Deflate, Modified: at.UTC()})
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(m.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}
