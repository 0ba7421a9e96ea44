package emulator

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"visionkeeper/storage"
)

// Message is a notification that the service sent, or would have sent.
type Message struct {
	Time  time.Time `json:"time"` // by the emulator's clock
	Queue string    `json:"queue"`
	Type  string    `json:"type"`
	Text  string    `json:"text"`            // before Base64
	Fault string    `json:"fault,omitempty"` // what was done to it on demand
	Error string    `json:"error,omitempty"` // why it isn't on the queue

}

// envelope is the documented shape: lower case but for Content, version a string.
type envelope struct {
	Version string         `json:"version"`
	Type    string         `json:"type"`
	Content map[string]any `json:"Content"`
}

// contentOrder is the order in which the documentation shows Content's members.
var contentOrder = []string{"projectId", "iterationId", "trainingStatus", "exportStatus", "modelUri"}

func (e envelope) MarshalJSON() ([]byte, error) {
	var content []string
	for _, key := range contentOrder {
		value, ok := e.Content[key]
		if !ok {
			continue
		}
		text, err := plainJSON(value)
		if err != nil {
			return nil, err
		}
		content = append(content, `"`+key+`":`+text)
	}
	return []byte(`{"version":"` + e.Version + `","type":"` + e.Type + `","Content":{` + strings.Join(content, ",") + `}}`), nil
}

// plainJSON writes & as &, as a .NET service would.
func plainJSON(v any) (string, error) {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return strings.TrimSpace(b.String()), err
}

// notify sends a message to the project's queue, if it has one.
func (s *Server) notify(p *project, kind string, content map[string]any) {
	if p.Queue == "" {
		return
	}
	s.send(s.compose(p.Queue, kind, content))
}

func (s *Server) compose(queue, kind string, content map[string]any) Message {
	text, err := plainJSON(envelope{"1.0", kind, content})
	if err != nil {
		panic(err) // strings only
	}
	return Message{Queue: queue, Type: kind, Text: text}
}

// send puts a message on its queue and remembers it. What fails is not tried
// again, and the state goes on. s.mu is held but for the request.
func (s *Server) send(m Message) error {
	m.Time = s.state.Clock.now()
	var err error
	if s.queues == nil {
		m.Error = "the emulator was given no storage account"
	} else if name, ok := childOf(s.options.Storage.QueueURL, m.Queue); !ok {
		m.Error = "the queue isn't in the storage account that the emulator was given"
	} else {
		text := m.Text
		if s.answer(MessageEncoding) == "base64" {
			text = base64.StdEncoding.EncodeToString([]byte(text))
		}
		s.unlocked(func() {
			ctx, cancel := context.WithTimeout(s.ctx, storageTimeout)
			defer cancel()
			_, err = s.queues.NewQueueClient(name).EnqueueMessage(ctx, text, nil)
			err = storage.Explain("put a notification on the queue", err)
		})
		if err != nil {
			m.Error = err.Error()
			s.options.Logf("%v", err)
		}
	}
	s.messages = append(s.messages, m)
	return err
}

// announceFirst sends a job's message before its state changes, if the service
// is assumed to do so. It is true when the state has to wait.
func (s *Server) announceFirst(j *job, announce func()) bool {
	if j.Announced || s.answer(MessageTiming) != "before-state" {
		return false
	}
	announce()
	j.Announced = true
	j.Due = j.Due.Add(messageLead)
	s.schedule(*j)
	return true
}

// messageLead is how far a message runs ahead of its state, if it does.
const messageLead = time.Second

// Messages are all notifications so far, in the order in which they were sent.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}
