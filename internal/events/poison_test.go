package events

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWhatIsWrongWithOneEventKeepsNoOtherProjectWaiting(t *testing.T) {
	t.Parallel()
	const other = "22222222-2222-4222-8222-222222222222"
	r := &receiver{name: "queue", refuse: func(id string) error {
		if id == "bad" {
			return aboutEvent{errors.New("it answers 422")}
		}
		return nil
	}}
	o := newOffice(t, r)
	o.happens(projectID, "bad")
	o.happens(other, "good")
	o.deliver(projectID, other)
	assert.Equal(t, []string{"good"}, r.taken())
}
