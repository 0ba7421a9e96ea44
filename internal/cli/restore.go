package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/ondisk"
	"visionkeeper/internal/pattern"
)

type restoreResult struct {
	Path      string          `json:"path"`
	Project   string          `json:"project"`
	Iteration string          `json:"iteration"`
	Export    string          `json:"export"`
	Verdict   archive.Verdict `json:"verdict"`
	Note      string          `json:"note"`
	SHA256    string          `json:"sha256"`
	Size      int64           `json:"size"`
	Files     []string        `json:"files"` // what was unpacked; empty without --unzip
}

type restoration struct {
	selection
	platform, flavor, to    string
	unzip, rehydrate, force bool
	dataSet                 bool
}

func (p *program) restoreCommand() *cobra.Command {
	var r restoration
	c := p.verb("restore", "Put a model from the archive on disk, and prove it", `
Works from the archive alone: without Custom Vision, its key, and the state. The
bytes are compared with the proof that was written when they were archived.
Nothing stands under the final name before that has succeeded.

With --data-set it is a data set instead, of the project as it was when it was
saved last, or with --iteration as that iteration saw it: a new folder with a
snapshot of JSON lines, its proof, and every image by its SHA-256.`,
		func(ctx context.Context, _ []string) error {
			if r.dataSet {
				return failedTo("restore the data set", p.restoreDataSet(ctx, r))
			}
			r.iteration = cmp.Or(r.iteration, "latest")
			return failedTo("restore the model", p.restore(ctx, r))
		})
	f := c.Flags()
	f.StringVar(&r.project, "project", "", "`name` or id of the project; may be left out where there is one")
	f.StringVar(&r.iteration, "iteration", "", "`name` or id of the iteration, latest, or published; default latest, and with --data-set the project itself")
	f.StringVar(&r.platform, "platform", "", "export platform, such as ONNX; may be left out where there is one export")
	f.StringVar(&r.flavor, "flavor", "", "export flavor, such as ONNXFloat16; default the platform's own")
	f.StringVar(&r.to, "to", "", "`path` of the file, or with --unzip of the new folder; default a name in this folder")
	f.BoolVar(&r.unzip, "unzip", false, "unpack the package into a new folder")
	f.BoolVar(&r.dataSet, "data-set", false, "restore the data set into a new folder, not a model")
	f.BoolVar(&r.rehydrate, "rehydrate", false, "have a package that rests in the Archive tier brought back")
	f.BoolVar(&r.force, "force", false, "write over a file that is there")
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		return notTogether(c, "data-set", "platform", "flavor", "unzip", "rehydrate", "force")
	}
	return c
}

func (p *program) restore(ctx context.Context, r restoration) error {
	v, err := p.openVault()
	if err != nil {
		return err
	}
	models, err := v.archive.Inventory(ctx)
	if err != nil {
		return err
	}
	if len(models) == 0 {
		return errEmptyArchive
	}
	if models, err = r.choose(models); err != nil {
		return err
	}
	m := models[0]
	copies, err := r.export(m)
	if err != nil {
		return err
	}
	if r.to == "" {
		r.to = fileName(m, copies[0], r.unzip)
	}
	if r.unzip {
		r.to = filepath.Clean(r.to) // it may end in a slash
	}
	if _, err := os.Lstat(r.to); err == nil && (!r.force || r.unzip) {
		return r.isThere()
	}
	proof, files, err := p.firstGood(ctx, v.archive, copies, r)
	if err != nil {
		return err
	}
	result := restoreResult{
		Path: r.to, Project: m.ProjectName, Iteration: m.IterationName, Export: proof.Key.String(),
		Verdict: proof.Verdict, Note: proof.Note, SHA256: proof.SHA256, Size: proof.Size, Files: append([]string{}, files...),
	}
	if err := p.out.result(result, func() { p.sayRestored(result) }); err != nil {
		return err
	}
	if !proof.Verdict.Counts() {
		p.out.warn("%s", p.out.red("These bytes are no backup to rely on: "+proof.Note+"."))
		return exitCode(exitFound)
	}
	return nil
}

// isThere says that the name is taken.
func (r restoration) isThere() error {
	why, do := "It is there already", "Choose another name with --to, or write over it with --force"
	switch {
	case r.unzip:
		do = "Choose another folder with --to"
	case r.force: // writes over all but that
		why, do = "A folder is there", "Choose the name of a file with --to"
	}
	return problem{What: "Could not restore the model to " + r.to, Why: why, Do: do}
}

// export finds the copies of the export that is meant, the best first.
func (r restoration) export(m *archive.Model) ([]archive.Backup, error) {
	exports := m.Exports()
	var list []string
	for name := range exports {
		list = append(list, name)
	}
	slices.Sort(list)
	what := fmt.Sprintf("Could not find the export %s of %s, %s", strings.Trim(r.platform+"."+r.flavor, "."), m.ProjectName, m.IterationName)
	do := "Choose by --platform and --flavor one of " + strings.Join(list, ", ")
	if r.platform == "" {
		if len(list) > 1 {
			return nil, problem{What: "Could not tell which export is meant", Why: fmt.Sprintf("%s, %s has %d", m.ProjectName, m.IterationName, len(list)), Do: do}
		}
		return exports[list[0]], nil
	}
	key, err := archive.NewKey(m.Project, m.Iteration, r.platform, r.flavor)
	if err != nil {
		return nil, problem{What: what, Why: err.Error(), Do: do}
	}
	if exports[key.String()] == nil {
		return nil, problem{What: what, Why: "The archive has no backup of it", Do: do}
	}
	return exports[key.String()], nil
}

