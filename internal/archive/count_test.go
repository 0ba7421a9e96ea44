package archive_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
)

// watch sees every request to the archive's account, and may answer it instead.
type watch struct {
	mu       sync.Mutex
	requests []string // method, and what the query asks for
	instead  func(*policy.Request) (*http.Response, error)
}

// Do implements policy.Policy.
func (w *watch) Do(req *policy.Request) (*http.Response, error) {
	name := req.Raw().Method
	for _, of := range []string{"comp", "restype"} {
		if v := req.Raw().URL.Query().Get(of); v != "" {
			name += " " + v
		}
	}
	for header := range req.Raw().Header { // the SDK sets it in lower case
		if strings.EqualFold(header, "x-ms-copy-source") {
			name += " from URL"
		}
	}
	w.mu.Lock()
	w.requests = append(w.requests, name)
	w.mu.Unlock()
	if w.instead != nil {
		if resp, err := w.instead(req); resp != nil || err != nil {
			return resp, err
		}
	}
	return req.Next()
}

func (w *watch) count(name string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.requests {
		if strings.HasPrefix(r, name) {
			n++
		}
	}
	return n
}

// watched is a client of the archive's account, under a watch.
func watched(t testing.TB, w *watch) *service.Client {
	t.Helper()
	client, _ := open(t, azuritetest.Start(t), azurite.Archive, &azcore.ClientOptions{PerRetryPolicies: []policy.Policy{w}})
	return client
}

// watchedOnce is one that doesn't try again.
func watchedOnce(t testing.TB, w *watch) *service.Client {
	t.Helper()
	client, _ := open(t, azuritetest.Start(t), azurite.Archive, &azcore.ClientOptions{
		PerRetryPolicies: []policy.Policy{w}, Retry: policy.RetryOptions{MaxRetries: -1},
	})
	return client
}
