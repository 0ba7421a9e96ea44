package state

import (
	"context"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"visionkeeper/internal/seal"
)

// Health is what the last sweep found: health.json, for a person or a monitor.
type Health struct {
	Version  string    `json:"version"`
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended"`
	Warnings []string  `json:"warnings"` // what the app doesn't do, and why
	Errors   []string  `json:"errors"`   // what this sweep couldn't do

	// Projects that the policy names; Covered of them were gone over since the
	// round began, which may take several sweeps, and Failed not whole. Outside are
	// left alone by the policy.
	Projects int `json:"projects"`
	Covered  int `json:"covered"`
	Failed   int `json:"failed"`
	Outside  int `json:"outside"`
	// Resume is the project after which the next sweep goes on; "" begins a new round.
	Resume string `json:"resume"`
	// Round is when the last round over all projects was completed, none of them failing.
	Round time.Time `json:"round,omitzero"`

	// Unproven counts finished exports without a backup in the projects gone over
	// since the round began, Oldest is the earliest of their iterations' trainings.
	// Blocked ones are counted apart.
	Unproven int       `json:"unproven"`
	Oldest   time.Time `json:"oldest,omitzero"`
	Blocked  int       `json:"blocked"`
	// Poison counts the messages taken from the poison queue by this sweep.
	Poison int `json:"poison"`
}

const healthBlob = "health.json"

// Health reads what the last sweep found; the zero value where there was none, or
// where it is broken: it is made anew with every sweep.
func (s *Store) Health(ctx context.Context) (Health, error) {
	var h Health
	data, _, err := s.read(ctx, healthBlob)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return h, nil
	}
	if err != nil {
		return h, s.explain("read "+healthBlob, err)
	}
	if err := seal.Unmarshal(data, &h); err != nil {
		return Health{}, nil
	}
	return h, nil
}

// SetHealth writes what a sweep found, on top of whatever stands there.
func (s *Store) SetHealth(ctx context.Context, h Health) error {
	data, err := seal.Marshal(h)
	if err != nil {
		return fmt.Errorf("write %s: %w", healthBlob, err)
	}
	for range conflictTries {
		_, known, err := s.read(ctx, healthBlob)
		if err != nil && !bloberror.HasCode(err, bloberror.BlobNotFound) {
			return s.explain("read "+healthBlob, err)
		}
		if _, err = s.write(ctx, healthBlob, data, known.etag); err == nil || !isConflict(err) {
			return s.explain("write "+healthBlob, err)
		}
	}
	return fmt.Errorf("write %s: others wrote it %d times meanwhile", healthBlob, conflictTries)
}
