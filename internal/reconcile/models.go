package reconcile

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/remedy"
	"visionkeeper/internal/storage"
)

// signatureLife is how long a signed link to one blob of the model container
// serves: a copy of the largest package takes minutes.
const signatureLife = time.Hour

// Models is the container into which Custom Vision writes exported models.
type Models struct {
	container *container.Client
	name      string
	signer    *storage.Signer
}

// OpenModels uses the container of the account that client, opened by
// account.Blob, talks to. Nothing is asked of it yet.
func OpenModels(account storage.Account, client *service.Client, name string) *Models {
	return &Models{container: client.NewContainerClient(name), name: name, signer: storage.NewSigner(account, client)}
}

// source is a blob of the container, to be read and copied by a signed link.
func (m *Models) source(ctx context.Context, blob string) (archive.Source, error) {
	link, err := m.signer.ReadURL(ctx, m.name, blob, signatureLife)
	if err != nil {
		return archive.Source{}, fmt.Errorf("sign a link to the model container's blob %q: %w", blob, err)
	}
	return archive.Source{Kind: archive.FromContainer, Name: blob, URL: link}, nil
}

// holds tells whether a link, signed or not, leads to this very blob.
func (m *Models) holds(link, blob string) bool {
	bare, _, _ := strings.Cut(link, "?")
	path, err := url.PathUnescape(bare)
	return err == nil && path == m.container.URL()+"/"+blob
}

// modelBlob is an export in the model container, as its name tells.
type modelBlob struct{ name, etag, project, iteration, platform string }

// list goes through the exports whose names begin with prefix, 5,000 blobs a
// request. What isn't named as Custom Vision names its exports is left out.
func (m *Models) list(ctx context.Context, prefix string) iter.Seq2[modelBlob, error] {
	return func(yield func(modelBlob, error) bool) {
		pages := m.container.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix})
		for pages.More() {
			page, err := pages.NextPage(ctx)
			if bloberror.HasCode(err, bloberror.ContainerNotFound) {
				err = remedy.New("create it, or name another in MODEL_CONTAINER", "there is no model container %q", m.name)
			}
			if err != nil {
				yield(modelBlob{}, storage.Explain("list the model container "+m.name, err))
				return
			}
			for _, item := range page.Segment.BlobItems {
				b := modelBlob{name: *item.Name, etag: strings.Trim(string(*item.Properties.ETag), `"`)}
				if b.project, b.iteration, b.platform, err = customvision.ParseBlobName(b.name); err != nil {
					continue
				}
				if !yield(b, nil) {
					return
				}
			}
		}
	}
}
