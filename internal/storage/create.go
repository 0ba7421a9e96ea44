package storage

import (
	"context"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2/queueerror"
)

// CreateQueue creates a queue unless it is there. (Create Queue)
func CreateQueue(ctx context.Context, queues *azqueue.ServiceClient, name string) error {
	_, err := queues.NewQueueClient(name).Create(ctx, nil)
	if queueerror.HasCode(err, queueerror.QueueAlreadyExists) {
		return nil
	}
	return Explain(fmt.Sprintf("create the queue %q", name), err)
}

// CreateContainer creates a container unless it is there, without public access.
// (Create Container)
func CreateContainer(ctx context.Context, blobs *service.Client, name string) error {
	_, err := blobs.CreateContainer(ctx, name, nil)
	if bloberror.HasCode(err, bloberror.ContainerAlreadyExists) {
		return nil
	}
	return Explain(fmt.Sprintf("create the container %q", name), err)
}
