package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/remedy"
	"visionkeeper/internal/storage"
)

func TestADiskThatIsTooSmallIsNamedBeforeAnythingIsRead(t *testing.T) {
	t.Parallel()
	const huge = 1 << 60
	opened := 0
	s := archive.Source{Name: "export/package.zip", Open: func(context.Context) (io.ReadCloser, error) {
		opened++
		return nil, errors.New("opened")
	}}
	empty := answering(t, func(*http.Request) (http.Header, []byte) {
		return http.Header{}, []byte("<EnumerationResults><Blobs/></EnumerationResults>")
	}, archive.Options{MaxSize: huge, TempDir: t.TempDir()})
	_, err := empty.Copy(t.Context(), key(t, "ONNX", ""), s, archive.Identity{Size: huge})
	require.Error(t, err)
	assert.Contains(t, err.Error(), strconv.Itoa(huge))
	_, do := remedy.Of(err)
	assert.Contains(t, do, "TMPDIR")
	assert.NotErrorIs(t, err, archive.ErrTooLarge, "it passes")
	assert.NotErrorIs(t, err, archive.ErrDamaged)
	assert.Zero(t, opened)

	_, err = empty.Verify(t.Context(), archive.Backup{Blob: "x", Size: huge}, archive.Facts{})
	require.ErrorContains(t, err, strconv.Itoa(huge))
}

func TestFactsAreCutRatherThanAProofSpoilt(t *testing.T) {
	t.Parallel()
	many := make([]archive.Tag, 60_000)
	for i := range many {
		many[i] = archive.Tag{ID: strings.Repeat("a", 36), Name: fmt.Sprint("tag ", i)}
	}
	vast := []byte(`"` + strings.Repeat("x", 5<<20) + `"`)
	few := []archive.Tag{{ID: "t", Name: "Boskop"}}
	late := time.Date(20_000, 1, 1, 0, 0, 0, 0, time.UTC) // JSON has no such year
	for name, c := range map[string]struct {
		facts archive.Facts
		want  archive.Facts
		note  string
	}{
		"what fits": {archive.Facts{ProjectName: "p", Tags: few}, archive.Facts{ProjectName: "p", Tags: few}, "names this export and its model file"},
		"the performance": {archive.Facts{ProjectName: "p", Tags: few, Performance: vast},
			archive.Facts{ProjectName: "p", Tags: few}, "the performance of the model did not fit"},
		"a performance that is no JSON": {archive.Facts{ProjectName: "p", Tags: few, Performance: []byte("{")},
			archive.Facts{ProjectName: "p", Tags: few}, "the performance of the model did not fit"},
		"a deep one": {archive.Facts{ProjectName: "p", Performance: []byte(strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000))},
			archive.Facts{ProjectName: "p"}, "did not fit"},
		"the tags": {archive.Facts{ProjectName: "p", Tags: many, Performance: vast},
			archive.Facts{ProjectName: "p"}, "the performance and the tags of the model did not fit"},
		"a name":           {archive.Facts{ProjectName: string(vast)}, archive.Facts{}, "all facts"},
		"a year of no day": {archive.Facts{ProjectName: "p", TrainedAt: &late}, archive.Facts{}, "all facts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, archive.Options{})
			s := h.model(t, "ONNX", pack(export{platform: "ONNX"}))
			id, err := h.Identify(t.Context(), s)
			require.NoError(t, err)
			b, err := h.Copy(t.Context(), key(t, "ONNX", ""), s, id)
			require.NoError(t, err)
			p, err := h.Verify(t.Context(), b, c.facts)
			require.NoError(t, err)
			assert.Contains(t, p.Note, c.note)
			read, err := h.Proof(t.Context(), h.only(t))
			require.NoError(t, err, "its own reader takes it")
			assert.Equal(t, archive.Proven, read.Verdict)
			read.Performance = bytes.TrimPrefix(read.Performance, []byte("null"))
			if len(read.Performance) == 0 {
				read.Performance = nil
			}
			assert.Equal(t, c.want, read.Facts)
		})
	}
}

