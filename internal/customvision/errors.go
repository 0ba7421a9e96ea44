package customvision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"visionkeeper/internal/pattern"
)

// Error is the failure of an API call. Every error of Client's methods is one
// (errors.As). It holds no key, no token and no query of a URL. If the call's
// context ended, it unwraps to context.Canceled or context.DeadlineExceeded.
type Error struct {
	Operation  string        // name of the REST operation, such as TrainProject
	Status     int           // HTTP status; 0 without an answer
	Code       string        // the service's code, such as BadRequestTrainingNotNeeded; the list is open
	Message    string        // what the service said, or why no answer came
	RequestID  string        // apim-request-id, for Azure support
	RetryAfter time.Duration // how long the service asks to wait; 0 if it doesn't

	lost  bool
	cause error
}

// Error returns one line: which call failed, what the service answered, and what
// to do where the cause is clear.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Operation + ": ")
	if e.Status != 0 {
		fmt.Fprintf(&b, "Custom Vision answered %d", e.Status)
		if e.Code != "" {
			b.WriteString(" " + e.Code)
		}
		b.WriteString(": ")
	}
	b.WriteString(e.Message)
	if e.RequestID != "" {
		b.WriteString(" [request " + e.RequestID + "]")
	}
	if do := e.refusal(); do != "" {
		b.WriteString(": " + do)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.cause }

// NotFound reports whether the service itself says that a thing isn't there: a 404
// with a code of its own. A gateway's 404 has none.
func NotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound && strings.HasPrefix(e.Code, "NotFound")
}

// NotNeeded reports whether the service refuses to train because nothing changed since
// the last training.
func NotNeeded(err error) bool {
	var e *Error
	return errors.As(err, &e) && strings.HasPrefix(e.Code, "BadRequestTrainingNotNeeded")
}

// TooManyIterations reports whether a training is refused because the project has as many
// iterations as the service allows.
func TooManyIterations(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == "BadRequestExceedIterationPerProjectLimit"
}

// Lost reports whether a failed call may have been carried out: no answer came,
// the answer couldn't be read, or it was a timeout or a 5xx. Look at the service
// before calling again.
func Lost(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.lost
}

// Definite reports whether an answer is the service's own no, with a code in words: not a
// gateway's, not a fault on the way to it, a missing right, or a limit of calls.
func Definite(err error) bool {
	var refused *Error
	if !errors.As(err, &refused) || refused.lost || strings.Trim(refused.Code, "0123456789") == "" {
		return false
	}
	switch refused.Status {
	case 401, 429:
		return false
	case 403: // a missing right, unless it says more
		return strings.HasPrefix(refused.Code, "BadRequest")
	}
	return refused.Status >= 400 && refused.Status < 500
}

// Forbidden reports whether the caller lacks a right, which stays so until a person acts.
func Forbidden(err error) bool {
	var e *Error
	return errors.As(err, &e) && !e.lost && (e.Status == http.StatusForbidden || e.Code == "PermissionDenied")
}

// unanswered returns the error of a call without an answer. It may have been carried out
// only if it was sent.
func unanswered(operation string, err error, sent bool) *Error {
	e := &Error{Operation: operation, lost: sent}
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, ended) {
			e.cause = ended
		}
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the URL in front
	}
	e.Message = "no answer from Custom Vision: " + oneLine(err.Error())
	return e
}

// unreadable returns the error of a successful answer whose body can't be
// decoded.
func unreadable(operation string, resp *http.Response, err error) *Error {
	return &Error{
		Operation: operation, Status: resp.StatusCode, RequestID: requestID(resp), lost: true,
		Message: "the answer could not be read: " + oneLine(err.Error()),
	}
}

// refused returns the error of an answer that isn't a success.
func refused(operation string, resp *http.Response) *Error {
	e := &Error{
		Operation: operation, Status: resp.StatusCode, RequestID: requestID(resp), RetryAfter: retryAfter(resp),
		lost: resp.StatusCode >= 500 || resp.StatusCode == http.StatusRequestTimeout,
	}
	body, err := runtime.Payload(resp)
	if err != nil {
		body = nil
	}
	e.Code, e.Message = readErrorBody(body)
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		e.Message = "redirects are not followed; check the endpoint"
	}
	if e.Message == "" {
		e.Message = http.StatusText(resp.StatusCode)
	}
	e.Code, e.Message = withoutCredential(resp.Request, e.Code), withoutCredential(resp.Request, e.Message)
	return e
}

func requestID(resp *http.Response) string {
	if id := resp.Header.Get("apim-request-id"); id != "" {
		return oneLine(id)
	}
	return oneLine(resp.Header.Get("Request-Id"))
}

// readErrorBody reads the service's form {"code","message"}, the gateway's forms
// {"error":{"code","message"}} and {"statusCode","message"}, and the title of an
// HTML page.
func readErrorBody(body []byte) (code, message string) {
	type shape struct {
		Code, StatusCode any
		Message          string
	}
	var outer struct {
		shape
		Error *shape
	}
	var elsewise *json.UnmarshalTypeError // in one field; the others have been decoded
	if err := json.Unmarshal(body, &outer); err == nil || errors.As(err, &elsewise) {
		s := outer.shape
		if inner := outer.Error; inner != nil && (inner.Code != nil || inner.Message != "") {
			s = *inner
		}
		if s.Code == nil {
			s.Code = s.StatusCode
		}
		if s.Code != nil {
			code = oneLine(fmt.Sprint(s.Code))
		}
		return code, oneLine(s.Message)
	}
	if m := htmlTitle().FindSubmatch(body); m != nil {
		return "", oneLine(string(m[1]))
	}
	if markup().Match(body) {
		return "", ""
	}
	return "", oneLine(string(body))
}

var (
	htmlTitle = pattern.Of(`(?is)<title[^>]*>(.*?)</title>`)
	markup    = pattern.Of(`(?s)^\s*[<{\[]`)
	urlQuery  = pattern.Of(`(?i)(https?://[^\s"'<>?]*)\?[^\s"'<>]*`)
)

const longest = 500 // bytes of foreign text in an error

// oneLine makes foreign text fit for an error: one line of at most longest bytes.
// The queries of URLs, which hold signatures, are removed.
func oneLine(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), 4*longest)], "")
	s = strings.Join(strings.Fields(urlQuery().ReplaceAllString(s, "$1?…")), " ")
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return s
}

// withoutCredential removes the request's key or token from an answer that
// repeats it.
func withoutCredential(req *http.Request, s string) string {
	if req == nil {
		return s
	}
	for _, secret := range []string{req.Header.Get(keyHeader), strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")} {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "…")
		}
	}
	return s
}
