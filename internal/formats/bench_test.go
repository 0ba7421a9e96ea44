package formats_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"visionkeeper/dev/pictures"
	"visionkeeper/dev/pictures/archived"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/formats"
)

// endless is a source of any number of pictures, none of which is kept in memory: each has
// its number behind the same bytes.
type endless struct {
	set      archived.Set
	images   int
	peak     *atomic.Uint64 // of what the heap held, in bytes
	fetched  *atomic.Int64
	picture  []byte
	numberOf map[string]uint32
}

// lines writes the snapshot.
func (e endless) lines(w io.Writer) error {
	header, err := json.Marshal(dataset.Header{Layout: dataset.Layout, Name: e.set.Proof.Name})
	if err != nil {
		return err
	}
	for _, l := range []dataset.Line{
		{Kind: dataset.KindSnapshot, Data: header}, {Kind: dataset.KindProject, Data: e.set.ProjectJSON()},
		{Kind: dataset.KindDomain, Data: e.set.DomainJSON()}, {Kind: dataset.KindTag, Data: e.set.Tags[0].JSON()},
	} {
		if err := dataset.Write(w, l); err != nil {
			return err
		}
	}
	for n := range e.images {
		data := e.bytes(uint32(n))
		sum := sha256.Sum256(data)
		raw := fmt.Appendf(nil, `{"id":"00000000-0000-4000-8000-%012x","created":"2020-11-06T17:34:53.69","width":40,"height":30,"regions":[`+
			`{"regionId":"00000000-0000-4000-9000-%012x","tagId":"%s","left":0.1,"top":0.2,"width":0.3,"height":0.4}]}`, n, n, e.set.Tags[0].ID)
		f := dataset.File{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(data)), Width: 40, Height: 30, ContentType: fmt.Sprint(n)}
		if err := dataset.Write(w, dataset.Line{Kind: dataset.KindImage, Data: raw, Original: &f}); err != nil {
			return err
		}
	}
	return nil
}

func (e endless) bytes(n uint32) []byte {
	return binary.BigEndian.AppendUint32(bytes.Clone(e.picture), n)
}

func (e endless) Lines(context.Context, dataset.Name) (io.ReadCloser, error) {
	r, w := io.Pipe()
	go func() { w.CloseWithError(e.lines(w)) }()
	return r, nil
}

func (e endless) Image(_ context.Context, _, hash string) (io.ReadCloser, error) {
	if e.fetched.Add(1)%1000 == 500 {
		e.peak.Store(max(e.peak.Load(), held()))
	}
	return io.NopCloser(bytes.NewReader(e.bytes(e.numberOf[hash]))), nil
}

// BenchmarkWrite writes data sets of 1,000 and of 100,000 images, and reports how much of
// the heap they hold at most, besides the source: it stays the same.
func BenchmarkWrite(b *testing.B) {
	for _, images := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(images), func(b *testing.B) {
			truth := pictures.New(1, pictures.Detection, 1, "cat")
			e := endless{set: archived.New(truth, nil), images: images, picture: truth.Images[0].Bytes, peak: &atomic.Uint64{}, fetched: &atomic.Int64{}, numberOf: map[string]uint32{}}
			for n := range uint32(images) {
				sum := sha256.Sum256(e.bytes(n))
				e.numberOf[hex.EncodeToString(sum[:])] = n
			}
			hash := sha256.New()
			size := &counter{w: hash}
			require.NoError(b, e.lines(size))
			proof := e.set.Proof
			proof.Size, proof.SHA256 = size.n, hex.EncodeToString(hash.Sum(nil))
			before := held()
			for b.Loop() {
				r, err := formats.Write(b.Context(), e, formats.Request{Proof: proof, Format: formats.COCO, To: filepath.Join(b.TempDir(), "out")})
				require.NoError(b, err)
				require.Equal(b, images, r.Images)
			}
			b.ReportMetric(float64(int64(e.peak.Load()-before))/1e6, "MB-held")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(images*b.N), "µs/image")
		})
	}
}

// held is how much of the heap is in use, in bytes.
func held() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// counter counts what is written through it.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.w.Write(p)
}
