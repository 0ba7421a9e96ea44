package funchost

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// errNoResult is the error for an answer that doesn't end the invocation: the host
// waits until the function timeout.
var errNoResult = errors.New("the handler's answer was empty or null: the host waits for its function timeout")

// answer is the handler's HTTP response with its whole body.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// result is the body of a successful answer (HttpScriptInvocationResult.cs).
// Names may have any letter case.
type result struct {
	Outputs     map[string]json.RawMessage
	Logs        []logLine
	ReturnValue json.RawMessage
}

// logLine is one log line of a result: a string, or a number or boolean as text.
// An object or a list is an error.
type logLine string

func (l *logLine) UnmarshalJSON(raw []byte) error {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return err
	}
	switch v := value.(type) {
	case nil:
	case string:
		*l = logLine(v)
	case float64, bool:
		*l = logLine(raw)
	default:
		return errors.New("a line of Logs is not a string")
	}
	return nil
}

// judge decides whether the host counts an answer to an envelope as success
// (DefaultHttpWorkerService.cs, and ReadAsAsync of AspNetWebStack).
func judge(a answer) (*result, error) {
	if a.status < 200 || a.status > 299 {
		return nil, fmt.Errorf("response status code does not indicate success: %d (%s)", a.status, http.StatusText(a.status))
	}
	if len(a.body) == 0 {
		return nil, errNoResult
	}
	mediaType, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil || (mediaType != "application/json" && mediaType != "text/json") {
		return nil, fmt.Errorf("invalid HttpResponseMessage: no MediaTypeFormatter is available to read an object from content with media type '%s'\n %s",
			a.header.Get("Content-Type"), a.body)
	}
	text := strings.TrimSpace(string(trimBOM(a.body)))
	if text == "" || text == "null" {
		return nil, errNoResult
	}
	var r result
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return nil, fmt.Errorf("invalid HttpResponseMessage: %w\n %s", err, a.body)
	}
	return &r, nil
}
