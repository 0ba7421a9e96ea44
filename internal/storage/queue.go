package storage

import (
	"context"
	"encoding/base64"
	"fmt"
	"unicode/utf8"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
)

// PoisonSuffix makes the name of the queue to which the Functions host moves a
// message that failed too often. The host creates that queue when it needs it.
const PoisonSuffix = "-poison"

// QueueLength is about how many messages a queue has. (Get Queue Metadata)
func QueueLength(ctx context.Context, queues *azqueue.ServiceClient, name string) (int, error) {
	got, err := queues.NewQueueClient(name).GetProperties(ctx, nil)
	if err != nil {
		return 0, Explain(fmt.Sprintf("look at the queue %q", name), err)
	}
	return int(*got.ApproximateMessagesCount), nil
}

// Enqueue puts a message on a queue, where it never expires. What can't be sent
// as text is sent as Base64. (Put Message)
func Enqueue(ctx context.Context, queues *azqueue.ServiceClient, name string, message []byte) error {
	_, err := queues.NewQueueClient(name).EnqueueMessage(ctx, queueText(message), &azqueue.EnqueueMessageOptions{TimeToLive: new(int32(-1))})
	return Explain(fmt.Sprintf("put the message on the queue %q", name), err)
}

// queueText is a message as a queue takes it: a queue's request is XML, so what
// XML can't hold goes as Base64. That is all but text, and also text with
// carriage returns, which XML readers turn into line feeds.
func queueText(raw []byte) string {
	if utf8.Valid(raw) && !containsControl(string(raw)) {
		return string(raw)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// containsControl reports whether s has a character that XML can't hold or that
// its readers change.
func containsControl(s string) bool {
	for _, r := range s {
		if r < ' ' && r != '\n' && r != '\t' || r == 0xfffe || r == 0xffff {
			return true
		}
	}
	return false
}
