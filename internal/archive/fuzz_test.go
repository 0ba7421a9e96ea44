package archive

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/seal"
	"visionkeeper/internal/zipfile"
)

// The seeds stand in testdata/fuzz: small packages, whole and broken.

func FuzzIdentify(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		size := int64(len(data))
		whole, err := identifyBytes(t.Context(), bytes.NewReader(data), size)
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
	f.Fuzz(func(t *testing.T, data []byte) {
		const most = 1 << 20
		got, err := judge(t.Context(), bytes.NewReader(data), int64(len(data)), k, Origin{Kind: FromContainer}, most)
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
