package world

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// Event is one that a receiver got.
type Event struct {
	ID, Source, Type, Subject string
	Time                      time.Time
	Data                      map[string]any
}

// EventsQueue creates a queue for events, in the archive's account.
func (w *World) EventsQueue() *azqueue.QueueClient {
	w.t.Helper()
	q := w.Archives.Queues(mine()).NewQueueClient(w.Names.Events)
	_, err := q.Create(w.t.Context(), nil)
	require.NoError(w.t, err)
	return q
}

// Told takes all events off a queue, in its order, as a function with a queue trigger
// would, and holds each to its schema.
func (w *World) Told(q *azqueue.QueueClient) []Event {
	w.t.Helper()
	told := []Event{}
	for {
		got, err := q.DequeueMessages(w.t.Context(), &azqueue.DequeueMessagesOptions{NumberOfMessages: new(int32(32))})
		require.NoError(w.t, err)
		if len(got.Messages) == 0 {
			return told
		}
		for _, m := range got.Messages {
			body, err := base64.StdEncoding.DecodeString(*m.MessageText)
			require.NoError(w.t, err, "Azure Functions expect Base64")
			told = append(told, ReadEvent(w.t, body))
			_, err = q.DeleteMessage(w.t.Context(), *m.MessageID, *m.PopReceipt, nil)
			require.NoError(w.t, err)
		}
	}
}

// ReadEvent reads an event, and holds it to the schema of its type in docs/events.
func ReadEvent(t T, body []byte) Event {
	t.Helper()
	text, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	require.NoError(t, err)
	all, _ := text.(map[string]any)
	str := func(name string) string { s, _ := all[name].(string); return s }
	e := Event{ID: str("id"), Source: str("source"), Type: str("type"), Subject: str("subject")}
	e.Data, _ = all["data"].(map[string]any)
	e.Time, err = time.Parse(time.RFC3339Nano, str("time"))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	schema, err := compiler.Compile(filepath.Join(root(t), "docs", "events", e.Type+".schema.json"))
	require.NoError(t, err, "each type has a schema")
	require.NoError(t, schema.Validate(text), "%s", body)
	return e
}

// root is the folder of the repository.
func root(t T) string {
	t.Helper()
	at, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at
		}
		require.NotEqual(t, at, filepath.Dir(at), "there is no go.mod above")
		at = filepath.Dir(at)
	}
}
