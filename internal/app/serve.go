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
	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/messages"
	"visionkeeper/internal/policy/inforce"
	"visionkeeper/internal/redact"
	"visionkeeper/internal/settings"
	"visionkeeper/internal/storage"
	"visionkeeper/internal/telemetry"
)

// Serve answers the Functions host until the process is ended. Its error is never
// nil. It writes to stdout and stderr in the form that the host reads.
//
// A host.json with which the host has started doesn't end the app, whatever stands
// in it: the values that the app can't read from it are those that the host assumes.
func Serve(ctx context.Context, version string, c *dotnet.Configuration, stdout, stderr io.Writer) error {
	s, err := settings.Load(c)
	if err != nil {
		return fmt.Errorf("the settings are not right: %w", err)
	}
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	root := handler.Root(c.Get, executable)
	deadline, _ := handler.Deadline(c.Get, root) // the errors are those of CheckHostJSON
	lastDelivery, _ := handler.MaxDequeueCount(c.Get, root)
	secrets := s.Secrets()
	watched, watchErr := telemetry.Open(c.Get, version, redact.Remover(secrets...))
	secrets = append(secrets, watched.Secrets()...)
	h := handler.New(handler.Options{
		Out: redact.Writer(stdout, secrets...), Err: redact.Writer(stderr, secrets...),
		Deadline: deadline, Level: zerolog.InfoLevel, Observe: watched.Invocation,
	})
	server, err := h.Listen(c.Get)
	if err != nil {
		return err
	}
	reconciler, warnings, err := NewReconciler(s, version, &inforce.Source{Published: filepath.Join(root, PolicyName), Records: true})
	if err != nil {
		return err
	}
	rescuer, err := NewRescuer(s, version, reconciler)
	if err != nil {
		return err
	}
	slips, _ := settings.Strays(c)
	for _, err := range append(slips, handler.CheckHostJSON(c.Get, root)...) {
		warnings = append(warnings, err.Error())
	}
	if watchErr != nil {
		warnings = append(warnings, "nothing is sent by OpenTelemetry: "+watchErr.Error())
	}
	queues, err := s.Models.Queue(nil)
	if err != nil {
		return fmt.Errorf("CustomVisionStorage: %w", err)
	}
	dealer := messages.Handler{Reconciler: reconciler, State: reconciler.State, Now: time.Now}
	h.Handle(notifications.Name, notifications.Function{Messages: dealer, LastDelivery: lastDelivery}.Invoke)
	h.Handle(sweep.Name, sweep.Function{
		Reconciler: reconciler, Rescuer: rescuer, Messages: dealer, Poison: queues.NewQueueClient(s.Queue + storage.PoisonSuffix),
		State: reconciler.State, Version: version, Now: time.Now, Heartbeat: s.Heartbeat, Warnings: warnings,
	}.Invoke)
	return server.Serve(ctx)
}
