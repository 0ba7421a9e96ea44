package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// This file sends what package customvision, which does what an app needs, doesn't.

const (
	v33 = "v3.3"
	v34 = "v3.4-preview"

	trainingKey     = "Training-Key"
	subscriptionKey = "Ocp-Apim-Subscription-Key"

	callTime  = time.Minute
	mostBytes = 1 << 20 // of an answer
)

// web follows no redirect: it would take the key along.
var web = &http.Client{
	Timeout:       callTime,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// reply is the answer to a call, refusals included.
type reply struct {
	status int
	Code   string // of a refusal by the service
	body   []byte
}

// unexpected is the error of a reply that answers no question.
func (a reply) unexpected() error {
	return fmt.Errorf("the service answered with %d %s", a.status, a.Code)
}

// call is one request to the Training API.
type call struct {
	method, path string
	query        url.Values
	body         any    // sent as JSON; nil sends none
	keyHeader    string // trainingKey by default
}

// send sends a call to one version of the API, again only after a 429. The error is
// that no answer came; it doesn't hold the query, which may have an import token.
func (r *Probe) send(ctx context.Context, version string, c call) (reply, error) {
	var body []byte
	if c.body != nil {
		var err error
		if body, err = json.Marshal(c.body); err != nil {
			return reply{}, err
		}
	}
	if c.keyHeader == "" {
		c.keyHeader = trainingKey
	}
	for try := 0; ; try++ {
		request, err := http.NewRequestWithContext(ctx, c.method, r.base+"/customvision/"+version+"/training/"+c.path+"?"+c.query.Encode(), bytes.NewReader(body))
		if err != nil {
			return reply{}, err
		}
		request.Header.Set(c.keyHeader, r.key)
		if body != nil {
			request.Header.Set("Content-Type", "application/json")
		}
		a, err := r.receive(request)
		if err != nil || a.status != http.StatusTooManyRequests || try == 4 || !sleep(ctx, 2*time.Second) {
			return a, err
		}
	}
}

func (r *Probe) receive(request *http.Request) (reply, error) {
	response, err := web.Do(request)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return reply{}, fmt.Errorf("the service didn't answer: %w", err)
	}
	defer response.Body.Close()
	a := reply{status: response.StatusCode}
	if a.body, err = io.ReadAll(io.LimitReader(response.Body, mostBytes)); err != nil {
		return reply{}, fmt.Errorf("the service's answer ended early: %w", err)
	}
	if a.status >= 400 {
		_ = json.Unmarshal(a.body, &a) // a gateway's answer has no code
		a.Code = strings.ReplaceAll(a.Code, r.key, "…")
	}
	return a, nil
}
