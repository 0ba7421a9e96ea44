package rescue

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/sync/errgroup"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/storage"
)

const (
	// maxPicture bounds one picture, in bytes: ten times what the service takes.
	maxPicture = 64 << 20
	// readers is how many pictures are read at a time.
	readers = 8
	// maxStumbles is how many slices may fail at a page before a picture that can't be read
	// is left out, whatever the reason.
	maxStumbles = 3
	// portion is how many pictures are read before their lines are staged.
	portion = 4 * readers
)

// pictures makes the lines of a page of images, after their bytes are in the archive.
// What can't be read is missing; an error is one that may go away.
func (v *run) pictures(ctx context.Context, t *Taking, images []customvision.Image) ([]dataset.Line, []dataset.Missing, error) {
	if err := v.learn(ctx, t.Of); err != nil {
		return nil, nil, err
	}
	lines, faults := make([]dataset.Line, len(images)), make([]error, len(images))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for n, image := range images {
		lines[n] = dataset.Line{Kind: dataset.KindImage, Data: image.Raw}
		if original, resized, ok := v.archived(image.ID); ok {
			lines[n].Original, lines[n].Resized = original, resized
			continue
		}
		group.Go(func() error {
			original, resized, err := v.files(groupCtx, image)
			if err != nil && (ctx.Err() != nil || mayGoAway(err) && t.Stumbles < maxStumbles) {
				return err
			}
			lines[n].Original, lines[n].Resized, faults[n] = original, resized, err
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, errors.Join(err, ctx.Err())
	}
	var missing []dataset.Missing
	for n, image := range images {
		if faults[n] != nil {
			missing = append(missing, dataset.Missing{What: dataset.KindImage, ID: image.ID, Why: faults[n].Error()})
		}
		v.known.Add(image.ID, lines[n].Original, lines[n].Resized)
		for _, f := range []*dataset.File{lines[n].Original, lines[n].Resized} {
			if f != nil && v.stored != nil {
				v.stored[f.SHA256] = f.Size
			}
		}
	}
	return lines, missing, nil
}

// predictions reads the next page of stored predictions, with their pictures, and stages
// it.
func (v *run) predictions(ctx context.Context, t *Taking) error {
	page, err := v.Service.Predictions(ctx, v.id, t.NextPredictions)
	if err != nil {
		return err
	}
	shown := make([]customvision.Image, len(page.Predictions))
	for n, p := range page.Predictions {
		shown[n] = customvision.Image{ID: p.ID, OriginalImageURI: p.OriginalImageURI, Raw: p.Raw}
		t.Prediction = p.ID
	}
	lines, missing, err := v.pictures(ctx, t, shown)
	if err != nil {
		return err
	}
	for n := range lines {
		lines[n].Kind = dataset.KindPrediction
	}
	if len(lines) > 0 {
		if err := v.stage(ctx, t, lines); err != nil {
			return err
		}
	}
	for _, m := range missing {
		t.lacks(dataset.KindPrediction, m.ID, errors.New(m.Why))
	}
	t.Predicted, t.NextPredictions = t.Predicted+len(lines), page.Next
	return v.saveNowAndThen(ctx)
}

// learn makes known what snapshots have already: the newest of the workspace, and the
// newest of what this one is of.
func (v *run) learn(ctx context.Context, of string) error {
	for _, one := range []string{dataset.Workspace, of} {
		kept := v.p.Kept[one]
		if kept == nil || v.learned[kept.Snapshot] {
			continue
		}
		err := v.Sets.Learn(ctx, dataset.Name{Project: v.id, Of: one, Snapshot: kept.Snapshot}, &v.known)
		if err != nil && !errors.Is(err, archive.ErrNotFound) {
			return err
		}
		v.learned[kept.Snapshot] = true
		if v.stored == nil {
			if v.stored, err = v.Sets.Pictures(ctx, v.id); err != nil {
				return err
			}
		}
	}
	return nil
}

// archived are the pictures of an image that the archive has.
func (v *run) archived(id string) (original, resized *dataset.File, ok bool) {
	original, resized = v.known.Files(id)
	return original, resized, original != nil && v.has(original) && (resized == nil || v.has(resized))
}

// has reports whether the archive has a picture. Without a list of them, what is known was
// stored by this run itself.
func (v *run) has(f *dataset.File) bool {
	size, there := v.stored[f.SHA256]
	return v.stored == nil || there && size == f.Size
}

// mayGoAway reports whether what kept a picture from being read may go away by itself.
func mayGoAway(err error) bool {
	switch status := storage.Status(err); {
	case errors.Is(err, errNoLink), errors.Is(err, errNothing), errors.As(err, &linkRefused{}), errors.Is(err, archive.ErrNotFound), errors.Is(err, archive.ErrTooLarge), errors.Is(err, archive.ErrDamaged), customvision.NotFound(err):
		return false
	case status == http.StatusForbidden, status == http.StatusGone:
		return false
	}
	return true
}

var (
	errNoLink  = errors.New("the service gives no link to it")
	errNothing = errors.New("there is nothing at its link")
)

// linkRefused says why a link isn't followed.
type linkRefused struct{ error }

func (l linkRefused) Error() string { return "its link is not followed: " + l.error.Error() }

// files stores an image's bytes: the original, and what the service made of it where that
// may stand in another way.
func (v *run) files(ctx context.Context, i customvision.Image) (original, resized *dataset.File, err error) {
	if original, err = v.file(ctx, i.OriginalImageURI); err != nil {
		return nil, nil, err
	}
	same := archive.Address(i.ResizedImageURI) == archive.Address(i.OriginalImageURI)
	if i.ResizedImageURI == "" || same || !original.Turned(i.Width, i.Height) {
		return original, nil, nil
	}
	if resized, err = v.file(ctx, i.ResizedImageURI); err != nil {
		return nil, nil, fmt.Errorf("the resized image: %w", err)
	}
	if resized.SHA256 == original.SHA256 {
		resized = nil
	}
	return original, resized, nil
}

// file reads what is at a link, now, and stores it.
func (v *run) file(ctx context.Context, link string) (*dataset.File, error) {
	s, err := v.source(v.id, link)
	if err != nil {
		return nil, err
	}
	data, err := v.Archive.Fetch(ctx, s, maxPicture)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("read %s: %w", s.Name, errNothing)
	}
	f, _, err := v.Sets.PutImage(ctx, v.id, data)
	return &f, err
}
