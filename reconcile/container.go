package reconcile

import (
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"

	"visionkeeper/archive"
	"visionkeeper/customvision"
	"visionkeeper/state"
)

// This file is for the app without an endpoint: nobody tells which exports there
// are, so every blob of the model container is archived as what it says it is.

// archiveContainer archives the blobs of a project, or of the iterations in scope.
func (r *Reconciler) archiveContainer(ctx context.Context, s scope) (Report, error) {
	report := Report{Key: Key{Project: s.project}, ContainerOnly: true}
	var prefixes []string
	for iteration := range s.iterations {
		prefixes = append(prefixes, blobNames(archive.Key{Project: s.project, Iteration: iteration})...)
	}
	var blobs []modelBlob
	for _, prefix := range prefixes {
		for b, err := range r.Models.list(ctx, prefix) {
			if err != nil {
				return report, err
			}
			blobs = append(blobs, b)
		}
	}
	report.Blobs = len(blobs)
	var err error
	report.Done, err = r.archiveBlobs(ctx, s.project, blobs)
	return report, err
}

// sweepContainer archives every blob of the container that is named as Custom
// Vision names its backups, and says of how many projects they were.
func (r *Reconciler) sweepContainer(ctx context.Context) (int, error) {
	projects := map[string][]modelBlob{}
	for b, err := range r.Models.list(ctx, "") {
		if err != nil {
			return 0, err
		}
		if project, _, _, err := customvision.ParseBlobName(b.name); err == nil {
			projects[project] = append(projects[project], b)
		}
	}
	var errs []error
	for project, blobs := range projects {
		_, err := r.archiveBlobs(ctx, project, blobs)
		errs = append(errs, err)
	}
	return len(projects), errors.Join(errs...)
}

// archiveBlobs archives those of a project's blobs that the state doesn't know
// in this version.
func (r *Reconciler) archiveBlobs(ctx context.Context, project string, blobs []modelBlob) ([]Action, error) {
	record, err := r.State.Load(ctx, project)
	if err != nil {
		return nil, err
	}
	var done []Action
	var errs []error
	var changes []func(*state.Project)
	for _, b := range blobs {
		_, iteration, platform, err := customvision.ParseBlobName(b.name)
		if err != nil {
			continue
		}
		if known := record.Iterations[iteration]; known != nil && known.Blobs[b.name] == b.etag {
			continue
		}
		if err := r.archiveBlob(ctx, project, iteration, platform, b); err != nil {
			errs = append(errs, fmt.Errorf("archive %q: %w", b.name, err))
			continue
		}
		zerolog.Ctx(ctx).Info().Str("project", project).Str("iteration", iteration).Str("blob", b.name).Msg(said[Backup])
		done = append(done, Action{Kind: Backup, Iteration: iteration, Export: platform, Why: "it lies in the model container"})
		changes = append(changes, func(p *state.Project) { p.Iteration(iteration).Archived(b.name, b.etag) })
	}
	errs = append(errs, r.State.Update(ctx, record, func(p *state.Project) error {
		for _, change := range changes {
			change(p)
		}
		return nil
	}))
	return done, errors.Join(errs...)
}

// archiveBlob archives one blob: as the export its manifest names, or, without a
// manifest that fits, as the platform's default, which its verdict then doubts.
func (r *Reconciler) archiveBlob(ctx context.Context, project, iteration, platform string, b modelBlob) error {
	s, err := r.Models.source(ctx, b.name)
	if err != nil {
		return err
	}
	id, err := r.Archive.Identify(ctx, s)
	if err != nil {
		return err
	}
	flavor := ""
	if m := id.Manifest; m != nil && customvision.SamePlatform(m.Platform, platform) {
		flavor = m.Flavor
	}
	key, err := archive.NewKey(project, iteration, platform, flavor)
	if err != nil {
		return err
	}
	_, err = r.copyAndVerify(ctx, key, s, id, archive.Facts{})
	return err
}
