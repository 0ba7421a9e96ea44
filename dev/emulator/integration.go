package emulator

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"visionkeeper/internal/storage"
)

// testFolder is the folder in which the connection test writes a temporary blob.
const testFolder = "CustomVision-TestPermission"

// testBlobLife is how long that blob stays. The real service's time isn't known.
const testBlobLife = 10 * time.Second

// storageTimeout is the time limit of one request to storage.
const storageTimeout = 30 * time.Second

// connect tests new storage URIs of a project: it writes a blob into the
// container and a message into the queue. Empty URIs aren't tested. s.mu must be
// held; it is released during the requests.
func (s *Server) connect(projectID, container, queue string) error {
	if container == "" && queue == "" {
		return nil
	}
	if s.answer(ConnectionTest) == "refused" {
		return badRequest("BadRequestInvalidUri", "The storage can't be reached with the identity of the resource")
	}
	for _, uri := range []string{container, queue} {
		if u, err := url.Parse(uri); uri != "" && (err != nil || u.Host == "" || u.RawQuery != "") {
			return badRequest("BadRequestInvalidUri", "A storage URI is a plain URL without a signature")
		}
	}
	if container != "" && s.models != nil {
		name, ok := childOf(s.options.Storage.BlobURL, container)
		if !ok {
			return badRequest("BadRequestInvalidUri", "The container isn't in the storage account that the emulator was given")
		}
		blob := testFolder + "/" + newID()
		var err error
		s.unlocked(func() { err = s.putBlob(name, blob, []byte("test")) })
		if err != nil {
			return badRequest("BadRequestInvalidUri", "%v", err)
		}
		s.schedule(job{Kind: jobTestBlob, Due: s.state.Clock.now().Add(testBlobLife), Blob: name + "/" + blob})
	}
	if queue != "" {
		if _, ok := childOf(s.options.Storage.QueueURL, queue); !ok && s.queues != nil {
			return badRequest("BadRequestInvalidUri", "The queue isn't in the storage account that the emulator was given")
		}
		if err := s.send(queue, envelope{"1.0", "ConnectionTest", contentWire{ProjectID: projectID}}); err != nil {
			return badRequest("BadRequestInvalidUri", "%v", err)
		}
	}
	return nil
}

// childOf returns the name of a container or queue from its URI below an
// account's endpoint.
func childOf(endpoint, uri string) (string, bool) {
	if len(uri) <= len(endpoint) || !strings.EqualFold(uri[:len(endpoint)], endpoint) {
		return "", false
	}
	name := strings.Trim(uri[len(endpoint):], "/")
	return name, name != "" && !strings.Contains(name, "/")
}

// putBlob writes a blob into the customer's container.
func (s *Server) putBlob(container, name string, content []byte) error {
	ctx, cancel := context.WithTimeout(s.ctx, storageTimeout)
	defer cancel()
	_, err := s.models.NewContainerClient(container).NewBlockBlobClient(name).Upload(ctx, nopCloser{bytes.NewReader(content)}, nil)
	return storage.Explain("write a blob into the model container", err)
}

func (s *Server) deleteTestBlob(path string) {
	if s.models == nil { // restarted without storage
		return
	}
	container, name, _ := strings.Cut(path, "/")
	s.unlocked(func() {
		ctx, cancel := context.WithTimeout(s.ctx, storageTimeout)
		defer cancel()
		if _, err := s.models.NewContainerClient(container).NewBlobClient(name).Delete(ctx, nil); err != nil {
			s.options.Logf("%v", storage.Explain("delete the connection test's blob", err))
		}
	})
}

// storePackage writes an export into the service's own account. If the project
// has a container, it writes a copy there under the service's odd name.
func (s *Server) storePackage(p *project, i *iteration, e *export) error {
	container, backup := "", s.backupName(p, i, e)
	if p.Container != "" && s.models != nil {
		container, _ = childOf(s.options.Storage.BlobURL, p.Container)
	}
	if container == "" && s.blobs == nil {
		return nil // built again for each download
	}
	var err error
	spec, own, name := s.packageSpec(i, e), containerName(p), packageName(i, e)
	s.unlocked(func() {
		var content []byte
		if content, err = spec.build(); err != nil {
			return
		}
		if err = s.putOwn(own, name, content); err == nil && container != "" {
			err = s.putBlob(container, backup, content)
		}
	})
	return err
}

func (s *Server) putOwn(container, name string, content []byte) error {
	if s.blobs == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.ctx, storageTimeout)
	defer cancel()
	client := s.blobs.NewContainerClient(container)
	if _, err := client.Create(ctx, nil); err != nil && !bloberror.HasCode(err, bloberror.ContainerAlreadyExists) {
		return storage.Explain("create a container in the service's account", err)
	}
	_, err := client.NewBlockBlobClient(name).Upload(ctx, nopCloser{bytes.NewReader(content)}, &blockblob.UploadOptions{})
	return storage.Explain("write a package into the service's account", err)
}

// backupName returns the blob's documented name, with a space, a hyphen and a
// space, without .zip and without a flavor.
func (s *Server) backupName(p *project, i *iteration, e *export) string {
	project, iteration := p.ID, i.ID
	if s.answer(BlobNames) == "compact" {
		project, iteration = compact(project), compact(iteration)
	}
	return project + " - " + iteration + "." + e.Platform
}

// backupURL returns the URL of that blob without a signature.
func (s *Server) backupURL(p *project, i *iteration, e *export) string {
	name := s.backupName(p, i, e)
	if s.answer(ModelURI) == "escaped" {
		name = url.PathEscape(name)
	}
	return strings.TrimRight(p.Container, "/") + "/" + name
}

// modelURI returns the URI in an Export message: the blob in the customer's
// container, or, without a container, a signed link to the service's own blob.
func (s *Server) modelURI(p *project, i *iteration, e *export) string {
	if p.Container != "" {
		return s.backupURL(p, i, e)
	}
	uri, err := s.ownURI(containerName(p), packageName(i, e))
	if err != nil {
		s.options.Logf("no link for the export message: %v", errors.Unwrap(err))
	}
	return uri
}

// nopCloser makes a reader an io.ReadSeekCloser, which the SDK requires.
type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }
