package messages

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/models"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

// errUnconfirmed is the error for a message that claims more than the service
// shows yet. How late the service's lists may be isn't documented.
var errUnconfirmed = errors.New("the service does not show yet what the message claims")

// confirm checks a message's claim against what was seen.
func confirm(n customvision.Notification, seen reconcile.Report) error {
	unconfirmed := func(format string, a ...any) error {
		return fmt.Errorf("%w: %s", errUnconfirmed, fmt.Sprintf(format, a...))
	}
	if seen.ContainerOnly {
		platform := platformIn(n)
		if n.ExportStatus == customvision.NotifiedExportCompleted && !slices.ContainsFunc(seen.Blobs, func(b models.Blob) bool {
			return b.Iteration == n.IterationID && (platform == "" || customvision.SamePlatform(b.Platform, platform))
		}) {
			return unconfirmed("no blob of iteration %s is in the model container for its export %s", n.IterationID, platform)
		}
		return nil
	}
	i := slices.IndexFunc(seen.Iterations, func(it customvision.Iteration) bool { return it.ID == n.IterationID })
	if i < 0 {
		return unconfirmed("there is no iteration %s", n.IterationID)
	}
	status := seen.Iterations[i].Status
	ended := status == customvision.StatusCompleted || status == customvision.StatusFailed
	switch {
	case n.Kind == customvision.KindTraining && !ended:
		return unconfirmed("iteration %s has the status %s", n.IterationID, status)
	case n.ExportStatus == customvision.NotifiedExportCompleted:
		platform := platformIn(n)
		if look := seen.Looks[n.IterationID]; look == nil || !slices.ContainsFunc(look.Exports, func(e reconcile.Listed) bool {
			return e.Status == customvision.ExportDone && (platform == "" || customvision.SamePlatform(e.Platform, platform))
		}) {
			return unconfirmed("iteration %s has no finished export %s", n.IterationID, platform)
		}
	}
	return nil
}

// confirmedBy reports whether an earlier look at the iteration found what the message
// claims.
func confirmedBy(n customvision.Notification, looked state.Looked) bool {
	platform := platformIn(n)
	return n.ExportStatus != customvision.NotifiedExportCompleted || slices.ContainsFunc(looked.Done, func(export string) bool {
		done, _, _ := strings.Cut(export, ".")
		return platform == "" || customvision.SamePlatform(done, platform)
	})
}

// platformIn is what a message's modelUri says of the export, if it ends in the name of a
// blob of this iteration; "" otherwise. Its host isn't compared, since the service may call
// the model container's by another name, and the URI is never fetched.
func platformIn(n customvision.Notification) string {
	uri, _, _ := strings.Cut(n.ModelURI, "?")
	name, err := url.PathUnescape(uri[strings.LastIndexByte(uri, '/')+1:])
	if err != nil {
		return ""
	}
	project, iteration, platform, err := customvision.ParseBlobName(name)
	if err != nil || project != n.ProjectID || iteration != n.IterationID {
		return ""
	}
	return platform
}
