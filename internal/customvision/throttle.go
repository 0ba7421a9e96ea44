package customvision

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"golang.org/x/time/rate"

	"visionkeeper/internal/pattern"
)

const defaultRate = 4 // calls a second

// Limit spaces calls.
type Limit interface {
	// Wait returns when one call may be made. An error while ctx still lasts means that
	// it won't last until then.
	Wait(ctx context.Context) error
}

// rateLimit spaces the calls of one client.
type rateLimit struct{ Limit }

func newRateLimit(l Limit) rateLimit {
	if l == nil {
		l = rate.NewLimiter(defaultRate, 1)
	}
	return rateLimit{l}
}

func (l rateLimit) Do(req *policy.Request) (*http.Response, error) {
	ctx := req.Raw().Context()
	if err := l.Wait(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, noTurn{}
	}
	var try *attempt
	if req.OperationValue(&try) {
		try.sent = true
	}
	resp, err := req.Next()
	if try != nil && err == nil && resp.StatusCode == http.StatusTooManyRequests {
		try.sent = false // nothing was done
	}
	return resp, err
}

// attempt is what became of a call: whether the service may have carried it out.
type attempt struct{ sent bool }

// noTurn is the error of a call that would have to wait for the rate limit longer
// than its context lasts.
type noTurn struct{}

func (noTurn) Error() string {
	return "the time left is shorter than the wait for the turn to call Custom Vision"
}
func (noTurn) Unwrap() error { return context.DeadlineExceeded }
func (noTurn) NonRetriable() {}

// sentOnce allows a repeat after 429 only, because that answer means that nothing
// was done. By default azcore repeats any method after a lost answer or a 5xx,
// when the first call may have been carried out.
func sentOnce(o policy.RetryOptions) policy.RetryOptions {
	o.ShouldRetry = func(resp *http.Response, err error) bool {
		return err == nil && resp.StatusCode == http.StatusTooManyRequests
	}
	return o
}

// retryAfterFromMessage sets the missing Retry-After of a 429 from the time that
// its text names, so that azcore waits that long.
type retryAfterFromMessage struct{}

var afterSeconds = pattern.Of(`(?i)\bafter (\d{1,5}) seconds?\b`)

func (retryAfterFromMessage) Do(req *policy.Request) (*http.Response, error) {
	resp, err := req.Next()
	if err != nil || resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "" {
		return resp, err
	}
	body, err := runtime.Payload(resp)
	if err != nil {
		return nil, err
	}
	if m := afterSeconds().FindSubmatch(body); m != nil {
		resp.Header.Set("Retry-After", string(m[1]))
	}
	return resp, nil
}

// retryAfter reads Retry-After, which holds seconds or a date. It is 0 if the
// header is missing.
func retryAfter(resp *http.Response) time.Duration {
	value := resp.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
