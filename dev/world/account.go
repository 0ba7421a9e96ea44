package world

import (
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/storage"
)

// Account is one of Azurite's, as a world reaches it.
type Account struct {
	t T
	storage.Account
	Connection string
}

func (w *World) account(o Options, name string) Account {
	w.t.Helper()
	a := Account{w.t, parse(w.t, o.Connections(name)), o.Connections(name)}
	if o.Front != nil {
		a = a.Over(o.Front)
	}
	return a
}

// Over is the account reached over an Interceptor's servers. No signature covers
// their ports.
func (a Account) Over(i *Interceptor) Account {
	a.t.Helper()
	text := a.Connection
	for _, address := range []string{a.BlobURL, a.QueueURL} {
		server := "http://" + Host(a.t, address)
		text = strings.ReplaceAll(text, server+"/", i.Before(server)+"/")
	}
	return Account{a.t, parse(a.t, text), text}
}

func parse(t T, connection string) storage.Account {
	t.Helper()
	a, err := storage.ParseConnectionString(connection)
	require.NoError(t, err)
	return a
}

// Blobs opens a client of the account's blobs.
func (a Account) Blobs(o *azcore.ClientOptions) *service.Client {
	a.t.Helper()
	c, err := a.Blob(o)
	require.NoError(a.t, err)
	return c
}

// Queues opens a client of the account's queues.
func (a Account) Queues(o *azcore.ClientOptions) *azqueue.ServiceClient {
	a.t.Helper()
	c, err := a.Queue(o)
	require.NoError(a.t, err)
	return c
}
