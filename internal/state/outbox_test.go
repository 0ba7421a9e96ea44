package state

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	noon  = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	queue = []string{"queue"}
)

func ids(o *Outbox) []string {
	list := []string{}
	for _, e := range o.Events {
		list = append(list, e.ID)
	}
	return list
}

func TestAnEventIsWrittenOnce(t *testing.T) {
	t.Parallel()
	var p Project
	o := p.Events(queue, noon)
	o.Add(noon, Event{ID: "a", Time: noon}, Event{ID: "b", Time: noon}, Event{ID: "a", Time: noon})
	o.Add(noon.Add(time.Hour), Event{ID: "b", Time: noon.Add(time.Hour)})
	assert.Equal(t, []string{"a", "b"}, ids(o))
	assert.True(t, o.Open())
	for _, e := range o.Events {
		e.Acknowledged("queue")
	}
	assert.False(t, o.Open())
	p.Events(queue, noon.Add(13*24*time.Hour)).Add(noon.Add(13*24*time.Hour), Event{ID: "a", Time: noon})
	assert.False(t, o.Open(), "it is remembered who has it")
	o = p.Events(queue, noon.Add(15*24*time.Hour))
	assert.Empty(t, ids(o), "for two weeks")
	o.Add(noon.Add(15*24*time.Hour), Event{ID: "a", Time: noon})
	assert.Empty(t, ids(o), "and what is older isn't written any more")
}

func TestWhatWasBeforeTheOutboxIsNotTold(t *testing.T) {
	t.Parallel()
	known := Project{Revision: "r"}
	o := known.Events(queue, noon)
	o.Add(noon.Add(time.Hour), Event{ID: "before", Time: noon.Add(-time.Second)}, Event{ID: "since", Time: noon})
	assert.Equal(t, []string{"since"}, ids(o))
	fresh := Project{}
	o = fresh.Events(queue, noon)
	o.Add(noon, Event{ID: "before", Time: noon.Add(-time.Hour)})
	assert.Equal(t, []string{"before"}, ids(o), "of a new project all of it is news")
}

func TestAnOutboxFollowsTheSettings(t *testing.T) {
	t.Parallel()
	p := Project{}
	o := p.Events([]string{"queue", "webhook"}, noon)
	o.Add(noon, Event{ID: "a", Time: noon})
	p.Note(Condition{Scope: Scope{Destination: "webhook"}, Code: Undelivered})
	assert.Same(t, o, p.Events(nil, noon), "who doesn't know the settings changes nothing")
	assert.Len(t, o.Waiting("webhook"), 1)
	o = p.Events(queue, noon)
	assert.Empty(t, o.Waiting("webhook"))
	assert.Len(t, o.Waiting("queue"), 1)
	assert.Empty(t, p.Conditions)
	o = p.Events([]string{"queue", "eventgrid"}, noon)
	assert.Empty(t, o.Waiting("eventgrid"), "a new one isn't told what was before")
	assert.Nil(t, p.Events([]string{}, noon))
	assert.Nil(t, p.Outbox)
	assert.Nil(t, p.Events(nil, noon))
}

func TestAnOutboxIsBounded(t *testing.T) {
	t.Parallel()
	p := Project{ID: projectID, Version: formatVersion}
	o := p.Events(queue, noon)
	for n := range maxOpen + 10 {
		o.Add(noon, Event{ID: fmt.Sprint(n), Time: noon})
	}
	assert.Len(t, o.Events, maxOpen)

	large := Project{ID: projectID, Version: formatVersion}
	o = large.Events(queue, noon)
	o.Add(noon, Event{ID: "told", Time: noon, Subject: strings.Repeat("x", maxBlob/2)}, Event{ID: "waits", Time: noon, Subject: strings.Repeat("y", maxBlob/2)})
	o.Events[0].Acknowledged("queue")
	data, err := encode(large)
	require.NoError(t, err)
	var again Project
	require.NoError(t, decode(data, &again))
	assert.Equal(t, []string{"waits"}, ids(again.Outbox), "what everybody has goes first")
	assert.Len(t, large.Outbox.Events, 2)
	o.Events[1].Subject = strings.Repeat("y", maxBlob)
	data, err = encode(large)
	require.NoError(t, err)
	again = Project{}
	require.NoError(t, decode(data, &again))
	assert.Nil(t, again.Outbox, "a state that can't be written would be worse")
}

func TestTheTimesOfEventsHaveTheirOrder(t *testing.T) {
	t.Parallel()
	o := (&Project{ID: projectID, Version: formatVersion}).Events(queue, noon)
	o.Add(noon, Event{ID: "first", Time: noon})
	o.Add(noon.Add(-time.Second), Event{ID: "second", Time: noon})
	assert.Equal(t, noon, o.Event("second").At, "it was written later, by a clock that is a little behind")
}

func TestAnOutboxIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	p := Project{ID: projectID, Version: formatVersion}
	p.Events(queue, noon).Add(noon, Event{ID: "a", Type: "backup.proven", Subject: "s", Time: noon, Proof: "p"}, Event{ID: "b", Time: noon, Data: []byte(`{"a":1}`)})
	p.Outbox.Events[1].GiveUp("queue")
	data, err := encode(p)
	require.NoError(t, err)
	var again Project
	require.NoError(t, decode(data, &again))
	assert.True(t, same(p, again))
	require.NoError(t, decode(sealed(t, map[string]any{"version": formatVersion, "outbox": map[string]any{"events": []any{nil, map[string]any{"id": "c"}}}}), &again))
	assert.Equal(t, []string{"c"}, ids(again.Outbox))
}

// What is about no one project isn't one of the projects.
func TestTheAppsOwnRecordIsNoProject(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	r, err := s.Load(t.Context(), App)
	require.NoError(t, err)
	require.NoError(t, s.Update(t.Context(), r, func(p *Project) error {
		p.Events(queue, noon).Add(noon, Event{ID: "a", Time: noon})
		return nil
	}))
	r, err = s.Load(t.Context(), App)
	require.NoError(t, err)
	assert.Equal(t, []string{"a"}, ids(r.Outbox))
	projects, err := s.Projects(t.Context())
	require.NoError(t, err)
	assert.Empty(t, projects)
}

func TestAConditionOfADestinationEndsWithTheLastEventThatItIsAbout(t *testing.T) {
	t.Parallel()
	p := Project{}
	p.Events(queue, noon).Add(noon, Event{ID: "a", Time: noon})
	p.Outbox.Events[0].GiveUp("queue")
	p.Note(Condition{Scope: Scope{Destination: "queue"}, Code: Undelivered})
	p.Events(queue, noon.Add(13*24*time.Hour))
	assert.Len(t, p.Conditions, 1)
	p.Events(queue, noon.Add(15*24*time.Hour))
	assert.Empty(t, p.Outbox.Events)
	assert.Empty(t, p.Conditions, "nobody could find what it tells of")
}
