package emulator

import (
	"bytes"
	"encoding/json"
	"math"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// call is one request of an operation.
type call struct {
	id      string // the apim-request-id of the answer
	version string
	ids     map[string]string // the GUIDs of the path, by the contract's names
	query   url.Values        // keys in lower case
	header  http.Header
	body    []byte
	now     time.Time
}

// decode reads a JSON body. An empty body leaves v as it is.
func (c *call) decode(v any) error {
	if len(bytes.TrimSpace(c.body)) == 0 {
		return nil
	}
	kind, _, err := mime.ParseMediaType(c.header.Get("Content-Type"))
	if err != nil || kind != "application/json" && kind != "text/json" && !strings.HasSuffix(kind, "+json") {
		return &refusal{http.StatusUnsupportedMediaType, "UnsupportedMediaType", "Send application/json"}
	}
	if err := json.Unmarshal(c.body, v); err != nil {
		return badRequest("BadRequestInvalid", "The request body is not valid: %v", err)
	}
	return nil
}

// decodeRequired reads a JSON body that must be there and not be null.
func (c *call) decodeRequired(v any) error {
	if text := string(bytes.TrimSpace(c.body)); text == "" || text == "null" {
		return badRequest("BadRequestRequiredParamIsNull", "The request body is required")
	}
	return c.decode(v)
}

// decodeFilled reads a JSON object that must be there and have members.
func (c *call) decodeFilled(v any) error {
	var members map[string]json.RawMessage
	if err := c.decodeRequired(&members); err != nil {
		return err
	}
	if len(members) == 0 {
		return badRequest("BadRequestRequiredParamIsNull", "The request body has no member")
	}
	return c.decode(v)
}

// required returns a query parameter that must be there.
func (c *call) required(name string) (string, error) {
	value := c.query.Get(strings.ToLower(name))
	if value == "" {
		return "", badRequest("BadRequestRequiredParamIsNull", "The parameter %s is required", name)
	}
	return value, nil
}

// list returns the values of a comma-separated query parameter, which may also be
// repeated.
func (c *call) list(name string) []string {
	var all []string
	for _, value := range c.query[strings.ToLower(name)] {
		for part := range strings.SplitSeq(value, ",") {
			if part = strings.TrimSpace(part); part != "" {
				all = append(all, part)
			}
		}
	}
	return all
}

// flag returns a boolean query parameter.
func (c *call) flag(name string, fallback bool) (bool, error) {
	text := c.query.Get(strings.ToLower(name))
	if text == "" {
		return fallback, nil
	}
	value, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		return false, badRequest("BadRequestInvalid", "The value '%s' is not valid for %s", text, name)
	}
	return value, nil
}

// number returns a query parameter that may have a fraction.
func (c *call) number(name string, fallback float64) (float64, error) {
	text := c.query.Get(strings.ToLower(name))
	if text == "" {
		return fallback, nil
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(value) {
		return 0, badRequest("BadRequestInvalid", "The value '%s' is not valid for %s", text, name)
	}
	return value, nil
}

// integer returns a query parameter that is a 32-bit integer.
func (c *call) integer(name string, fallback int) (int, error) {
	text := c.query.Get(strings.ToLower(name))
	if text == "" {
		return fallback, nil
	}
	value, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, badRequest("BadRequestInvalid", "The value '%s' is not valid for %s", text, name)
	}
	return int(value), nil
}

func lowerKeys(values url.Values) url.Values {
	lower := url.Values{}
	for key, list := range values {
		lower[strings.ToLower(key)] = append(lower[strings.ToLower(key)], list...)
	}
	return lower
}
