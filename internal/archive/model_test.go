package archive_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/archive"
)

// webModel is a TensorFlow.js model of 4·2·4 + 3·1 + 1·4 bytes of weights, in two files.
const webModel = `{"format": "graph-model", "weightsManifest": [{"paths": ["./group1.bin", "shards/2.bin"], "weights": [
	{"name": "a", "shape": [4, 2], "dtype": "float32"},
	{"name": "b", "shape": [3], "dtype": "float32", "quantization": {"dtype": "uint8", "scale": 0.1, "min": 0}},
	{"name": "c", "shape": [], "dtype": "int32"}]}]}`

// network is an OpenVINO network whose weights end at byte 96.
const network = `<?xml version="1.0"?><net name="m" version="10"><layers>
	<layer id="0" type="Const"><data element_type="f32" offset="0" shape="8,2" size="64"/></layer>
	<layer id="1" type="Const"><data element_type="f32" offset="64" shape="8" size="32"/></layer></layers></net>`

func TestAModelMustBeThere(t *testing.T) {
	t.Parallel()
	js := func(model string, sizes ...int) map[string]string {
		parts := map[string]string{}
		for i, name := range []string{"group1.bin", "shards/2.bin"} {
			if i < len(sizes) && sizes[i] >= 0 {
				parts[name] = string(noise(sizes[i], 3))
			}
		}
		if model != "" {
			parts["model.json"] = model
		}
		return parts
	}
	web := func(parts map[string]string) []byte {
		return pack(export{platform: "TensorFlow", flavor: "TensorFlowJs", parts: parts, manifest: named("model.zip")})
	}
	saved := func(parts map[string]string) []byte {
		return pack(export{platform: "TensorFlow", flavor: "TensorFlowSavedModel", files: parts, manifest: named("saved_model.pb"), name: "saved_model.pb"})
	}
	vino := func(topology string, parts map[string]string) []byte {
		return pack(export{platform: "OpenVino", name: "model.xml", model: []byte(topology), files: parts, manifest: named("model.xml")})
	}
	bin := func(n int) map[string]string { return map[string]string{"model.bin": string(noise(n, 1))} }
	index := bundle(0, tensorAt{"layer/a", 0, 0, 40}, tensorAt{"layer/b", 1, 8, 12}, tensorAt{"layer/bias", 0, 40, 10})
	shards := map[string]string{"variables/variables.index": index, "variables/variables.data-00000-of-00002": string(noise(50, 1)), "variables/variables.data-00001-of-00002": string(noise(20, 2))}
	with := func(name, content string) map[string]string {
		changed := maps.Clone(shards)
		changed["variables/"+name] = content
		return changed
	}
	without := func(name string) map[string]string {
		some := map[string]string{}
		for n, data := range shards {
			if n != name {
				some[n] = data
			}
		}
		return some
	}
	for name, c := range map[string]struct {
		data             []byte
		platform, flavor string // ONNX where empty
		own              bool   // it came from the export's own address
		want             archive.Verdict
		note             string
	}{
		"an empty zip":                       {data: zipWith(), want: archive.Damaged, note: "nothing"},
		"an empty zip at its own address":    {data: zipWith(), own: true, want: archive.Damaged, note: "nothing"},
		"empty files":                        {data: zipWith("model.onnx", "", "folder/", ""), own: true, want: archive.Damaged, note: "nothing"},
		"labels alone":                       {data: zipWith("labels.txt", "a\nb"), want: archive.Unidentified},
		"labels alone at its own address":    {data: zipWith("labels.txt", "a\nb"), own: true, want: archive.Unidentified, note: "no model file"},
		"a manifest alone":                   {data: pack(export{platform: "ONNX", parts: map[string]string{}}), want: archive.Damaged, note: "model.onnx"},
		"a manifest that names no model":     {data: pack(export{platform: "ONNX", parts: map[string]string{}, manifest: namingNone}), want: archive.Unidentified, note: "no model file"},
		"a model that the manifest omits":    {data: pack(export{platform: "ONNX", manifest: namingNone}), want: archive.Intact},
		"a model of another platform":        {data: zipWith("model.mlmodel", heads["CoreML"]+"more"), own: true, want: archive.Unidentified, note: "no model file"},
		"a page under a model's name":        {data: zipWith("model.onnx", "<html>gone</html>"), own: true, want: archive.Unidentified, note: "no model file"},
		"a page without a hash":              {data: pack(export{platform: "ONNX", model: []byte("<html>gone</html>"), manifest: noHash}), want: archive.Damaged, note: "is text"},
		"a model of no bytes":                {data: pack(export{platform: "ONNX", model: []byte{}}), want: archive.Damaged, note: "is empty"},
		"a model of no bytes without a hash": {data: pack(export{platform: "ONNX", model: []byte{}, manifest: noHash}), want: archive.Damaged, note: "is empty"},
		"ONNX whose manifest names a zip":    {data: pack(export{platform: "ONNX", manifest: named("model.zip")}), want: archive.Damaged, note: "model.zip"},
		"a zip of another flavor":            {data: pack(export{platform: "TensorFlow", manifest: named("model.zip")}), platform: "TensorFlow", want: archive.Damaged, note: "model.zip"},

		"TensorFlowJs":                        {data: web(js(webModel, 20, 19)), flavor: "TensorFlowJs", want: archive.Intact, note: "in parts"},
		"TensorFlowJs, flavor by its address": {data: pack(export{platform: "TensorFlow", parts: js(webModel, 39, -1), manifest: named("model.zip")}), flavor: "TensorFlowJs", own: true, want: archive.Damaged, note: "shards/2.bin"},
		"TensorFlowJs without weights":        {data: web(js(webModel)), flavor: "TensorFlowJs", want: archive.Damaged, note: "group1.bin"},
		"TensorFlowJs without one part":       {data: web(js(webModel, 39)), flavor: "TensorFlowJs", want: archive.Damaged, note: "shards/2.bin"},
		"TensorFlowJs with an empty part":     {data: web(js(webModel, 39, 0)), flavor: "TensorFlowJs", want: archive.Damaged, note: "empty"},
		"TensorFlowJs with cut weights":       {data: web(js(webModel, 20, 18)), flavor: "TensorFlowJs", want: archive.Damaged, note: "38 bytes"},
		"TensorFlowJs with more weights":      {data: web(js(webModel, 20, 20)), flavor: "TensorFlowJs", want: archive.Damaged, note: "40 bytes"},
		"TensorFlowJs without model.json":     {data: web(js("", 20, 19)), flavor: "TensorFlowJs", want: archive.Damaged, note: "model.json"},
		"TensorFlowJs whose model is a page":  {data: web(js("<html>gone</html>", 20, 19)), flavor: "TensorFlowJs", want: archive.Damaged, note: "not a TensorFlow.js model"},
		"TensorFlowJs that is a list":         {data: web(js("[]", 20, 19)), flavor: "TensorFlowJs", want: archive.Damaged},
		"TensorFlowJs that names no weights":  {data: web(js(`{"weightsManifest": []}`, 20, 19)), flavor: "TensorFlowJs", want: archive.Damaged, note: "no weights"},
		"TensorFlowJs of an impossible shape": {data: web(js(strings.Replace(webModel, "[4, 2]", "[-4, -2]", 1), 20, 19)), flavor: "TensorFlowJs", want: archive.Damaged, note: "shape"},
		"TensorFlowJs of a vast shape":        {data: web(js(strings.Replace(webModel, "[4, 2]", "[4611686018427387904, 4]", 1), 20, 19)), flavor: "TensorFlowJs", want: archive.Damaged},
		"TensorFlowJs that leads out":         {data: web(js(strings.Replace(webModel, "./group1.bin", "../group1.bin", 1), 20, 19)), flavor: "TensorFlowJs", want: archive.Damaged, note: "leads out"},
		"TensorFlowJs with texts":             {data: web(js(strings.Replace(webModel, `"int32"`, `"string"`, 1), 20, 25)), flavor: "TensorFlowJs", want: archive.Intact},
		"TensorFlowJs without a manifest":     {data: zipWith("model.json", webModel, "group1.bin", strings.Repeat("x", 39)), flavor: "TensorFlowJs", own: true, want: archive.Damaged, note: "shards/2.bin"},

		"SavedModel":                           {data: saved(shards), flavor: "TensorFlowSavedModel", want: archive.Proven},
		"SavedModel without variables":         {data: saved(nil), flavor: "TensorFlowSavedModel", want: archive.Unidentified, note: "variables"},
		"SavedModel with an empty folder":      {data: saved(map[string]string{"variables/": ""}), flavor: "TensorFlowSavedModel", want: archive.Unidentified, note: "variables"},
		"SavedModel without a shard":           {data: saved(without("variables/variables.data-00001-of-00002")), flavor: "TensorFlowSavedModel", want: archive.Damaged, note: "00001-of-00002"},
		"SavedModel without its index":         {data: saved(without("variables/variables.index")), flavor: "TensorFlowSavedModel", want: archive.Damaged, note: "variables.index"},
		"SavedModel with a cut shard":          {data: saved(with("variables.data-00000-of-00002", string(noise(49, 1)))), flavor: "TensorFlowSavedModel", want: archive.Damaged, note: "49 bytes"},
		"SavedModel with the other shard cut":  {data: saved(with("variables.data-00001-of-00002", string(noise(19, 1)))), flavor: "TensorFlowSavedModel", want: archive.Damaged, note: "19 bytes"},
		"SavedModel with an empty shard":       {data: saved(with("variables.data-00001-of-00002", "")), flavor: "TensorFlowSavedModel", want: archive.Damaged, note: "0 bytes"},
		"SavedModel with an empty index":       {data: saved(with("variables.index", "")), flavor: "TensorFlowSavedModel", want: archive.Damaged, note: "empty"},
		"SavedModel with a cut index":          {data: saved(with("variables.index", index[:len(index)-1])), flavor: "TensorFlowSavedModel", want: archive.Damaged, note: "no index"},
		"SavedModel whose index is a page":     {data: saved(with("variables.index", "<html>gone</html>"+strings.Repeat(" ", 50))), flavor: "TensorFlowSavedModel", want: archive.Damaged, note: "no index"},
		"SavedModel whose index lists nothing": {data: saved(with("variables.index", bundle(0))), flavor: "TensorFlowSavedModel", want: archive.Unidentified, note: "lists no variables"},
		"SavedModel whose index is packed":     {data: saved(with("variables.index", bundle(1, tensorAt{"a", 0, 0, 1}))), flavor: "TensorFlowSavedModel", want: archive.Unidentified, note: "packed"},
		"SavedModel that needs another shard":  {data: saved(with("variables.index", bundle(0, tensorAt{"a", 2, 0, 1}))), flavor: "TensorFlowSavedModel", want: archive.Damaged, note: "number 2"},
		"SavedModel of impossible offsets":     {data: saved(with("variables.index", bundle(0, tensorAt{"a", 0, 1 << 63, 1 << 63}))), flavor: "TensorFlowSavedModel", want: archive.Damaged, note: "no index"},
		"SavedModel, no manifest, no shards":   {data: zipWith("saved_model.pb", "\x08\x01\x12\x00"), flavor: "TensorFlowSavedModel", own: true, want: archive.Unidentified, note: "variables"},

		"OpenVINO":                         {data: vino(network, bin(96)), platform: "OpenVino", want: archive.Proven},
		"OpenVINO without weights":         {data: vino(network, nil), platform: "OpenVino", want: archive.Damaged, note: "model.bin"},
		"OpenVINO with empty weights":      {data: vino(network, bin(0)), platform: "OpenVino", want: archive.Damaged, note: "empty"},
		"OpenVINO with cut weights":        {data: vino(network, bin(95)), platform: "OpenVino", want: archive.Damaged, note: "95 bytes"},
		"OpenVINO that is a page":          {data: vino("<html>gone</html>", bin(96)), platform: "OpenVino", want: archive.Damaged, note: "html"},
		"OpenVINO that is cut":             {data: vino(network[:200], bin(96)), platform: "OpenVino", want: archive.Damaged},
		"OpenVINO's weights alone":         {data: pack(export{platform: "OpenVino", name: "model.bin"}), platform: "OpenVino", want: archive.Damaged, note: "model.xml"},
		"OpenVINO of no manifest, half":    {data: zipWith("m.xml", network), platform: "OpenVino", own: true, want: archive.Damaged, note: "m.bin"},
		"OpenVINO of no manifest":          {data: zipWith("m.xml", network, "m.bin", string(noise(96, 1))), platform: "OpenVino", own: true, want: archive.Intact},
		"a platform that nobody knows yet": {data: zipWith("model.onnx", heads["ONNX"]), platform: "Wondrous", own: true, want: archive.Intact},
		"one without any known model":      {data: zipWith("model.any", "text"), platform: "Wondrous", own: true, want: archive.Unidentified},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			platform := c.platform
			if platform == "" {
				platform = "ONNX"
				if c.flavor != "" {
					platform = "TensorFlow"
				}
			}
			s := stream(c.data)
			s.Kind = archive.FromContainer
			if c.own {
				s.Certainty = archive.ByAddress
			}
			h := newHouse(t, archive.Options{})
			_, p := h.backup(t, key(t, platform, c.flavor), s)
			assert.Equal(t, c.want, p.Verdict, p.Note)
			assert.Contains(t, p.Note, c.note)
		})
	}
}

