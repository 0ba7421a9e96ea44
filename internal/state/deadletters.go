package state

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"visionkeeper/internal/seal"
)

// DeadLetter is a message that can never succeed, kept byte for byte.
type DeadLetter struct {
	// ID is the SHA-256 of Raw in hex, and the blob's name below dead-letters/.
	ID     string    `json:"id"`
	Raw    []byte    `json:"raw"`
	Reason string    `json:"reason"`
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"`
	Count  int       `json:"count"`
}

const deadLetterPrefix = "dead-letters/"

// idOf is the id of a dead letter with these bytes.
func idOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// stranger marks the blob of a letter about a project that isn't there, in its metadata.
const stranger = "stranger"

// Bury stores a message with the reason why it can't succeed. If the same bytes
// are stored already, their count is raised. It sends one request for a new
// message, two more for a known one (Put Blob, Get Blob).
func (s *Store) Bury(ctx context.Context, raw []byte, reason string, now time.Time) (DeadLetter, error) {
	return s.bury(ctx, DeadLetter{ID: idOf(raw), Raw: raw, Reason: reason, First: now, Last: now, Count: 1}, nil)
}

// BuryStranger is Bury for a message about a project that isn't there. Such messages
// can be made up without end, so they make room for the others.
func (s *Store) BuryStranger(ctx context.Context, raw []byte, reason string, now time.Time) (DeadLetter, error) {
	letter := DeadLetter{ID: idOf(raw), Raw: raw, Reason: reason, First: now, Last: now, Count: 1}
	return s.bury(ctx, letter, map[string]*string{stranger: new("true")})
}

func (s *Store) bury(ctx context.Context, letter DeadLetter, marks map[string]*string) (DeadLetter, error) {
	op := "keep dead letter " + letter.ID
	var known version
	for range conflictTries {
		data, err := seal.Marshal(letter)
		if err != nil {
			return letter, err
		}
		_, err = s.writeMarked(ctx, deadLetterPrefix+letter.ID+".json", data, known.etag, marks)
		if err == nil || !isConflict(err) {
			return letter, s.explain(op, err)
		}
		var before DeadLetter
		before, known, err = s.deadLetter(ctx, letter.ID)
		switch {
		case err == nil:
			letter.First, letter.Count = before.First, before.Count+1
		case !errors.Is(err, seal.ErrBroken): // a broken one is replaced: raw holds its bytes
			return letter, err
		}
	}
	return letter, fmt.Errorf("%s: others wrote it %d times meanwhile", op, conflictTries)
}

// DeadLetters reads all dead letters in the order of their ids (List Blobs, Get
// Blob).
func (s *Store) DeadLetters(ctx context.Context) ([]DeadLetter, error) {
	blobs, err := s.deadLetterBlobs(ctx)
	if err != nil {
		return nil, err
	}
	var letters []DeadLetter
	for _, item := range blobs {
		letter, _, err := s.deadLetter(ctx, letterID(item))
		if bloberror.HasCode(err, bloberror.BlobNotFound) {
			continue // deleted since the listing
		}
		if err != nil {
			return nil, err
		}
		letters = append(letters, letter)
	}
	return letters, nil
}

// What is kept of dead letters: anyone who may write to the queue can make them.
const (
	maxDeadLetters   = 1000
	deadLettersSince = 180 * 24 * time.Hour // since a letter last came
)

// PruneDeadLetters deletes the dead letters that last came long ago and, of more than
// a thousand, first those about projects that aren't there, then those that came
// longest ago. It returns how many are left. One that comes again meanwhile is kept.
// (Delete Blob for each)
func (l *Listing) PruneDeadLetters(ctx context.Context, now time.Time) (int, error) {
	blobs := slices.Clone(l.letters)
	came := func(item *container.BlobItem) time.Time { return value(item.Properties.LastModified) }
	slices.SortFunc(blobs, func(a, b *container.BlobItem) int {
		switch {
		case isStranger(a) == isStranger(b):
			return came(b).Compare(came(a))
		case isStranger(b):
			return -1
		}
		return 1
	})
	left := len(blobs)
	for i, item := range blobs {
		if i < maxDeadLetters && now.Sub(came(item)) < deadLettersSince {
			continue
		}
		err := l.store.DropDeadLetter(ctx, HeldLetter{DeadLetter: DeadLetter{ID: letterID(item)}, etag: value(item.Properties.ETag)})
		switch {
		case err == nil:
			left--
		case !errors.Is(err, ErrBuriedAgain):
			return left, err
		}
	}
	return left, nil
}

// isStranger reports whether a letter is about a project that isn't there. Go writes
// the names of metadata with a capital.
func isStranger(item *container.BlobItem) bool {
	for name := range item.Metadata {
		if strings.EqualFold(name, stranger) {
			return true
		}
	}
	return false
}

func letterID(item *container.BlobItem) string {
	return strings.TrimSuffix(strings.TrimPrefix(*item.Name, deadLetterPrefix), ".json")
}

func (s *Store) deadLetterBlobs(ctx context.Context) ([]*container.BlobItem, error) {
	var blobs []*container.BlobItem
	prefix := deadLetterPrefix
	pages := s.container.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix, Include: container.ListBlobsInclude{Metadata: true}})
	for pages.More() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.explain("list the dead letters", err)
		}
		blobs = append(blobs, page.Segment.BlobItems...)
	}
	return blobs, nil
}

func (s *Store) deadLetter(ctx context.Context, id string) (DeadLetter, version, error) {
	data, v, err := s.read(ctx, deadLetterPrefix+id+".json")
	if err != nil {
		return DeadLetter{}, v, s.explain("read dead letter "+id, err)
	}
	var letter DeadLetter
	if err := seal.Unmarshal(data, &letter); err != nil {
		return DeadLetter{}, v, fmt.Errorf("dead letter %s: %w", id, err)
	}
	return letter, v, nil
}
