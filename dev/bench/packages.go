package main

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"visionkeeper/dev/azurite"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/storage"
)

const (
	iteration = "cf0f9c1e-1e66-43c8-8d8c-6f3b6f2f2f0a"
	name      = "package.zip"
	models    = "models"
	archived  = "archive"
)

// parcel is a package of a size. It is made once.
type parcel struct {
	folder string // for temporary files
	data   func() ([]byte, error)
}

func newParcel(folder string, megabytes int) parcel {
	return parcel{folder, sync.OnceValues(func() ([]byte, error) { return exported(megabytes) })}
}

// shelf is the package in the container models of an Azurite of its own.
type shelf struct {
	folder string
	blobs  *service.Client
}

// from measures something with the package in an Azurite that has nothing else.
func (p parcel) from(f func(s *shelf, ctx context.Context) (float64, error)) func(context.Context) (float64, error) {
	return func(ctx context.Context) (float64, error) {
		data, err := p.data()
		if err != nil {
			return 0, err
		}
		server, err := azurite.Start(ctx, azurite.Options{})
		if err != nil {
			return 0, err
		}
		defer server.Close()
		account, err := storage.ParseConnectionString(server.ConnectionString(azurite.Archive))
		if err != nil {
			return 0, err
		}
		s := &shelf{folder: p.folder}
		if s.blobs, err = account.Blob(nil); err != nil {
			return 0, err
		}
		for _, container := range []string{models, archived} {
			if _, err := s.blobs.CreateContainer(ctx, container, nil); err != nil {
				return 0, err
			}
		}
		if _, err := s.blobs.NewContainerClient(models).NewBlockBlobClient(name).UploadBuffer(ctx, data, nil); err != nil {
			return 0, err
		}
		return f(s, ctx)
	}
}

// exported is a package as Custom Vision exports it. Half of the model can be packed.
func exported(megabytes int) ([]byte, error) {
	model := make([]byte, megabytes<<20)
	noise := rand.NewChaCha8([32]byte{})
	for half := model; len(half) > 0; half = half[min(2<<10, len(half)):] {
		_, _ = noise.Read(half[:min(1<<10, len(half))])
	}
	copy(model, []byte{0x08, 0x06, 0x12}) // as an ONNX model begins
	sum := sha1.Sum(model)
	manifest, err := json.Marshal(map[string]any{
		"DomainType": "Classification", "Platform": "ONNX", "Flavor": nil, "ExporterVersion": "2.2", "SchemaVersion": "1.0",
		"ExportedDate": "2025-06-07T13:50:57.137023Z", "IterationId": iteration,
		"ModelFileName": "model.onnx", "ModelFileSHA1": hex.EncodeToString(sum[:]), "LabelFileName": "labels.txt", "MetadataPropsFileName": "metadata_properties.json",
	})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, member := range []struct {
		file string
		data []byte
	}{{"cvexport.manifest", manifest}, {"labels.txt", []byte("cup\nfork\n")}, {"metadata_properties.json", []byte("{}")}, {"model.onnx", model}} {
		f, err := w.Create(member.file)
		if err == nil {
			_, err = f.Write(member.data)
		}
		if err != nil {
			return nil, err
		}
	}
	err = w.Close()
	return b.Bytes(), err
}

// link is one that a container's package can be read or written by.
func (s *shelf) link(container string) (string, error) {
	may := sas.BlobPermissions{Read: true, Create: true, Write: true}
	return s.blobs.NewContainerClient(container).NewBlobClient(name).GetSASURL(may, time.Now().Add(time.Hour), nil)
}

// copied copies the package as the app does.
func (s *shelf) copied(ctx context.Context) (*archive.Archive, archive.Backup, error) {
	a := archive.Open(s.blobs, archived, archive.Options{TempDir: s.folder})
	key, err := archive.NewKey(iteration, iteration, "ONNX", "")
	if err != nil {
		return nil, archive.Backup{}, err
	}
	from, err := s.link(models)
	if err != nil {
		return nil, archive.Backup{}, err
	}
	source := archive.Source{Name: name, URL: from}
	id, err := a.Identify(ctx, source)
	if err != nil {
		return nil, archive.Backup{}, err
	}
	b, err := a.Copy(ctx, key, source, id)
	return a, b, err
}

// copying is how long the app takes to copy the package.
func (s *shelf) copying(ctx context.Context) (float64, error) {
	return timed(func() error { _, _, err := s.copied(ctx); return err })
}

// proving is how long it takes to prove the copy.
func (s *shelf) proving(ctx context.Context) (float64, error) {
	a, b, err := s.copied(ctx)
	if err != nil {
		return 0, err
	}
	return timed(func() error {
		p, err := a.Verify(ctx, b, archive.Facts{})
		if err == nil && p.Verdict != archive.Proven {
			err = fmt.Errorf("the package is %s: %s", p.Verdict, p.Note)
		}
		return err
	})
}

// streaming is how long a program in Node.js takes to copy it through itself.
func (s *shelf) streaming(ctx context.Context) (float64, error) {
	from, err := s.link(models)
	if err != nil {
		return 0, err
	}
	target, err := s.link(archived)
	if err != nil {
		return 0, err
	}
	return timed(func() error { return do(ctx, "node", "dev/bench/others/copy.mjs", from, target) })
}

// checking is how long the usual programs take to download it, hash it and test it.
func (s *shelf) checking(ctx context.Context) (float64, error) {
	from, err := s.link(models)
	if err != nil {
		return 0, err
	}
	file := filepath.Join(s.folder, name)
	defer os.Remove(file)
	return timed(func() error {
		return cmp.Or(
			do(ctx, "curl", "--silent", "--fail", "--output", file, from),
			do(ctx, "sha256sum", file),
			do(ctx, "unzip", "-tq", file))
	})
}

func timed(f func() error) (milliseconds float64, err error) {
	began := time.Now()
	err = f()
	return float64(time.Since(began).Microseconds()) / 1000, err
}

func do(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, complaints.String())
	}
	return nil
}
