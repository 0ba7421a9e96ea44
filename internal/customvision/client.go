// Package customvision is a client of the Custom Vision Training API v3.3 and
// reads the notifications that Custom Vision puts on a storage queue.
//
// Reads and updates are repeated when an answer is lost. Calls that train,
// export, publish, create or delete are sent once, and again only after a 429.
// The package never follows a redirect and never opens a URI that it returns or
// finds in a notification. Start reading at Client and ParseNotification.
//
// The API: https://learn.microsoft.com/rest/api/customvision/?view=rest-customvision-v3.3
// The notifications: https://learn.microsoft.com/azure/ai-services/custom-vision-service/storage-integration
package customvision

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"visionkeeper/internal/answers"
	"visionkeeper/internal/clouds"
	"visionkeeper/internal/loopback"
	"visionkeeper/internal/remedy"
	"visionkeeper/internal/telemetry"
)

const (
	basePath  = "/customvision/v3.3/training/"
	keyHeader = "Training-Key"
)

// Client calls the Training API of one Custom Vision resource. It is safe for
// concurrent use. All its callers share one rate limit.
type Client struct {
	base       string
	pipeline   runtime.Pipeline
	once       policy.RetryOptions
	streamed   policy.RetryOptions
	iterations *answers.Memory[[]Iteration] // by the project's id
}

// ClientOptions are the options of a Client. The zero value is ready to use.
type ClientOptions struct {
	// Retry applies to reads and updates. For other calls only its delays and its
	// TryTimeout count; TryTimeout is a minute by default. A Transport that isn't
	// an *http.Client must not follow redirects.
	azcore.ClientOptions

	// Limit says when a call may be made, repeats included. nil means 4 a second, evenly
	// spaced, well below the service's limit of 10 a second for each resource.
	Limit Limit
}

// NewClient returns a client that authenticates with tokens of a credential. The
// endpoint must be the resource's own subdomain
// (https://NAME.cognitiveservices.azure.com), because regional endpoints refuse
// tokens. The tokens are for the cloud of the endpoint. An endpoint that isn't https is
// an error, unless it is on loopback.
func NewClient(endpoint string, cred azcore.TokenCredential, o *ClientOptions) (*Client, error) {
	if cred == nil {
		return nil, errors.New("a Custom Vision client needs a credential")
	}
	return newClient(endpoint, o, func(insecure bool) policy.Policy {
		return runtime.NewBearerTokenPolicy(cred, []string{clouds.Of(endpoint).VisionScope}, &policy.BearerTokenOptions{InsecureAllowCredentialWithHTTP: insecure})
	})
}

// NewClientWithKey returns a client that authenticates with one of the resource's
// two training keys. An endpoint that isn't https is an error, unless it is on
// loopback.
func NewClientWithKey(endpoint, key string, o *ClientOptions) (*Client, error) {
	key = strings.TrimSpace(key)
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, remedy.New("copy it again from the training resource's page \"Keys and Endpoint\"", "the training key is empty or not one word")
	}
	return newClient(endpoint, o, func(insecure bool) policy.Policy {
		return runtime.NewKeyCredentialPolicy(azcore.NewKeyCredential(key), keyHeader, &runtime.KeyCredentialPolicyOptions{InsecureAllowCredentialWithHTTP: insecure})
	})
}

func newClient(endpoint string, o *ClientOptions, authenticate func(insecure bool) policy.Policy) (*Client, error) {
	base, insecure, err := parseEndpoint(endpoint)
	if err != nil {
		return nil, err
	}
	if o == nil {
		o = &ClientOptions{}
	}
	options := o.ClientOptions
	options.Transport = newTransport(options.Transport)
	streamed := options.Retry
	streamed.TryTimeout = 0 // it would bound the body too
	if options.Retry.TryTimeout == 0 {
		options.Retry.TryTimeout = answerTime
	}
	pipeline := runtime.NewPipeline("visionkeeper-customvision", "v3.3", runtime.PipelineOptions{
		PerRetry: []policy.Policy{newRateLimit(o.Limit), retryAfterFromMessage{}, authenticate(insecure), telemetry.Policy()},
	}, &options)
	return &Client{
		base: base + basePath, pipeline: pipeline, once: sentOnce(options.Retry), streamed: streamed, iterations: new(answers.Memory[[]Iteration]),
	}, nil
}

