package storage

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// clock is a storage service's clock, as far as its answers have shown it: this
// machine's may be wrong.
type clock struct {
	ahead atomic.Pointer[time.Duration] // of this machine's; nil before the first answer
}

// Do implements policy.Policy: it looks at the date of every answer.
func (c *clock) Do(req *policy.Request) (*http.Response, error) {
	resp, err := req.Next()
	if err == nil {
		if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			ahead := time.Until(date)
			c.ahead.Store(&ahead)
		}
	}
	return resp, err
}

// now is the service's time, as far as it is known.
func (c *clock) now() (now time.Time, known bool) {
	if ahead := c.ahead.Load(); ahead != nil {
		return time.Now().UTC().Add(*ahead), true
	}
	return time.Time{}, false
}
