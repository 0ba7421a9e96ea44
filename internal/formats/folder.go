package formats

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"

	"visionkeeper/internal/ondisk"
	"visionkeeper/internal/remedy"
)

// staging is the folder, in that of the data set, for what isn't whole yet. It goes when
// the data set is whole.
const staging = ".visionkeeper"

// begunName says in staging what is being written.
const begunName = staging + "/begun.json"

// folder is where a data set is written. Nothing in it is ever overwritten, and a file has
// its name only when all of it is there.
type folder struct {
	root    *os.Root
	path    string // as it was named
	made    bool   // by this run
	begun   bool   // by this run or one before
	resumed bool   // begun by one before
	sums    *draft
}

// openFolder opens a folder that is new, empty, or where a data set was begun.
func openFolder(to string) (*folder, error) {
	f := &folder{path: to}
	_, err := os.Lstat(to)
	f.made = errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(to, 0o777); err != nil {
		return nil, f.cannot(err)
	}
	if f.root, err = os.OpenRoot(to); err != nil {
		return nil, f.cannot(err)
	}
	if err := f.vacant(); err != nil {
		f.root.Close()
		return nil, err
	}
	if err := f.root.MkdirAll(staging, 0o777); err != nil {
		f.close()
		return nil, f.cannot(err)
	}
	return f, nil
}

// vacant is nil if nothing stands in the folder but what a run before has begun.
func (f *folder) vacant() error {
	if _, err := f.root.Lstat(RecordName); err == nil {
		return remedy.New("choose another folder with --to", "the folder %s holds a whole data set already", f.path)
	}
	if _, err := f.root.Lstat(begunName); err == nil {
		f.begun, f.resumed = true, true
		return nil
	}
	dir, err := f.root.Open(".")
	if err != nil {
		return f.cannot(err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(2)
	if err != nil && err != io.EOF {
		return f.cannot(err)
	}
	if len(names) == 0 || len(names) == 1 && names[0] == staging {
		return nil
	}
	return remedy.New("choose a new folder with --to", "the folder %s is not empty, and nothing is overwritten", f.path)
}

// begin notes what is being written. Only the same goes on from there.
func (f *folder) begin(r Record) error {
	text, err := r.text()
	if err != nil {
		return err
	}
	before, err := f.root.ReadFile(begunName)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := f.put(begunName, text); err != nil {
			return err
		}
	case err != nil:
		return f.cannot(err)
	case !bytes.Equal(before, text):
		return remedy.New("choose a new folder with --to, or give the same format, iteration, split and seed to go on", "another data set was begun in the folder %s", f.path)
	}
	f.begun = true
	f.sums, err = f.draft()
	return err
}

// finish writes the sums and the record: from then on the data set is whole.
func (f *folder) finish(r *Record) error {
	if err := f.sums.settle(SumsName); err != nil {
		return err
	}
	r.SHA256 = f.sums.sha256()
	text, err := r.text()
	if err != nil {
		return err
	}
	if _, err := f.put(RecordName, text); err != nil {
		return err
	}
	return f.cannot(f.root.RemoveAll(staging))
}

// close takes away what a run has made that began nothing.
func (f *folder) close() {
	if f.sums != nil {
		f.sums.drop()
	}
	if !f.begun {
		f.root.RemoveAll(staging)
	}
	f.root.Close()
	if !f.begun && f.made {
		os.Remove(f.path)
	}
}

// sum notes a file for SHA256SUMS.
func (f *folder) sum(sha256, path string) error {
	_, err := fmt.Fprintf(f.sums, "%s  %s\n", sha256, path)
	return err
}

// put makes one small file.
func (f *folder) put(name string, data []byte) (*draft, error) {
	d, err := f.draft()
	if err != nil {
		return nil, err
	}
	defer d.drop()
	if _, err := d.Write(data); err != nil {
		return nil, err
	}
	return d, d.settle(name)
}

// write makes one small file, and notes it for SHA256SUMS.
func (f *folder) write(name string, data []byte) error {
	d, err := f.put(name, data)
	if err != nil {
		return err
	}
	return f.sum(d.sha256(), name)
}

// keep gives a draft its name, and notes it for SHA256SUMS.
func (f *folder) keep(d *draft, name string) error {
	if err := d.settle(name); err != nil {
		return err
	}
	return f.sum(d.sha256(), name)
}

// scratch is a file that goes with the run.
type scratch struct {
	*os.File
	to *folder
}

func (s scratch) Write(p []byte) (int, error) {
	n, err := s.File.Write(p)
	return n, s.to.cannot(err)
}

func (f *folder) scratch() (scratch, error) {
	name := staging + "/" + rand.Text()
	file, err := f.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return scratch{}, f.cannot(err)
	}
	f.root.Remove(name) // fails on Windows while it is open; it goes with its folder
	return scratch{file, f}, nil
}

