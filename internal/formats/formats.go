// Package formats writes a snapshot of a data set to a folder, in the form that other
// programs train from. It needs the archive alone. Pictures are compared with their
// SHA-256 while they are written; their bytes are never changed. What a folder holds was
// decided by the snapshot, the form and the split alone: the same three make the same
// bytes. docs/datasets.md has the rules of each form.
//
// Each form is a file with a type of its own: where a picture goes, and how it is
// labelled. All else is shared. Start reading at Write, then plan and job.
package formats

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"visionkeeper/internal/dataset"
	"visionkeeper/internal/remedy"
)

// The forms.
const (
	COCO        = "coco"
	YOLO        = "yolo"
	AutoML      = "automl"
	ImageFolder = "imagefolder"
	CSV         = "csv"
	VOC         = "voc"
	JSON        = "json"
)

// All are the forms.
var All = []string{COCO, YOLO, AutoML, ImageFolder, CSV, VOC, JSON}

// Source is what a data set is read from: a *dataset.Store.
type Source interface {
	Lines(ctx context.Context, n dataset.Name) (io.ReadCloser, error)
	Image(ctx context.Context, project, sha256 string) (io.ReadCloser, error)
}

// Request says what is to be written where.
type Request struct {
	Proof    dataset.Proof // of the snapshot
	Format   string        // one of All
	Split    Split
	To       string                // the folder: new, empty, or where the same was begun before
	Version  string                // of the program
	Progress func(done, total int) // counts images; may be nil
}

// form is how one form is written.
type form interface {
	// refuses says why a plan can't be written so; nil if it can.
	refuses(*plan) error
	begin(*job) error
	// folder is where a picture goes, with slashes; empty for the data set's own.
	folder(*picture) string
	// label notes a picture that is in its place. Pictures come in the snapshot's order.
	label(*picture) error
	// end writes what is about all pictures.
	end() error
}

func newForm(name string) (form, error) {
	switch name {
	case COCO:
		return &coco{}, nil
	case YOLO:
		return &yolo{}, nil
	case AutoML:
		return &autoML{}, nil
	case ImageFolder:
		return &imageFolder{}, nil
	case CSV:
		return &table{}, nil
	case VOC:
		return &voc{}, nil
	case JSON:
		return &document{}, nil
	}
	if name == "" {
		return nil, remedy.New("give one with --format: "+strings.Join(All, ", "), "no format is named")
	}
	return nil, remedy.New("choose one of "+strings.Join(All, ", "), "there is no format %q", name)
}

// Write writes a data set and returns the record that lies in it. What could not be
// written of a whole data set is in Record.Missing. On any other error the folder has no
// record; the same call goes on from there. Files that are there are left as they are:
// if one of them is another than it would be, that is an error.
func Write(ctx context.Context, from Source, r Request) (Record, error) {
	f, err := newForm(r.Format)
	if err != nil {
		return Record{}, err
	}
	to, err := openFolder(r.To)
	if err != nil {
		return Record{}, err
	}
	defer to.close()
	lines, err := fetch(ctx, from, r.Proof, to)
	if err != nil {
		return Record{}, err
	}
	defer lines.Close()
	p, err := look(lines, r)
	if err != nil {
		return Record{}, err
	}
	j := &job{plan: p, from: from, to: to, form: f, progress: r.Progress}
	if err := f.refuses(p); err != nil {
		return Record{}, err
	}
	if err := to.begin(p.record); err != nil {
		return Record{}, err
	}
	if err := f.begin(j); err != nil {
		return Record{}, err
	}
	if err := j.run(ctx, lines); err != nil {
		return Record{}, err
	}
	if err := j.finish(); err != nil {
		return Record{}, err
	}
	return j.record, nil
}

// encode is v as JSON in one line, with its end.
func encode(v any) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return []byte(b.String()), err
}

// onlyDetection refuses projects without boxes.
func onlyDetection(p *plan, format string) error {
	if p.record.Task == Detection {
		return nil
	}
	return remedy.New("choose one of "+strings.Join(slices.DeleteFunc(slices.Clone(All), func(f string) bool { return f == COCO || f == YOLO || f == VOC }), ", "),
		"the format %s holds boxes, and the project %q has none: its models classify whole pictures", format, p.record.Project.Name)
}

var _ Source = (*dataset.Store)(nil)
