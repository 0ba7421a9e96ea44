package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/leak"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/models"
	"visionkeeper/internal/state"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(func() int { return azuritetest.Run(m) })) }

const projectID = "11111111-1111-4111-8111-111111111111"

// receiver is a destination that keeps what it takes.
type receiver struct {
	name string
	mu   sync.Mutex
	got  []string // ids
	// refuse is asked before it takes one.
	refuse func(id string) error
}

func (r *receiver) Name() string        { return r.name }
func (r *receiver) Place() string       { return "the " + r.name }
func (r *receiver) Fingerprint() string { return r.name }

func (r *receiver) Check(context.Context) error { return nil }

func (r *receiver) Send(_ context.Context, id string, body []byte) error {
	if r.refuse != nil {
		if err := r.refuse(id); err != nil {
			return err
		}
	}
	if !json.Valid(body) {
		return errors.New("it is no JSON")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, id)
	return nil
}

func (r *receiver) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// office is a Postman with receivers, in a world whose clock stands still.
type office struct {
	*world.World
	*Postman
	t *testing.T
}

func newOffice(t *testing.T, receivers ...*receiver) *office {
	t.Helper()
	w := world.New(t, world.Options{Still: true})
	o := &office{World: w, t: t, Postman: &Postman{
		State: state.Open(w.Archives.Blobs(&azcore.ClientOptions{Transport: world.Send(w.Timed)}), w.Names.State), Archive: w.Archive,
	}}
	for _, r := range receivers {
		o.Destinations = append(o.Destinations, r)
	}
	return o
}

// happens writes events with these ids into the outbox of a project.
func (o *office) happens(project string, ids ...string) {
	o.t.Helper()
	record, err := o.Postman.State.Load(o.t.Context(), project)
	require.NoError(o.t, err)
	require.NoError(o.t, o.Postman.State.Update(o.t.Context(), record, func(p *state.Project) error {
		now := o.Service.Now()
		var list []state.Event
		for _, id := range ids {
			list = append(list, state.Event{ID: id, Type: TrainingCompleted, Time: now, Data: json.RawMessage(`{}`)})
		}
		p.Events(o.Names(), now).Add(now, list...)
		return nil
	}))
}

func (o *office) Names() []string { return o.Postman.Names() }

func (o *office) deliver(projects ...string) {
	o.t.Helper()
	_, err := o.Deliver(o.t.Context(), projects...)
	require.NoError(o.t, err)
}

func (o *office) project(id string) state.Project {
	o.t.Helper()
	record, err := o.Postman.State.Load(o.t.Context(), id)
	require.NoError(o.t, err)
	return record.Project
}

func (o *office) condition(destination string) *state.Condition {
	p := o.project(projectID)
	return p.Condition(state.Scope{Destination: destination})
}

func TestEventsAreToldInOrderToEachDestination(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	a, b := &receiver{name: "a"}, &receiver{name: "b", refuse: func(id string) error {
		if id == "2" {
			return down
		}
		return nil
	}}
	o := newOffice(t, a, b)
	o.happens(projectID, "1", "2", "3")
	o.deliver(projectID)
	assert.Equal(t, []string{"1", "2", "3"}, a.taken(), "a doesn't wait for b")
	assert.Equal(t, []string{"1"}, b.taken())
	require.NotNil(t, o.condition("b"))
	assert.Nil(t, o.condition("a"))

	o.deliver(projectID)
	assert.Equal(t, []string{"1"}, b.taken(), "its time hasn't come")
	b.refuse = nil
	o.Service.Advance(time.Minute + time.Second)
	o.deliver(projectID)
	assert.Equal(t, []string{"1", "2", "3"}, b.taken())
	assert.Equal(t, []string{"1", "2", "3"}, a.taken(), "it has them")
	assert.Nil(t, o.condition("b"))
	p := o.project(projectID)
	assert.False(t, p.Outbox.Open())
}

