package settings

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/remedy"
	"visionkeeper/internal/storage"
)

// Events are the settings of the destinations of events. Each destination has one that
// is empty where it is not to be told.
type Events struct {
	// Queue is the name of a queue in the archive's account.
	Queue string
	// Webhook is a URL, and a secret. WebhookSecret is the key of its signatures. With
	// WebhookPrivate the URL may lead to addresses that the internet can't reach.
	Webhook        string
	WebhookSecret  []byte
	WebhookPrivate bool
	// Grid is the endpoint of a custom topic of Event Grid. Without GridKey the identity
	// of the archive's account is used.
	Grid, GridKey string

	webhookSecret string // as it was set
}

// LoadEvents reads the settings of events alone, for an archive's account.
func LoadEvents(c *dotnet.Configuration, archives storage.Account) (Events, error) {
	s, faults := read(c, func(o setting) bool { return o.events })
	s.Archives = archives
	return s.Events, errors.Join(append(faults, s.checkEvents())...)
}

// IsZero reports whether nobody is told anything.
func (e Events) IsZero() bool { return e.Queue == "" && e.Webhook == "" && e.Grid == "" }

func (e Events) secrets() []string { return []string{e.Webhook, e.webhookSecret, e.GridKey} }

// checkEvents finds what doesn't go together.
func (s Settings) checkEvents() error {
	var faults []error
	e := s.Events
	if e.Queue != "" && !s.Archives.IsZero() && s.Archives.QueueURL == "" {
		faults = append(faults, remedy.New("set ArchiveStorage__queueServiceUri, or ArchiveStorage__accountName", "EVENTS_QUEUE is a queue of the archive's account, and the settings don't say where its queues are"))
	}
	if e.Queue != "" && (e.Queue == s.Queue || e.Queue == s.Queue+storage.PoisonSuffix) && s.Archives.QueueURL == s.Models.QueueURL {
		faults = append(faults, remedy.New("name another queue", "EVENTS_QUEUE is a queue of Custom Vision's notifications"))
	}
	if e.Webhook != "" && e.webhookSecret == "" {
		faults = append(faults, notSet("make one with `echo whsec_$(openssl rand -base64 32)`, and give it to the receiver too", "EVENTS_WEBHOOK_SECRET is not set, and EVENTS_WEBHOOK_URL is: what is sent there is signed"))
	}
	if u, err := url.Parse(e.Webhook); err == nil && u.Scheme == "http" && !e.WebhookPrivate {
		faults = append(faults, remedy.New("set EVENTS_WEBHOOK_PRIVATE to true, or write an https URL", "EVENTS_WEBHOOK_URL leads to this machine"))
	}
	if e.Grid != "" && e.GridKey == "" && !s.Archives.IsZero() && s.Archives.Identity().Credential == nil {
		faults = append(faults, notSet("set it to one of the topic's keys, or open ArchiveStorage by an identity that may send", "EVENTS_GRID_KEY is not set, and there is no identity that could be used in its place"))
	}
	return errors.Join(faults...)
}

func readEventsQueue(s *Settings, name, value string) error {
	if s.Events.Queue = strings.ToLower(value); s.Events.Queue == "" {
		return nil
	}
	return checkName(name, s.Events.Queue)
}

// readWebhook never quotes the URL.
func readWebhook(s *Settings, name, value string) error {
	s.Events.Webhook = value
	if u, err := url.Parse(value); value != "" && (!isSafe(value) || err != nil || u.User != nil) {
		return remedy.New("copy it from the receiver", "%s must be an https URL without a user", name)
	}
	return nil
}

// webhookPrefix begins the secrets of Standard Webhooks:
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
const webhookPrefix = "whsec_"

func readWebhookSecret(s *Settings, name, value string) error {
	if s.Events.webhookSecret = value; value == "" {
		return nil
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(value, webhookPrefix))
	if err != nil || !strings.HasPrefix(value, webhookPrefix) || len(key) < 24 || len(key) > 64 {
		return remedy.New("make one with `echo whsec_$(openssl rand -base64 32)`", "%s must be whsec_ and then 24 to 64 bytes as Base64", name)
	}
	s.Events.WebhookSecret = key
	return nil
}

func readWebhookPrivate(s *Settings, name, value string) (err error) {
	if value == "" {
		return nil
	}
	if s.Events.WebhookPrivate, err = strconv.ParseBool(value); err != nil {
		return remedy.New("write true or false", "%s: %q is neither true nor false", name, value)
	}
	return nil
}

func readGrid(s *Settings, name, value string) error {
	s.Events.Grid = value
	if value != "" && !isSafe(value) {
		return remedy.New("write it as https://NAME.REGION-1.eventgrid.azure.net/api/events", "%s must be an https URL", name)
	}
	return nil
}
