package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
)

// ways are those that bytes can take into the archive.
var ways = map[string]func(t testing.TB, data []byte) (*house, archive.Source){
	"in one": func(t testing.TB, data []byte) (*house, archive.Source) {
		h := newHouse(t, archive.Options{})
		return h, h.model(t, "ONNX", data)
	},
	"in blocks": func(t testing.TB, data []byte) (*house, archive.Source) {
		h := newHouse(t, archive.Options{SyncCopyLimit: 1, BlockSize: 600})
		return h, h.model(t, "ONNX", data)
	},
	"from where the service cannot read": func(t testing.TB, data []byte) (*house, archive.Source) {
		return newHouse(t, archive.Options{}), (&shelf{data: data}).source(t)
	},
	"in blocks, from there": func(t testing.TB, data []byte) (*house, archive.Source) {
		return newHouse(t, archive.Options{SyncCopyLimit: 1, BlockSize: 600}), (&shelf{data: data}).source(t)
	},
	"streamed": func(t testing.TB, data []byte) (*house, archive.Source) {
		return newHouse(t, archive.Options{}), stream(data)
	},
	"streamed, in blocks": func(t testing.TB, data []byte) (*house, archive.Source) {
		return newHouse(t, archive.Options{SyncCopyLimit: 1, BlockSize: 600}), stream(data)
	},
}

func TestEveryWayIntoTheArchive(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := pack(export{platform: "ONNX"})
			h, s := way(t, data)
			b, p := h.backup(t, key(t, "ONNX", ""), s)
			assert.Equal(t, archive.Proven, p.Verdict, p.Note)
			assert.True(t, bytes.Equal(data, download(t, h.blobs, b.Blob)))
			assert.Equal(t, archive.Origin{Kind: s.Kind, Name: s.Name, ETag: p.Source.ETag}, p.Source)

			listed := h.only(t)
			assert.Equal(t, b.ETag, listed.ETag)
			assert.Equal(t, b.Origin, listed.Origin)
			props, err := h.blobs.NewBlobClient(b.Blob).GetProperties(t.Context(), nil)
			require.NoError(t, err)
			assert.NotContains(t, props.Metadata, "Note", "the source's own metadata stays there")
		})
	}
}

func TestTheSameContentIsKeptOnce(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, s := way(t, pack(export{platform: "ONNX"}))
			first, _ := h.backup(t, key(t, "ONNX", ""), s)
			id, err := h.Identify(t.Context(), s)
			require.NoError(t, err)
			again, err := h.Copy(t.Context(), key(t, "ONNX", ""), s, id)
			require.NoError(t, err)
			assert.Equal(t, first.Blob, again.Blob)
			assert.Equal(t, first.ETag, again.ETag)
			assert.Equal(t, archive.Proven, again.Verdict, "what is known of it is told")
			h.only(t)
		})
	}
}

func TestManyCopyTheSameAtOnce(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, s := way(t, pack(export{platform: "ONNX"}))
			id, err := h.Identify(t.Context(), s)
			require.NoError(t, err)
			var all sync.WaitGroup
			for range 6 {
				all.Go(func() {
					b, err := h.Copy(t.Context(), key(t, "ONNX", ""), s, id)
					if !assert.NoError(t, err) {
						return
					}
					p, err := h.Verify(t.Context(), b, archive.Facts{})
					assert.NoError(t, err)
					assert.Equal(t, archive.Proven, p.Verdict, p.Note)
				})
			}
			all.Wait()
			h.only(t)
		})
	}
}

func TestTwoFlavorsOfAPlatformAreTwoBackups(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	plain, _ := h.backup(t, key(t, "TensorFlow", ""), h.model(t, "TensorFlow", pack(export{platform: "TensorFlow"})))
	lite, _ := h.backup(t, key(t, "TensorFlow", "TensorFlowLite"), h.model(t, "TensorFlow", pack(export{platform: "TensorFlow", flavor: "TensorFlowLite"})))
	list, err := h.Backups(t.Context(), project, iteration)
	require.NoError(t, err)
	require.Len(t, list, 2)
	assert.Equal(t, []archive.Key{plain.Key, lite.Key}, []archive.Key{list[1].Key, list[0].Key})
}

