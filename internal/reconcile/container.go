package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// Without an endpoint, and of a project that the service no longer has, nobody
// tells which exports there are: every blob of the model container is archived as
// what it says it is.

// archiveContainer archives a project's blobs.
func (r *Reconciler) archiveContainer(ctx context.Context, s scope) (Report, error) {
	report := Report{Key: Key{Project: s.project}, ContainerOnly: true}
	blobs := s.blobs
	if !s.whole {
		firstDigits, _, _ := strings.Cut(s.project, "-") // the same with hyphens and without
		for b, err := range r.Models.list(ctx, firstDigits) {
			if err != nil {
				return report, err
			}
			if b.project == s.project {
				blobs = append(blobs, b)
			}
		}
	}
	for _, b := range blobs {
		if s.iterations[b.iteration] {
			report.Blobs++
		}
	}
	var err error
	report.Done, err = r.archiveBlobs(ctx, s.project, blobs)
	return report, err
}

// unarchived are the blobs that the state doesn't know in this version.
func unarchived(p state.Project, blobs []modelBlob) []modelBlob {
	return slices.DeleteFunc(slices.Clone(blobs), func(b modelBlob) bool {
		known := p.Iterations[b.iteration]
		return known != nil && known.Blobs[b.name] == b.etag
	})
}

// archiveBlobs archives those of a project's blobs that the state doesn't know
// in this version.
func (r *Reconciler) archiveBlobs(ctx context.Context, project string, blobs []modelBlob) ([]Action, error) {
	record, err := r.State.Load(ctx, project)
	if err != nil {
		return nil, err
	}
	var done []Action
	var archived []modelBlob
	var errs []error
	for _, b := range unarchived(record.Project, blobs) {
		log := zerolog.Ctx(ctx).With().Str("project", project).Str("iteration", b.iteration).Str("blob", b.name).Logger()
		a := Action{Kind: Collect, Iteration: b.iteration, Blob: b.name, Why: "it lies in the model container"}
		err := r.archiveBlob(ctx, b, nil, archive.Facts{ProjectName: record.Name})
		switch {
		case errors.Is(err, errGone):
			continue
		case hopeless(err):
			a.Kind, a.Why = Block, err.Error()
			log.Warn().Str("because", a.Why).Msg(said[Block])
		case err != nil:
			errs = append(errs, fmt.Errorf("archive %q: %w", b.name, err))
			continue
		default:
			log.Info().Msg(said[Collect])
		}
		done = append(done, a)
		archived = append(archived, b)
	}
	errs = append(errs, r.State.Update(ctx, record, func(p *state.Project) error {
		for _, b := range archived {
			p.Iteration(b.iteration).Archived(b.name, b.etag)
		}
		return nil
	}))
	return done, errors.Join(errs...)
}

// errGone says that there is no blob any more.
var errGone = errors.New("it is gone since it was listed")

// archiveBlob archives one blob: as the export its manifest names, or, without a
// manifest that fits, as one that its verdict then doubts. What a backup of a
// listed export holds already isn't copied again.
func (r *Reconciler) archiveBlob(ctx context.Context, b modelBlob, look *Look, facts archive.Facts) error {
	if look == nil {
		look = &Look{}
	}
	s, err := r.Models.source(ctx, b.name)
	if err != nil {
		return err
	}
	id, err := r.Archive.Identify(ctx, s)
	if errors.Is(err, archive.ErrNotFound) {
		return errGone
	}
	if err != nil {
		return err
	}
	if slices.ContainsFunc(look.Backups, func(c archive.Backup) bool {
		return c.Verdict.Counts() && c.ContentID == id.ContentID && customvision.SamePlatform(c.Platform, b.platform)
	}) {
		return nil
	}
	flavor := ""
	if m := id.Manifest; m != nil && customvision.SamePlatform(m.Platform, b.platform) {
		if flavor = m.Flavor; look.leavesOpen(m) {
			flavor = look.flavor(b.platform)
		}
	}
	key, err := archive.NewKey(b.project, b.iteration, b.platform, flavor)
	if err != nil {
		return err
	}
	for {
		copied, err := r.copyAndVerify(ctx, key, s, id, facts)
		if err != nil || copied.Verdict != archive.Damaged {
			return err
		}
		// Copied again, until Copy says that the blob itself is damaged.
	}
}
