package archive_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/archive"
)

func TestVerdicts(t *testing.T) {
	t.Parallel()
	onnx := pack(export{platform: "ONNX"})
	for name, c := range map[string]struct {
		data             []byte
		platform, flavor string // of the key; platform ONNX where empty
		kind             string // where it came from; the model container where empty
		want             archive.Verdict
		note             string
	}{
		"a true export":            {data: onnx, want: archive.Proven, note: "manifest names this export"},
		"manifest first":           {data: pack(export{platform: "ONNX", place: "first"}), want: archive.Proven},
		"DockerFile":               {data: pack(export{platform: "DockerFile", flavor: "Linux"}), platform: "DockerFile", flavor: "Linux", want: archive.Proven},
		"hash in capitals":         {data: pack(export{platform: "ONNX", manifest: capitalHash}), want: archive.Proven},
		"no manifest":              {data: pack(export{platform: "ONNX", without: "cvexport.manifest"}), want: archive.Unidentified, note: "no cvexport.manifest"},
		"manifest elsewhere":       {data: pack(export{platform: "DockerFile"}), platform: "ONNX", want: archive.Unidentified, note: "DockerFile"},
		"manifest unreadable":      {data: pack(export{platform: "ONNX", rawManifest: []byte("{")}), want: archive.Unidentified, note: "manifest"},
		"another iteration":        {data: pack(export{platform: "ONNX", iteration: other}), want: archive.Unidentified, note: other},
		"another platform":         {data: pack(export{platform: "TensorFlow"}), want: archive.Unidentified, note: "TensorFlow"},
		"another flavor":           {data: pack(export{platform: "ONNX", flavor: "ONNX10"}), flavor: "ONNX12", want: archive.Unidentified, note: "ONNX10"},
		"the default's flavor":     {data: onnx, flavor: "ONNX12", want: archive.Unidentified, note: `flavor ""`},
		"model file differs":       {data: pack(export{platform: "ONNX", manifest: wrongHash}), want: archive.Damaged, note: "SHA-1"},
		"model file is missing":    {data: pack(export{platform: "ONNX", without: "model.onnx"}), want: archive.Damaged, note: "model.onnx"},
		"no hash to compare":       {data: pack(export{platform: "ONNX", manifest: noHash}), want: archive.Intact},
		"a bare Core ML model":     {data: modelOf("CoreML", 500, 1), platform: "CoreML", kind: archive.FromDownload, want: archive.Intact, note: "bare"},
		"a bare one, by its name":  {data: modelOf("CoreML", 500, 1), platform: "CoreML", want: archive.Unidentified, note: "whose"},
		"bare bytes of no kind":    {data: noise(500, 1), platform: "CoreML", kind: archive.FromDownload, want: archive.Unidentified, note: "neither"},
		"a message for Core ML":    {data: []byte(`{"error": "gone"}`), platform: "CoreML", want: archive.Damaged, note: "text"},
		"a page for a Core ML":     {data: []byte("<html>gone</html>"), platform: "CoreML", want: archive.Damaged, note: "neither"},
		"a page for a zip":         {data: []byte("<html>gone</html>"), want: archive.Damaged, note: "not a zip"},
		"empty":                    {data: nil, want: archive.Damaged, note: "empty"},
		"cut":                      {data: onnx[:len(onnx)-30], want: archive.Damaged, note: "cut"},
		"cut, Core ML":             {data: pack(export{platform: "CoreML"})[:1000], platform: "CoreML", want: archive.Damaged, note: "cut"},
		"begin overwritten":        {data: flip(onnx, 0), want: archive.Damaged},
		"model flipped":            {data: flip(onnx, 500), want: archive.Damaged, note: "model.onnx"},
		"model flipped, stored":    {data: flip(pack(export{platform: "ONNX", store: true}), 500), want: archive.Damaged, note: "checksum"},
		"directory's CRC zeroed":   {data: zeroCRC(), want: archive.Damaged, note: "checksum"},
		"an entry leading out":     {data: pack(export{platform: "ONNX", extra: []string{"../evil"}}), want: archive.Unidentified, note: "../evil"},
		"the same by backslash":    {data: pack(export{platform: "ONNX", extra: []string{`a\..\..\evil`}}), want: archive.Unidentified},
		"a rooted entry":           {data: pack(export{platform: "ONNX", extra: []string{"/etc/passwd"}}), want: archive.Unidentified},
		"a drive":                  {data: pack(export{platform: "ONNX", extra: []string{"C:evil"}}), want: archive.Unidentified},
		"an entry twice":           {data: pack(export{platform: "ONNX", extra: []string{"labels.txt"}}), want: archive.Unidentified, note: "labels.txt"},
		"an entry in another form": {data: pack(export{platform: "ONNX", extra: []string{"./extra.txt", `folder\more.txt`}}), want: archive.Proven},
		"twice in another form":    {data: pack(export{platform: "ONNX", extra: []string{"./LABELS.txt"}}), want: archive.Unidentified, note: "place of another"},
		"a file below a file":      {data: pack(export{platform: "ONNX", extra: []string{"labels.txt/more"}}), want: archive.Unidentified, note: "below a file"},
		"a bomb":                   {data: bomb(40 << 20), want: archive.Damaged, note: "expands"},
		"too many entries":         {data: crowd(10_001), want: archive.Damaged, note: "10000 entries"},

		"own address, flavor null":       {data: onnx, flavor: "ONNX12", kind: archive.FromDownload, want: archive.Proven, note: `it is this export by where it came from; its manifest names flavor ""`},
		"own address, other flavor":      {data: pack(export{platform: "ONNX", flavor: "Else"}), kind: archive.FromArtifact, want: archive.Proven},
		"own address, other iteration":   {data: pack(export{platform: "ONNX", iteration: other}), kind: archive.FromDownload, want: archive.Unidentified},
		"own address, no manifest":       {data: pack(export{platform: "ONNX", without: "cvexport.manifest"}), kind: archive.FromDownload, want: archive.Intact},
		"own address, model differs":     {data: pack(export{platform: "ONNX", manifest: wrongHash}), kind: archive.FromDownload, want: archive.Damaged},
		"own address, leading out of it": {data: pack(export{platform: "ONNX", extra: []string{"../evil"}}), kind: archive.FromDownload, want: archive.Unidentified},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, archive.Options{MaxSize: 8 << 20})
			if c.platform == "" {
				c.platform = "ONNX"
			}
			s := h.model(t, c.platform, c.data)
			s.Kind = c.kind
			b, p := h.backup(t, key(t, c.platform, c.flavor), s)
			assert.Equal(t, c.want, p.Verdict, p.Note)
			assert.Contains(t, p.Note, c.note)
			assert.Equal(t, b.ContentID, p.ContentID)
			assert.True(t, bytes.Equal(c.data, download(t, h.blobs, b.Blob)), "the bytes are kept, whatever they are worth")
			assert.Equal(t, c.want, h.only(t).Verdict)
		})
	}
}