func TestThePausesGrowAndWhatWaitsForAWeekIsGivenUp(t *testing.T) {
	t.Parallel()
	tries := map[string]int{}
	b := &receiver{name: "b", refuse: func(id string) error {
		tries[id]++
		return errors.New("down")
	}}
	o := newOffice(t, b)
	o.happens(projectID, "1")
	var waits []time.Duration
	for range 8 {
		o.deliver(projectID)
		c := o.condition("b")
		require.NotNil(t, c)
		assert.Contains(t, c.Why, "1 of the project's events wait for the b: down")
		waits = append(waits, c.Next.Sub(c.Last))
		o.Service.Advance(c.Next.Sub(o.Service.Now()) + 2*time.Second)
	}
	assert.Equal(t, []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 6 * time.Hour, 6 * time.Hour}, waits)
	assert.Equal(t, 8, tries["1"])

	o.Service.Advance(7 * 24 * time.Hour)
	o.happens(projectID, "2")
	o.deliver(projectID)
	p := o.project(projectID)
	assert.Equal(t, []string{"b"}, p.Outbox.Event("1").Dead)
	assert.Equal(t, []string{"b"}, p.Outbox.Event("2").Open, "the next one has a week of its own")
	assert.Equal(t, 1, tries["2"])

	b.refuse = nil
	o.Service.Advance(7 * time.Hour)
	o.deliver(projectID)
	assert.Equal(t, []string{"2"}, b.taken())
	c := o.condition("b")
	require.NotNil(t, c, "what was given up stays one")
	assert.Contains(t, c.Why, "1 of the project's events were given up")

	record, err := o.Postman.State.Load(t.Context(), projectID)
	require.NoError(t, err)
	require.NoError(t, o.Postman.State.Update(t.Context(), record, func(p *state.Project) error {
		p.Outbox.Event("1").Again(o.Names(), o.Service.Now())
		return nil
	}))
	o.deliver(projectID)
	assert.Equal(t, []string{"2", "1"}, b.taken(), "a person sends it again")
	assert.Nil(t, o.condition("b"))
}

func TestOneSendsAtATime(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	var sending atomic.Int64
	a := &receiver{name: "a", refuse: func(string) error {
		if sending.Add(1) == 1 {
			close(entered)
			<-leave
		}
		return nil
	}}
	o := newOffice(t, a)
	o.happens(projectID, "1")
	ended := make(chan error)
	go func() {
		_, err := o.Deliver(t.Context(), projectID)
		ended <- err
	}()
	<-entered
	o.deliver(projectID) // another process
	close(leave)
	require.NoError(t, <-ended)
	assert.Equal(t, []string{"1"}, a.taken())
}

// A process that died while it sent is waited for as long as it would have had.
func TestWhoDiedWhileItSentIsFollowed(t *testing.T) {
	t.Parallel()
	a := &receiver{name: "a"}
	o := newOffice(t, a)
	o.happens(projectID, "1")
	record, err := o.Postman.State.Load(t.Context(), projectID)
	require.NoError(t, err)
	require.NoError(t, o.Postman.State.Update(t.Context(), record, func(p *state.Project) error {
		p.Outbox.Sender, p.Outbox.Until = "dead", o.Service.Now().Add(10*time.Second)
		return nil
	}))
	o.deliver(projectID)
	assert.Empty(t, a.taken())
	o.Service.Advance(11 * time.Second)
	o.deliver(projectID)
	assert.Equal(t, []string{"1"}, a.taken())
}

// A receiver that never answers is seen to by a message's invocation, too.
func TestADestinationThatHangsGetsItsPause(t *testing.T) {
	t.Parallel()
	assert.Greater(t, MessageTime-sendTime, 4*time.Second, "time to read and write the state besides")
	tries := 0
	b := &receiver{name: "b", refuse: func(string) error {
		tries++
		return context.DeadlineExceeded
	}}
	o := newOffice(t, b)
	o.happens(projectID, "1")
	o.deliver(projectID)
	o.deliver(projectID)
	assert.Equal(t, 1, tries)
}

// What is down for one project isn't asked for the others in the same passage: each try
// may take its whole time.
func TestADestinationThatIsDownHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	tries := 0
	a, b := &receiver{name: "a"}, &receiver{name: "b", refuse: func(string) error {
		tries++
		return errors.New("down")
	}}
	o := newOffice(t, a, b)
	var projects []string
	for n := range 3 {
		id := fmt.Sprintf("%08d-1111-4111-8111-111111111111", n)
		o.happens(id, "of "+id)
		projects = append(projects, id)
	}
	o.deliver(projects...)
	assert.Len(t, a.taken(), 3)
	assert.Equal(t, 1, tries)
}

