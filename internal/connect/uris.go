package connect

import (
	"context"
	"strings"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/settings"
)

// URIs are where a project sends its messages and its models.
type URIs struct{ Queue, Container string }

// URIsOf are those of the app's own queue and model container.
func URIsOf(s settings.Settings) URIs {
	return URIs{Queue: s.Models.QueueURL + "/" + s.Queue, Container: s.Models.BlobURL + "/" + s.ModelContainer}
}

// in reports whether a project has both.
func (u URIs) in(p customvision.Project) bool {
	return SameURI(p.Settings.NotificationQueueURI, u.Queue) && SameURI(p.Settings.ExportModelContainerURI, u.Container)
}

// SameURI reports whether two URIs name the same queue or container. Names are
// always lower-case, so the service may write them in any letter case.
func SameURI(a, b string) bool {
	return strings.EqualFold(strings.TrimRight(a, "/"), strings.TrimRight(b, "/"))
}

// ReadBack gets a project with its storage URIs. v3.3's contract doesn't name
// them, so where they are absent v3.4-preview is asked too.
func ReadBack(ctx context.Context, client *customvision.Client, id string) (customvision.Project, error) {
	p, err := client.Project(ctx, id)
	if err != nil || p.Settings.NotificationQueueURI != "" || p.Settings.ExportModelContainerURI != "" {
		return p, err
	}
	if preview, err := client.Preview().Project(ctx, id); err == nil {
		p.Settings.NotificationQueueURI, p.Settings.ExportModelContainerURI = preview.Settings.NotificationQueueURI, preview.Settings.ExportModelContainerURI
	}
	return p, nil
}
