package state

import (
	"context"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"visionkeeper/internal/remedy"
	"visionkeeper/internal/seal"
)

// Blobs about the policy. People write the first, by `visionkeeper policy set` or by
// hand; the app the second.
const (
	policyBlob  = "policy.json"
	inForceBlob = "policy-in-force.json"
)

// PolicyInForce is the last good policy that the app went by.
type PolicyInForce struct {
	From   string    `json:"from"`   // where it lay
	Since  time.Time `json:"since"`  // when the app first read it
	Policy string    `json:"policy"` // as it was written
}

// PolicyPlace says for a person where the policy of the state container lies.
func (s *Store) PolicyPlace() string { return s.name + "/" + policyBlob }

// Policy reads the policy that a person set (Get Blob), unchecked. It is nil if
// there is none.
func (s *Store) Policy(ctx context.Context) ([]byte, error) {
	data, _, err := s.read(ctx, policyBlob)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, s.explain("read the policy", err)
	}
	return data, nil
}

// SetPolicy replaces the policy of the state container (Put Blob).
func (s *Store) SetPolicy(ctx context.Context, data []byte) error {
	if len(data) > maxBlob {
		return remedy.New("make it shorter", "the policy has %d bytes, and at most %d are read", len(data), maxBlob)
	}
	return s.replace(ctx, policyBlob, data)
}

// ResetPolicy deletes the policy of the state container (Delete Blob), and reports
// whether there was one.
func (s *Store) ResetPolicy(ctx context.Context) (bool, error) {
	_, err := s.container.NewBlobClient(policyBlob).Delete(ctx, nil)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return false, nil
	}
	return err == nil, s.explain("delete the policy", err)
}

// PolicyInForce reads what the app went by last (Get Blob). It is the zero value if
// there is none or if it is broken.
func (s *Store) PolicyInForce(ctx context.Context) (PolicyInForce, error) {
	var p PolicyInForce
	data, _, err := s.read(ctx, inForceBlob)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return p, nil
	}
	if err != nil {
		return p, s.explain("read the policy that counts", err)
	}
	if seal.Unmarshal(data, &p) != nil {
		return PolicyInForce{}, nil //nolint:nilerr // the app writes it anew
	}
	return p, nil
}

// SetPolicyInForce records what the app goes by (Put Blob).
func (s *Store) SetPolicyInForce(ctx context.Context, p PolicyInForce) error {
	data, err := seal.Marshal(p)
	if err != nil {
		return fmt.Errorf("write %s: %w", inForceBlob, err)
	}
	return s.replace(ctx, inForceBlob, data)
}
