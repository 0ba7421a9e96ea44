package storage

import (
	"context"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// smallTime bounds one try of a request whose answer is small.
const smallTime = time.Minute

// Packages are options for a client that moves packages too: their bytes may take as
// long as the context allows, every other try a minute, as with SmallRequests.
func Packages() *azcore.ClientOptions {
	return &azcore.ClientOptions{PerRetryPolicies: []policy.Policy{limit(smallTime)}}
}

// limit is a time limit of each try but those that move a package's bytes.
type limit time.Duration

func (l limit) Do(req *policy.Request) (*http.Response, error) {
	if movesBytes(req.Raw()) {
		return req.Next()
	}
	// The answer's body is read within, so nothing is left when the time ends.
	ctx, cancel := context.WithTimeout(req.Raw().Context(), time.Duration(l))
	defer cancel()
	return req.Clone(ctx).Next()
}

// movesBytes reports whether a request reads or writes a blob's bytes, or has them
// copied.
func movesBytes(r *http.Request) bool {
	q := r.URL.Query()
	switch comp := q.Get("comp"); {
	case q.Has("restype"), r.Method != http.MethodGet && r.Method != http.MethodPut:
		return false
	default:
		return comp == "" || comp == "block"
	}
}
