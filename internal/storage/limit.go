package storage

import (
	"context"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"visionkeeper/internal/telemetry"
)

// tryTime is how long one try of a request may take, its answer's body included. One
// that takes longer is made again.
const tryTime = time.Minute

// Streaming returns a context for requests that carry a package, whose tries have no
// time limit but the context's deadline.
func Streaming(ctx context.Context) context.Context {
	return context.WithValue(ctx, streamed{}, true)
}

type streamed struct{}

// unlimited are the retry options of requests whose context is that of Streaming.
type unlimited policy.RetryOptions

// Do implements policy.Policy.
func (u unlimited) Do(req *policy.Request) (*http.Response, error) {
	if ctx := req.Raw().Context(); ctx.Value(streamed{}) != nil {
		req = req.WithContext(policy.WithRetryOptions(ctx, policy.RetryOptions(u)))
	}
	return req.Next()
}

// Options are o, which may be nil, with what all requests to storage have: Transport,
// where o names none, a time limit for each try, and a span for it. List reads its pages.
func Options(o *azcore.ClientOptions) azcore.ClientOptions {
	options := azcore.ClientOptions{}
	if o != nil {
		options = *o
	}
	if options.Transport == nil {
		options.Transport = Transport
	}
	whole := options.Retry
	whole.TryTimeout = 0
	options.PerCallPolicies = append([]policy.Policy{pages{}, unlimited(whole)}, options.PerCallPolicies...)
	options.PerRetryPolicies = append([]policy.Policy{telemetry.Policy()}, options.PerRetryPolicies...)
	if options.Retry.TryTimeout == 0 {
		options.Retry.TryTimeout = tryTime
	}
	return options
}
