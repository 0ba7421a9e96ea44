// Package settings reads the app's settings from the environment, where the
// Functions host puts them, and for a person's commands from a
// local.settings.json too. Every setting stands here once, with its default;
// local.settings.json.example shows them all. Start reading at Load.
package settings

import (
	"errors"
	"net"
	"net/url"
	"regexp"
	"time"

	"visionkeeper/internal/remedy"
	"visionkeeper/internal/storage"
)

// Settings is all that the environment says. Absent things are zero values.
type Settings struct {
	// Endpoint of the Custom Vision training resource, and Key; without a key an
	// identity is used, without an endpoint the app only archives what lands in
	// the model container.
	Endpoint, Key string
	// Models is the account with the notification queue and the model container,
	// Archives the one with archive and state.
	Models, Archives storage.Account
	// Names of the queue and of the containers.
	Queue, ModelContainer, ArchiveContainer, StateContainer string

	// Times that tests shorten and nobody else should need to.
	LookInterval time.Duration // between two looks at a project that waits
	SettledFor   time.Duration // until a settled iteration is looked at again
	StuckAfter   time.Duration // until an export that never ends frees its platform
	IntentGrace  time.Duration // after a dead sender's deadline, until another looks
}

// Load reads and checks the settings of the app: all but endpoint and key are
// required. The error lists every fault, one a line.
func Load(getenv func(string) string) (Settings, error) {
	s, faults := read(getenv)
	if u, err := url.Parse(s.Endpoint); s.Endpoint != "" && (err != nil || u.Host == "" || (u.Scheme != "https" && !IsLoopback(s.Endpoint))) {
		faults = append(faults, remedy.New("write it as https://NAME.cognitiveservices.azure.com", "CUSTOMVISION_ENDPOINT must be an https URL"))
	}
	var err error
	if s.Models, err = storage.FromSettings("CustomVisionStorage", getenv); err != nil {
		faults = append(faults, err)
	} else if s.Models.IsZero() {
		faults = append(faults, remedy.New("give the connection string of the account with the notification queue, or CustomVisionStorage__accountName", "CustomVisionStorage is not set"))
	}
	if s.Archives, err = storage.FromSettings("ArchiveStorage", getenv); err != nil {
		faults = append(faults, err)
	} else if s.Archives.IsZero() {
		s.Archives = s.Models
	}
	return s, errors.Join(faults...)
}

// LoadArchive reads only what leads to the archive and to the state beside it:
// ArchiveStorage, or CustomVisionStorage where that is not set, and the names of
// the containers. Endpoint, Key and Models stay empty, whatever the rest says.
func LoadArchive(getenv func(string) string) (Settings, error) {
	s, faults := read(getenv)
	s.Endpoint, s.Key = "", ""
	var err error
	for _, name := range []string{"ArchiveStorage", "CustomVisionStorage"} {
		if s.Archives, err = storage.FromSettings(name, getenv); err != nil || !s.Archives.IsZero() {
			break
		}
	}
	if err != nil {
		faults = append(faults, err)
	} else if s.Archives.IsZero() {
		faults = append(faults, remedy.New("give the connection string of the account with the archive, or ArchiveStorage__accountName", "neither ArchiveStorage nor CustomVisionStorage is set"))
	}
	return s, errors.Join(faults...)
}

// read reads what is no storage account.
func read(getenv func(string) string) (s Settings, faults []error) {
	fault := func(do, format string, a ...any) { faults = append(faults, remedy.New(do, format, a...)) }
	s = Settings{Endpoint: getenv("CUSTOMVISION_ENDPOINT"), Key: getenv("CUSTOMVISION_KEY")}

	for _, name := range []struct {
		field   *string
		key     string
		setting string
	}{
		{&s.Queue, "NOTIFICATION_QUEUE", "customvision-notifications"},
		{&s.ModelContainer, "MODEL_CONTAINER", "models"},
		{&s.ArchiveContainer, "ARCHIVE_CONTAINER", "archive"},
		{&s.StateContainer, "STATE_CONTAINER", "state"},
	} {
		*name.field = name.setting
		if v := getenv(name.key); v != "" {
			*name.field = v
		}
		if !storageName.MatchString(*name.field) {
			fault("use 3 to 63 lower-case letters, digits and single hyphens", "%s: %q is no name for a queue or container", name.key, *name.field)
		}
	}
	for _, d := range []struct {
		field   *time.Duration
		key     string
		setting time.Duration
	}{
		{&s.LookInterval, "VISIONKEEPER_LOOK_INTERVAL", 10 * time.Second},
		{&s.SettledFor, "VISIONKEEPER_SETTLED_FOR", 7 * 24 * time.Hour},
		{&s.StuckAfter, "VISIONKEEPER_STUCK_AFTER", 6 * time.Hour},
		{&s.IntentGrace, "VISIONKEEPER_INTENT_GRACE", 2 * time.Minute},
	} {
		*d.field = d.setting
		if v := getenv(d.key); v != "" {
			var err error
			if *d.field, err = time.ParseDuration(v); err != nil || *d.field <= 0 {
				fault("write it as in 10s, 2m or 168h", "%s: %q is no duration", d.key, v)
			}
		}
	}
	return s, faults
}

// storageName is the rule for names of queues and containers:
// https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
var storageName = regexp.MustCompile(`^[a-z0-9](?:-?[a-z0-9]){2,62}$`)

// Secrets lists what must never be printed.
func (s Settings) Secrets() []string {
	return append(append([]string{s.Key}, s.Models.Secrets()...), s.Archives.Secrets()...)
}

// Loopback lists the host:port pairs of the configured endpoints if all of them
// are on this machine, as with Azurite and the emulator. It is empty otherwise,
// so that a download link in production can never lead to this machine.
func (s Settings) Loopback() []string {
	var hosts []string
	for _, endpoint := range []string{s.Endpoint, s.Models.BlobURL, s.Archives.BlobURL} {
		if endpoint == "" {
			continue
		}
		if !IsLoopback(endpoint) {
			return nil
		}
		u, _ := url.Parse(endpoint)
		hosts = append(hosts, u.Host)
	}
	return hosts
}

// IsLoopback tells a URL whose host is this machine.
func IsLoopback(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
