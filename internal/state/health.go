package state

import (
	"context"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"visionkeeper/internal/seal"
)

// Health is the result of the last sweep, stored as health.json for people and
// monitors.
type Health struct {
	Version  string    `json:"version"`
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended"`
	Warnings []string  `json:"warnings"` // what the app isn't doing, and why
	Errors   []string  `json:"errors"`   // what this sweep couldn't do

	// A round is a pass over all projects, which may take several sweeps. Projects
	// counts those that a policy rule names, Covered those reconciled since the
	// round began, Failed those of them that failed, Outside those without a rule.
	Projects int `json:"projects"`
	Covered  int `json:"covered"`
	Failed   int `json:"failed"`
	Outside  int `json:"outside"`
	// Resume is the project after which the next sweep continues; "" starts a new
	// round.
	Resume string `json:"resume"`
	// Round is when the last round without a failed project ended.
	Round time.Time `json:"round,omitzero"`

	// Unproven counts finished exports without a backup in the projects covered
	// since the round began. Oldest is the earliest training of their iterations.
	// Blocked counts the exports that can't be backed up; Unproven excludes them.
	Unproven int       `json:"unproven"`
	Oldest   time.Time `json:"oldest,omitzero"`
	Blocked  int       `json:"blocked"`
	// Poison counts the messages taken from the poison queue by this sweep.
	Poison int `json:"poison"`
}

const healthBlob = "health.json"

// Health reads the result of the last sweep (Get Blob). It is the zero value if
// there is none or if it is broken: the next sweep writes it anew.
func (s *Store) Health(ctx context.Context) (Health, error) {
	var h Health
	data, _, err := s.read(ctx, healthBlob)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return h, nil
	}
	if err != nil {
		return h, s.explain("read "+healthBlob, err)
	}
	if seal.Unmarshal(data, &h) != nil {
		return Health{}, nil //nolint:nilerr // the next sweep writes it anew
	}
	return h, nil
}

// SetHealth stores the result of a sweep, whatever version is stored already (Put
// Blob).
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
