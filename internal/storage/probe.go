package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2/queueerror"

	"visionkeeper/internal/remedy"
)

// Right proves one right to a container, without changing anything.
type Right func(ctx context.Context, blobs *service.Client, container string) error

// May proves several rights to a container of the account. The error is that of the first
// one that is missing.
func (a Account) May(ctx context.Context, o *azcore.ClientOptions, container string, rights ...Right) error {
	blobs, err := a.Blob(o)
	if err != nil {
		return err
	}
	for _, right := range rights {
		if err := right(ctx, blobs, container); err != nil {
			return err
		}
	}
	return nil
}

// MayList proves the right to list a container's blobs. (List Blobs)
func MayList(ctx context.Context, blobs *service.Client, name string) error {
	_, err := blobs.NewContainerClient(name).NewListBlobsFlatPager(&container.ListBlobsFlatOptions{MaxResults: new(int32(1))}).NextPage(ctx)
	return Explain(fmt.Sprintf("list the container %q", name), err)
}

// MayRead proves the right to read blobs: it asks for one that isn't there. (Get Blob
// Properties)
func MayRead(ctx context.Context, blobs *service.Client, name string) error {
	_, err := blobs.NewContainerClient(name).NewBlobClient(probeName+rand.Text()).GetProperties(ctx, nil)
	return unlessAbsent(fmt.Sprintf("read from container %q", name), err)
}

// MayDelete proves the right to delete blobs: it deletes one that isn't there. (Delete
// Blob)
func MayDelete(ctx context.Context, blobs *service.Client, name string) error {
	_, err := blobs.NewContainerClient(name).NewBlobClient(probeName+rand.Text()).Delete(ctx, nil)
	return unlessAbsent(fmt.Sprintf("delete from container %q", name), err)
}

// unlessAbsent is nil where nothing but the blob is missing.
func unlessAbsent(op string, err error) error {
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return nil
	}
	return Explain(op, err)
}

// HostMayWork proves that the Functions host may keep its things in an account: it makes
// its container with the first start. (Put Blob)
func HostMayWork(ctx context.Context, host Account, o *azcore.ClientOptions) error {
	err := host.May(ctx, o, "azure-webjobs-hosts", MayWrite)
	if bloberror.HasCode(err, bloberror.ContainerNotFound) {
		return nil
	}
	return err
}

// probeName begins the names of blobs that are asked for and never written.
const probeName = "visionkeeper-check-"

// MayWrite proves the right to write blobs without writing one: it puts a blob
// under a condition that can't hold, and the service looks at rights before it
// looks at conditions. (Put Blob)
func MayWrite(ctx context.Context, blobs *service.Client, name string) error {
	never := azcore.ETag(`"0x0"`)
	_, err := blobs.NewContainerClient(name).NewBlockBlobClient(probeName+rand.Text()).Upload(ctx, streaming.NopCloser(bytes.NewReader(nil)), &blockblob.UploadOptions{
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

// MayTake proves the rights to read, to change and to delete messages, which taking
// them off a queue needs: it peeks, and changes and deletes a message that doesn't
// exist. Who may change one may also put one on the poison queue. (Peek Messages, Update
// Message, Delete Message)
func MayTake(ctx context.Context, queues *azqueue.ServiceClient, name string) error {
	q := queues.NewQueueClient(name)
	if _, err := q.PeekMessage(ctx, nil); err != nil {
		return Explain(fmt.Sprintf("read the queue %q", name), err)
	}
	// Both are valid, but no message has them.
	const id, receipt = "00000000-0000-0000-0000-000000000000", "AgAAAAMAAAAAAAAAAAAAAAAAAAA="
	_, err := q.UpdateMessage(ctx, id, receipt, "", nil)
	if err := noSuchMessage(fmt.Sprintf("change a message of the queue %q", name), err); err != nil {
		return err
	}
	_, err = q.DeleteMessage(ctx, id, receipt, nil)
	return noSuchMessage(fmt.Sprintf("delete a message from the queue %q", name), err)
}

// noSuchMessage is nil where the service says that the message isn't there.
func noSuchMessage(op string, err error) error {
	if queueerror.HasCode(err, queueerror.MessageNotFound, queueerror.PopReceiptMismatch, queueerror.InvalidQueryParameterValue) {
		return nil
	}
	if err == nil {
		return fmt.Errorf("%s: the service did it to one that is not there", op)
	}
	return Explain(op, err)
}

// MaySign proves that the account can sign what the storage service is to copy:
// it reads a blob that isn't there by a link as backups sign it, and only who may
// read is answered that. It reports whether a user delegation key signs, rather than the
// account's own. (Get User Delegation Key, Get Blob Properties)
func MaySign(ctx context.Context, account Account, containerName string) (delegated bool, err error) {
	blobs, err := account.Blob(nil)
	if err != nil {
		return false, err
	}
	link, err := NewSigner(account, blobs).ReadURL(ctx, containerName, probeName+rand.Text(), LinkLife)
	if Status(err) == http.StatusForbidden {
		return false, remedy.New("give the identity the role Storage Blob Delegator on the storage account of the model container", "it may not ask for a user delegation key")
	}
	if err != nil {
		return false, err
	}
	client, err := blob.NewClientWithNoCredential(link, &blob.ClientOptions{ClientOptions: Options(nil)})
	if err != nil {
		return false, err
	}
	if _, err = client.GetProperties(ctx, nil); Status(err) != http.StatusNotFound && err != nil {
		return false, Explain("read by a signed link", err)
	}
	return account.identity.Credential != nil, nil
}

// Immutable reports whether no blob of a container can be overwritten or deleted:
// it has an immutability policy or a legal hold. (Get Container Properties)
func Immutable(ctx context.Context, blobs *service.Client, name string) (bool, error) {
	got, err := blobs.NewContainerClient(name).GetProperties(ctx, nil)
	if err != nil {
		return false, Explain(fmt.Sprintf("look at the container %q", name), err)
	}
	return isTrue(got.HasImmutabilityPolicy) || isTrue(got.HasLegalHold), nil
}

func isTrue(b *bool) bool { return b != nil && *b }

// ClockSkew is how far this machine's clock is from the storage service's, never
// negative. (Get Container Properties)
func ClockSkew(ctx context.Context, blobs *service.Client, containerName string) (time.Duration, error) {
	got, err := blobs.NewContainerClient(containerName).GetProperties(ctx, nil)
	if err != nil {
		return 0, Explain(fmt.Sprintf("look at the container %q", containerName), err)
	}
	if got.Date == nil {
		return 0, errors.New("the storage service's answer has no date")
	}
	return time.Since(*got.Date).Abs(), nil
}
