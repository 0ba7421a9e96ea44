package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// sender follows no redirect: that would take the headers, which may be secrets, to
// another host.
var sender = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// flush sends what there is, once. What can't be sent is given up, in one line of the
// log; counters say it with the next.
func (t *Telemetry) flush(ctx context.Context) {
	t.mu.Lock()
	if time.Now().Before(t.rests) { // counters go on, spans are given up
		t.spans = nil
		t.mu.Unlock()
		return
	}
	spans, lost := t.spans, t.lost
	t.spans, t.lost = nil, 0
	points, now := t.taken(), time.Now()
	t.mu.Unlock()

	ctx = context.WithoutCancel(ctx) // the invocation's time may be up
	var sends sync.WaitGroup
	var spansErr, metricsErr error
	if len(spans) > 0 {
		sends.Go(func() { spansErr = t.traces.send(ctx, "spans", t.encodeSpans(spans)) })
	}
	if len(points) > 0 {
		sends.Go(func() { metricsErr = t.metrics.send(ctx, "metrics", t.encodeMetrics(points, now)) })
	}
	sends.Wait()
	for _, err := range []error{spansErr, metricsErr} {
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			t.mu.Lock()
			t.rests = time.Now().Add(rest)
			t.mu.Unlock()
			zerolog.Ctx(ctx).Warn().Msg(t.hide(err.Error()) + "; nothing is sent for a minute")
		case err != nil:
			zerolog.Ctx(ctx).Warn().Msg(t.hide(err.Error()))
		}
	}
	if lost > 0 {
		zerolog.Ctx(ctx).Warn().Int("spans", lost).Msg("spans were dropped, because too many waited to be sent")
	}
}

// send posts data. An error names the host alone, since the rest of the URL may be a secret.
func (s *signal) send(ctx context.Context, what string, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(data))
	if err != nil {
		return errors.New("the " + what + " can't be sent: the OTLP endpoint is no URL")
	}
	req.Header = s.headers.Clone()
	req.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := sender.Do(req)
	if err != nil {
		var asked *url.Error
		if errors.As(err, &asked) {
			err = asked.Err // the outer one quotes the URL
		}
		return fmt.Errorf("the %s can't be sent to %s: %w", what, req.URL.Host, err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection is used again
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("the %s can't be sent: %s answers %s", what, req.URL.Host, resp.Status)
	}
	return nil
}
