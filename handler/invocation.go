package handler

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/rs/zerolog"
)

// Func runs one invocation. Nil means success. An error is logged, and the host
// counts the invocation as failed.
//
// A Func must return when ctx ends, which it does at the deadline. The invocation
// is then answered as failed without it, and what it returns later is only
// logged. A panic fails this invocation alone, but a panic in a goroutine that
// the Func started ends the process.
//
// Many Funcs run at the same time, and the process may be killed at any instant.
type Func func(ctx context.Context, inv *Invocation) error

// Invocation is one call of a function, as the host sent it.
type Invocation struct {
	// ID is the host's invocation id.
	ID string
	// Function is the name that was given to Handle.
	Function string
	// Data holds the trigger's value and other inputs by the name of their
	// binding, in the host's encoding. Read it with Bytes, Text, JSON or Timer.
	Data map[string]json.RawMessage
	// Metadata describes the trigger's event.
	Metadata Metadata
	// Log carries the invocation id and the function's name.
	Log zerolog.Logger
}

// DequeueCount returns how many times the queue has delivered this message, this
// time included. It is 0 for an invocation that didn't come from a queue and for
// a manual run. Without "dataType": "binary" on the binding, a message can forge
// it.
func (inv *Invocation) DequeueCount() int {
	n, _ := inv.Metadata.Int("DequeueCount")
	return n
}

// invocation serves a function whose invocations arrive as an envelope.
func (h *Handler) invocation(function string, f Func) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := h.attempt(w, r, function, func(body []byte) (func(context.Context) error, error) {
			inv, err := decode(body)
			if err != nil {
				return nil, err
			}
			inv.ID, inv.Function = r.Header.Get(headerInvocationID), function
			return func(ctx context.Context) error {
				inv.Log = *zerolog.Ctx(ctx)
				return f(ctx, inv)
			}, nil
		})
		if err != nil {
			fail(w, failureStatus(err), err.Error())
			return
		}
		succeed(w)
	}
}

// decode reads the envelope: {"Data":{…},"Metadata":{…}}. Either member may be
// absent. Errors quote nothing of the body.
func decode(body []byte) (*Invocation, error) {
	if !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
		return nil, errors.New(`the request's body is not a JSON object with "Data" and "Metadata"`)
	}
	var envelope struct {
		Data     map[string]json.RawMessage
		Metadata Metadata
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		return nil, fmt.Errorf("cannot read the request's body as an invocation: %w", err)
	}
	return &Invocation{Data: envelope.Data, Metadata: envelope.Metadata}, nil
}
