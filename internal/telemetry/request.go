package telemetry

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

type requests struct{}

// Policy is for the PerRetry policies of a pipeline: each try of a request is a span,
// and is counted.
func Policy() policy.Policy { return requests{} }

// Do implements policy.Policy.
func (requests) Do(req *policy.Request) (*http.Response, error) {
	raw := req.Raw()
	ctx, end := Request(raw.Context(), raw.Method, raw.URL.Host, raw.URL.Path)
	resp, err := req.WithContext(ctx).Next()
	end(resp, err)
	return resp, err
}

// Request begins the span of a request. A query, in which signatures stand, and headers
// are none of its business; path is empty where it is a secret.
func Request(ctx context.Context, method, host, path string) (context.Context, func(*http.Response, error)) {
	if current(ctx) == nil {
		return ctx, func(*http.Response, error) {}
	}
	ctx, s := start(ctx, client, method, []Attribute{String("http.request.method", method), String("server.address", host)})
	if path != "" {
		s.Set(String("url.path", path))
	}
	return ctx, func(resp *http.Response, err error) {
		status := "none"
		if resp != nil {
			status = strconv.Itoa(resp.StatusCode)
			s.Set(Int("http.response.status_code", resp.StatusCode))
			if resp.StatusCode == http.StatusTooManyRequests {
				Count(ctx, Throttled, 1, String("server.address", host))
			}
			if err == nil && resp.StatusCode >= http.StatusBadRequest {
				err = fmt.Errorf("answered %d", resp.StatusCode)
			}
		}
		Count(ctx, Requests, 1, String("server.address", host), String("status", status))
		s.End(err)
	}
}
