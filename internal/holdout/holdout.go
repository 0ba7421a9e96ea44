// Package holdout reads hold-out sets: pictures that nothing was trained on, with what they
// show, by which the gate of a promotion measures. It counts how much of that an iteration
// sees. It asks no service for predictions, and decides nothing. Start reading at Sets.List.
package holdout

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/storage"
)

const (
	// Most is how many pictures a set may have. A part of a larger one would be no measure:
	// the first by their names are mostly those of a few tags.
	Most = 500
	// mostFiles is how many files may lie there, and mostText how large one with labels may be.
	mostFiles = 2000
	mostText  = 16 << 20
)

// Unusable says why nothing can be measured by a set, as it is. Any other error may pass.
type Unusable string

func (u Unusable) Error() string { return string(u) }

func unusable(format string, a ...any) error { return Unusable(fmt.Sprintf(format, a...)) }

// Sets opens hold-out sets. It sends no request by itself.
type Sets struct {
	Blobs *service.Client // the archive's account
	Root  string          // the app's folder; empty where it isn't known
}

// Set is what lies in one place: pictures, and what says what they show.
type Set struct {
	Place string
	// Hash is a fingerprint of all names and versions: while it is the same, so is the set.
	Hash     string
	Pictures []File // in the order of their names
	labels   []File // that say what they show, where the folders don't
	from     from
}

// File is a picture of a set or a file with labels. Name is the path below the set.
type File struct {
	Name string
	Size int64
	// Version changes with the bytes: a blob's ETag, or the SHA-256 of a file.
	Version string
}

// from is where a set lies.
type from interface {
	list(ctx context.Context) ([]File, error)
	// read reads a file in this version.
	read(ctx context.Context, f File) ([]byte, error)
}

// List lists the set in a place: a container of the archive's account, with a folder in it
// where one is named, or, beginning with ./, a folder below the app's.
func (s Sets) List(ctx context.Context, place string) (Set, error) {
	set := Set{Place: place}
	if local, ok := strings.CutPrefix(place, "./"); ok {
		set.from = folder{s.Root, path.Clean(local)}
	} else {
		name, below, _ := strings.Cut(place, "/")
		set.from = blobs{s.Blobs.NewContainerClient(name), name, strings.TrimSuffix(below, "/")}
	}
	files, err := set.from.list(ctx)
	if err != nil {
		return set, err
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	hash := sha256.New()
	for _, f := range files {
		switch {
		case isPicture(f.Name):
			if f.Size > customvision.MaxTested {
				return set, unusable("the picture %q is larger than %d MB, which Custom Vision doesn't take", f.Name, customvision.MaxTested>>20)
			}
			set.Pictures = append(set.Pictures, f)
		case isLabels(f.Name):
			if f.Size > mostText {
				return set, unusable("the file %q is larger than %d MB", f.Name, mostText>>20)
			}
			set.labels = append(set.labels, f)
		default:
			continue
		}
		fmt.Fprintf(hash, "%q %s %d\n", f.Name, f.Version, f.Size)
	}
	set.Hash = hex.EncodeToString(hash.Sum(nil)[:12])
	switch {
	case len(set.Pictures) == 0:
		return set, unusable("there is no picture in it (%s)", strings.Join(extensions, ", "))
	case len(set.Pictures) > Most:
		return set, unusable("it has %d pictures, and takes %d at most", len(set.Pictures), Most)
	}
	return set, nil
}

// Read reads a picture, or a file with labels. If it is another one by now, that is an error.
func (s Set) Read(ctx context.Context, f File) ([]byte, error) { return s.from.read(ctx, f) }

var extensions = []string{".jpg", ".jpeg", ".png", ".gif", ".bmp"}

func isPicture(name string) bool {
	return slices.Contains(extensions, strings.ToLower(path.Ext(name)))
}

// isLabels reports whether a file says what pictures show, by its name.
func isLabels(name string) bool { return path.Base(name) == labelsName || isCOCO(name) }

func isCOCO(name string) bool {
	return strings.HasPrefix(path.Base(name), "instances") && path.Ext(name) == ".json"
}

// errChanged says that a file isn't the one that was listed.
var errChanged = errors.New("it was changed while it was read")

// blobs is a set in a container.
type blobs struct {
	container *container.Client
	name      string
	below     string // empty for all of it
}

// prefix is what the names of the set's blobs begin with. What follows may be any name, such
// as one with // or .. in it.
func (b blobs) prefix() string {
	if b.below == "" {
		return ""
	}
	return b.below + "/"
}

func (b blobs) list(ctx context.Context) ([]File, error) {
	prefix := b.prefix()
	var files []File
	for item, err := range storage.List(ctx, b.container, prefix) {
		if err != nil {
			return nil, b.explain(err)
		}
		files = append(files, File{strings.TrimPrefix(item.Name, prefix), item.Size, item.ETag})
		if len(files) > mostFiles {
			return nil, unusable("it has more than %d files", mostFiles)
		}
	}
	return files, nil
}

// explain makes of what only a person can mend why the set can't be used.
func (b blobs) explain(err error) error {
	switch storage.Status(err) {
	case 404:
		return unusable("the archive's account has no container %q", b.name)
	case 403:
		return unusable("the app may not read the container %q: it needs the role Storage Blob Data Reader there", b.name)
	}
	return storage.Explain("list the hold-out set in the container "+b.name, err)
}

func (b blobs) read(ctx context.Context, f File) ([]byte, error) {
	etag := azcore.ETag(`"` + f.Version + `"`)
	what := fmt.Sprintf("read %q of the hold-out set", f.Name)
	resp, err := b.container.NewBlobClient(b.prefix()+f.Name).DownloadStream(ctx, &blob.DownloadStreamOptions{
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: &etag}},
	})
	switch storage.Status(err) {
	case 404, 412:
		return nil, fmt.Errorf("%s: %w", what, errChanged)
	}
	if err != nil {
		return nil, storage.Explain(what, err)
	}
	body := resp.NewRetryReader(ctx, nil)
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, f.Size+1))
	if sum := md5.Sum(data); err == nil && (int64(len(data)) != f.Size || len(resp.ContentMD5) > 0 && !bytes.Equal(sum[:], resp.ContentMD5)) {
		err = errors.New("it isn't what the storage service has")
	}
	return data, storage.Explain(what, err)
}

