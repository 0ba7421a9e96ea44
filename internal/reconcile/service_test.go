package reconcile

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/internal/policy"
)

// overLine lets the app's calls of the API go over its line, too.
func (w *app) overLine() {
	w.options.Service = w.Open(azcore.ClientOptions{Transport: w.line})
}

// ending matches reads of a path that ends so.
func ending(suffix string) func(*http.Request) bool {
	return func(req *http.Request) bool {
		return req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, suffix)
	}
}

// lists lets the API's list at a path come changed.
func (w *app) lists(suffix string, change func([]map[string]any) []map[string]any) world.Fault {
	return world.On(ending(suffix), world.Spoil(func(body []byte) []byte {
		var list []map[string]any
		require.NoError(w.t, json.Unmarshal(body, &list))
		changed, err := json.Marshal(change(list))
		require.NoError(w.t, err)
		return changed
	}))
}

// each changes every entry of a list.
func each(change func(map[string]any)) func([]map[string]any) []map[string]any {
	return func(list []map[string]any) []map[string]any {
		for _, entry := range list {
			change(entry)
		}
		return list
	}
}

// without takes a member out of an entry.
func without(member string) func(map[string]any) {
	return func(entry map[string]any) { delete(entry, member) }
}

// chainOf lets a request meet all Faults, the last one first.
func chainOf(faults ...world.Fault) world.Fault {
	return func(req *http.Request, send world.Send) (*http.Response, error) {
		for _, f := range faults {
			next := send
			send = func(req *http.Request) (*http.Response, error) { return f(req, next) }
		}
		return send(req)
	}
}

// tier moves a blob of the model container to another tier.
func (w *app) tier(name string, tier blob.AccessTier) {
	w.t.Helper()
	_, err := w.Containers.Models.NewBlobClient(name).SetTier(w.t.Context(), tier, nil)
	require.NoError(w.t, err)
}

// lines counts those of a log.
func lines(log *bytes.Buffer) int { return bytes.Count(log.Bytes(), []byte("\n")) }

// parsed is a policy by its text.
func parsed(t *testing.T, text string) policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte(text))
	require.NoError(t, err)
	return p
}
