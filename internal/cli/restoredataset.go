package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"visionkeeper/internal/dataset"
)

type restoredDataSet struct {
	Path     string          `json:"path"`
	Project  string          `json:"project"`
	Of       string          `json:"of"` // the iteration's name, or workspace
	Verdict  dataset.Verdict `json:"verdict"`
	Note     string          `json:"note"`
	SHA256   string          `json:"sha256"` // of the snapshot
	Images   int             `json:"images"`
	Pictures int             `json:"pictures"` // files
	Bytes    int64           `json:"bytes"`    // of them
}

// restoreDataSet puts the best snapshot of a project, or of an iteration, on disk.
func (p *program) restoreDataSet(ctx context.Context, r restoration) error {
	v, err := p.openVault()
	if err != nil {
		return err
	}
	of, err := p.chooseSnapshot(ctx, v, r.selection)
	if err != nil {
		return err
	}
	if r.to == "" {
		r.to = of.fileName() + "_data-set"
	}
	r.to = filepath.Clean(r.to)
	isThere := problem{What: "Could not restore the data set to " + r.to, Why: "It is there already", Do: "Choose another folder with --to"}
	if _, err := os.Lstat(r.to); err == nil {
		return isThere
	}
	dir := filepath.Join(filepath.Dir(r.to), ".visionkeeper-"+rand.Text()) // beside its final place, so that the move is one step
	if err := os.Mkdir(dir, 0o777); err != nil {
		return problem{What: "Could not write to " + r.to, Why: cause(err), Do: "Choose a folder that can be written to with --to"}
	}
	defer os.RemoveAll(dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	proof, pictures, err := v.sets.Restore(ctx, of.Snapshot, root)
	if bad, isBad := faultOf(err); isBad {
		return problem{What: "Could not restore the data set of " + of.project, Why: bad.why, Do: "Nothing was written; `visionkeeper verify` says of each snapshot what is wrong, and an older one may hold"}
	}
	if err != nil {
		return err
	}
	if _, err := os.Lstat(r.to); err == nil {
		return isThere
	}
	if err := os.Rename(dir, r.to); err != nil {
		return problem{What: "Could not write to " + r.to, Why: cause(err), Do: "Choose another folder with --to"}
	}
	result := restoredDataSet{
		Path: r.to, Project: of.project, Of: of.iteration, Verdict: proof.Verdict, Note: proof.Note, SHA256: proof.SHA256,
		Images: proof.Found.Images, Pictures: pictures, Bytes: proof.Bytes,
	}
	if err := p.out.result(result, func() {
		p.out.say("%s, data set of %s", result.Project, result.Of)
		p.out.say("  %s  (%s, %s)", result.Path, count(result.Images, "image"), size(result.Bytes))
		p.out.say("  %s: %s", result.Verdict, result.Note)
		p.out.say("  SHA-256 %s", result.SHA256)
	}); err != nil || proof.Verdict == dataset.Complete {
		return err
	}
	p.out.warn("%s", p.out.red("Not all is there: "+proof.Note+"."))
	return exitCode(exitFound)
}

// chooseSnapshot finds the best snapshot of what a person names.
func (p *program) chooseSnapshot(ctx context.Context, v *vault, s selection) (snapshot, error) {
	all, err := p.snapshots(ctx, v, selection{})
	if err != nil {
		return snapshot{}, err
	}
	if len(all) == 0 {
		return snapshot{}, problem{What: "Could not find a data set", Why: "The archive has none", Do: "Run `visionkeeper rescue --all` while Custom Vision is there"}
	}
	id, name := func(s snapshot) string { return s.Project }, func(s snapshot) string { return s.project }
	list := slices.DeleteFunc(slices.Clone(all), func(one snapshot) bool { return !isNamed(s.project, one.project, one.Project) })
	if projects := names(list, id); s.project == "" && len(projects) > 1 {
		return snapshot{}, problem{What: "Could not tell which project is meant", Why: "The archive has data sets of several", Do: "Give --project, one of " + strings.Join(names(all, name), ", ")}
	}
	if err := one("project", s.project, names(list, id), names(all, name)); err != nil {
		return snapshot{}, err
	}
	of := dataset.Workspace
	if s.iteration != "" {
		var iterations []iterationName
		for _, one := range list {
			if one.Of != dataset.Workspace && !slices.ContainsFunc(iterations, func(n iterationName) bool { return n.ID == one.Of }) {
				iterations = append(iterations, iterationName{ID: one.Of, Name: one.iteration, Trained: one.trained, Published: one.published})
			}
		}
		if of, err = chooseIteration(iterations, s.iteration); err != nil {
			return snapshot{}, err
		}
	}
	var plain []dataset.Snapshot
	for _, one := range list {
		plain = append(plain, one.Snapshot)
	}
	best, ok := dataset.Best(plain, of)
	if !ok {
		return snapshot{}, problem{What: "Could not find a data set", Why: fmt.Sprintf("The archive has none of the %s with a proof", of), Do: "Run `visionkeeper rescue --all` while Custom Vision is there"}
	}
	i := slices.IndexFunc(list, func(s snapshot) bool { return s.Name == best.Name })
	return list[i], nil
}

// fileName begins the name of what is written from the snapshot.
func (s snapshot) fileName() string {
	return cmp.Or(safeName(s.project), s.Project) + "_" + cmp.Or(safeName(s.iteration), s.Of)
}