// tensorAt is where a tensor lies in a bundle.
type tensorAt struct {
	name                string
	shard, offset, size uint64
}

// bundle is an index of these tensors, as TensorFlow's BundleWriter makes it: a table of
// a block for each two of them, packed or not.
func bundle(packed byte, tensors ...tensorAt) string {
	v := binary.AppendUvarint
	var table []byte
	write := func(entries ...[2][]byte) (handle []byte) {
		var block, before []byte
		for _, e := range entries {
			shared := 0
			for shared < min(len(before), len(e[0])) && before[shared] == e[0][shared] {
				shared++
			}
			block = v(v(v(block, uint64(shared)), uint64(len(e[0])-shared)), uint64(len(e[1])))
			block = append(append(block, e[0][shared:]...), e[1]...)
			before = e[0]
		}
		block = binary.LittleEndian.AppendUint32(block, 0) // the one place without a shared key
		block = binary.LittleEndian.AppendUint32(block, 1)
		handle = v(v(nil, uint64(len(table))), uint64(len(block)))
		table = append(append(append(table, block...), packed), 0, 0, 0, 0)
		return handle
	}
	entries := [][2][]byte{{nil, {0x08, 0x02, 0x1a, 0x02, 0x08, 0x01}}} // two files, written by version 1
	for _, at := range tensors {
		value := []byte{0x08, 0x01, 0x12, 0x04, 0x12, 0x02, 0x08, 0x03} // float, of three elements
		value = v(append(v(append(v(append(value, 0x18), at.shard), 0x20), at.offset), 0x28), at.size)
		value = append(value, 0x35, 1, 2, 3, 4) // a checksum
		entries = append(entries, [2][]byte{[]byte(at.name), value})
	}
	var blocks [][2][]byte
	for some := range slices.Chunk(entries, 2) {
		blocks = append(blocks, [2][]byte{some[len(some)-1][0], write(some...)})
	}
	meta := write()
	footer := append(meta, write(blocks...)...)
	footer = append(footer, make([]byte, 40-len(footer))...)
	return string(binary.LittleEndian.AppendUint64(append(table, footer...), 0xdb4775248b80fb57))
}

