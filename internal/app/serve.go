package app

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/rs/zerolog"

	"visionkeeper/functions/notifications"
	"visionkeeper/functions/status"
	"visionkeeper/functions/sweep"
	"visionkeeper/handler"
	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/events"
	"visionkeeper/internal/loopback"
	"visionkeeper/internal/messages"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/page"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/policy/inforce"
	"visionkeeper/internal/reconcile"
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
	reconciler, _, warnings, err := NewReconciler(s, version, &inforce.Source{Published: filepath.Join(root, PolicyName), Records: true})
	if err != nil {
		return err
	}
	postman, err := OpenEvents(s, reconciler.Archive, reconciler.State)
	if err != nil {
		return err
	}
	reconciler.Events = postman.Names()
	rescuer, err := NewRescuer(s, version, reconciler)
	if err != nil {
		return err
	}
	if watchErr != nil {
		warnings = append(warnings, "nothing is sent by OpenTelemetry: "+watchErr.Error())
	}
	queues, err := s.Models.Queue(nil)
	if err != nil {
		return fmt.Errorf("CustomVisionStorage: %w", err)
	}
	dealer := messages.Handler{Reconciler: reconciler, State: reconciler.State, Now: time.Now}
	told := dealer
	told.Events = postman
	h.Handle(notifications.Name, notifications.Function{Messages: told, LastDelivery: lastDelivery, Watch: watch(c, postman, deadline)}.Invoke)
	h.Handle(sweep.Name, sweep.Function{
		Reconciler: reconciler, Rescuer: rescuer, Messages: dealer, Poison: queues.NewQueueClient(s.Queue + storage.PoisonSuffix),
		State: reconciler.State, Version: version, Now: time.Now, Heartbeat: s.Heartbeat, Events: postman,
		Warnings: sync.OnceValue(func() []string { return append(remarks(c, root), warnings...) }),
	}.Invoke)
	prefix, _ := handler.RoutePrefix(c.Get, root)
	h.HandleHTTPTree(status.Path(prefix), site(s, status.Path(prefix), version, reconciler, queues, redact.Remover(secrets...)))
	return server.Serve(ctx)
}

// remarks are what is wrong with the settings and host.json and ends nothing. To find it
// took a fifth of the processor's time of a start, so it waits for the first sweep.
func remarks(c *dotnet.Configuration, root string) (list []string) {
	slips, _ := settings.Strays(c)
	for _, err := range append(slips, handler.CheckHostJSON(c.Get, root)...) {
		list = append(list, err.Error())
	}
	return list
}

// site is the app's page, below a path.
func site(s settings.Settings, base, version string, r *reconcile.Reconciler, queues *azqueue.ServiceClient, clean func(string) string) *page.Site {
	return &page.Site{
		Base:     base,
		Gatherer: overview.New(overview.Sources{Archive: r.Archive, State: r.State, Queues: queues, Queue: s.Queue}),
		Plan: func(ctx context.Context, project string) ([]reconcile.Action, reconcile.Report, error) {
			return r.Preview(ctx, reconcile.Request{Key: reconcile.Key{Project: project}})
		},
		Mode: func(ctx context.Context) (policy.Mode, error) {
			inForce, err := r.Policy.Now(ctx)
			return inForce.Mode, err
		},
		Actions: s.StatusActions, Letters: r.State, Queues: queues, Queue: s.Queue,
		Clean: clean, Emulator: emulator(s), Version: version, Now: time.Now,
	}
}

// emulator is the address of the emulated Custom Vision, which has a page of its own; empty
// where the service is the real one.
func emulator(s settings.Settings) string {
	if u, err := url.Parse(s.Endpoint); err == nil && loopback.Is(u.Hostname()) {
		return u.Scheme + "://" + u.Host
	}
	return ""
}

// watch notices that sweeps don't come any more; nil where nobody can know when they
// should.
func watch(c *dotnet.Configuration, postman *events.Postman, longest time.Duration) *events.Watch {
	text, _ := c.Text(settings.SweepSchedule) // CheckHost says what is wrong with it
	schedule, err := dotnet.ParseSchedule(text)
	if err != nil {
		return nil
	}
	return &events.Watch{Postman: postman, Schedule: schedule, Longest: longest, Now: time.Now}
}