func TestOnlyProvenAndIntactAreBackups(t *testing.T) {
	t.Parallel()
	for v, counts := range map[archive.Verdict]bool{
		archive.Proven: true, archive.Intact: true,
		archive.Unidentified: false, archive.Damaged: false, archive.Lost: false, "": false,
	} {
		assert.Equal(t, counts, v.Counts(), v)
	}
}

func capitalHash(m map[string]any) {
	m["ModelFileSHA1"] = string(bytes.ToUpper([]byte(m["ModelFileSHA1"].(string))))
}
func wrongHash(m map[string]any) { m["ModelFileSHA1"] = "5f804bc96729122bf7ec67486d852288806bfbc1" }
func noHash(m map[string]any)    { m["ModelFileSHA1"] = nil }

func flip(data []byte, at int) []byte {
	flipped := bytes.Clone(data)
	flipped[at] ^= 0x10
	return flipped
}

// zeroCRC is a stored entry whose checksum is 0, which archive/zip takes for unknown.
func zeroCRC() []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, _ := z.CreateRaw(&zip.FileHeader{Name: "model.onnx", CompressedSize64: 5, UncompressedSize64: 5})
	w.Write([]byte("model"))
	z.Close()
	return b.Bytes()
}

func bomb(size int64) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, _ := z.Create("zeros")
	io.CopyN(w, zeros{}, size)
	z.Close()
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func crowd(n int) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := range n {
		z.CreateHeader(&zip.FileHeader{Name: string(binary.BigEndian.AppendUint32([]byte("n"), uint32(i)))})
	}
	z.Close()
	return b.Bytes()
}

