package connect

import (
	"context"

	"visionkeeper/internal/settings"
	"visionkeeper/internal/storage"
)

// Storage checks that queue and model container are there. If create is set, it
// first creates them, the poison queue, the queue of events if there is to be one, and
// the app's own containers where they are missing.
func Storage(ctx context.Context, s settings.Settings, create bool, progress Progress) error {
	if create {
		if err := createStorage(ctx, s); err != nil {
			return err
		}
	}
	queues, err := s.Models.Queue(nil)
	if err != nil {
		return err
	}
	if _, err := storage.QueueLength(ctx, queues, s.Queue); err != nil {
		return err
	}
	progress.Done(StepQueue, s.Queue)
	models, err := s.Models.Blob(nil)
	if err != nil {
		return err
	}
	if err := storage.MayList(ctx, models, s.ModelContainer); err != nil {
		return err
	}
	progress.Done(StepContainer, s.ModelContainer)
	return nil
}

func createStorage(ctx context.Context, s settings.Settings) error {
	queues, err := s.Models.Queue(nil)
	if err != nil {
		return err
	}
	for _, name := range []string{s.Queue, s.Queue + storage.PoisonSuffix} {
		if err := storage.CreateQueue(ctx, queues, name); err != nil {
			return err
		}
	}
	if s.Events.Queue != "" {
		queues, err := s.Archives.Queue(nil)
		if err != nil {
			return err
		}
		if err := storage.CreateQueue(ctx, queues, s.Events.Queue); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		account storage.Account
		name    string
	}{{s.Models, s.ModelContainer}, {s.Archives, s.ArchiveContainer}, {s.Archives, s.StateContainer}} {
		blobs, err := c.account.Blob(nil)
		if err != nil {
			return err
		}
		if err := storage.CreateContainer(ctx, blobs, c.name); err != nil {
			return err
		}
	}
	return nil
}
