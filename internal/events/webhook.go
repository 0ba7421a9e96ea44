package events

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Webhook is a URL to which events are posted, signed as Standard Webhooks asks:
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
type Webhook struct {
	address string
	key     []byte
	dialer  *net.Dialer
	client  *http.Client
	now     func() time.Time
}

// NewWebhook makes one for a URL and the key of its signatures. private allows it to lead
// to addresses that aren't of the internet. now is the time that stands in signatures.
func NewWebhook(address string, key []byte, private bool, now func() time.Time) *Webhook {
	control := publicOnly
	if private {
		control = nil
	}
	d := dialer(control)
	return &Webhook{address, key, d, client(d), now}
}

// Name implements Destination.
func (w *Webhook) Name() string { return "webhook" }

// Place implements Destination. The path of a URL may be a secret.
func (w *Webhook) Place() string { return "the webhook at " + host(w.address) }

// Fingerprint implements Destination.
func (w *Webhook) Fingerprint() string { return fingerprint(w.address, string(w.key)) }

// Check implements Destination. It connects, and asks for nothing.
func (w *Webhook) Check(ctx context.Context) error { return reach(ctx, w.dialer, w.address) }

// Send implements Destination. Each try has its own time and signature.
func (w *Webhook) Send(ctx context.Context, id string, body []byte) error {
	at := strconv.FormatInt(w.now().Unix(), 10)
	return post(ctx, w.client, w.address, http.Header{
		"Webhook-Id":        {id},
		"Webhook-Timestamp": {at},
		"Webhook-Signature": {"v1," + sign(w.key, id, at, body)},
	}, body)
}

// sign is the signature of one message.
func sign(key []byte, id, at string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