// folder is a set that lies beside the app.
type folder struct{ root, name string }

func (d folder) open() (*os.Root, error) {
	root, err := os.OpenRoot(d.root)
	if err != nil {
		return nil, unusable("the app's folder can't be read")
	}
	defer root.Close()
	sub, err := root.OpenRoot(d.name) // nothing outside of it is read, by links either
	if err != nil {
		return nil, unusable("the app's folder has no folder %q that can be read", d.name)
	}
	return sub, nil
}

func (d folder) list(ctx context.Context) ([]File, error) {
	root, err := d.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var files []File
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return unusable("%q in the folder can't be read", name)
		case ctx.Err() != nil:
			return ctx.Err()
		case len(files) > mostFiles:
			return unusable("it has more than %d files", mostFiles)
		case !entry.Type().IsRegular() || !isPicture(name) && !isLabels(name):
			return nil
		}
		f := File{Name: name}
		if info, err := entry.Info(); err == nil {
			f.Size = info.Size()
		}
		if f.Size <= mostText {
			data, err := root.ReadFile(name)
			if err != nil {
				return unusable("%q in the folder can't be read", name)
			}
			f.Size, f.Version = int64(len(data)), version(data)
		}
		files = append(files, f)
		return nil
	})
	return files, err
}

func (d folder) read(_ context.Context, f File) ([]byte, error) {
	root, err := d.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	data, err := root.ReadFile(f.Name)
	if err != nil || version(data) != f.Version {
		return nil, fmt.Errorf("read %q of the hold-out set: %w", f.Name, errChanged)
	}
	return data, nil
}

func version(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// firstLine is the beginning of a text for a person, without what could steer a terminal.
func firstLine(text []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(text), []byte("\n"))
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(string(line[:min(len(line), 80)]), "?"))
}
