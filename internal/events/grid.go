package events

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// Grid is a custom topic of Event Grid that takes CloudEvents:
// https://learn.microsoft.com/azure/event-grid/post-to-custom-topic
type Grid struct {
	address, key string
	identity     azcore.TokenCredential
	scope        string
	client       *http.Client
}

// NewGrid makes one for a topic's endpoint. It sends by the key, or, where that is empty,
// by an identity, whose token is for the scope.
func NewGrid(endpoint, key string, identity azcore.TokenCredential, scope string) *Grid {
	return &Grid{endpoint, key, identity, scope, client(dialer(nil))}
}

// Name implements Destination.
func (g *Grid) Name() string { return "eventgrid" }

// Place implements Destination.
func (g *Grid) Place() string { return "the Event Grid topic at " + host(g.address) }

// Fingerprint implements Destination.
func (g *Grid) Fingerprint() string { return fingerprint(g.address, g.key) }

// Check implements Destination. It connects, and asks for nothing.
func (g *Grid) Check(ctx context.Context) error { return reach(ctx, dialer(nil), g.address) }

// Send implements Destination. The topic has an event once it has answered.
func (g *Grid) Send(ctx context.Context, _ string, body []byte) error {
	u, err := url.Parse(g.address)
	if err != nil {
		return fmt.Errorf("EVENTS_GRID_ENDPOINT is no URL")
	}
	u.RawQuery = "api-version=2018-01-01"
	header := http.Header{}
	if g.key != "" {
		header.Set("aeg-sas-key", g.key)
	} else {
		token, err := g.identity.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{g.scope}})
		if err != nil {
			return fmt.Errorf("the identity has no token for %s: %w", u.Host, err)
		}
		header.Set("Authorization", "Bearer "+token.Token)
	}
	return post(ctx, g.client, u.String(), header, body)
}
