package cli

import (
	"context"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2/queueerror"

	"visionkeeper/internal/state"
	"visionkeeper/internal/storage"
)

// prepareStorage sees that queue and model container are there; with
// --create-storage it creates them, the poison queue, and the app's own
// containers where they are missing.
func (c *connection) prepareStorage(ctx context.Context) error {
	queues, err := c.settings.Models.Queue(nil)
	if err != nil {
		return err
	}
	models, err := c.settings.Models.Blob(nil)
	if err != nil {
		return err
	}
	archives, err := c.settings.Archives.Blob(nil)
	if err != nil {
		return err
	}
	c.state = state.Open(archives, c.settings.StateContainer)
	if c.createStorage {
		for _, name := range []string{c.settings.Queue, c.settings.Queue + poisonSuffix} {
			if err := createQueue(ctx, queues, name); err != nil {
				return err
			}
		}
		for _, one := range []struct {
			in   *service.Client
			name string
		}{{models, c.settings.ModelContainer}, {archives, c.settings.ArchiveContainer}, {archives, c.settings.StateContainer}} {
			if err := createContainer(ctx, one.in, one.name); err != nil {
				return err
			}
		}
	}
	if _, err := depth(ctx, queues.NewQueueClient(c.settings.Queue)); err != nil {
		return storage.Explain(fmt.Sprintf("look at the queue %q", c.settings.Queue), err)
	}
	c.done("queue", c.settings.Queue)
	if err := mayList(ctx, models, c.settings.ModelContainer); err != nil {
		return err
	}
	c.done("container", c.settings.ModelContainer)
	return nil
}

func createQueue(ctx context.Context, queues *azqueue.ServiceClient, name string) error {
	_, err := queues.NewQueueClient(name).Create(ctx, nil)
	if queueerror.HasCode(err, queueerror.QueueAlreadyExists) {
		return nil
	}
	return storage.Explain(fmt.Sprintf("create the queue %q", name), err)
}

// createContainer creates one that nobody can read without rights.
func createContainer(ctx context.Context, blobs *service.Client, name string) error {
	_, err := blobs.CreateContainer(ctx, name, nil)
	if bloberror.HasCode(err, bloberror.ContainerAlreadyExists) {
		return nil
	}
	return storage.Explain(fmt.Sprintf("create the container %q", name), err)
}
