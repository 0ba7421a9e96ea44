package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2/queueerror"
)

// MayWrite proves the right to write blobs without writing one: it puts a blob
// under a condition that can't hold, and the service looks at rights before it
// looks at conditions. (Put Blob)
func MayWrite(ctx context.Context, c *container.Client, name string) error {
	never := azcore.ETag(`"0x0"`)
	_, err := c.NewBlockBlobClient("visionkeeper-check-"+rand.Text()).Upload(ctx, streaming.NopCloser(bytes.NewReader(nil)), &blockblob.UploadOptions{
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: &never}},
	})
	if Status(err) == http.StatusPreconditionFailed {
		return nil
	}
	if err == nil {
		return fmt.Errorf("write to container %q: the service took no notice of a condition", name)
	}
	return Explain(fmt.Sprintf("write to container %q", name), err)
}

// MayTake proves the rights to read and to delete messages, which taking them off
// a queue needs: it peeks, and deletes a message that doesn't exist. (Peek
// Messages, Delete Message)
func MayTake(ctx context.Context, q *azqueue.QueueClient, name string) error {
	if _, err := q.PeekMessage(ctx, nil); err != nil {
		return Explain(fmt.Sprintf("read the queue %q", name), err)
	}
	// Both are of the service's form, but no message has them.
	_, err := q.DeleteMessage(ctx, "00000000-0000-0000-0000-000000000000", "AgAAAAMAAAAAAAAAAAAAAAAAAAA=", nil)
	if queueerror.HasCode(err, queueerror.MessageNotFound, queueerror.PopReceiptMismatch, queueerror.InvalidQueryParameterValue) {
		return nil
	}
	if err == nil {
		return fmt.Errorf("delete from the queue %q: the service deleted a message that is not there", name)
	}
	return Explain(fmt.Sprintf("delete a message from the queue %q", name), err)
}
