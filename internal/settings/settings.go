// Package settings reads the app's settings, as the Functions host reads its own. The
// host puts them into the environment; the commands for people also read
// local.settings.json. Each setting stands here once, with its default. Start reading
// at Load.
package settings

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"visionkeeper/internal/clouds"
	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/identity"
	"visionkeeper/internal/loopback"
	"visionkeeper/internal/pattern"
	"visionkeeper/internal/remedy"
	"visionkeeper/internal/storage"
)

// Settings are the app's settings. A setting that is absent is a zero value.
type Settings struct {
	// Endpoint and Key of the Custom Vision training resource. Without a key,
	// Identity is used. Without an endpoint, the app only archives what arrives
	// in the model container.
	Endpoint, Key string
	// Identity is that of the settings CUSTOMVISION__…, or else that of the models'
	// account, or else what azidentity.DefaultAzureCredential finds.
	Identity identity.Identity
	// Models is the account with the notification queue and the model container,
	// Archives the one with archive and state.
	Models, Archives storage.Account
	// Host is the account in which the Functions host keeps its own things. The app
	// never uses it. It is zero where the setting can't be read.
	Host storage.Account
	// Heartbeat is the URL that is asked after every whole round of sweeps; "" is none.
	// It is a secret: who knows it can ask it too.
	Heartbeat string
	// Events is where others are told what happened.
	Events Events
	// StatusActions reports whether a person may act on the page of the function status.
	StatusActions bool
	// Names of the queue and of the containers.
	Queue, ModelContainer, ArchiveContainer, StateContainer string

	// CallsPerSecond is what all processes of the app together may call Custom Vision.
	CallsPerSecond float64

	// Times that tests shorten. Nobody else should need to.
	LookInterval time.Duration // time between two looks at a project that waits
	SettledFor   time.Duration // time until a settled iteration is looked at again
	StuckAfter   time.Duration // time after which an unfinished export no longer blocks its platform
	IntentGrace  time.Duration // time after an intent's deadline until another process takes over
}

// setting is a setting of the app that is one text.
type setting struct {
	name     string
	standard string // the value if it isn't set
	archive  bool   // whether the verbs that need the archive alone read it
	events   bool   // whether it is about events
	read     func(s *Settings, name, value string) error
}

// own are the settings of the app, each once, but for its connections.
var own = []setting{
	{"CUSTOMVISION_ENDPOINT", "", false, false, readEndpoint},
	{"CUSTOMVISION_KEY", "", false, false, func(s *Settings, _, value string) error { s.Key = value; return nil }},
	{"NOTIFICATION_QUEUE", "", false, false, readQueue},
	{"MODEL_CONTAINER", "models", true, false, container(func(s *Settings) *string { return &s.ModelContainer })},
	{"ARCHIVE_CONTAINER", "archive", true, false, container(func(s *Settings) *string { return &s.ArchiveContainer })},
	{"STATE_CONTAINER", "state", true, false, container(func(s *Settings) *string { return &s.StateContainer })},
	{"HEARTBEAT_URL", "", false, false, readHeartbeat},
	{"STATUS_ACTIONS", "", false, false, readActions},
	{"EVENTS_QUEUE", "", false, true, readEventsQueue},
	{"EVENTS_WEBHOOK_URL", "", false, true, readWebhook},
	{"EVENTS_WEBHOOK_SECRET", "", false, true, readWebhookSecret},
	{"EVENTS_WEBHOOK_PRIVATE", "", false, true, readWebhookPrivate},
	{"EVENTS_GRID_ENDPOINT", "", false, true, readGrid},
	{"EVENTS_GRID_KEY", "", false, true, func(s *Settings, _, value string) error { s.Events.GridKey = value; return nil }},
	{"VISIONKEEPER_LOOK_INTERVAL", "10s", true, false, duration(func(s *Settings) *time.Duration { return &s.LookInterval })},
	{"VISIONKEEPER_SETTLED_FOR", "168h", true, false, duration(func(s *Settings) *time.Duration { return &s.SettledFor })},
	{"VISIONKEEPER_STUCK_AFTER", "6h", true, false, duration(func(s *Settings) *time.Duration { return &s.StuckAfter })},
	{"VISIONKEEPER_CALLS_PER_SECOND", "8", false, false, readCalls},
	{"VISIONKEEPER_INTENT_GRACE", "2m", true, false, duration(func(s *Settings) *time.Duration { return &s.IntentGrace })},
}

