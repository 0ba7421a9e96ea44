// Package app puts the program together: it opens the parts that the settings
// name, and serves the Functions host with them. It decides nothing and prints
// nothing for a person. Start reading at Serve.
package app

import (
	"fmt"
	"path/filepath"
	"time"

	azpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/budget"
	"visionkeeper/internal/clouds"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/events"
	"visionkeeper/internal/holdout"
	"visionkeeper/internal/models"
	"visionkeeper/internal/policy/inforce"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/rescue"
	"visionkeeper/internal/settings"
	"visionkeeper/internal/state"
)

// PolicyName is the policy's file in the app's folder.
const PolicyName = "policy.json"

// OpenArchive opens the archive, and the state in the same account. They are what
// remains when everything else is gone.
func OpenArchive(s settings.Settings, version string) (*archive.Archive, *state.Store, error) {
	blobs, err := s.Archives.Blob(nil)
	if err != nil {
		return nil, nil, fmt.Errorf("ArchiveStorage: %w", err)
	}
	return archive.Open(blobs, s.ArchiveContainer, archive.Options{Version: version}), state.Open(blobs, s.StateContainer), nil
}

// OpenSets opens the data sets in the archive.
func OpenSets(s settings.Settings, version string) (*dataset.Store, error) {
	blobs, err := s.Archives.Blob(nil)
	if err != nil {
		return nil, fmt.Errorf("ArchiveStorage: %w", err)
	}
	return dataset.Open(blobs, s.ArchiveContainer, version), nil
}

// NewRescuer opens all that saving data sets needs, beside what reconciling has, with
// which it shares the calls. It is nil without an endpoint.
func NewRescuer(s settings.Settings, version string, r *reconcile.Reconciler) (*rescue.Rescuer, error) {
	if r.Service == nil {
		return nil, nil
	}
	sets, err := OpenSets(s, version)
	if err != nil {
		return nil, err
	}
	return rescue.New(rescue.Options{
		Service: r.Service, Archive: r.Archive, Sets: sets, State: r.State, Now: r.Clock.Now, Events: r.Events,
		CheckLink: func(link string) error {
			return archive.CheckDownloadURL(link, r.Downloads.Suffix, r.Downloads.Loopback)
		},
	}), nil
}

// OpenService opens Custom Vision. It is nil without an endpoint. Options may be nil.
func OpenService(s settings.Settings, o *customvision.ClientOptions) (*customvision.Client, error) {
	if s.Endpoint == "" {
		return nil, nil
	}
	if s.Key != "" {
		return customvision.NewClientWithKey(s.Endpoint, s.Key, o)
	}
	return customvision.NewClient(s.Endpoint, s.Identity.Credential, o)
}

// OpenEvents opens the destinations of events. It sends no request.
func OpenEvents(s settings.Settings, backups *archive.Archive, states *state.Store) (*events.Postman, error) {
	p := &events.Postman{State: states, Archive: backups}
	if s.Events.Queue != "" {
		queues, err := s.Archives.Queue(nil)
		if err != nil {
			return nil, fmt.Errorf("ArchiveStorage: %w", err)
		}
		p.Destinations = append(p.Destinations, events.Queue{Queues: queues, Queue: s.Events.Queue})
	}
	if s.Events.Webhook != "" {
		p.Destinations = append(p.Destinations, events.NewWebhook(s.Events.Webhook, s.Events.WebhookSecret, s.Events.WebhookPrivate, time.Now))
	}
	if s.Events.Grid != "" {
		p.Destinations = append(p.Destinations, events.NewGrid(s.Events.Grid, s.Events.GridKey, s.Archives.Identity().Credential, clouds.Of(s.Events.Grid).GridScope))
	}
	return p, nil
}

// FewRetries are options for a client whose answers are optional while a person
// waits.
func FewRetries() *customvision.ClientOptions {
	o := &customvision.ClientOptions{}
	o.Retry = azpolicy.RetryOptions{MaxRetries: 1, RetryDelay: 200 * time.Millisecond, TryTimeout: 20 * time.Second}
	return o
}

// NewReconciler opens all that reconciling needs. It sends no request. It gives
// rules the store and the clock. The warnings say what the app won't do until its
// settings are right. The calls are those that it may make: a process that ends by itself
// releases them.
func NewReconciler(s settings.Settings, version string, rules *inforce.Source) (r *reconcile.Reconciler, calls *budget.Budget, warnings []string, err error) {
	if s.Endpoint == "" {
		warnings = append(warnings, "CUSTOMVISION_ENDPOINT is not set: only what lands in the model container is archived")
	}
	modelBlobs, err := s.Models.Blob(nil)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("CustomVisionStorage: %w", err)
	}
	backups, states, err := OpenArchive(s, version)
	if err != nil {
		return nil, nil, nil, err
	}
	calls = budget.New(states, s.CallsPerSecond, reconcile.SystemClock{})
	service, err := OpenService(s, &customvision.ClientOptions{Limit: calls})
	if err != nil {
		return nil, nil, nil, fmt.Errorf("open Custom Vision: %w", err)
	}
	sets, err := OpenSets(s, version)
	if err != nil {
		return nil, nil, nil, err
	}
	archiveBlobs, err := s.Archives.Blob(nil)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("ArchiveStorage: %w", err)
	}
	rules.Store, rules.Clock = states, reconcile.SystemClock{}
	return reconcile.New(reconcile.Options{
		Policy:    rules,
		Service:   service,
		Archive:   backups,
		State:     states,
		Sets:      sets,
		Models:    models.Open(s.Models, modelBlobs, s.ModelContainer),
		HoldOuts:  holdout.Sets{Blobs: archiveBlobs, Root: filepath.Dir(rules.Published)},
		Downloads: reconcile.Downloads{Suffix: blobSuffix(s.Endpoint), Loopback: s.Loopback()},
		Times: reconcile.Times{
			LookInterval: s.LookInterval, SettledFor: s.SettledFor, StuckAfter: s.StuckAfter, IntentGrace: s.IntentGrace,
		},
		Clock:       reconcile.SystemClock{},
		Fingerprint: version + "-" + s.Fingerprint(),
	}), calls, warnings, nil
}

// blobSuffix is the domain of the hosts that the service's download links lead to:
// that of the cloud in which Custom Vision's endpoint is. The customer's own accounts
// say nothing of it, they may have a DNS zone or a domain of their own.
func blobSuffix(endpoint string) string { return "blob." + clouds.Of(endpoint).StorageSuffix }
