package cli

import (
	"context"
	"strings"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/settings"
)

// uris are where a project is connected to.
type uris struct{ queue, container string }

// wantedURIs are those of the app's own queue and model container.
func wantedURIs(s settings.Settings) uris {
	return uris{queue: s.Models.QueueURL + "/" + s.Queue, container: s.Models.BlobURL + "/" + s.ModelContainer}
}

// kept tells that a project has both.
func (u uris) kept(p customvision.Project) bool {
	return sameURI(p.Settings.NotificationQueueURI, u.queue) && sameURI(p.Settings.ExportModelContainerURI, u.container)
}

// sameURI compares as the service may write them: names are lower-case anyway.
func sameURI(a, b string) bool {
	return strings.EqualFold(strings.TrimRight(a, "/"), strings.TrimRight(b, "/"))
}

// readBack gets a project with its storage URIs. v3.3's contract doesn't name
// them, so where they are absent v3.4-preview is asked too.
func readBack(ctx context.Context, client *customvision.Client, id string) (customvision.Project, error) {
	p, err := client.Project(ctx, id)
	if err != nil || p.Settings.NotificationQueueURI != "" || p.Settings.ExportModelContainerURI != "" {
		return p, err
	}
	if preview, err := client.Preview().Project(ctx, id); err == nil {
		p.Settings.NotificationQueueURI, p.Settings.ExportModelContainerURI = preview.Settings.NotificationQueueURI, preview.Settings.ExportModelContainerURI
	}
	return p, nil
}
