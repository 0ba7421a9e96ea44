package cli

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/formats"
)

// datasetResult is the record that lies in the data set, with where that is.
type datasetResult struct {
	Path string `json:"path"`
	formats.Record
}

type datasetOrder struct {
	selection
	format, to, split string
	seed              uint64
}

func (p *program) datasetCommand() *cobra.Command {
	var o datasetOrder
	c := p.verb("dataset", "Put a data set from the archive on disk, for training elsewhere", `
Works from the archive alone: without Custom Vision, its key, and the state. Each
picture is compared with its SHA-256 while it is written. Nothing is overwritten;
what was interrupted goes on when the same command is run again.

The file visionkeeper.json in the data set says how it was made. The exit code is
3 if pictures are missing or spoilt, or if the snapshot is not complete.`,
		func(ctx context.Context, _ []string) error { return failedTo("write the data set", p.dataset(ctx, o)) })
	f := c.Flags()
	f.StringVar(&o.project, "project", "", "`name` or id of the project; may be left out where there is one")
	f.StringVar(&o.iteration, "iteration", "", "`name` or id of an iteration: the data set as it saw it; default as the project holds it")
	f.StringVar(&o.format, "format", "", strings.Join(formats.All, ", "))
	f.StringVar(&o.to, "to", "", "`path` of the new folder; default a name in this folder")
	f.StringVar(&o.split, "split", "", "`shares` of training, validation and test in percent, such as 80/10/10")
	f.Uint64Var(&o.seed, "seed", 0, "`number` that decides who goes where in the split")
	return c
}

func (p *program) dataset(ctx context.Context, o datasetOrder) error {
	split, err := formats.ParseSplit(o.split, o.seed)
	if err != nil {
		return err
	}
	v, err := p.openVault()
	if err != nil {
		return err
	}
	proof, err := o.snapshot(ctx, v.sets)
	if err != nil {
		return err
	}
	of := cmp.Or(proof.IterationName, proof.Of)
	if o.to == "" {
		o.to = cmp.Or(safeName(proof.ProjectName), proof.Project) + "_" + cmp.Or(safeName(of), proof.Of) + "_" + o.format
	}
	record, err := formats.Write(ctx, v.sets, formats.Request{
		Proof: proof, Format: o.format, Split: split, To: o.to, Version: p.version,
		Progress: func(done, total int) { p.out.progress(done, total, "images of "+proof.ProjectName) },
	})
	p.out.endProgress()
	if err != nil {
		return err
	}
	result := datasetResult{o.to, record}
	if err := p.out.result(result, func() { p.sayDataset(result) }); err != nil {
		return err
	}
	bad := record.Lost() > 0
	if proof.Verdict != dataset.Complete {
		bad = true
		p.out.warn("%s", p.out.red(fmt.Sprintf("The snapshot is %s: %s.", notComplete[proof.Verdict], proof.Note)))
	}
	if record.Lost() > 0 {
		p.out.warn("%s", p.out.red(sentence(count(record.Lost(), "image"))+" of the snapshot could not be written:"))
		shown := record.Missing[:min(len(record.Missing), mostConditions)]
		for _, m := range shown {
			p.out.warn("%s", p.out.red("  "+m.ID+": "+m.Why))
		}
		if more := record.Lost() - len(shown); more > 0 {
			p.out.warn("%s", p.out.red(fmt.Sprintf("  and %d more; visionkeeper.json lists up to 100", more)))
		}
	}
	if bad {
		return exitCode(exitFound)
	}
	return nil
}

// notComplete are the verdicts of snapshots that lack something.
var notComplete = map[dataset.Verdict]string{
	dataset.Changed:    "of a data set that changed while it was read",
	dataset.Incomplete: "incomplete",
}