// same reports whether a file of that name has these bytes.
func (f *folder) same(name, sum string, size int64) bool {
	file, err := f.root.Open(name)
	if err != nil {
		return false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() != size {
		return false
	}
	hash := sha256.New()
	_, err = io.Copy(hash, file)
	return err == nil && hex.EncodeToString(hash.Sum(nil)) == sum
}

// cannot says that the folder can't be written to. It is nil if err is.
func (f *folder) cannot(err error) error {
	if err == nil {
		return nil
	}
	var at *fs.PathError
	var link *os.LinkError
	switch { // without the names of drafts
	case errors.As(err, &at):
		err = at.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return remedy.New("make room or see that it can be written to, and run the same command again: it goes on there; or choose another folder with --to", "the folder %s can't be written to: %w", f.path, err)
}

// draft is a file that has no name yet.
type draft struct {
	to     *folder
	file   *os.File // nil once it is closed
	name   string   // in staging
	buffer *bufio.Writer
	hash   hash.Hash
	size   int64
	head   []byte // the first bytes, by which the kind of a picture is known
}

func (f *folder) draft() (*draft, error) {
	d := &draft{to: f, name: staging + "/" + rand.Text(), hash: sha256.New()}
	var err error
	if d.file, err = f.root.OpenFile(d.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666); err != nil {
		return nil, f.cannot(err)
	}
	d.buffer = bufio.NewWriterSize(d.file, 32<<10)
	return d, nil
}

func (d *draft) Write(p []byte) (int, error) {
	if room := headSize - len(d.head); room > 0 {
		d.head = append(d.head, p[:min(room, len(p))]...)
	}
	d.hash.Write(p)
	d.size += int64(len(p))
	n, err := d.buffer.Write(p)
	return n, d.to.cannot(err)
}

// sha256 is that of what was written.
func (d *draft) sha256() string { return hex.EncodeToString(d.hash.Sum(nil)) }

// settle gives the file its name in the data set. A file of that name with the same bytes
// is as good.
func (d *draft) settle(name string) error {
	if place, err := ondisk.Path(name); err != nil || place != name {
		return fmt.Errorf("%q can't be the name of a file: %w", name, err)
	}
	err := errors.Join(d.buffer.Flush(), d.file.Close())
	d.file = nil
	if err == nil {
		err = d.to.root.MkdirAll(path.Dir(name), 0o777)
	}
	if err == nil {
		err = ondisk.Move(d.to.root, d.name, name, false)
	}
	if errors.Is(err, fs.ErrExist) {
		if d.to.same(name, d.sha256(), d.size) {
			return nil
		}
		return remedy.New("take it away, or choose a new folder with --to", "the file %s/%s is there already, and is another", d.to.path, name)
	}
	return d.to.cannot(err)
}

// drop takes away what was not settled.
func (d *draft) drop() {
	if d.file != nil {
		d.file.Close()
	}
	d.to.root.Remove(d.name)
}
