package events

import (
	"context"
	"encoding/base64"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"

	"visionkeeper/internal/storage"
)

// Queue is a queue of Azure Storage. Events come as Base64, which Azure Functions expect
// by default, and never expire.
type Queue struct {
	Queues *azqueue.ServiceClient
	Queue  string
}

// Name implements Destination.
func (q Queue) Name() string { return "queue" }

// Place implements Destination.
func (q Queue) Place() string { return "the queue " + q.Queue }

// Fingerprint implements Destination.
func (q Queue) Fingerprint() string { return fingerprint(q.Queues.URL(), q.Queue) }

// Check implements Destination. (Get Queue Metadata)
func (q Queue) Check(ctx context.Context) error {
	_, err := storage.QueueLength(ctx, q.Queues, q.Queue)
	return err
}

// Send implements Destination. (Put Message)
func (q Queue) Send(ctx context.Context, _ string, body []byte) error {
	return storage.Enqueue(ctx, q.Queues, q.Queue, []byte(base64.StdEncoding.EncodeToString(body)))
}