// TestASmallRequestHasATimeLimitOfItsOwn hangs a request up in a bubble in which time
// passes by itself.
func TestASmallRequestHasATimeLimitOfItsOwn(t *testing.T) {
	data := pack(export{platform: "ONNX"})
	id, err := lone(t, archive.Options{}).Identify(t.Context(), stream(data))
	require.NoError(t, err)
	b := archive.Backup{Key: key(t, "ONNX", ""), ContentID: id.ContentID, Blob: "package.zip", Size: id.Size}
	synctest.Test(t, func(t *testing.T) {
		account, err := storage.ParseConnectionString("DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/a")
		require.NoError(t, err)
		hung := map[string]bool{} // the first request of each kind hangs
		client, err := account.Blob(&azcore.ClientOptions{Transport: world.Send(func(req *http.Request) (*http.Response, error) {
			kind := req.Method + " " + req.URL.Query().Get("comp")
			if req.Method == http.MethodGet && kind == "GET " { // the package
				time.Sleep(10 * time.Minute)
			} else if !hung[kind] {
				hung[kind] = true
				<-req.Context().Done()
				return nil, req.Context().Err()
			}
			if req.Context().Err() != nil {
				return nil, req.Context().Err()
			}
			status, body := http.StatusOK, data
			switch kind {
			case "PUT ":
				status, body = http.StatusCreated, nil
			case "GET list":
				body = []byte("<EnumerationResults><Blobs/></EnumerationResults>")
			}
			return world.Answer(req, status, http.Header{"Etag": {`"1"`}, "Content-Length": {strconv.Itoa(len(body))}, "X-Ms-Meta-Sourcekind": {archive.FromDownload}}, body), nil
		})})
		require.NoError(t, err)
		a := archive.Open(client, "archive", archive.Options{TempDir: t.TempDir()})

		begin := time.Now()
		_, err = a.Backups(t.Context(), "", "")
		require.NoError(t, err, "a listing that hangs is asked for again")
		assert.Less(t, time.Since(begin), 2*time.Minute)

		p, err := a.Verify(t.Context(), b, archive.Facts{})
		require.NoError(t, err, "a package may take longer; its proof, which hangs, is sent again")
		assert.Equal(t, archive.Proven, p.Verdict, p.Note)
		assert.True(t, hung["PUT "])
	})
}

// TestASourceIsReadByTheAppsOwnCredential shows a source of which no link works.
func TestASourceIsReadByTheAppsOwnCredential(t *testing.T) {
	t.Parallel()
	data := pack(export{platform: "ONNX", size: 200_000})
	for name, limit := range map[string]int64{"in one": 0, "in blocks": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, archive.Options{SyncCopyLimit: limit, BlockSize: 60_000})
			w := world.NewInterceptor(t)
			own := h.world.Customer.Blobs(&azcore.ClientOptions{Transport: w}).NewContainerClient(h.world.Names.Models)
			s := h.model(t, "ONNX", data)
			links := 0
			s = archive.Source{Kind: s.Kind, Name: s.Name, Blob: own.NewBlobClient(s.Name), Link: func(context.Context) (string, error) {
				links++
				return "", errors.New("the account forbids links")
			}}
			id, err := h.Identify(t.Context(), s)
			require.NoError(t, err)
			assert.Zero(t, links, "a link is made when it is needed")
			assert.Len(t, w.Sent(), 2)
			b, err := h.Copy(t.Context(), key(t, "ONNX", ""), s, id)
			require.NoError(t, err)
			assert.Equal(t, 1, links)
			for _, r := range w.Sent() {
				assert.NotEmpty(t, r.Header.Get("Authorization"))
				assert.Empty(t, r.URL.Query().Get("sig"), "no link")
			}
			p, err := h.Verify(t.Context(), b, archive.Facts{})
			require.NoError(t, err)
			assert.Equal(t, archive.Proven, p.Verdict, p.Note)
			again, err := h.Copy(t.Context(), key(t, "ONNX", ""), s, id)
			require.NoError(t, err)
			assert.Equal(t, b.Blob, again.Blob)

			write(t, h.models, s.Name, pack(export{platform: "ONNX", size: 200_000, seed: 1}))
			_, err = h.Copy(t.Context(), key(t, "ONNX", "ONNX10"), s, id)
			assert.ErrorIs(t, err, archive.ErrChanged)

			write(t, h.models, s.Name, nil)
			id, err = h.Identify(t.Context(), s)
			require.NoError(t, err, "an empty blob")
			assert.Zero(t, id.Size)
			s.Blob = own.NewBlobClient("nothing")
			_, err = h.Identify(t.Context(), s)
			assert.ErrorIs(t, err, archive.ErrNotFound)
		})
	}
}