// named is a manifest whose model file has another name.
func named(name string) func(map[string]any) {
	return func(m map[string]any) { m["ModelFileName"] = name }
}

func namingNone(m map[string]any) { m["ModelFileName"], m["ModelFileSHA1"] = nil, nil }

// zipWith is a zip of these names and contents.
func zipWith(files ...string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i+1 < len(files); i += 2 {
		w, err := z.Create(files[i])
		if err != nil {
			panic(err)
		}
		if files[i+1] != "" {
			w.Write([]byte(files[i+1]))
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// TestTheDirectoryIsTheAuthority shows that an entry whose descriptor is missing or
// empty is sound if its bytes are what the directory says, and no longer otherwise.
func TestTheDirectoryIsTheAuthority(t *testing.T) {
	t.Parallel()
	manifest := pack(export{platform: "ONNX"})
	whole, err := zip.NewReader(bytes.NewReader(manifest), int64(len(manifest)))
	require.NoError(t, err)
	contents := map[string][]byte{}
	var names []string
	for _, f := range whole.File {
		body, err := f.Open()
		require.NoError(t, err)
		var b bytes.Buffer
		_, err = b.ReadFrom(body)
		require.NoError(t, err)
		names, contents[f.Name] = append(names, f.Name), b.Bytes()
	}
	for name, c := range map[string]struct {
		descriptor []byte
		spoil      bool
		want       archive.Verdict
	}{
		"no descriptor":                {nil, false, archive.Intact},
		"an empty one":                 {make([]byte, 16), false, archive.Proven},
		"no descriptor, bytes spoilt":  {nil, true, archive.Damaged},
		"an empty one, bytes spoilt":   {make([]byte, 16), true, archive.Damaged},
		"one of no sense":              {[]byte("PK\x07\x08xxxxyyyyzzzz"), false, archive.Proven},
		"one of no sense, with spoilt": {[]byte("PK\x07\x08xxxxyyyyzzzz"), true, archive.Damaged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := streamed(names, contents, c.descriptor)
			if c.spoil {
				at := bytes.Index(data, contents["model.onnx"])
				data = flip(data, at+100)
			}
			h := newHouse(t, archive.Options{})
			b, p := h.backup(t, key(t, "ONNX", ""), h.model(t, "ONNX", data))
			assert.Equal(t, c.want, p.Verdict, p.Note)
			if c.want.Counts() {
				assert.Equal(t, p.Manifest != nil, b.Verdict == "")
				files, err := archive.Unpack(t.Context(), bytes.NewReader(data), p, t.TempDir()+"/model")
				require.NoError(t, err, "and what counts can be unpacked")
				assert.Len(t, files, len(names))
			}
		})
	}
}

// streamed is a zip of stored entries that announce a descriptor after their bytes,
// where this one stands.
func streamed(names []string, contents map[string][]byte, descriptor []byte) []byte {
	le := binary.LittleEndian
	var data, directory []byte
	for _, name := range names {
		content, start := contents[name], len(data)
		common := le.AppendUint16(nil, 20)
		common = le.AppendUint16(common, 0x8)
		common = append(common, make([]byte, 6)...) // stored; no time
		lengths := le.AppendUint16(le.AppendUint16(nil, uint16(len(name))), 0)
		data = append(append(data, "PK\x03\x04"...), common...)
		data = append(append(data, make([]byte, 12)...), lengths...)
		data = append(append(append(data, name...), content...), descriptor...)

		directory = append(append(directory, "PK\x01\x02\x14\x00"...), common...)
		directory = le.AppendUint32(directory, crc32.ChecksumIEEE(content))
		directory = le.AppendUint32(le.AppendUint32(directory, uint32(len(content))), uint32(len(content)))
		directory = append(append(directory, lengths...), make([]byte, 10)...)
		directory = append(le.AppendUint32(directory, uint32(start)), name...)
	}
	end := append([]byte("PK\x05\x06"), 0, 0, 0, 0)
	end = le.AppendUint16(le.AppendUint16(end, uint16(len(names))), uint16(len(names)))
	end = le.AppendUint32(le.AppendUint32(end, uint32(len(directory))), uint32(len(data)))
	end = le.AppendUint16(end, 0)
	return append(append(data, directory...), end...)
}