// Each try of a receiver that never answers takes its whole time, so the process asks it
// once for all projects, and again a while later.
func TestADestinationThatHangsIsAskedOnceForAllProjects(t *testing.T) {
	t.Parallel()
	tries := 0
	refusal := error(fmt.Errorf("b can't be reached: %w", context.DeadlineExceeded))
	a, b := &receiver{name: "a"}, &receiver{name: "b", refuse: func(string) error {
		tries++
		return refusal
	}}
	o := newOffice(t, a, b)
	for n := range 4 {
		id := fmt.Sprintf("%08d-1111-4111-8111-111111111111", n)
		o.happens(id, "of "+id)
		o.deliver(id) // each by a message of its own
	}
	assert.Len(t, a.taken(), 4)
	assert.Equal(t, 1, tries)

	o.Service.Advance(hungFor + 2*time.Second)
	refusal = nil
	o.deliver("00000003-1111-4111-8111-111111111111")
	assert.Equal(t, 2, tries)
	refusal = errors.New("down, and says so")
	o.deliver("00000001-1111-4111-8111-111111111111")
	o.deliver("00000002-1111-4111-8111-111111111111")
	assert.Equal(t, 4, tries, "an answer costs no time")
}

// Where there is no time for all, the next passage begins with those that had none.
func TestWhoHadNoTimeIsNamed(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	a := &receiver{name: "a", refuse: func(id string) error {
		if id == "1" {
			cancel()
		}
		return nil
	}}
	o := newOffice(t, a)
	o.happens("0", "0")
	o.happens("1", "1")
	o.happens("2", "2")
	next, err := o.Deliver(ctx, "0", "1", "2")
	require.NoError(t, err)
	assert.Equal(t, "2", next)
	assert.Equal(t, []string{"0", "1"}, a.taken())
	next, err = o.Deliver(t.Context(), "2", "0", "1")
	require.NoError(t, err)
	assert.Empty(t, next)
	assert.Equal(t, []string{"0", "1", "2"}, a.taken())
}

func TestAnEventIsCutToWhatAQueueTakes(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	p := o.Create(customvision.CreateProjectOptions{ExportModelContainerURI: o.Containers.Models.URL()})
	it := o.Train(p.ID)
	o.Export(p.ID, it.ID, "ONNX", "")
	key, err := archive.NewKey(p.ID, it.ID, "ONNX", "")
	require.NoError(t, err)
	source := models.Open(o.Customer.Account, o.Customer.Blobs(nil), o.World.Names.Models).Source(models.Names(key, "ONNX")[0])
	var tags []archive.Tag
	perTag := []map[string]any{}
	for n := range 500 {
		tags = append(tags, archive.Tag{ID: fmt.Sprintf("%032d", n), Name: fmt.Sprintf("a tag with a name that is rather long %d", n), Type: "Regular"})
		perTag = append(perTag, map[string]any{"id": fmt.Sprintf("%032d", n), "name": fmt.Sprint("tag ", n), "precision": 0.5, "recall": 0.25})
	}
	performance, err := json.Marshal(map[string]any{"threshold": 0.5, "precision": 0.75, "perTagPerformance": perTag})
	require.NoError(t, err)
	id, err := o.Postman.Archive.Identify(t.Context(), source)
	require.NoError(t, err)
	b, err := o.Postman.Archive.Copy(t.Context(), key, source, id)
	require.NoError(t, err)
	b, err = o.Postman.Archive.Prove(t.Context(), b, source, id, archive.Facts{ProjectName: "Kitchen", Tags: tags, Performance: performance})
	require.NoError(t, err)
	e, ok := Proved(b, time.Now())
	require.True(t, ok)
	body, err := write(t.Context(), o.Postman.Archive, e)
	require.NoError(t, err)
	assert.LessOrEqual(t, len(body), maxMessage)
	read := world.ReadEvent(t, body)
	assert.Equal(t, []any{"performance.perTagPerformance", "tags"}, read.Data["omitted"])
	assert.Equal(t, json.Number("0.75"), read.Data["performance"].(map[string]any)["precision"])
	again, err := write(t.Context(), o.Postman.Archive, e)
	require.NoError(t, err)
	assert.Equal(t, body, again, "it is the same at each try")
}
