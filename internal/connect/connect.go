// Package connect has Custom Vision keep the app's queue and model container in a
// project, and waits for the message by which the service tests the queue. It
// prints nothing and knows no flags. Start reading at Project.
package connect

import (
	"context"
	"time"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/settings"
	"visionkeeper/internal/state"
)

// Options say what a project is connected to, and with which patience.
type Options struct {
	Settings settings.Settings
	Service  *customvision.Client
	State    *state.Store // where the running app notes the test message
	// Patience is how long a refusal is tried again and the test message waited for.
	Patience time.Duration
	Progress Progress
}

// Progress is called as the work proceeds, by one goroutine.
type Progress interface {
	// Done is called when a step has succeeded, with what it was done to.
	Done(step, name string)
	// Refused is called when the service can't reach the storage yet, before it is
	// asked again.
	Refused()
	// Waiting is called now and then while the test message is waited for.
	Waiting(left time.Duration)
}

// The steps.
const (
	StepQueue     = "queue"
	StepContainer = "container"
	StepProject   = "project"
)

// Connection is a project that has the URIs of the app's queue and container.
type Connection struct {
	Project customvision.Project
	Created bool
	Form    string // the request that the service kept the URIs of

	test test
}

// connecting is a connection in the making.
type connecting struct {
	Options
	want    URIs
	test    test
	form    string
	created bool
}

// Project connects a project. One without an id is created, with its name and
// domain. All other settings of one that is there stay as they are.
func Project(ctx context.Context, o Options, project customvision.Project) (Connection, error) {
	c := &connecting{Options: o, want: URIsOf(o.Settings)}
	var err error
	if c.test, err = newTest(ctx, o); err != nil {
		return Connection{}, err
	}
	if project.ID == "" {
		project, err = c.create(ctx, project.Name, project.Settings.DomainID)
	} else {
		o.Progress.Done(StepProject, project.Name)
		c.test.noteEarlier(ctx, project.ID)
		project, err = c.update(ctx, project)
	}
	return Connection{Project: project, Created: c.created, Form: c.form, test: c.test}, err
}
