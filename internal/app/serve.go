package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/functions/notifications"
	"visionkeeper/functions/sweep"
	"visionkeeper/handler"
	"visionkeeper/internal/messages"
	"visionkeeper/internal/policy/inforce"
	"visionkeeper/internal/redact"
	"visionkeeper/internal/settings"
	"visionkeeper/internal/storage"
)

// Serve answers the Functions host until the process is ended. Its error is never
// nil. It writes to stdout and stderr in the form that the host reads.
func Serve(ctx context.Context, version string, getenv func(string) string, stdout, stderr io.Writer) error {
	s, err := settings.Load(getenv)
	if err != nil {
		return fmt.Errorf("the settings are not right: %w", err)
	}
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	root := handler.Root(getenv, executable)
	deadline, err := handler.Deadline(getenv, root)
	if err != nil {
		return err
	}
	lastDelivery, err := handler.MaxDequeueCount(getenv, root)
	if err != nil {
		return err
	}
	secrets := s.Secrets()
	h := handler.New(handler.Options{
		Out: redact.Writer(stdout, secrets...), Err: redact.Writer(stderr, secrets...),
		Deadline: deadline, Level: zerolog.InfoLevel,
	})
	server, err := h.Listen(getenv)
	if err != nil {
		return err
	}
	reconciler, warnings, err := NewReconciler(s, version, &inforce.Source{Published: filepath.Join(root, PolicyName), Records: true})
	if err != nil {
		return err
	}
	queues, err := s.Models.Queue(nil)
	if err != nil {
		return fmt.Errorf("CustomVisionStorage: %w", err)
	}
	dealer := messages.Handler{
		Reconciler: reconciler, State: reconciler.State, Now: time.Now, ModelContainer: s.Models.BlobURL + "/" + s.ModelContainer,
	}
	h.Handle(notifications.Name, notifications.Function{Messages: dealer, LastDelivery: lastDelivery}.Invoke)
	h.Handle(sweep.Name, sweep.Function{
		Reconciler: reconciler, Messages: dealer, Poison: queues.NewQueueClient(s.Queue + storage.PoisonSuffix),
		State: reconciler.State, Version: version, Now: time.Now, Warnings: warnings,
	}.Invoke)
	return server.Serve(ctx)
}
