package connect

import (
	"context"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/remedy"
)

// Disconnect has Custom Vision forget a project's queue and container. All other
// settings stay. How to clear an address isn't documented, so an empty one, null and none
// are sent in turn, until the project reads back without.
func Disconnect(ctx context.Context, service *customvision.Client, id string) (customvision.Project, error) {
	for _, form := range []customvision.Clearing{customvision.ClearByEmpty, customvision.ClearByNull, customvision.ClearByAbsence} {
		p, err := service.Project(ctx, id) // with everything that isn't ours
		if err != nil {
			return p, err
		}
		if _, err := service.UpdateProject(ctx, id, p.WithoutURIs(form)); err != nil && (form == customvision.ClearByAbsence || ctx.Err() != nil) {
			return p, err
		}
		p, err = ReadBack(ctx, service, id)
		if err != nil || p.Settings.NotificationQueueURI == "" && p.Settings.ExportModelContainerURI == "" {
			return p, err
		}
	}
	return customvision.Project{}, errStillThere
}

// errStillThere says that no form of the request cleared the addresses.
var errStillThere = remedy.New(
	"take the roles on queue and container away from the training resource's identity, or delete the project; until then its messages come to the queue",
	"Custom Vision answered success to every form of the request, but kept the addresses of queue and container")
