package storage

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"visionkeeper/internal/loopback"
)

// A Signer makes short-lived read links to single blobs of one account, for the
// storage service to copy from. With an account key the link is a service SAS;
// with an identity a user delegation SAS, whose key serves for some hours.
type Signer struct {
	account Account
	service *service.Client

	mu         sync.Mutex
	delegation *service.UserDelegationCredential
	until      time.Time
}

// LinkLife is how long a link serves by which the storage service copies a package:
// the largest takes minutes. From its start to its end that is below an hour, since
// policies of an account may refuse links that live longer.
const LinkLife = 30 * time.Minute

// clockSkew is how far in the past a signature begins: the clocks of the service's
// own machines differ a little.
const clockSkew = 5 * time.Minute

// delegationLife is how long one user delegation key serves; seven days are allowed.
const delegationLife = 6 * time.Hour

// NewSigner signs for the account that client, opened by account.Blob, talks to.
func NewSigner(account Account, client *service.Client) *Signer {
	return &Signer{account: account, service: client}
}

// ReadURL is a link that reads this one blob until life has passed by the storage
// service's clock, over https alone unless the account is on this machine. It is a
// secret: whoever holds it can read the blob. Get User Delegation Key is asked
// at most once in a few hours, and only with an identity. (Get Container Properties,
// if no request of the account was answered yet)
func (s *Signer) ReadURL(ctx context.Context, containerName, blobName string, life time.Duration) (string, error) {
	now, err := s.now(ctx, containerName)
	if err != nil {
		return "", err
	}
	values := sas.BlobSignatureValues{
		Protocol:      s.protocol(),
		StartTime:     now.Add(-clockSkew),
		ExpiryTime:    now.Add(life),
		Permissions:   (&sas.BlobPermissions{Read: true}).String(),
		ContainerName: containerName,
		BlobName:      blobName,
	}
	var query sas.QueryParameters
	if s.account.identity.Credential == nil {
		key, keyErr := service.NewSharedKeyCredential(s.account.name, s.account.key)
		if keyErr != nil {
			return "", keyErr
		}
		query, err = values.SignWithSharedKey(key)
	} else {
		var key *service.UserDelegationCredential
		if key, err = s.delegationKey(ctx, now); err != nil {
			return "", err
		}
		query, err = values.SignWithUserDelegation(key)
	}
	if err != nil {
		return "", err
	}
	return s.service.NewContainerClient(containerName).NewBlobClient(blobName).URL() + "?" + query.Encode(), nil
}

// now is the storage service's time.
func (s *Signer) now(ctx context.Context, containerName string) (time.Time, error) {
	if now, known := s.account.clock.now(); known {
		return now, nil
	}
	_, err := s.service.NewContainerClient(containerName).GetProperties(ctx, nil)
	if now, known := s.account.clock.now(); known { // a refusal has a date too
		return now, nil
	}
	return time.Time{}, Explain("ask the storage service for its time", cmp.Or(err, errors.New("its answer has no date")))
}

func (s *Signer) protocol() sas.Protocol {
	if u, err := url.Parse(s.account.BlobURL); err == nil && loopback.Is(u.Hostname()) {
		return sas.ProtocolHTTPSandHTTP
	}
	return sas.ProtocolHTTPS
}

func (s *Signer) delegationKey(ctx context.Context, now time.Time) (*service.UserDelegationCredential, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.delegation != nil && now.Before(s.until.Add(-delegationLife/2)) {
		return s.delegation, nil
	}
	start, expiry := now.Add(-clockSkew).Format(sas.TimeFormat), now.Add(delegationLife).Format(sas.TimeFormat)
	key, err := s.service.GetUserDelegationCredential(ctx, service.KeyInfo{Start: &start, Expiry: &expiry}, nil)
	if err != nil {
		return nil, Explain("get a user delegation key (role Storage Blob Delegator)", err)
	}
	s.delegation, s.until = key, now.Add(delegationLife)
	return key, nil
}