func TestASourceOverwrittenSinceItWasIdentified(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]int64{"in one": 0, "in blocks": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, archive.Options{SyncCopyLimit: limit, BlockSize: 600})
			s := h.model(t, "ONNX", pack(export{platform: "ONNX"}))
			id, err := h.Identify(t.Context(), s)
			require.NoError(t, err)
			h.model(t, "ONNX", pack(export{platform: "ONNX", seed: 1}))
			_, err = h.Copy(t.Context(), key(t, "ONNX", ""), s, id)
			assert.ErrorIs(t, err, archive.ErrChanged)
			list, err := h.Backups(t.Context(), "", "")
			require.NoError(t, err)
			assert.Empty(t, list)
		})
	}
}

func TestASourceOverwrittenThatIsInTheArchiveAlready(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	s := h.model(t, "ONNX", pack(export{platform: "ONNX"}))
	id, err := h.Identify(t.Context(), s)
	require.NoError(t, err)
	first, err := h.Copy(t.Context(), key(t, "ONNX", ""), s, id)
	require.NoError(t, err)
	h.model(t, "ONNX", pack(export{platform: "ONNX", seed: 1}))
	again, err := h.Copy(t.Context(), key(t, "ONNX", ""), s, id)
	require.NoError(t, err)
	assert.Equal(t, first, again)
}

func TestAStreamThatGivesOtherBytesTheSecondTime(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	var calls uint64
	s := archive.Source{Kind: archive.FromArtifact, Name: "export/package.zip", Open: func(context.Context) (io.ReadCloser, error) {
		calls++
		return io.NopCloser(bytes.NewReader(pack(export{platform: "ONNX", seed: calls}))), nil
	}}
	id, err := h.Identify(t.Context(), s)
	require.NoError(t, err)
	_, err = h.Copy(t.Context(), key(t, "ONNX", ""), s, id)
	assert.ErrorIs(t, err, archive.ErrChanged)
}

func TestASourceThatIsGone(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	s := h.model(t, "ONNX", pack(export{platform: "ONNX"}))
	id, err := h.Identify(t.Context(), s)
	require.NoError(t, err)
	_, err = h.models.NewBlobClient(s.Name).Delete(t.Context(), nil)
	require.NoError(t, err)
	_, err = h.Copy(t.Context(), key(t, "ONNX", ""), s, id)
	require.Error(t, err)
	assert.True(t, errors.Is(err, archive.ErrNotFound) || errors.Is(err, archive.ErrChanged), err) // Azurite says 412
}

func TestABadCopyIsMadeAgainUnderAnotherName(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	good := pack(export{platform: "ONNX"})
	k := key(t, "ONNX", "")
	bad, p := h.backup(t, k, h.model(t, "ONNX", flip(good, 500)))
	require.Equal(t, archive.Damaged, p.Verdict)

	b, p := h.backup(t, k, h.model(t, "ONNX", good))
	assert.Equal(t, archive.Proven, p.Verdict, p.Note)
	assert.Equal(t, bad.ContentID, b.ContentID, "a flipped byte of an entry is not in the directory")
	assert.NotEqual(t, bad.Blob, b.Blob)

	list, err := h.Backups(t.Context(), project, iteration)
	require.NoError(t, err)
	require.Len(t, list, 2)
	for _, b := range list {
		_, err := h.Reverify(t.Context(), b)
		assert.NoError(t, err, "both are what their proofs tell")
	}
}

func TestASourceThatIsBadItselfIsNotCopiedForEver(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]int64{"in one": 0, "in blocks": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, archive.Options{SyncCopyLimit: limit})
			s := h.model(t, "ONNX", flip(pack(export{platform: "ONNX"}), 500))
			for range 2 {
				_, p := h.backup(t, key(t, "ONNX", ""), s)
				require.Equal(t, archive.Damaged, p.Verdict)
			}
			id, err := h.Identify(t.Context(), s)
			require.NoError(t, err)
			_, err = h.Copy(t.Context(), key(t, "ONNX", ""), s, id)
			assert.ErrorIs(t, err, archive.ErrDamaged)
			assert.ErrorContains(t, err, "same bytes")
			list, err := h.Backups(t.Context(), "", "")
			require.NoError(t, err)
			assert.Len(t, list, 2)
		})
	}
}

