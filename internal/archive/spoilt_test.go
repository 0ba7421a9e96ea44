package archive_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/figures"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
)

// answering is an archive whose requests are all answered in memory.
func answering(t testing.TB, answer func(*http.Request) (http.Header, []byte), options ...archive.Options) *archive.Archive {
	t.Helper()
	o := &service.ClientOptions{}
	o.Transport = world.Send(func(req *http.Request) (*http.Response, error) {
		header, body := answer(req)
		status := http.StatusOK
		if req.Method == http.MethodPut {
			status = http.StatusCreated
		}
		return world.Answer(req, status, header, body), nil
	})
	client, err := service.NewClientWithNoCredential("http://127.0.0.1:1/nowhere", o)
	require.NoError(t, err)
	return archive.Open(client, "archive", append(options, archive.Options{TempDir: t.TempDir()})[0])
}

func TestNoProofIsOfBytesThatWereSpoiltOnTheirWay(t *testing.T) {
	t.Parallel()
	sum := func(data []byte) []byte { s := md5.Sum(data); return s[:] }
	small := pack(export{platform: "ONNX", size: 1})
	bare := modelOf("CoreML", 300, 1)
	for name, c := range map[string]struct {
		platform string
		data     []byte
		md5      []byte // what the storage service has of it
		reads    int
		want     archive.Verdict
	}{
		"the service has an MD5":  {"ONNX", small, sum(small), 1, archive.Proven},
		"the service has none":    {"ONNX", small, nil, 2, archive.Proven},
		"a writer gave another":   {"ONNX", small, sum(bare), 2, archive.Proven},
		"a bare Core ML model":    {"CoreML", bare, nil, 2, archive.Intact},
		"a bare one that has MD5": {"CoreML", bare, sum(bare), 1, archive.Intact},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, err := lone(t, archive.Options{}).Identify(t.Context(), stream(c.data))
			require.NoError(t, err)
			b := archive.Backup{Key: key(t, c.platform, ""), ContentID: id.ContentID, Blob: "package", Size: id.Size, ETag: "1"}
			sha := sha256.Sum256(c.data)

			var reads, proofs, spoilt, at int // in the read that is spoilt
			a := answering(t, func(req *http.Request) (http.Header, []byte) {
				if req.Method == http.MethodPut {
					proofs++
					return http.Header{}, nil
				}
				h := http.Header{
					"Etag": {`"1"`}, "X-Ms-Meta-Sourcekind": {archive.FromDownload},
					"Content-Length": {strconv.Itoa(len(c.data))},
				}
				if c.md5 != nil {
					h.Set("Content-MD5", base64.StdEncoding.EncodeToString(c.md5))
				}
				if reads++; reads == spoilt {
					return h, flip(c.data, at)
				}
				return h, c.data
			})
			p, err := a.Verify(t.Context(), b, archive.Facts{})
			require.NoError(t, err)
			require.Equal(t, c.want, p.Verdict, p.Note)
			require.Equal(t, hex.EncodeToString(sha[:]), p.SHA256)
			require.Equal(t, c.reads, reads, "no read that isn't needed")

			for spoilt = 1; spoilt <= c.reads; spoilt++ {
				for at = range c.data {
					reads, proofs = 0, 0
					_, err := a.Verify(t.Context(), b, archive.Facts{})
					require.Error(t, err, "byte %d of read %d", at, spoilt)
					require.NotErrorIs(t, err, archive.ErrDamaged, "the package is good: byte %d", at)
					require.Zero(t, proofs, "byte %d of read %d", at, spoilt)
				}
			}
			figures.Print(t, "%d flipped bytes on their way, %d refused", c.reads*len(c.data), c.reads*len(c.data))
		})
	}
}

func TestNoByteThatIsSpoiltOnItsWayThroughIsArchived(t *testing.T) {
	t.Parallel()
	data := pack(export{platform: "ONNX", size: 1})
	whole, err := lone(t, archive.Options{}).Identify(t.Context(), stream(data))
	require.NoError(t, err)
	parts, err := lone(t, archive.Options{}).Identify(t.Context(), (&shelf{data: data}).source(t))
	require.NoError(t, err)
	parts.ETag = ""
	var writes int
	a := answering(t, func(req *http.Request) (http.Header, []byte) {
		if req.Method == http.MethodPut {
			writes++
		}
		return http.Header{}, []byte("<EnumerationResults><Blobs/></EnumerationResults>")
	})
	var reads, spoilt, at int
	s := archive.Source{Kind: archive.FromArtifact, Name: "export/package.zip", Open: func(context.Context) (io.ReadCloser, error) {
		body := data
		if reads++; reads == spoilt {
			body = flip(data, at)
		}
		return io.NopCloser(bytes.NewReader(body)), nil
	}}
	for _, c := range []struct {
		id     archive.Identity
		spoilt int
	}{{whole, 1}, {parts, 1}, {parts, 2}} {
		spoilt = c.spoilt
		for at = range data {
			reads = 0
			_, err := a.Copy(t.Context(), key(t, "ONNX", ""), s, c.id)
			require.ErrorIs(t, err, archive.ErrChanged, "byte %d of read %d", at, spoilt)
			require.Zero(t, writes)
		}
	}
	for n, id := range []archive.Identity{whole, parts} { // what was read whole before is read once
		reads, spoilt = 0, 0
		_, err = a.Copy(t.Context(), key(t, "ONNX", ""), s, id)
		require.NoError(t, err)
		assert.Equal(t, n+1, writes)
		assert.Equal(t, n+1, reads)
	}
}

// spoilsUploads flips a byte of every body that is put.
func spoilsUploads(req *http.Request, send world.Send) (*http.Response, error) {
	if req.Method != http.MethodPut || req.ContentLength == 0 {
		return send(req)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body = io.NopCloser(bytes.NewReader(flip(body, len(body)/2)))
	return send(req)
}

func TestWhatArrivesSpoiltIsNotArchived(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	spoilt := h.once(spoiling(t, spoilsUploads))
	k, s := key(t, "ONNX", ""), stream(pack(export{platform: "ONNX"}))
	id, err := h.Identify(t.Context(), s)
	require.NoError(t, err)
	_, err = spoilt.Copy(t.Context(), k, s, id)
	require.ErrorContains(t, err, "Md5Mismatch")
	list, err := h.Backups(t.Context(), "", "")
	require.NoError(t, err)
	require.Empty(t, list)

	b, err := h.Copy(t.Context(), k, s, id)
	require.NoError(t, err)
	_, err = spoilt.Verify(t.Context(), b, archive.Facts{})
	require.ErrorContains(t, err, "Crc64Mismatch")
	p, err := h.Verify(t.Context(), b, archive.Facts{})
	require.NoError(t, err, "the name is still free")
	assert.Equal(t, archive.Proven, p.Verdict)
	_, err = h.Reverify(t.Context(), h.only(t))
	assert.NoError(t, err)
}
