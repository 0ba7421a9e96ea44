package customvision

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// maxBody is the size limit, in bytes, of an answer that is read into memory.
// The longest known, the project list of a full resource, is far below 1 MiB.
const maxBody = 32 << 20

// answerTime is the time limit of an answer, or, if it is streamed, of its
// headers. Every operation answers at once and does long work in the background.
const answerTime = time.Minute

var defaultTransport = func() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = answerTime
	return t
}()

// transport sends requests. It never follows redirects, because they would send
// the training key to another host. It limits the size of what is read into
// memory.
type transport struct{ next policy.Transporter }

// newTransport wraps next, or a default if next is nil. An *http.Client is
// copied, and the copy follows no redirects.
func newTransport(next policy.Transporter) policy.Transporter {
	client := &http.Client{Transport: defaultTransport}
	switch given := next.(type) {
	case nil:
	case *http.Client:
		copied := *given
		client = &copied
	default:
		return transport{next}
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return transport{client}
}

func (t transport) Do(req *http.Request) (*http.Response, error) {
	resp, err := t.next.Do(req)
	if err != nil || resp == nil {
		return resp, err
	}
	if streamed(req.Context()) && resp.StatusCode < http.StatusBadRequest {
		return resp, nil
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxBody}
	return resp, nil
}

type streamedKey struct{}

// withStream marks a call whose body is passed to the caller unread. It has no
// size limit.
func withStream(ctx context.Context) context.Context {
	return context.WithValue(ctx, streamedKey{}, true)
}

func streamed(ctx context.Context) bool { return ctx.Value(streamedKey{}) != nil }

// boundedBody is a body that fails, instead of ending early, after more than left
// bytes.
type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, tooLarge{}
	}
	return n, err
}

// tooLarge is the error of an answer over maxBody. NonRetriable stops azcore from
// repeating the call.
type tooLarge struct{}

func (tooLarge) Error() string { return fmt.Sprintf("the answer is larger than %d MiB", maxBody>>20) }
func (tooLarge) NonRetriable() {}
