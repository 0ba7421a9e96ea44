// Package models reads the container into which Custom Vision writes exported
// models: it lists the exports in it and makes sources of single blobs. It never
// writes to the container. Start reading at Container.
package models

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/pattern"
	"visionkeeper/internal/storage"
)

// Container is the model container. It is safe for concurrent use.
type Container struct {
	container *container.Client
	name      string
	signer    *storage.Signer
	whole     storage.Lister // of all its blobs, in every sweep
}

// Open uses the container of the account that client, opened by account.Blob,
// talks to. Nothing is asked of it yet.
func Open(account storage.Account, client *service.Client, name string) *Container {
	return &Container{container: client.NewContainerClient(name), name: name, signer: storage.NewSigner(account, client)}
}

// Source is a blob of the container: read by the app's own credential, and copied by
// a signed link, which is made when it is needed.
func (c *Container) Source(blob string) archive.Source {
	return archive.Source{
		Kind: archive.FromContainer, Name: blob, Blob: c.container.NewBlobClient(blob),
		Link: func(ctx context.Context) (string, error) {
			link, err := c.signer.ReadURL(ctx, c.name, blob, storage.LinkLife)
			if err != nil {
				return "", fmt.Errorf("sign a link to the model container's blob %q: %w", blob, err)
			}
			return link, nil
		},
	}
}

// Account is the name of the container's storage account.
func (c *Container) Account() string { return storage.AccountName(c.container.URL()) }

// Name is the container's.
func (c *Container) Name() string { return c.name }

// Blob is the name of the blob in this container that a link, signed or not, leads to; ok
// reports whether it leads here.
func (c *Container) Blob(link string) (name string, ok bool) { return BlobOf(c.container.URL(), link) }

// BlobOf is Blob for a container with this address. Hosts are compared without regard to
// case and to a port that is the scheme's own.
func BlobOf(container, link string) (name string, ok bool) {
	ours, err := url.Parse(container)
	if err != nil || ours.Host == "" {
		return "", false
	}
	their, err := url.Parse(link)
	if err != nil || storage.Host(their) != storage.Host(ours) {
		return "", false
	}
	folder := strings.TrimRight(ours.Path, "/") + "/"
	if !strings.HasPrefix(their.Path, folder) {
		return "", false
	}
	return their.Path[len(folder):], true
}

// twoIDs is what the name of an export has, wherever a person has put it.
var twoIDs = pattern.Of(`(?i)(?:(?:^|[^0-9a-f])[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}.*){2}`)

// Survey counts the blobs that are named as Custom Vision names its exports, and lists
// the names of those that look like exports, with two ids in their names, and aren't named
// so: nothing archives them. (List Blobs, 5,000 a request)
func (c *Container) Survey(ctx context.Context) (exports int, misnamed []string, err error) {
	for item, err := range c.list(ctx, "") {
		if err != nil {
			return 0, nil, err
		}
		if _, _, _, err := customvision.ParseBlobName(item.Name); err == nil {
			exports++
		} else if twoIDs().MatchString(item.Name) {
			misnamed = append(misnamed, item.Name)
		}
	}
	return exports, misnamed, nil
}

// Blob is an export in the container, as its name says.
type Blob struct {
	Name, ETag                   string // the ETag without quotes
	Project, Iteration, Platform string // ids are canonical GUIDs
}

// Names are the names that the blob of an export may have: whether the service
// writes ids with hyphens isn't documented.
func Names(key archive.Key, platform string) []string {
	plain := strings.NewReplacer("-", "")
	return []string{
		customvision.BlobName(key.Project, key.Iteration, platform),
		customvision.BlobName(plain.Replace(key.Project), plain.Replace(key.Iteration), platform),
	}
}

// Blobs goes through the exports of a project, or of all projects where it is
// empty, 5,000 blobs a request. What isn't named as Custom Vision names its exports
// is left out. (List Blobs)
func (c *Container) Blobs(ctx context.Context, project string) iter.Seq2[Blob, error] {
	return func(yield func(Blob, error) bool) {
		prefix, _, _ := strings.Cut(project, "-") // the same with hyphens and without
		for item, err := range c.list(ctx, prefix) {
			if err != nil {
				yield(Blob{}, err)
				return
			}
			b := Blob{Name: item.Name, ETag: item.ETag}
			if b.Project, b.Iteration, b.Platform, err = customvision.ParseBlobName(b.Name); err != nil {
				continue
			}
			if project != "" && b.Project != project {
				continue
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

// list goes through the blobs whose names begin with the prefix. It ends with an error.
func (c *Container) list(ctx context.Context, prefix string) iter.Seq2[storage.Item, error] {
	lister := &c.whole
	if prefix != "" {
		lister = new(storage.Lister)
	}
	return func(yield func(storage.Item, error) bool) {
		for item, err := range lister.List(ctx, c.container, prefix) {
			if bloberror.HasCode(err, bloberror.ContainerNotFound) {
				err = fmt.Errorf("there is no model container %q: create it, or name another in MODEL_CONTAINER", c.name)
			}
			if err != nil {
				err = storage.Explain("list the model container "+c.name, err)
			}
			if !yield(item, err) {
				return
			}
		}
	}
}