// snapshot finds the proof of the best snapshot of what is named.
func (o datasetOrder) snapshot(ctx context.Context, sets *dataset.Store) (dataset.Proof, error) {
	list, err := sets.Snapshots(ctx, "")
	if err != nil {
		return dataset.Proof{}, err
	}
	if len(list) == 0 {
		return dataset.Proof{}, problem{
			What: "Could not find any data set", Why: "The archive holds none",
			Do: "Have it saved with `visionkeeper rescue`; if there should be one, name its container in ARCHIVE_CONTAINER",
		}
	}
	best, err := bestSnapshots(ctx, sets, list)
	if err != nil {
		return dataset.Proof{}, err
	}
	project := func(b bestSnapshot) string { return b.Project }
	found := best
	if o.project != "" {
		found = slices.DeleteFunc(slices.Clone(best), func(b bestSnapshot) bool { return !isCalled(o.project, b.projectName(), b.Project) })
	}
	if err := one("project", o.project, names(found, project), names(best, bestSnapshot.projectName)); err != nil {
		if o.project != "" {
			return dataset.Proof{}, err
		}
		return dataset.Proof{}, problem{What: "Could not tell which project is meant", Why: "The archive has data sets of several",
			Do: "Give --project, one of " + strings.Join(names(best, bestSnapshot.projectName), ", ")}
	}
	which := cmp.Or(o.iteration, dataset.Workspace)
	all := found
	found = slices.DeleteFunc(slices.Clone(all), func(b bestSnapshot) bool { return !isCalled(which, b.ofName(), b.Of) })
	if err := one("snapshot of", which, names(found, func(b bestSnapshot) string { return b.Of }), names(all, bestSnapshot.ofName)); err != nil {
		return dataset.Proof{}, err
	}
	return found[0].proof, found[0].err
}

// bestSnapshot is the best one of a project, or of one of its iterations.
type bestSnapshot struct {
	dataset.Snapshot
	proof dataset.Proof
	err   error // why the proof can't be read
}

func (b bestSnapshot) projectName() string { return cmp.Or(b.proof.ProjectName, b.Project) }
func (b bestSnapshot) ofName() string      { return cmp.Or(b.proof.IterationName, b.Of) }

// bestSnapshots reads the proofs of the best snapshots of everything in the list.
func bestSnapshots(ctx context.Context, sets *dataset.Store, list []dataset.Snapshot) ([]bestSnapshot, error) {
	var best []bestSnapshot
	for its := range grouped(list) {
		if s, ok := dataset.Best(its, its[0].Of); ok {
			best = append(best, bestSnapshot{Snapshot: s})
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range best {
		group.Go(func() error {
			best[i].proof, best[i].err = sets.Proof(ctx, best[i].Snapshot)
			return ctx.Err()
		})
	}
	return best, group.Wait()
}

// grouped gives the snapshots of one thing together; the list has them so.
func grouped(list []dataset.Snapshot) iter.Seq[[]dataset.Snapshot] {
	return func(yield func([]dataset.Snapshot) bool) {
		for from, to := 0, 0; from < len(list); from = to {
			for to = from; to < len(list) && list[to].Project == list[from].Project && list[to].Of == list[from].Of; {
				to++
			}
			if !yield(list[from:to]) {
				return
			}
		}
	}
}

// isCalled reports whether a person's word is a thing's name or id.
func isCalled(word, name, id string) bool {
	parsed, err := customvision.ParseID(word)
	return strings.EqualFold(word, name) || strings.EqualFold(word, id) || err == nil && parsed == id
}

func (p *program) sayDataset(r datasetResult) {
	of := "as it is in the project"
	if r.Iteration != nil {
		of = "as " + r.Iteration.Name + " saw it"
	}
	p.out.say("%s, %s: snapshot %s", r.Project.Name, of, r.Snapshot.ID)
	p.out.say("  %s  (%s, %s)", r.Path, r.Format, r.Task)
	var parts []string
	for _, part := range r.Parts {
		parts = append(parts, fmt.Sprintf("%d in %s", part.Images, part.Name))
	}
	p.out.say("  %s: %s", count(r.Images, "image"), strings.Join(parts, ", "))
	var classes []string
	for _, c := range r.Classes {
		classes = append(classes, c.Name)
	}
	list := strings.Join(classes[:min(len(classes), mostConditions)], ", ")
	if more := len(classes) - mostConditions; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	p.out.sayWrapped(plain, fmt.Sprintf("%d classes: %s", len(classes), list), 2)
	if n := r.Negative; n != nil {
		what := "its images have no class"
		if n.Class {
			what = "a class, since each image needs one"
		}
		p.out.say("  negative tag %s: %s", n.Name, what)
	}
	if n := r.LeftOut.Untagged; n > 0 {
		p.out.say("  left out: %s without a tag", count(n, "image"))
	}
	if n := r.LeftOut.Unboxed; n > 0 {
		p.out.say("  left out: %s with a tag and without a box", count(n, "image"))
	}
	for _, note := range r.Notes {
		p.out.sayWrapped(p.out.yellow, note, 2)
	}
}