// The app's connections. The identity for Custom Vision has the settings below
// CUSTOMVISION, such as CUSTOMVISION__clientId.
const (
	modelsConnection   = "CustomVisionStorage"
	archivesConnection = "ArchiveStorage"
	visionIdentity     = "CUSTOMVISION"
)

// NotSet says that a required setting is not set.
type NotSet string

func (e NotSet) Error() string { return string(e) }

func notSet(do, format string, a ...any) error {
	return &remedy.Error{Cause: NotSet(fmt.Sprintf(format, a...)), Do: do}
}

// Load reads and checks the app's settings. CustomVisionStorage and
// NOTIFICATION_QUEUE must be set: the host reads them for its trigger and has no
// defaults. The error lists every fault, one a line.
func Load(c *dotnet.Configuration) (Settings, error) {
	s, faults := read(c, func(setting) bool { return true })
	var err error
	if s.Models, err = storage.FromSettings(modelsConnection, c); err != nil {
		faults = append(faults, err)
	} else if s.Models.IsZero() {
		faults = append(faults, notSet("give the connection string of the account with the notification queue, or CustomVisionStorage__accountName", "CustomVisionStorage is not set"))
	} else if s.Models.BlobURL == "" || s.Models.QueueURL == "" {
		faults = append(faults, remedy.New("set both, or CustomVisionStorage__accountName in their place", "CustomVisionStorage__blobServiceUri and CustomVisionStorage__queueServiceUri are needed, and only one of them is set"))
	}
	if s.Archives, err = archives(c); err != nil {
		faults = append(faults, err)
	} else if s.Archives.IsZero() {
		s.Archives = s.Models
	}
	faults = append(faults, s.checkEvents())
	s.Host, _ = storage.FromSettings(hostStorage, c) // CheckHost says what is wrong with it
	if s.Identity, err = vision(s, c); err != nil {
		faults = append(faults, err)
	}
	return s, errors.Join(faults...)
}

// LoadArchive reads only the settings of the archive and the state:
// ArchiveStorage, or CustomVisionStorage if that is not set, and the names of the
// containers. Endpoint, Key and Models stay empty, and faults in other settings
// are ignored.
func LoadArchive(c *dotnet.Configuration) (Settings, error) {
	s, faults := read(c, func(o setting) bool { return o.archive })
	var err error
	if s.Archives, err = archives(c); err == nil && s.Archives.IsZero() {
		s.Archives, err = storage.FromSettings(modelsConnection, c)
	}
	if err != nil {
		faults = append(faults, err)
	} else if s.Archives.IsZero() {
		faults = append(faults, notSet("give the connection string of the account with the archive, or ArchiveStorage__accountName", "neither ArchiveStorage nor CustomVisionStorage is set"))
	}
	return s, errors.Join(faults...)
}

// archives opens the connection of the archive. It needs no queues.
func archives(c *dotnet.Configuration) (storage.Account, error) {
	a, err := storage.FromSettings(archivesConnection, c)
	if err == nil && !a.IsZero() && a.BlobURL == "" {
		err = notSet("set it, or ArchiveStorage__accountName in its place", "ArchiveStorage__blobServiceUri is not set, and the archive is made of blobs")
	}
	return a, err
}

// vision is the identity for Custom Vision. With a key there need be none.
func vision(s Settings, c *dotnet.Configuration) (identity.Identity, error) {
	section := c.FirstSection(visionIdentity)
	if faults := section.Slips(identity.Keys); faults != nil {
		return identity.Identity{}, errors.Join(faults...)
	}
	named := slices.ContainsFunc(section.Below(), func(e dotnet.Entry) bool {
		return strings.TrimSpace(e.Value) != "" && identity.HasKey(e.Key)
	})
	switch {
	case !named && (s.Endpoint == "" || s.Key != ""):
		return identity.Identity{}, nil
	case !named && s.Models.Identity().Credential != nil:
		return s.Models.Identity(), nil
	}
	return identity.Read(section, clouds.Of(s.Endpoint))
}