// firstGood restores the first copy that is what its proof says. It warns of what is
// wrong with those before.
func (p *program) firstGood(ctx context.Context, a *archive.Archive, copies []archive.Backup, r restoration) (archive.Proof, []string, error) {
	var errs []error
	for _, b := range copies {
		proof, files, err := p.putOnDisk(ctx, a, b, r)
		if archive.Resting(err) {
			err = p.resting(ctx, a, b, r, func() error { proof, files, err = p.putOnDisk(ctx, a, b, r); return err })
		}
		if err == nil {
			for _, e := range errs {
				p.out.warn("A copy was passed over: %s.", e)
			}
			return proof, files, nil
		}
		found, isBad := faultOf(err)
		if !isBad {
			return archive.Proof{}, nil, err
		}
		do := "Nothing was written; if Custom Vision still has the model, export it in another flavor or train it again"
		if found.finding == unproven {
			do = "Run `visionkeeper reconcile`, which proves it, and then this again"
		}
		errs = append(errs, problem{What: "Could not restore " + b.Key.String(), Why: found.why, Do: do})
	}
	return archive.Proof{}, nil, errors.Join(errs...)
}

// resting has a package brought back from the Archive tier if the person asked for
// that, and then calls again.
func (p *program) resting(ctx context.Context, a *archive.Archive, b archive.Backup, r restoration, again func() error) error {
	what := "Could not restore " + b.Key.String() + " yet"
	if !r.rehydrate {
		return problem{What: what, Why: "It rests in the Archive tier, where nothing can be read", Do: "Run this again with --rehydrate, which has it brought back within 15 hours; that is charged"}
	}
	if err := a.Rehydrate(ctx, b); err != nil {
		return err
	}
	err := again()
	if archive.Resting(err) {
		return problem{What: what, Why: "It is being brought back from the Archive tier, which takes up to 15 hours", Do: "Run the same command again then"}
	}
	return err
}

// putOnDisk writes a package beside its final place, proves it, and moves it
// there, unpacked if that is wanted. What has taken its place meanwhile stays.
func (p *program) putOnDisk(ctx context.Context, a *archive.Archive, b archive.Backup, r restoration) (archive.Proof, []string, error) {
	// Not by os.CreateTemp, whose files are their owner's alone whatever the umask.
	file, err := os.OpenFile(filepath.Join(filepath.Dir(r.to), ".visionkeeper-"+rand.Text()), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return archive.Proof{}, nil, problem{What: "Could not write to " + r.to, Why: cause(err), Do: "Choose a folder that can be written to with --to"}
	}
	defer os.Remove(file.Name())
	defer file.Close()
	proof, err := a.Restore(ctx, b, &meter{w: file, total: b.Size, out: &p.out, what: b.Key.String()})
	p.out.endProgress()
	if err != nil {
		return proof, nil, err
	}
	if r.unzip {
		files, err := archive.Unpack(ctx, file, proof, r.to)
		switch {
		case errors.Is(err, fs.ErrExist):
			err = r.isThere()
		case err != nil && !errors.Is(err, context.Canceled):
			err = problem{What: "Could not unpack the package to " + r.to, Why: cause(err), Do: "Restore it without --unzip and look into it with care"}
		}
		return proof, files, err
	}
	// Without Sync a crash could leave the name without the bytes.
	err = errors.Join(file.Sync(), file.Close())
	if err == nil {
		err = place(file.Name(), r.to, r.force)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		err = r.isThere()
	case err != nil:
		err = problem{What: "Could not write to " + r.to, Why: cause(err), Do: "Make room, or choose another place with --to"}
	}
	return proof, nil, err
}

// place gives a file its final name in the same folder, which must be free unless over is
// set.
func place(file, to string, over bool) error {
	root, err := os.OpenRoot(filepath.Dir(to))
	if err != nil {
		return err
	}
	defer root.Close()
	return ondisk.Move(root, filepath.Base(file), filepath.Base(to), over)
}

// meter shows the progress of what is written through it.
type meter struct {
	w           *os.File
	done, total int64
	out         *output
	what        string
}

func (m *meter) Write(b []byte) (int, error) {
	n, err := m.w.Write(b)
	m.done += int64(n)
	m.out.progress(int(m.done>>10), int(max(m.total>>10, 1)), m.what+" (KiB)")
	return n, err
}

func (p *program) sayRestored(r restoreResult) {
	verdict := p.out.green(string(r.Verdict))
	if !r.Verdict.Counts() {
		verdict = p.out.red(string(r.Verdict))
	}
	p.out.say("%s, %s, %s", r.Project, r.Iteration, r.Export)
	p.out.say("  %s  (%s)", r.Path, size(r.Size))
	p.out.say("  %s: %s", verdict, r.Note)
	p.out.say("  SHA-256 %s", r.SHA256)
	if len(r.Files) > 0 {
		p.out.say("  unpacked: %s", strings.Join(r.Files, ", "))
	}
}

var unsafeInNames = pattern.Of(`[^\pL\pN._-]+`)

// fileName is a package's name on disk, made of names that people know.
func fileName(m *archive.Model, b archive.Backup, folder bool) string {
	extension := filepath.Ext(cmp.Or(b.Blob, b.Proof))
	if folder {
		extension = ""
	}
	return cmp.Or(safeName(m.ProjectName), m.Project) + "_" + cmp.Or(safeName(m.IterationName), m.Iteration) + "_" + b.Key.String() + extension
}

// safeName is a name in letters that a file's name may have; empty where none is.
func safeName(s string) string { return strings.Trim(unsafeInNames().ReplaceAllString(s, "-"), "-.") }

// cause is an error of the file system without the temporary file's name.
func cause(err error) string {
	var path *os.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err.Error()
	case errors.As(err, &link):
		return link.Err.Error()
	}
	return err.Error()
}
