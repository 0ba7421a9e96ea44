package storage

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
)

// elsewhere answers every request with a date, and keeps the last.
type elsewhere struct {
	ahead time.Duration
	last  *http.Request
	asked int
}

func (e *elsewhere) Do(req *http.Request) (*http.Response, error) {
	e.last = req
	e.asked++
	return &http.Response{
		StatusCode: http.StatusNotFound, Request: req, Body: http.NoBody,
		Header: http.Header{"Date": {time.Now().Add(e.ahead).UTC().Format(http.TimeFormat)}},
	}, nil
}

// times are a link's start and end.
func times(t *testing.T, link string) (start, end time.Time) {
	t.Helper()
	u, err := url.Parse(link)
	require.NoError(t, err)
	start, err = time.Parse(time.RFC3339, u.Query().Get("st"))
	require.NoError(t, err)
	end, err = time.Parse(time.RFC3339, u.Query().Get("se"))
	require.NoError(t, err)
	return start, end
}

func TestALinkLivesBelowAnHourByTheServicesClock(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 3 * time.Hour, -3 * time.Hour} {
		account, err := ParseConnectionString("AccountName=a;AccountKey=a2V5")
		require.NoError(t, err)
		e := &elsewhere{ahead: ahead}
		client, err := account.Blob(&azcore.ClientOptions{Transport: e})
		require.NoError(t, err)
		signer := NewSigner(account, client)
		link, err := signer.ReadURL(t.Context(), "models", "a.ONNX", LinkLife)
		require.NoError(t, err)
		start, end := times(t, link)
		there := time.Now().Add(ahead)
		assert.Less(t, end.Sub(start), time.Hour)
		assert.True(t, start.Before(there) && end.After(there.Add(LinkLife-time.Minute)), "%s: %s to %s", ahead, start, end)

		e.ahead += time.Hour
		_, err = client.NewContainerClient("models").GetProperties(t.Context(), nil)
		require.Error(t, err)
		asked := e.asked
		link, err = signer.ReadURL(t.Context(), "models", "a.ONNX", LinkLife)
		require.NoError(t, err)
		assert.Equal(t, asked, e.asked, "the time is taken from answers that there are")
		later, _ := times(t, link)
		assert.InDelta(t, time.Hour, later.Sub(start), float64(time.Minute))
	}
}

func TestALinkIsOfHTTPSAloneButOnThisMachine(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]string{
		"https://a.blob.core.windows.net": "https", "http://a.blob.example": "https", "https://[::1]:10000/a": "https,http",
		"http://127.0.0.1:10000/a": "https,http", "http://localhost:10000/a": "https,http",
	} {
		account, err := ParseConnectionString("AccountName=a;AccountKey=a2V5;BlobEndpoint=" + endpoint)
		require.NoError(t, err)
		client, err := account.Blob(&azcore.ClientOptions{Transport: &elsewhere{}})
		require.NoError(t, err)
		link, err := NewSigner(account, client).ReadURL(t.Context(), "models", "a.ONNX", LinkLife)
		require.NoError(t, err)
		u, err := url.Parse(link)
		require.NoError(t, err)
		assert.Equal(t, want, u.Query().Get("spr"), endpoint)
	}
}

// The probe's own requests go over Transport, so this one stands in front of Azurite.
func TestCheckTriesALinkAsTheWorkMakesIt(t *testing.T) {
	account, err := ParseConnectionString(azuritetest.Start(t).ConnectionString(azurite.Customer))
	require.NoError(t, err)
	client, err := account.Blob(nil)
	require.NoError(t, err)
	name := azuritetest.Name("signed")
	_, err = client.CreateContainer(t.Context(), name, nil)
	require.NoError(t, err)
	before := Transport.Transport
	defer func() { Transport.Transport = before }()
	var links []string
	Transport.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.URL.Query().Get("sig") != "" {
			links = append(links, req.URL.String())
		}
		return before.RoundTrip(req)
	})
	delegated, err := MaySign(t.Context(), account, name)
	require.NoError(t, err)
	assert.False(t, delegated)
	require.Len(t, links, 1)
	start, end := times(t, links[0])
	assert.Equal(t, LinkLife+clockSkew, end.Sub(start))
}

type roundTrip func(*http.Request) (*http.Response, error)

func (r roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return r(req) }