// read reads the settings that are wanted.
func read(c *dotnet.Configuration, wanted func(setting) bool) (s Settings, faults []error) {
	for _, o := range own {
		if !wanted(o) {
			continue
		}
		value, err := c.Text(o.name)
		if err == nil {
			err = o.read(&s, o.name, cmp.Or(value, o.standard))
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	return s, faults
}

func readEndpoint(s *Settings, name, value string) error {
	s.Endpoint = value
	if value != "" && !isSafe(value) {
		return remedy.New("write it as https://NAME.cognitiveservices.azure.com", "%s must be an https URL", name)
	}
	return nil
}

func readCalls(s *Settings, name, value string) (err error) {
	if s.CallsPerSecond, err = strconv.ParseFloat(value, 64); err != nil || !(s.CallsPerSecond > 0 && s.CallsPerSecond < math.MaxInt32) {
		return remedy.New("write a number above 0, such as 8", "%s: %q is no number of calls", name, value)
	}
	return nil
}

func readActions(s *Settings, name, value string) error {
	s.StatusActions = value == "" || strings.EqualFold(value, "on")
	if !s.StatusActions && !strings.EqualFold(value, "off") {
		return remedy.New("write on or off", "%s: %q is neither", name, value)
	}
	return nil
}

// readHeartbeat never quotes the URL.
func readHeartbeat(s *Settings, name, value string) error {
	s.Heartbeat = value
	if value != "" && !isSafe(value) {
		return remedy.New("copy it from the monitor that waits for it, as in https://hc-ping.com/…", "%s must be an https URL", name)
	}
	return nil
}

// isSafe reports whether nobody else can read what is sent to a URL: by https, or on
// this machine.
func isSafe(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && isLoopback(address))
}

// readQueue reads the queue's name in small letters, as the host does
// (QueueTriggerAttributeBindingProvider.NormalizeAndValidate).
func readQueue(s *Settings, name, value string) error {
	if s.Queue = strings.ToLower(value); s.Queue == "" {
		return notSet("set it to the name of the queue, such as customvision-notifications", "%s is not set, and the Functions host needs it", name)
	}
	return checkName(name, s.Queue)
}

func container(field func(*Settings) *string) func(*Settings, string, string) error {
	return func(s *Settings, name, value string) error {
		*field(s) = value
		return checkName(name, value)
	}
}

func duration(field func(*Settings) *time.Duration) func(*Settings, string, string) error {
	return func(s *Settings, name, value string) (err error) {
		if *field(s), err = time.ParseDuration(value); err != nil || *field(s) <= 0 {
			return remedy.New("write it as in 10s, 2m or 168h", "%s: %q is no duration", name, value)
		}
		return nil
	}
}

func checkName(setting, name string) error {
	if len(name) >= 3 && len(name) <= 63 && storageName().MatchString(name) {
		return nil
	}
	return remedy.New("use 3 to 63 lower-case letters, digits and single hyphens", "%s: %q is no name for a queue or container", setting, name)
}

// storageName matches the names of 3 to 63 characters that queues and containers may have:
// https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
var storageName = pattern.Of(`^[a-z0-9](?:-?[a-z0-9])*$`)

// Secrets lists the settings' secrets, which must never be printed.
func (s Settings) Secrets() []string {
	return slices.Concat([]string{s.Key, s.Heartbeat}, s.Events.secrets(), s.Identity.Secrets(), s.Models.Secrets(), s.Archives.Secrets(), s.Host.Secrets())
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
// environment that it is found in, and with nothing else. The heartbeat and those about
// events don't count: they have no say in what the app does. No setting can be read from it.
func (s Settings) Fingerprint() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %v", []string{
		s.Endpoint, s.Key, s.Identity.Fingerprint(), s.Models.Fingerprint(), s.Archives.Fingerprint(), s.Queue, s.ModelContainer, s.ArchiveContainer, s.StateContainer,
	}, []any{s.LookInterval, s.SettledFor, s.StuckAfter, s.IntentGrace, s.CallsPerSecond}))
	return hex.EncodeToString(sum[:8])
}
