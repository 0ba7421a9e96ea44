package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

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
	f.StringVar(&o.iteration, "iteration", "", "`name` or id of an iteration, latest, or published: the data set as it saw it; default as the project holds it")
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
	of, err := p.chooseSnapshot(ctx, v, o.selection)
	if err != nil {
		return err
	}
	proof, err := v.sets.Proof(ctx, of.Snapshot)
	if err != nil {
		return err
	}
	if o.to == "" {
		o.to = of.fileName() + "_" + o.format
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
