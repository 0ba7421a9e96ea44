package connect

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/remedy"
)

// retryEvery is the time between two tries while a role may not be active yet.
const retryEvery = 10 * time.Second

// The forms in which storage URIs are documented, and one more update that only
// v3.4-preview could take.
const (
	formQuery         = "the query of CreateProject, v3.3"
	formUpdate        = "UpdateProject, v3.3"
	formUpdatePreview = "UpdateProject, v3.4-preview"
	formBody          = "the body of CreateProject, v3.4-preview"
)

// create tries all forms: v3.3 as the guide has it, an update of what that has
// created, and v3.4-preview's own in place of it. A success alone proves nothing,
// because the service ignores what it doesn't know. So each form is read back
// before the next is tried.
func (c *connecting) create(ctx context.Context, name, domainID string) (customvision.Project, error) {
	options := customvision.CreateProjectOptions{
		Name: name, DomainID: domainID, ExportModelContainerURI: c.want.Container, NotificationQueueURI: c.want.Queue,
	}
	p, err := c.retry(ctx, func() (customvision.Project, error) {
		return c.sendCreate(ctx, name, func() (customvision.Project, error) { return c.Service.CreateProject(ctx, options) })
	})
	if err != nil {
		return p, err
	}
	c.created = true
	c.Progress.Done(StepProject, p.Name)
	if kept, err := c.readBack(ctx, p.ID, formQuery); err != nil || c.want.in(kept) {
		return kept, err
	}
	updated, err := c.update(ctx, p)
	if !errors.Is(err, errNotKept) {
		return updated, err
	}
	// The project is ours, seconds old and empty. Its name is needed again.
	if err := c.Service.DeleteProject(ctx, p.ID); err != nil {
		return p, err
	}
	p, err = c.retry(ctx, func() (customvision.Project, error) {
		return c.sendCreate(ctx, name, func() (customvision.Project, error) {
			return c.Service.Preview().CreateProjectWithBody(ctx, options)
		})
	})
	if err != nil {
		return p, err
	}
	kept, err := c.readBack(ctx, p.ID, formBody)
	if err == nil && !c.want.in(kept) {
		err = errNotKept
	}
	return kept, err
}

// sendCreate sends a creation once. Where its answer was lost, the project may be
// there all the same, and is looked for by its name.
func (c *connecting) sendCreate(ctx context.Context, name string, create func() (customvision.Project, error)) (customvision.Project, error) {
	p, err := create()
	if !customvision.Lost(err) {
		return p, err
	}
	all, listErr := c.Service.Projects(ctx)
	if listErr != nil {
		return p, err
	}
	for _, found := range all {
		if strings.EqualFold(found.Name, name) {
			return found, nil
		}
	}
	return p, err
}

// update sets the URIs of a project that is there and leaves all else as it was.
func (c *connecting) update(ctx context.Context, p customvision.Project) (customvision.Project, error) {
	for _, form := range []struct {
		name   string
		client *customvision.Client
	}{{formUpdate, c.Service}, {formUpdatePreview, c.Service.Preview()}} {
		_, err := c.retry(ctx, func() (customvision.Project, error) {
			now, err := form.client.Project(ctx, p.ID) // with everything that isn't ours
			if err != nil {
				return now, err
			}
			now.Settings.NotificationQueueURI, now.Settings.ExportModelContainerURI = c.want.Queue, c.want.Container
			return form.client.UpdateProject(ctx, p.ID, now)
		})
		if err != nil && form.name == formUpdatePreview && ctx.Err() == nil {
			break // its contract has the URIs read-only, so it may refuse them
		}
		if err != nil {
			return p, err
		}
		if kept, err := c.readBack(ctx, p.ID, form.name); err != nil || c.want.in(kept) {
			return kept, err
		}
	}
	return p, errNotKept
}

func (c *connecting) readBack(ctx context.Context, id, form string) (customvision.Project, error) {
	c.form = form
	return ReadBack(ctx, c.Service, id)
}

// errNotKept says that the service answered success and kept no URI.
var errNotKept = remedy.New(
	"check that CUSTOMVISION_ENDPOINT is a Custom Vision training resource, not a multi-service one, and that its system-assigned identity is on; the app works without notifications too, by its timer",
	"Custom Vision answered success to every form of the request, but did not keep the storage URIs")

// retry tries again, once at least, while the refusal may be due to a role that
// isn't active yet.
func (c *connecting) retry(ctx context.Context, try func() (customvision.Project, error)) (customvision.Project, error) {
	for n := 0; ; n++ {
		p, err := try()
		if !refusesStorage(err) {
			return p, err
		}
		wait := min(retryEvery, c.Patience/4)
		if n > 0 && time.Now().Add(wait).After(c.test.deadline) {
			return p, remedy.New(
				"turn on the system-assigned identity of the training resource, and give it Storage Queue Data Contributor on the queue and Storage Blob Data Contributor on the container; then wait ten minutes and run this again",
				"Custom Vision refuses the queue or the container, for %s now: %w", c.Patience, err)
		}
		if n == 0 {
			c.Progress.Refused()
		}
		select {
		case <-ctx.Done():
			return p, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// refusesStorage reports whether an answer may be about the URIs. v3.4-preview's
// contract has BadRequestInvalidUri; what v3.3 says isn't documented, so all
// counts that isn't about the project itself.
func refusesStorage(err error) bool {
	var e *customvision.Error
	return errors.As(err, &e) && e.Status == http.StatusBadRequest &&
		!strings.HasPrefix(e.Code, "BadRequestProject") && !strings.HasPrefix(e.Code, "BadRequestExceed")
}