// parseEndpoint removes the trailing slash that the portal shows. insecure
// reports whether the endpoint is plain HTTP, which is allowed on loopback only.
func parseEndpoint(endpoint string) (base string, insecure bool, err error) {
	u, err := url.Parse(strings.TrimRight(strings.TrimSpace(endpoint), "/"))
	if err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", false, errors.New("the Custom Vision endpoint must look like https://NAME.cognitiveservices.azure.com, without path, query or user")
	}
	switch {
	case u.Scheme == "https":
		return u.String(), false, nil
	case u.Scheme == "http" && loopback.Is(u.Hostname()):
		return u.String(), true, nil
	}
	return "", false, fmt.Errorf("the Custom Vision endpoint at %s must begin with https://, because it is sent the training key", u.Host)
}

// request is one call of the API.
type request struct {
	operation string // name of the REST operation
	method    string
	path      string   // below the base; each {} is replaced by the next of ids
	ids       []string // GUIDs
	query     url.Values
	body      any    // sent as JSON; nil sends none
	bytes     []byte // sent as they are, in the place of body
}

// do sends r and decodes the answer into out. A nil out drops the answer.
func (c *Client) do(ctx context.Context, r request, out any) error {
	return c.ask(ctx, r, func(body []byte) error {
		if out == nil {
			return nil
		}
		return decodeAnswer(body, out)
	})
}

// ask sends r and lets decode have the answer.
func (c *Client) ask(ctx context.Context, r request, decode func(body []byte) error) error {
	req, err := c.newRequest(ctx, r)
	if err != nil {
		return err
	}
	resp, err := c.send(req, r)
	if err != nil {
		return err
	}
	body, err := runtime.Payload(resp)
	if err == nil {
		err = decode(body)
	}
	if err != nil {
		return unreadable(r.operation, resp, err)
	}
	return nil
}

// call sends r and decodes the answer into a T. Every error is an *Error.
func call[T any](ctx context.Context, c *Client, r request) (T, error) {
	var out, none T
	if err := c.do(ctx, r, &out); err != nil {
		return none, err
	}
	return out, nil
}

func (c *Client) newRequest(ctx context.Context, r request) (*policy.Request, error) {
	path := r.path
	for _, id := range r.ids {
		canonical, err := ParseID(id)
		if err != nil {
			return nil, &Error{Operation: r.operation, Message: err.Error()}
		}
		path = strings.Replace(path, "{}", canonical, 1)
	}
	if r.method == http.MethodPost || r.method == http.MethodDelete {
		ctx = policy.WithRetryOptions(ctx, c.once)
	}
	req, err := runtime.NewRequest(ctx, r.method, c.base+path)
	if err != nil {
		return nil, &Error{Operation: r.operation, Message: err.Error()}
	}
	// Some servers don't decode a plus as a space.
	req.Raw().URL.RawQuery = strings.ReplaceAll(r.query.Encode(), "+", "%20")
	req.Raw().Header.Set("Accept", "application/json")
	if r.body != nil {
		err = runtime.MarshalAsJSON(req, r.body)
	} else if r.bytes != nil {
		err = setBytes(req, r.bytes)
	}
	if err != nil {
		return nil, &Error{Operation: r.operation, Message: err.Error()}
	}
	return req, nil
}

// send returns the answer to r if it is a success, and an *Error otherwise.
func (c *Client) send(req *policy.Request, r request) (*http.Response, error) {
	var try attempt
	req.SetOperationValue(&try)
	resp, err := c.pipeline.Do(req)
	if err != nil {
		return nil, unanswered(r.operation, err, try.sent)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, refused(r.operation, resp)
	}
	return resp, nil
}

// setIf adds a query parameter unless its value is empty.
func setIf(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}
