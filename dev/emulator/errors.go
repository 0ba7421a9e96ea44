package emulator

import (
	"fmt"
	"net/http"
)

// refusal is an error answer of the service (CustomVisionError in the contract).
type refusal struct {
	status  int
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *refusal) Error() string { return e.Code + ": " + e.Message }

func badRequest(code, format string, args ...any) error {
	return &refusal{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

func notFound(code, format string, args ...any) error {
	return &refusal{http.StatusNotFound, code, fmt.Sprintf(format, args...)}
}

// gatewayError answers as the API Management gateway in front of the service.
func gatewayError(w http.ResponseWriter, status int, message string) {
	type inner struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	body := mustJSON(map[string]inner{"error": {fmt.Sprint(status), message}})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body)
}
