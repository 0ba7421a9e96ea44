package storage

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
)

// Error is a storage request that failed. Its text is one line: what could not be
// done, the service's status and code, its request id, and what a person has to do
// where the cause is clear. Unwrap gives the SDK's error, so bloberror.HasCode
// works on it.
type Error struct {
	Op        string // what could not be done
	Status    int    // HTTP status; 0 where no answer came
	Code      string // the service's error code
	RequestID string // x-ms-request-id, for Azure support
	err       error
}

func (e *Error) Error() string {
	if e.Status == 0 {
		return fmt.Sprintf("%s: %s", e.Op, e.Reason())
	}
	text := fmt.Sprintf("%s: storage answered %d %s (request %s)", e.Op, e.Status, e.Code, e.RequestID)
	if refusal, ok := refusals[e.Code]; ok {
		text += ": " + refusal.do
	}
	return text
}

func (e *Error) Unwrap() error { return e.err }

// Reason says why no answer came, without the URL. Where Status is set, that and
// Code say more.
func (e *Error) Reason() string { return withoutURL(e.err) }

// Explain says what could not be done when err came. It is nil if err is. The
// text holds no URL query, because signatures stand there, and no raw body.
func Explain(op string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Op: op, err: err}
	var response *azcore.ResponseError
	if errors.As(err, &response) {
		e.Status, e.Code = response.StatusCode, response.ErrorCode
		if response.RawResponse != nil {
			e.RequestID = response.RawResponse.Header.Get("x-ms-request-id")
		}
	}
	return e
}

// Status is the HTTP status of a failed storage request, 0 if there was none.
func Status(err error) int {
	var response *azcore.ResponseError
	if errors.As(err, &response) {
		return response.StatusCode
	}
	return 0
}

// withoutURL is the error's text without the URL net/http puts in front, whose
// query may be a signature.
func withoutURL(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err.Error()
	}
	return err.Error()
}
