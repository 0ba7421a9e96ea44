package emulator

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"visionkeeper/internal/storage"
)

// Message is a notification that was sent, or would have been sent without a
// fault.
type Message struct {
	Time  time.Time         `json:"time"` // by the emulator's clock
	Queue string            `json:"queue"`
	Type  string            `json:"type"`
	Text  string            `json:"text"`            // before Base64
	Sent  bool              `json:"sent"`            // whether it is on the queue
	Fault NotificationFault `json:"fault,omitempty"` // the fault that was ordered for it
	Error string            `json:"error,omitempty"` // why the queue refused it
}

// keptMessages is the length limit of the list of messages.
const keptMessages = 1_000

// envelope is a notification in the form of the storage-integration guide: names
// begin with a lower-case letter except Content, the version is a string, and the
// members have this order.
type envelope struct {
	Version string      `json:"version"`
	Type    string      `json:"type"`
	Content contentWire `json:"Content"`
}

type contentWire struct {
	ProjectID      string          `json:"projectId"`
	IterationID    string          `json:"iterationId,omitempty"`
	TrainingStatus string          `json:"trainingStatus,omitempty"`
	ExportStatus   string          `json:"exportStatus,omitempty"`
	ModelURI       json.RawMessage `json:"modelUri,omitempty"` // missing, null or a string
}

// notify sends a message to the project's queue, if the project has one.
func (s *Server) notify(p *project, kind string, c contentWire) {
	if p.Queue != "" {
		s.send(p.Queue, envelope{"1.0", kind, c})
	}
}

// send sends a message, or applies the fault that was ordered for it.
func (s *Server) send(queue string, e envelope) error {
	fault := s.nextMessageFault()
	m := Message{Queue: queue, Fault: fault.kind}
	switch fault.kind {
	case UnknownType:
		e.Type = "Publish"
	case UnknownVersion:
		e.Version = "2.0"
	case NoModelURI:
		e.Content.ModelURI = nil
	}
	m.Type, m.Text = e.Type, string(mustJSON(e))
	switch fault.kind {
	case Drop:
		s.remember(m)
		return nil
	case Double:
		s.deliver(m)
	case Delay:
		s.schedule(job{Kind: jobSend, Due: s.state.Clock.now().Add(fault.delay), Message: m})
		return nil
	case Reorder:
		s.held = append(s.held, m)
		if fault.left > 0 {
			return nil
		}
		held := s.held
		s.held = nil
		for _, m := range slices.Backward(held) {
			s.deliver(m)
		}
		return nil
	case Garble:
		m.Text = m.Text[:len(m.Text)/2]
	}
	return s.deliver(m)
}

// deliver puts a message on its queue and lists it. A message that fails is not
// sent again. s.mu must be held; it is released during the request.
func (s *Server) deliver(m Message) error {
	name, known := childOf(s.options.Storage.QueueURL, m.Queue)
	text := m.Text
	if s.answer(MessageEncoding) == "base64" {
		text = base64.StdEncoding.EncodeToString([]byte(text))
	}
	var err error
	switch {
	case s.queues == nil:
		m.Error = "the emulator was given no storage account"
	case !known:
		m.Error = "the queue isn't in the storage account that the emulator was given"
	case m.Fault == Unreachable:
		err = errors.New("the queue can't be reached")
	default:
		s.unlocked(func() {
			ctx, cancel := context.WithTimeout(s.ctx, storageTimeout)
			defer cancel()
			_, err = s.queues.NewQueueClient(name).EnqueueMessage(ctx, text, nil) // the SDK escapes it for XML
			err = storage.Explain("put a notification on the queue", err)
		})
		m.Sent = err == nil
	}
	if err != nil {
		m.Error = err.Error()
		s.options.Logf("%v", err)
	}
	s.remember(m)
	return err
}

func (s *Server) remember(m Message) {
	m.Time = s.state.Clock.now()
	s.state.Messages = append(s.state.Messages, m)
	if excess := len(s.state.Messages) - keptMessages; excess > 0 {
		s.state.Messages = slices.Delete(s.state.Messages, 0, excess)
	}
}

// announceFirst sends a job's message before the job changes the state, if the
// service is assumed to do so. It reports whether the state has to wait.
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

// messageLead is the time between a message and its state, if the message comes
// first.
const messageLead = time.Second

// Messages returns the last notifications, at most 1,000, in the order in which
// they were sent or would have been. The message of a project without a container
// holds a signed link.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.state.Messages)
}
