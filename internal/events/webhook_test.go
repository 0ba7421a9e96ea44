package events

import (
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The example of the reference libraries of Standard Webhooks:
// https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries/javascript/src/index.test.ts
func TestTheSignatureIsThatOfStandardWebhooks(t *testing.T) {
	t.Parallel()
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	require.NoError(t, err)
	assert.Equal(t, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`)))
}

// post1 sends one event to a server by a webhook, and returns what came of it.
func post1(t *testing.T, private bool, answer http.HandlerFunc) error {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	w := NewWebhook(server.URL+"/a-secret", []byte("key"), private, func() time.Time { return time.Unix(1614265330, 0) })
	t.Cleanup(w.client.CloseIdleConnections)
	return w.Send(t.Context(), "id", []byte(`{}`))
}

func TestAWebhookGetsASignedEvent(t *testing.T) {
	t.Parallel()
	require.NoError(t, post1(t, true, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.Equal(t, `{}`, string(body))
		assert.Equal(t, http.MethodPost, r.Method)
		assert.Equal(t, contentType, r.Header.Get("Content-Type"))
		assert.Equal(t, "id", r.Header.Get("webhook-id"))
		assert.Equal(t, "1614265330", r.Header.Get("webhook-timestamp"))
		assert.Equal(t, "v1,"+sign([]byte("key"), "id", "1614265330", body), r.Header.Get("webhook-signature"))
		w.WriteHeader(http.StatusAccepted)
	}))
}

func TestWhatAWebhookAnswersIsToldWithoutItsSecret(t *testing.T) {
	t.Parallel()
	followed := false
	for status, want := range map[int]string{200: "", 204: "", 302: "redirects are not followed", 400: "answers 400", 410: "answers 410", 503: "answers 503"} {
		err := post1(t, true, func(w http.ResponseWriter, r *http.Request) {
			followed = followed || r.URL.Path != "/a-secret"
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		})
		if want == "" {
			assert.NoError(t, err)
			continue
		}
		if assert.ErrorContains(t, err, want) {
			assert.NotContains(t, err.Error(), "secret")
		}
	}
	assert.False(t, followed)
	w := NewWebhook("http://127.0.0.1:1/a-secret", nil, true, time.Now)
	err := w.Send(t.Context(), "id", nil)
	if assert.ErrorContains(t, err, "127.0.0.1:1 can't be reached") {
		assert.NotContains(t, err.Error(), "secret")
	}
	assert.NotContains(t, w.Place(), "secret")
}

func TestAWebhookLeadsToTheInternetAlone(t *testing.T) {
	t.Parallel()
	asked := false
	err := post1(t, false, func(http.ResponseWriter, *http.Request) { asked = true })
	assert.ErrorContains(t, err, "127.0.0.1, which is no address of the internet: if it is meant to, set EVENTS_WEBHOOK_PRIVATE")
	assert.False(t, asked)
}

// What counts is the address that is dialled, whatever a name stood for when somebody
// looked before.
func TestTheAddressThatIsDialledCounts(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	w := NewWebhook(strings.Replace(server.URL, "127.0.0.1", "localhost", 1), nil, false, time.Now)
	assert.ErrorContains(t, w.Send(t.Context(), "id", nil), "no address of the internet")
	for address, public := range map[string]bool{
		"93.184.215.14": true, "2606:2800:21f:cb07:6820:80da:af6b:8b2c": true, "20.50.2.1": true,
		"127.0.0.1": false, "127.8.8.8": false, "::1": false, "0.0.0.0": false, "::": false, "0.1.2.3": false,
		"10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "fc00::1": false, "fd12::1": false,
		"169.254.169.254": false, "fe80::1": false, "168.63.129.16": false, "100.64.0.1": false, "100.100.100.200": false,
		"224.0.0.1": false, "ff02::1": false, "255.255.255.255": false, "240.0.0.1": false, "192.0.0.192": false, "198.18.0.1": false,
		"::ffff:10.0.0.1": false, "::ffff:100.64.0.1": false, "::ffff:168.63.129.16": false, "::ffff:127.0.0.1": false, "::ffff:93.184.215.14": true, "64:ff9b::a00:1": false, "2002:a00:1::": false, "::127.0.0.1": false,
		"fe80::1%eth0": false, "2001:db8::1": false,
	} {
		assert.Equal(t, public, isPublic(netip.MustParseAddr(address)), address)
		err := publicOnly("tcp", net.JoinHostPort(address, "443"), nil)
		assert.Equal(t, public, err == nil, address)
	}
}

// bearer is an identity.
type bearer struct{ scope string }

func (b *bearer) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	b.scope = o.Scopes[0]
	return azcore.AccessToken{Token: "a-token"}, nil
}

func TestEventGridGetsACloudEvent(t *testing.T) {
	t.Parallel()
	var got http.Header
	var query string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got, query = r.Header, r.URL.RequestURI() }))
	t.Cleanup(server.Close)
	g := NewGrid(server.URL+"/api/events", "a-key", nil, "")
	t.Cleanup(g.client.CloseIdleConnections)
	require.NoError(t, g.Send(t.Context(), "id", []byte(`{}`)))
	assert.Equal(t, "/api/events?api-version=2018-01-01", query)
	assert.Equal(t, "a-key", got.Get("aeg-sas-key"))
	assert.Equal(t, contentType, got.Get("Content-Type"))
	assert.Empty(t, got.Get("Authorization"))

	identity := &bearer{}
	g = NewGrid(server.URL+"/api/events", "", identity, "https://eventgrid.azure.net/.default")
	t.Cleanup(g.client.CloseIdleConnections)
	require.NoError(t, g.Send(t.Context(), "id", []byte(`{}`)))
	assert.Equal(t, "Bearer a-token", got.Get("Authorization"))
	assert.Empty(t, got.Get("aeg-sas-key"))
	assert.Equal(t, "https://eventgrid.azure.net/.default", identity.scope)
}
