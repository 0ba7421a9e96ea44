package sweep

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// heartbeatTime is how long a heartbeat may take. It is asked when the sweep's own time
// may be up, so it is short.
const heartbeatTime = 5 * time.Second

// monitor asks the heartbeat's URL. It follows no redirect: that would show the secret
// in the URL to another host.
var monitor = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// beat asks the heartbeat's URL, once (GET). The monitor behind it raises an alarm when
// nobody has asked for too long. An error names the host alone, since who knows the
// rest of the URL can ask it too.
func beat(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), heartbeatTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New("HEARTBEAT_URL can't be asked: it is no URL")
	}
	resp, err := monitor.Do(req)
	if err != nil {
		var asked *url.Error
		if errors.As(err, &asked) {
			err = asked.Err // the outer one quotes the URL
		}
		return fmt.Errorf("HEARTBEAT_URL at %s can't be asked: %w", req.URL.Host, err)
	}
	resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("HEARTBEAT_URL at %s answers %s", req.URL.Host, resp.Status)
	}
	return nil
}
