package funchost

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"visionkeeper/dev/guard"
)

// maxRequestBody is the host's size limit of a request in bytes.
const maxRequestBody = 104857600

// routes returns the host's HTTP front: the admin endpoints and the HTTP
// functions. Like func start, it ignores authorization levels. Since then whoever
// reaches it may do everything, it refuses what a page of another site may have
// sent, which func start takes.
func (h *Host) routes() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := guard.Check(r, ""); err != nil {
			h.refuse(w, r, err)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxRequestBody)
		path := strings.TrimSuffix(r.URL.Path, "/")
		name, single := strings.CutPrefix(path, "/admin/functions/")
		ofStatus, status := strings.CutSuffix(name, "/status")
		switch {
		case path == "":
			io.WriteString(w, "Your Functions 4.0 app is up and running (stand-in host)\n")
		case path == "/admin/host/status" && r.Method == http.MethodGet:
			h.serveStatus(w)
		case path == "/admin/functions" && r.Method == http.MethodGet:
			h.serveFunctions(w)
		case single && status && r.Method == http.MethodGet:
			h.serveFunctionStatus(w, r, ofStatus)
		case single && r.Method == http.MethodPost:
			h.serveManualRun(w, r, name)
		default:
			if err := guard.CheckCall(r, ""); err != nil {
				h.refuse(w, r, err)
				return
			}
			h.serveFunction(w, r)
		}
	})
}

func (h *Host) refuse(w http.ResponseWriter, r *http.Request, why error) {
	h.log.warnf("Refused %s %s: %v", r.Method, r.URL.EscapedPath(), why)
	http.Error(w, why.Error(), http.StatusForbidden)
}

func (h *Host) serveStatus(w http.ResponseWriter) {
	writeJSON(w, http.StatusOK, map[string]any{
		"state": "Running", "version": hostVersion, "processUptime": time.Since(h.started).Milliseconds(),
	})
}

// listed is a function in the answer to GET /admin/functions.
type listed struct {
	Name       string          `json:"name"`
	Config     json.RawMessage `json:"config"`
	IsDisabled bool            `json:"isDisabled"`
}

func (h *Host) serveFunctions(w http.ResponseWriter) {
	list := []listed{}
	for _, f := range h.functions {
		list = append(list, listed{f.name, f.config, f.disabled})
	}
	writeJSON(w, http.StatusOK, list)
}

// serveFunctionStatus lists what kept a function or its listener from starting.
func (h *Host) serveFunctionStatus(w http.ResponseWriter, r *http.Request, name string) {
	errs := h.errors[strings.ToLower(name)]
	if errs == nil && h.find(name) == nil {
		http.NotFound(w, r)
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Errors []string `json:"errors,omitempty"`
	}{errs})
}

// serveManualRun starts any function but an HTTP function, even a disabled one.
// It answers before the function ends, and takes JSON alone (FunctionsController.cs).
func (h *Host) serveManualRun(w http.ResponseWriter, r *http.Request, name string) {
	f := h.find(name)
	if f == nil {
		http.NotFound(w, r)
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		writeJSON(w, http.StatusUnsupportedMediaType, map[string]string{"error": "send the header Content-Type: application/json"})
		return
	}
	var run *struct{ Input *string }
	if err := json.NewDecoder(r.Body).Decode(&run); err != nil || run == nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": `send a JSON object: {"input":"…"} for a queue function, {} for a timer`})
		return
	}
	c := call{function: f, id: newGUID(), reason: "This function was programmatically called via the host APIs."}
	if f.trigger.is(queueTrigger) && run.Input == nil {
		// The host says yes before it looks at the input (QueueTriggerBinding.BindAsync).
		h.report(c, outcome{err: errors.New("unable to convert trigger to IStorageQueueMessage: send the message's text as input")}, 0)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	payload, err := h.manualPayload(f, value(run.Input))
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	c.request, err = h.envelopeRequest(f, c.id, payload)
	if err != nil || !h.begin() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	go func() {
		defer h.end()
		h.execute(c)
	}()
	w.WriteHeader(http.StatusAccepted)
}

func (h *Host) find(name string) *function {
	for _, f := range h.functions {
		if strings.EqualFold(f.name, name) {
			return f
		}
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}
