package formats

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/remedy"
)

// atOnce is how many pictures are fetched at a time.
const atOnce = 8

// job writes one data set.
type job struct {
	*plan
	from     Source
	to       *folder
	form     form
	progress func(done, total int)
	others   map[string]int // images by what their readers may stumble over
}

// fetch brings the snapshot's lines to the disk, since they are read twice, and compares
// them with the proof.
func fetch(ctx context.Context, from Source, proof dataset.Proof, to *folder) (io.ReadSeekCloser, error) {
	body, err := from.Lines(ctx, proof.Name)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	file, err := to.scratch()
	if err != nil {
		return nil, err
	}
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(file, hash), body)
	if err == nil && (size != proof.Size || hex.EncodeToString(hash.Sum(nil)) != proof.SHA256) {
		err = remedy.New("run `visionkeeper verify`, which says what is wrong with each snapshot", "the snapshot %s is not what its proof says: %w", proof.Blob, archive.ErrDamaged)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// again gives the lines of a snapshot from its beginning. An image that came twice, since
// the data set changed while it was read, is given as it came first.
func again(lines io.ReadSeeker, verdict dataset.Verdict) iter.Seq2[dataset.Line, error] {
	return func(yield func(dataset.Line, error) bool) {
		if _, err := lines.Seek(0, io.SeekStart); err != nil {
			yield(dataset.Line{}, err)
			return
		}
		if verdict != dataset.Changed {
			dataset.Read(lines)(yield)
			return
		}
		seen := map[string]bool{}
		for l, err := range dataset.Read(lines) {
			if err == nil && l.Kind == dataset.KindImage {
				if i, err := l.Image(); err == nil && seen[i.ID] {
					continue
				} else if err == nil {
					seen[i.ID] = true
				}
			}
			if !yield(l, err) {
				return
			}
		}
	}
}

// run brings every picture to its place, and labels those that are there. Several are
// fetched at a time; they are labelled in the order of the snapshot.
func (j *job) run(ctx context.Context, lines io.ReadSeeker) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce + 1)
	waiting := make(chan chan result, atOnce)
	group.Go(func() error {
		defer close(waiting)
		for l, err := range again(lines, j.record.Snapshot.Verdict) {
			if err != nil {
				return err
			}
			if l.Kind != dataset.KindImage {
				continue
			}
			pic, err := j.picture(l)
			if err != nil {
				return err
			}
			done := make(chan result, 1)
			select {
			case waiting <- done:
			case <-ctx.Done():
				return ctx.Err()
			}
			group.Go(func() error {
				r, err := j.bring(ctx, pic)
				done <- r
				return err
			})
		}
		return nil
	})
	err := j.label(ctx, waiting)
	if err != nil && ctx.Err() == nil {
		cancel()
		group.Wait()
		return err
	}
	return group.Wait() // the cause, where labelling only stopped
}

// result is what became of a picture.
type result struct {
	*picture
	sha256  string
	missing string // why
	out     bool   // the form has no place for it
}

// label takes the pictures in their order.
func (j *job) label(ctx context.Context, waiting <-chan chan result) error {
	n := 0
	for done := range waiting {
		r := <-done
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n++
		if j.progress != nil {
			j.progress(n, j.total)
		}
		switch {
		case r.out:
			*j.lacks(r.picture)++
			continue
		case r.missing != "":
			m := Missing{ID: r.id, Why: r.missing}
			if r.file != nil {
				m.SHA256 = r.file.SHA256
			}
			j.record.miss(m)
			continue
		}
		if err := j.to.sum(r.sha256, r.path); err != nil {
			return err
		}
		if err := j.form.label(r.picture); err != nil {
			return err
		}
		j.record.Images++
		at := slices.IndexFunc(j.record.Parts, func(p Part) bool { return p.Name == r.part })
		j.record.Parts[at].Images++
	}
	return nil
}

// finish writes what is about all pictures, and the record.
func (j *job) finish() error {
	if err := j.form.end(); err != nil {
		return err
	}
	for _, what := range slices.Sorted(maps.Keys(j.others)) {
		j.record.Notes = append(j.record.Notes, fmt.Sprintf("%d of the images %s", j.others[what], what))
	}
	for _, p := range j.record.Parts {
		if p.Images == 0 {
			j.record.Notes = append(j.record.Notes, "the part "+p.Name+" has no image")
		}
	}
	return j.to.finish(&j.record)
}

// note counts an image whose readers may stumble over something.
func (j *job) note(what string) {
	if j.others == nil {
		j.others = map[string]int{}
	}
	j.others[what]++
}

// eachPart opens a draft for each part.
func (j *job) eachPart() (map[string]*draft, error) {
	list := map[string]*draft{}
	for _, p := range j.record.Parts {
		d, err := j.to.draft()
		if err != nil {
			return nil, err
		}
		list[p.Name] = d
	}
	return list, nil
}
