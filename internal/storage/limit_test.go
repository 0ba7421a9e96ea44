package storage

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A service that never ends its answer holds up a listing for its time alone; a
// package may take longer.
func TestSmallAnswersHaveATimeLimitAndPackagesNone(t *testing.T) {
	t.Parallel()
	const short = 50 * time.Millisecond
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "<")
		_ = http.NewResponseController(w).Flush()
		if !movesBytes(r) {
			<-r.Context().Done()
			return
		}
		time.Sleep(4 * short)
		_, _ = io.WriteString(w, "bytes")
	}))
	t.Cleanup(slow.Close)
	account, err := ParseConnectionString("AccountName=a;AccountKey=a2V5;BlobEndpoint=" + slow.URL + "/a;QueueEndpoint=" + slow.URL + "/a")
	require.NoError(t, err)
	blobs, err := account.Blob(&azcore.ClientOptions{PerRetryPolicies: []policy.Policy{limit(short)}, Retry: policy.RetryOptions{MaxRetries: -1}})
	require.NoError(t, err)
	assert.Error(t, MayList(t.Context(), blobs, "archive"))

	got, err := blobs.NewContainerClient("archive").NewBlobClient("package").DownloadStream(t.Context(), nil)
	require.NoError(t, err)
	defer got.Body.Close()
	data, err := io.ReadAll(got.Body)
	require.NoError(t, err)
	assert.Equal(t, "<bytes", string(data))
}

func TestWhatMovesBytes(t *testing.T) {
	t.Parallel()
	for request, want := range map[string]bool{
		"GET /archive/p.zip":                            true,
		"PUT /archive/p.zip":                            true,
		"PUT /archive/p.zip?comp=block&blockid=1":       true,
		"PUT /archive/p.zip?comp=blocklist":             false,
		"PUT /archive/p.zip?comp=tier":                  false,
		"PUT /archive/p.zip?comp=metadata":              false,
		"HEAD /archive/p.zip":                           false,
		"DELETE /archive/p.zip":                         false,
		"GET /archive?restype=container&comp=list":      false,
		"GET /archive?restype=container":                false,
		"POST /?restype=service&comp=userdelegationkey": false,
	} {
		method, path, _ := strings.Cut(request, " ")
		assert.Equal(t, want, movesBytes(httptest.NewRequest(method, path, nil)), request)
	}
}
