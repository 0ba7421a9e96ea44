// Package settings reads the app's settings. The Functions host puts them into
// the environment; the commands for people also read local.settings.json. Each
// setting stands here once, with its default. Start reading at Load.
package settings

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"

	"visionkeeper/internal/loopback"
	"visionkeeper/internal/remedy"
	"visionkeeper/internal/storage"
)

// Settings are the app's settings. A setting that is absent is a zero value.
type Settings struct {
	// Endpoint and Key of the Custom Vision training resource. Without a key, an
	// identity is used. Without an endpoint, the app only archives what arrives
	// in the model container.
	Endpoint, Key string
	// Models is the account with the notification queue and the model container,
	// Archives the one with archive and state.
	Models, Archives storage.Account
	// Host is the account in which the Functions host keeps its own things. The app
	// never uses it. It is zero where the setting can't be read.
	Host storage.Account
	// Names of the queue and of the containers.
	Queue, ModelContainer, ArchiveContainer, StateContainer string

	// Times that tests shorten. Nobody else should need to.
	LookInterval time.Duration // time between two looks at a project that waits
	SettledFor   time.Duration // time until a settled iteration is looked at again
	StuckAfter   time.Duration // time after which an unfinished export no longer blocks its platform
	IntentGrace  time.Duration // time after an intent's deadline until another process takes over

	// identity is the environment that Custom Vision's identity is found in, where there
	// is no key.
	identity string
}

// defaults are the values of the settings that may be left out.
var defaults = map[string]string{
	"MODEL_CONTAINER":            "models",
	"ARCHIVE_CONTAINER":          "archive",
	"STATE_CONTAINER":            "state",
	"VISIONKEEPER_LOOK_INTERVAL": "10s",
	"VISIONKEEPER_SETTLED_FOR":   "168h",
	"VISIONKEEPER_STUCK_AFTER":   "6h",
	"VISIONKEEPER_INTENT_GRACE":  "2m",
}

// hostOnly are the settings that the Functions host needs to run a function and
// that the app's own work doesn't.
var hostOnly = []string{"AzureWebJobsStorage", "SWEEP_SCHEDULE"}

// Unset returns the settings that only the Functions host needs and that are not
// set. A connection may be set in its identity form.
func Unset(getenv func(string) string) []string {
	return slices.DeleteFunc(slices.Clone(hostOnly), func(name string) bool {
		return getenv(name) != "" || getenv(name+"__accountName") != "" || getenv(name+"__blobServiceUri") != ""
	})
}

// Load reads and checks the app's settings. CustomVisionStorage and
// NOTIFICATION_QUEUE must be set: the host reads them for its trigger and has no
// defaults. The error lists every fault, one a line.
func Load(getenv func(string) string) (Settings, error) {
	s, faults := read(getenv)
	if s.Queue = getenv("NOTIFICATION_QUEUE"); s.Queue == "" {
		faults = append(faults, remedy.New("set it to the name of the queue, such as customvision-notifications", "NOTIFICATION_QUEUE is not set, and the Functions host needs it"))
	} else if err := checkName("NOTIFICATION_QUEUE", s.Queue); err != nil {
		faults = append(faults, err)
	}
	if u, err := url.Parse(s.Endpoint); s.Endpoint != "" && (err != nil || u.Host == "" || (u.Scheme != "https" && !isLoopback(s.Endpoint))) {
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
	s.Host, _ = storage.FromSettings("AzureWebJobsStorage", getenv) // the host itself reports what is wrong with it
	return s, errors.Join(faults...)
}

// LoadArchive reads only the settings of the archive and the state:
// ArchiveStorage, or CustomVisionStorage if that is not set, and the names of the
// containers. Endpoint, Key and Models stay empty, and faults in other settings
// are ignored.
func LoadArchive(getenv func(string) string) (Settings, error) {
	s, faults := read(getenv)
	s.Endpoint, s.Key, s.identity = "", "", ""
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

// read reads the settings that have a default, and endpoint and key.
func read(getenv func(string) string) (s Settings, faults []error) {
	get := func(name string) string { return cmp.Or(getenv(name), defaults[name]) }
	s = Settings{Endpoint: getenv("CUSTOMVISION_ENDPOINT"), Key: getenv("CUSTOMVISION_KEY")}
	if s.Endpoint != "" && s.Key == "" {
		s.identity = storage.IdentityFrom(getenv)
	}
	for _, container := range []struct {
		name  string
		field *string
	}{
		{"MODEL_CONTAINER", &s.ModelContainer},
		{"ARCHIVE_CONTAINER", &s.ArchiveContainer},
		{"STATE_CONTAINER", &s.StateContainer},
	} {
		*container.field = get(container.name)
		if err := checkName(container.name, *container.field); err != nil {
			faults = append(faults, err)
		}
	}
	for _, duration := range []struct {
		name  string
		field *time.Duration
	}{
		{"VISIONKEEPER_LOOK_INTERVAL", &s.LookInterval},
		{"VISIONKEEPER_SETTLED_FOR", &s.SettledFor},
		{"VISIONKEEPER_STUCK_AFTER", &s.StuckAfter},
		{"VISIONKEEPER_INTENT_GRACE", &s.IntentGrace},
	} {
		text := get(duration.name)
		var err error
		if *duration.field, err = time.ParseDuration(text); err != nil || *duration.field <= 0 {
			faults = append(faults, remedy.New("write it as in 10s, 2m or 168h", "%s: %q is no duration", duration.name, text))
		}
	}
	return s, faults
}

func checkName(setting, name string) error {
	if storageName.MatchString(name) {
		return nil
	}
	return remedy.New("use 3 to 63 lower-case letters, digits and single hyphens", "%s: %q is no name for a queue or container", setting, name)
}

// storageName matches the names that queues and containers may have:
// https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
var storageName = regexp.MustCompile(`^[a-z0-9](?:-?[a-z0-9]){2,62}$`)

// Secrets lists the settings' secrets, which must never be printed.
func (s Settings) Secrets() []string {
	return slices.Concat([]string{s.Key}, s.Models.Secrets(), s.Archives.Secrets(), s.Host.Secrets())
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
		if !isLoopback(endpoint) {
			return nil
		}
		u, _ := url.Parse(endpoint)
		hosts = append(hosts, u.Host)
	}
	return hosts
}

// isLoopback reports whether the host of a URL is this machine.
func isLoopback(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && loopback.Is(u.Hostname())
}

// Fingerprint changes with every setting, and where an identity is used with the
// environment that it is found in, and with nothing else. No setting can be read from
// it.
func (s Settings) Fingerprint() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %v", []string{
		s.Endpoint, s.Key, s.identity, s.Models.Fingerprint(), s.Archives.Fingerprint(), s.Queue, s.ModelContainer, s.ArchiveContainer, s.StateContainer,
	}, []time.Duration{s.LookInterval, s.SettledFor, s.StuckAfter, s.IntentGrace}))
	return hex.EncodeToString(sum[:8])
}
