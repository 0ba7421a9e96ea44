// Visionkeeper reacts to Azure Custom Vision's notifications: it archives every
// exported model with a proof, asks for the exports a policy wants, and retrains
// after failures. It is a custom handler for Azure Functions: the Functions host
// starts it and calls its functions. Start reading at serve.
package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/archive"
	"visionkeeper/customvision"
	"visionkeeper/functions/notifications"
	"visionkeeper/functions/sweep"
	"visionkeeper/handler"
	"visionkeeper/policy"
	"visionkeeper/reconcile"
	"visionkeeper/redact"
	"visionkeeper/settings"
	"visionkeeper/state"
	"visionkeeper/storage"
)

// version is set by the Makefile.
var version = "development"

const help = `Visionkeeper %s reacts to Azure Custom Vision's notifications.

It is a custom handler for Azure Functions: the Functions host starts it.
On your machine, in a checkout, ` + "`make run`" + ` starts everything that is needed;
` + "`make publish APP=name`" + ` deploys it. The README tells more.
`

func main() {
	if os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT") == "" {
		fmt.Printf(help, version)
		os.Exit(2)
	}
	err := serve(context.Background(), os.Getenv, os.Stdout, os.Stderr)
	log := handler.NewLog(redact.Writer(os.Stdout), redact.Writer(os.Stderr))
	log.Error().Err(err).Msg("the program ends")
	os.Exit(1) // the host doesn't restart a handler that ends with 0
}

// serve answers the host until the process is ended. Its error is never nil.
func serve(ctx context.Context, getenv func(string) string, stdout, stderr io.Writer) error {
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
	reconciler, warnings, err := newReconciler(s, filepath.Join(root, "policy.json"))
	if err != nil {
		return err
	}
	h.Handle(notifications.Name, notifications.Function{
		Reconciler: reconciler, State: reconciler.State, Now: time.Now,
		ModelContainer: s.Models.BlobURL + "/" + s.ModelContainer, LastDelivery: lastDelivery,
	}.Invoke)
	h.Handle(sweep.Name, sweep.Function{Reconciler: reconciler, Warnings: warnings}.Invoke)
	return server.Serve(ctx)
}

// newReconciler opens all that reconciling needs. Nothing is asked of any service
// yet. The warnings say what the app won't do until its settings are mended.
func newReconciler(s settings.Settings, policyPath string) (*reconcile.Reconciler, []string, error) {
	var warnings []string
	rules, err := policy.Load(policyPath)
	if err != nil {
		warnings = append(warnings, "no exports are asked for and nothing is retrained, finished exports are archived all the same: "+err.Error())
		rules = policy.ArchiveOnly
	}
	var service *customvision.Client
	switch {
	case s.Endpoint == "":
		warnings = append(warnings, "CUSTOMVISION_ENDPOINT is not set: only what lands in the model container is archived")
	case s.Key != "":
		service, err = customvision.NewClientWithKey(s.Endpoint, s.Key, nil)
	default:
		var identity, identityErr = storage.Identity("", "")
		if identityErr != nil {
			return nil, nil, fmt.Errorf("CUSTOMVISION_KEY is not set, and there is no identity: %w", identityErr)
		}
		service, err = customvision.NewClient(s.Endpoint, identity, nil)
	}
	if service == nil && s.Endpoint != "" {
		return nil, nil, fmt.Errorf("open Custom Vision: %w", err)
	}
	models, err := s.Models.Blob(nil)
	if err != nil {
		return nil, nil, fmt.Errorf("CustomVisionStorage: %w", err)
	}
	archives, err := s.Archives.Blob(nil)
	if err != nil {
		return nil, nil, fmt.Errorf("ArchiveStorage: %w", err)
	}
	return reconcile.New(reconcile.Options{
		Policy:    rules,
		Service:   service,
		Archive:   archive.Open(archives, s.ArchiveContainer, archive.Options{Version: version}),
		State:     state.Open(archives, s.StateContainer),
		Models:    reconcile.OpenModels(s.Models, models, s.ModelContainer),
		Downloads: reconcile.Downloads{Suffix: blobSuffix(s.Models.BlobURL), Loopback: s.Loopback()},
		Times: reconcile.Times{
			LookInterval: s.LookInterval, SettledFor: s.SettledFor, StuckAfter: s.StuckAfter, IntentGrace: s.IntentGrace,
		},
		Clock: reconcile.SystemClock{},
	}), warnings, nil
}

// blobSuffix is the domain of the cloud's blob hosts, as the model container's
// own endpoint shows it: blob.core.windows.net, or that of another cloud.
func blobSuffix(endpoint string) string {
	if u, err := url.Parse(endpoint); err == nil {
		if _, domain, ok := strings.Cut(u.Hostname(), ".blob."); ok {
			return "blob." + domain
		}
	}
	return "blob.core.windows.net"
}
