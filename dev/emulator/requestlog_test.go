package emulator

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLogIsBoundedAndCountsAreNot(t *testing.T) {
	t.Parallel()
	s := start(t)
	const n = 3*keptRequests - 1
	for k := range n {
		s.record(Request{Operation: "GetProjects", Query: fmt.Sprint(k)})
	}
	assert.Equal(t, n, s.Counts()["GetProjects"])
	log := s.Requests()
	assert.GreaterOrEqual(t, len(log), keptRequests)
	assert.LessOrEqual(t, len(log), 2*keptRequests)
	for k, r := range log {
		assert.Equal(t, fmt.Sprint(n-len(log)+k), r.Query)
	}
}

func TestMessagesAreBounded(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.mu.Lock()
	for k := range keptMessages + 5 {
		s.remember(Message{Text: fmt.Sprint(k)})
	}
	s.mu.Unlock()
	messages := s.Messages()
	assert.Len(t, messages, keptMessages)
	assert.Equal(t, "5", messages[0].Text)
}
