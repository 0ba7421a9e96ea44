package funchost

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// httpResponse is the value of an http output.
type httpResponse struct {
	status  int
	headers map[string]string
	body    []byte
	json    bool
}

// writeOutput answers the client with the http output of an envelope's result.
// Other outputs are dropped. A value that isn't a response is an error of the
// function: 500.
func (h *Host) writeOutput(w http.ResponseWriter, f *function, r *result) {
	response, err := r.httpOutput(f)
	if err != nil {
		h.log.errorf("Function '%s': %v", f.name, err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if response.json {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	} else if len(response.body) > 0 {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	for name, value := range response.headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(response.status)
	w.Write(response.body)
}

// httpOutput finds the value of the function's http output: under its name, in
// ReturnValue if it is called $return, or as the members of an object in
// ReturnValue (FunctionBinding.cs, HttpBinding.cs).
func (r *result) httpOutput(f *function) (httpResponse, error) {
	name := ""
	for _, b := range f.bindings {
		if b.is("http") && strings.EqualFold(b.Direction, "out") {
			name = b.Name
		}
	}
	outputs := r.Outputs
	if name != "" && name != "$return" && len(r.ReturnValue) > 0 && r.ReturnValue[0] == '{' {
		json.Unmarshal(r.ReturnValue, &outputs)
	}
	switch value, given := outputs[name]; {
	case name == "$return" && len(r.ReturnValue) > 0:
		return readResponse(r.ReturnValue, true)
	case given:
		return readResponse(value, false)
	case outputs != nil:
		return httpResponse{status: http.StatusOK, body: []byte("{}"), json: true}, nil
	}
	return httpResponse{status: http.StatusOK}, nil
}

// readResponse reads {"statusCode", "headers", "body"}, or text that holds such
// an object. "status" is read only from a $return value.
func readResponse(raw json.RawMessage, isReturn bool) (httpResponse, error) {
	response := httpResponse{status: http.StatusOK}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = json.RawMessage(text)
	}
	var value struct {
		StatusCode, Status json.RawMessage
		Headers            map[string]*string
		Body               json.RawMessage
	}
	if trimmed := bytes.TrimSpace(raw); len(trimmed) == 0 || trimmed[0] != '{' {
		return response, errors.New("the HTTP 'res' property must be an object with statusCode, headers and body")
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		return response, fmt.Errorf("the HTTP response is broken: %w", err)
	}
	status := value.StatusCode
	if status == nil && isReturn {
		status = value.Status
	}
	if len(status) > 0 && string(status) != "null" {
		n, err := strconv.Atoi(strings.Trim(string(status), `"`))
		if err != nil || n < 200 || n > 999 {
			return response, fmt.Errorf("the status code %s is not a number from 200 to 999", status)
		}
		response.status = n
	}
	response.headers = map[string]string{}
	for name, header := range value.Headers {
		if header == nil {
			return response, fmt.Errorf("the header %s is null: it must be a string", name)
		}
		response.headers[name] = *header
	}
	switch {
	case len(value.Body) == 0, string(value.Body) == "null":
	case json.Unmarshal(value.Body, &text) == nil:
		response.body = []byte(text)
	default:
		var indented bytes.Buffer
		json.Indent(&indented, value.Body, "", "  ")
		response.body, response.json = indented.Bytes(), true
	}
	return response, nil
}