func TestWhatNobodyCouldIdentifyIsJudgedAgainFromASureSource(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	k := key(t, "ONNX", "ONNX12")
	data := pack(export{platform: "ONNX"}) // the manifest says null
	_, p := h.backup(t, k, h.model(t, "ONNX", data))
	require.Equal(t, archive.Unidentified, p.Verdict)
	_, p = h.backup(t, k, (&shelf{data: data}).source(t))
	assert.Equal(t, archive.Proven, p.Verdict, p.Note)
}

func TestBlocksOfAnEarlierTryAreNotFetchedAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{SyncCopyLimit: 1, BlockSize: 600})
	s := h.model(t, "ONNX", pack(export{platform: "ONNX", size: 5000}))
	id, err := h.Identify(t.Context(), s)
	require.NoError(t, err)
	blocks := int((id.Size + 599) / 600)

	crash := spoiling(t, world.On(stages, world.From(7, killed))) // four at a time, so three are there by then
	_, err = h.once(crash).Copy(t.Context(), key(t, "ONNX", ""), s, id)
	require.Error(t, err)

	w := world.NewInterceptor(t)
	b, err := h.over(w).Copy(t.Context(), key(t, "ONNX", ""), s, id)
	require.NoError(t, err)
	assert.Less(t, count(w, "PUT block from URL"), blocks)
	p, err := h.Verify(t.Context(), b, archive.Facts{})
	require.NoError(t, err)
	assert.Equal(t, archive.Proven, p.Verdict, p.Note)
}

func TestBlocksOfAVersionThatNothingPinsAreNotTaken(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{SyncCopyLimit: 1, BlockSize: 600})
	s := h.model(t, "ONNX", pack(export{platform: "ONNX", size: 5000}))
	id, err := h.Identify(t.Context(), s)
	require.NoError(t, err)
	id.ETag = `W/"weak"`
	uncommitted := spoiling(t, world.On(commits, killed))
	_, err = h.once(uncommitted).Copy(t.Context(), key(t, "ONNX", ""), s, id)
	require.Error(t, err)

	w := world.NewInterceptor(t)
	_, err = h.over(w).Copy(t.Context(), key(t, "ONNX", ""), s, id)
	require.NoError(t, err)
	assert.Equal(t, int((id.Size+599)/600), count(w, "PUT block from URL"))
}

func TestBlocksOfAnotherVersionAreNotTaken(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{SyncCopyLimit: 1, BlockSize: 600})
	good := pack(export{platform: "ONNX", size: 5000})
	s := h.model(t, "ONNX", flip(good, 500)) // of the same content id
	id, err := h.Identify(t.Context(), s)
	require.NoError(t, err)
	crash := spoiling(t, world.On(commits, killed))
	_, err = h.once(crash).Copy(t.Context(), key(t, "ONNX", ""), s, id)
	require.Error(t, err)

	_, p := h.backup(t, key(t, "ONNX", ""), h.model(t, "ONNX", good))
	assert.Equal(t, archive.Proven, p.Verdict, p.Note)
}

func TestAnAnswerThatIsLostIsNoFailure(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	s := h.model(t, "ONNX", pack(export{platform: "ONNX"}))
	id, err := h.Identify(t.Context(), s)
	require.NoError(t, err)
	w := spoiling(t, world.On(isPut, world.Times(1, world.Lose)))
	b, err := h.over(w).Copy(t.Context(), key(t, "ONNX", ""), s, id)
	require.NoError(t, err)
	assert.Equal(t, b, h.only(t))
}

func TestCopyErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	s := h.model(t, "ONNX", pack(export{platform: "ONNX"}))
	id, err := h.Identify(t.Context(), s)
	require.NoError(t, err)
	missing := archive.Open(h.service, "missing-archive", archive.Options{})
	_, err = missing.Copy(t.Context(), key(t, "ONNX", ""), s, id)
	require.ErrorContains(t, err, "ContainerNotFound")
	assert.NotContains(t, err.Error(), "sig=")
}
