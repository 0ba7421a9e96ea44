package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"visionkeeper/internal/customvision"
)

// retryEvery is how often a refusal is tried again that a new role may end.
const retryEvery = 10 * time.Second

// The forms in which storage URIs are documented, and one more update that only
// v3.4-preview could take.
const (
	formQuery        = "the query of CreateProject, v3.3"
	formUpdate       = "UpdateProject, v3.3"
	formUpdateByBeta = "UpdateProject, v3.4-preview"
	formBody         = "the body of CreateProject, v3.4-preview"
)

// integrate gives the project with the URIs kept. A success alone proves nothing:
// the service takes no notice of what it doesn't know, so each form is read back
// before the next is tried.
func (c *connection) integrate(ctx context.Context, deadline time.Time) (customvision.Project, error) {
	if !c.create {
		found, err := findProjects(ctx, c.client, c.projectName)
		if err != nil {
			return customvision.Project{}, err
		}
		c.done("project", found[0].Name)
		c.watch.before(ctx, found[0].ID)
		return c.update(ctx, found[0], deadline)
	}
	all, err := findProjects(ctx, c.client, "")
	if err != nil {
		return customvision.Project{}, err
	}
	for _, p := range all {
		if strings.EqualFold(p.Name, c.projectName) {
			return p, problem{What: fmt.Sprintf("Could not create the project %q", c.projectName), Why: "There is one of that name", Do: "Leave --create out to connect that one, or choose another name"}
		}
	}
	domain, err := c.domain()
	if err != nil {
		return customvision.Project{}, err
	}
	return c.createProject(ctx, domain, deadline)
}

// createProject tries all forms: v3.3 as the guide has it, an update of what that
// has created, and v3.4-preview's own in place of it.
func (c *connection) createProject(ctx context.Context, domain customvision.Domain, deadline time.Time) (customvision.Project, error) {
	options := customvision.CreateProjectOptions{
		Name: c.projectName, DomainID: domain.ID, ExportModelContainerURI: c.want.container, NotificationQueueURI: c.want.queue,
	}
	p, err := c.patiently(ctx, deadline, func() (customvision.Project, error) {
		return c.adopt(ctx, func() (customvision.Project, error) { return c.client.CreateProject(ctx, options) })
	})
	if err != nil {
		return p, err
	}
	c.result.Created = true
	c.done("project", p.Name+", created on "+domain.Name)
	if kept, err := c.readBack(ctx, p.ID, formQuery); err != nil || c.want.kept(kept) {
		return kept, err
	}
	updated, err := c.update(ctx, p, deadline)
	if _, dropped := err.(notKept); !dropped {
		return updated, err
	}
	// The project is ours, seconds old and empty. Its name is needed again.
	if err := c.client.DeleteProject(ctx, p.ID); err != nil {
		return p, err
	}
	p, err = c.patiently(ctx, deadline, func() (customvision.Project, error) {
		return c.adopt(ctx, func() (customvision.Project, error) {
			return c.client.Preview().CreateProjectWithBody(ctx, options)
		})
	})
	if err != nil {
		return p, err
	}
	kept, err := c.readBack(ctx, p.ID, formBody)
	if err == nil && !c.want.kept(kept) {
		err = notKept{}.problem(kept.Name)
	}
	return kept, err
}

// adopt sends a creation once. Where its answer was lost, the project may be
// there all the same.
func (c *connection) adopt(ctx context.Context, create func() (customvision.Project, error)) (customvision.Project, error) {
	p, err := create()
	if !customvision.Lost(err) {
		return p, err
	}
	if found, findErr := findProjects(ctx, c.client, c.projectName); findErr == nil {
		return found[0], nil
	}
	return p, err
}

// update sets the URIs of a project that is there and leaves all else as it was.
func (c *connection) update(ctx context.Context, p customvision.Project, deadline time.Time) (customvision.Project, error) {
	for _, form := range []struct {
		name   string
		client *customvision.Client
	}{{formUpdate, c.client}, {formUpdateByBeta, c.client.Preview()}} {
		_, err := c.patiently(ctx, deadline, func() (customvision.Project, error) {
			now, err := form.client.Project(ctx, p.ID) // as it is, with all that isn't ours
			if err != nil {
				return now, err
			}
			now.Settings.NotificationQueueURI, now.Settings.ExportModelContainerURI = c.want.queue, c.want.container
			return form.client.UpdateProject(ctx, p.ID, now)
		})
		if err != nil && form.name == formUpdateByBeta && ctx.Err() == nil {
			break // its contract has the URIs read-only, so it may refuse them
		}
		if err != nil {
			return p, err
		}
		if kept, err := c.readBack(ctx, p.ID, form.name); err != nil || c.want.kept(kept) {
			return kept, err
		}
	}
	if c.result.Created {
		return p, notKept{}
	}
	return p, notKept{}.problem(p.Name)
}

func (c *connection) readBack(ctx context.Context, id, form string) (customvision.Project, error) {
	c.result.Form = form
	return readBack(ctx, c.client, id)
}

// notKept says that every form succeeded and none was heeded.
type notKept struct{}

func (notKept) Error() string { return "the storage URIs were not kept" }

func (notKept) problem(project string) error {
	return problem{
		What: fmt.Sprintf("Could not connect the project %q", project),
		Why:  "Custom Vision answered success to every form of the request, but did not keep the storage URIs",
		Do:   "Check that CUSTOMVISION_ENDPOINT is a Custom Vision training resource, not a multi-service one, and that its system-assigned identity is on; the app works without notifications too, by its timer",
	}
}

// patiently tries again, once at least, what a role that isn't active yet may explain.
func (c *connection) patiently(ctx context.Context, deadline time.Time, try func() (customvision.Project, error)) (customvision.Project, error) {
	for n := 0; ; n++ {
		p, err := try()
		if !refusesStorage(err) {
			return p, err
		}
		wait := min(retryEvery, c.patience/4)
		if n > 0 && time.Now().Add(wait).After(deadline) {
			return p, c.refusal(err)
		}
		if n == 0 {
			c.out.warn("Custom Vision can't reach the storage yet; a new role takes some minutes. Trying again …")
		}
		select {
		case <-ctx.Done():
			return p, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// refusesStorage tells an answer that may be about the URIs. v3.4-preview's
// contract has BadRequestInvalidUri; what v3.3 says isn't documented, so all
// counts that isn't about the project itself.
func refusesStorage(err error) bool {
	var e *customvision.Error
	return errors.As(err, &e) && e.Status == http.StatusBadRequest &&
		!strings.HasPrefix(e.Code, "BadRequestProject") && !strings.HasPrefix(e.Code, "BadRequestExceed")
}

func (c *connection) refusal(err error) error {
	p := explain(err)[0]
	return problem{
		What:      fmt.Sprintf("Could not connect the project: Custom Vision refuses the queue or the container, for %s now", c.patience),
		Why:       p.Why,
		Do:        "Turn on the system-assigned identity of the training resource, and give it Storage Queue Data Contributor on the queue and Storage Blob Data Contributor on the container; then wait ten minutes and run this again",
		RequestID: p.RequestID,
	}
}