func TestAZipOfTheLargeFormat(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	_, p := h.backup(t, key(t, "ONNX", ""), h.model(t, "ONNX", zip64(pack(export{platform: "ONNX"}))))
	assert.Equal(t, archive.Proven, p.Verdict, p.Note)
}

// zip64 gives a zip the end record of the large format, as writers do that
// don't know a package's size before they begin.
func zip64(data []byte) []byte {
	end := bytes.LastIndex(data, []byte("PK\x05\x06"))
	record := bytes.Clone(data[end:])
	count := uint64(binary.LittleEndian.Uint16(record[10:]))
	size, start := uint64(binary.LittleEndian.Uint32(record[12:])), uint64(binary.LittleEndian.Uint32(record[16:]))

	out := append(bytes.Clone(data[:end]), "PK\x06\x06"...)
	le := binary.LittleEndian
	out = le.AppendUint64(out, 44)
	out = le.AppendUint16(le.AppendUint16(out, 45), 45)
	out = le.AppendUint32(le.AppendUint32(out, 0), 0)
	for _, v := range []uint64{count, count, size, start} {
		out = le.AppendUint64(out, v)
	}
	out = append(out, "PK\x06\x07"...)
	out = le.AppendUint64(le.AppendUint32(out, 0), uint64(end))
	out = le.AppendUint32(out, 1)
	le.PutUint32(record[12:], 0xffffffff)
	le.PutUint32(record[16:], 0xffffffff)
	le.PutUint16(record[8:], 0xffff)
	le.PutUint16(record[10:], 0xffff)
	return append(out, record...)
}

func TestAnArchivedPackageThatIsNotWhatItsNameSays(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	s := h.model(t, "ONNX", pack(export{platform: "ONNX"}))
	id, err := h.Identify(t.Context(), s)
	require.NoError(t, err)
	b, err := h.Copy(t.Context(), key(t, "ONNX", ""), s, id)
	require.NoError(t, err)
	write(t, h.blobs, b.Blob, pack(export{platform: "ONNX", seed: 9}))
	p, err := h.Verify(t.Context(), h.only(t), archive.Facts{})
	require.NoError(t, err)
	assert.Equal(t, archive.Damaged, p.Verdict)
	assert.Contains(t, p.Note, "named after")
}

// Bytes that are the only candidate are not, if their manifest says that they are another
// flavor. An address of the export's own says more than that.
func TestAManifestsOwnWordCounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		platform, named, flavor string
		why                     archive.Certainty
		want                    archive.Verdict
	}{
		"another flavor, the only one":     {"ONNX", "ONNX12", "", archive.OnlyCandidate, archive.Unidentified},
		"another flavor, by its address":   {"ONNX", "ONNX12", "", archive.ByAddress, archive.Proven},
		"another flavor, nothing known":    {"ONNX", "ONNX12", "", "", archive.Unidentified},
		"no flavor, the only one":          {"ONNX", "", "ONNX12", archive.OnlyCandidate, archive.Proven},
		"its own flavor, the only one":     {"ONNX", "onnx12", "ONNX12", archive.OnlyCandidate, archive.Proven},
		"the default by its name, by that": {"TensorFlow", "TensorFlowNormal", "", archive.OnlyCandidate, archive.Proven},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, archive.Options{})
			s := h.model(t, c.platform, pack(export{platform: c.platform, flavor: c.named}))
			s.Certainty = c.why
			_, p := h.backup(t, key(t, c.platform, c.flavor), s)
			assert.Equal(t, c.want, p.Verdict, p.Note)
		})
	}
}
