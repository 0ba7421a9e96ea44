package archive

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/zips"
	"visionkeeper/internal/seal"
	"visionkeeper/internal/zipfile"
)

// The seeds stand in testdata/fuzz: small packages, whole and broken. Others are larger
// than a page, and than what is read of a package's head and end.

func addLarge(f *testing.F) {
	manifest := `{"IterationId":"aaaaaaaabbbbccccddddeeeeeeeeeeee","Platform":"ONNX","ModelFileName":"model.onnx","ModelFileSHA1":null}`
	parts := []zips.Part{
		{Name: "model.onnx", Data: "\x08\x07\x12\x07pytorch" + zips.Noise(zipfile.TailSize, 1)},
		{Name: "cvexport.manifest", Data: manifest, Deflate: true, Streamed: true}, {Name: "more", Data: zips.Noise(2*zipfile.TailSize, 2)},
	}
	whole := zips.Made(parts, nil)
	f.Add(whole)
	f.Add(zips.Large(whole, nil))
	f.Add(zips.Commented(whole, zips.Noise(0xffff, 3)))
}

func FuzzIdentify(f *testing.F) {
	addLarge(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		size := int64(len(data))
		var whole Identity
		var err error
		zips.Cheap(t, func() { whole, err = identifyBytes(t.Context(), bytes.NewReader(data), size) })
		require.NoError(t, err)

		fetched := int64(0)
		ranged := &remote{size: size, fetch: func(offset, count int64) ([]byte, error) {
			require.True(t, offset >= 0 && count > 0 && offset+count <= size, "%d, %d of %d", offset, count, size)
			fetched += count
			return bytes.Clone(data[offset : offset+count]), nil
		}}
		got, err := identify(t.Context(), ranged, size)
		if errors.Is(err, zipfile.ErrNoDirectory) {
			_, err := zipfile.Find(bytes.NewReader(data), size)
			assert.ErrorIs(t, err, zipfile.ErrNoDirectory)
			return
		}
		require.NoError(t, err)
		assert.Equal(t, whole, got)
		assert.LessOrEqual(t, fetched, 8*size+zipfile.MaxDirectory)
	})
}

func FuzzJudge(f *testing.F) {
	k, err := NewKey("11111111222233334444555555555555", "aaaaaaaabbbbccccddddeeeeeeeeeeee", "ONNX", "")
	require.NoError(f, err)
	addLarge(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		const most = 1 << 20
		var got judgement
		var err error
		zips.Cheap(t, func() {
			got, err = judge(t.Context(), bytes.NewReader(data), int64(len(data)), k, Origin{Kind: FromContainer}, most)
		})
		require.NoError(t, err)
		assert.True(t, slices.Contains(written, got.verdict))
		assert.NotEmpty(t, got.note)
		assert.LessOrEqual(t, got.uncompressed, int64(most))
		if got.verdict == Proven {
			require.NotNil(t, got.manifest)
			assert.True(t, got.manifest.Is(k))
			assert.NotNil(t, got.model)
		}
	})
}

func FuzzParseManifest(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest(data)
		if err != nil {
			return
		}
		again, err := ParseManifest(m.Raw)
		require.NoError(t, err)
		assert.Equal(t, m, again)
		sealed, err := seal.Marshal(Proof{Layout: LayoutVersion, Manifest: m.Raw})
		require.NoError(t, err, "every manifest fits into a proof")
		p, err := parseProof(sealed)
		require.NoError(t, err)
		assert.JSONEq(t, string(m.Raw), string(p.Manifest))
	})
}

func FuzzParseProof(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parseProof(data)
		if err != nil {
			assert.Zero(t, p)
			return
		}
		sealed, err := seal.Marshal(p)
		require.NoError(t, err)
		again, err := parseProof(sealed)
		require.NoError(t, err)
		assert.Equal(t, p.Key, again.Key)
		assert.Equal(t, p.SHA256, again.SHA256)
	})
}
