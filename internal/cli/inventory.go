package cli

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
)

// model is one iteration as the archive alone knows it.
type model struct {
	project, iteration         string // ids
	projectName, iterationName string // the id where no proof can be read
	trainedAt                  time.Time
	publishedName              string // when it was archived
	backups                    []archive.Backup
}

// proofReaders is how many proofs are read at a time.
const proofReaders = 8

// inventory is all that the archive holds, by the names in the proofs: projects
// in the order of their names, the newest model first. One listing, and one
// request for each iteration.
func inventory(ctx context.Context, a *archive.Archive) ([]*model, error) {
	if err := a.Check(ctx); err != nil {
		return nil, err
	}
	backups, err := a.Backups(ctx, "", "")
	if err != nil {
		return nil, err
	}
	var models []*model
	for _, b := range backups { // in the order of project and iteration
		if n := len(models); n == 0 || models[n-1].project != b.Project || models[n-1].iteration != b.Iteration {
			models = append(models, &model{project: b.Project, iteration: b.Iteration, projectName: b.Project, iterationName: b.Iteration})
		}
		m := models[len(models)-1]
		m.backups = append(m.backups, b)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(proofReaders)
	for _, m := range models {
		group.Go(func() error { return m.describe(ctx, a) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(models, func(x, y *model) int {
		return cmp.Or(strings.Compare(strings.ToLower(x.projectName), strings.ToLower(y.projectName)),
			strings.Compare(x.project, y.project), y.trainedAt.Compare(x.trainedAt), strings.Compare(x.iteration, y.iteration))
	})
	return models, nil
}

// describe takes names and times from the newest proof that tells them; a proof
// that is broken, gone or resting tells nothing.
func (m *model) describe(ctx context.Context, a *archive.Archive) error {
	newest := slices.SortedFunc(slices.Values(m.backups), func(x, y archive.Backup) int { return y.LastModified.Compare(x.LastModified) })
	for _, b := range newest {
		proof, err := a.Proof(ctx, b)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil || proof.ProjectName == "":
			continue
		}
		m.projectName, m.iterationName, m.publishedName = proof.ProjectName, cmp.Or(proof.IterationName, m.iteration), proof.PublishedName
		if proof.TrainedAt != nil {
			m.trainedAt = *proof.TrainedAt
		}
		return nil
	}
	return nil
}

// exports are the model's backups by export, the best first.
func (m *model) exports() map[string][]archive.Backup {
	list := map[string][]archive.Backup{}
	for _, b := range m.backups {
		list[b.Key.String()] = append(list[b.Key.String()], b)
	}
	for _, copies := range list {
		slices.SortStableFunc(copies, func(x, y archive.Backup) int { return rank(x.Verdict) - rank(y.Verdict) })
	}
	return list
}

// rank orders verdicts by what they are worth.
func rank(v archive.Verdict) int {
	return slices.Index([]archive.Verdict{archive.Proven, archive.Intact, "", archive.Unidentified, archive.Damaged, archive.Lost}, v)
}

// safe tells that a model could be put on disk again.
func (m *model) safe() bool {
	return slices.ContainsFunc(m.backups, func(b archive.Backup) bool { return b.Verdict.Counts() })
}

// choose narrows an inventory down to a project and an iteration, each by name or
// id where it is given.
func (s scope) choose(all []*model) ([]*model, error) {
	models := all
	if s.project != "" {
		id, notID := customvision.ParseID(s.project)
		models = slices.DeleteFunc(slices.Clone(all), func(m *model) bool {
			return !strings.EqualFold(m.projectName, s.project) && (notID != nil || m.project != id)
		})
	}
	projects := names(models, func(m *model) string { return m.project })
	if s.project != "" || s.iteration != "" {
		which := s.project
		if which == "" && len(projects) > 1 {
			return nil, problem{What: "Could not tell which project is meant", Why: "The archive has several",
				Do: "Give --project, one of " + strings.Join(names(all, func(m *model) string { return m.projectName }), ", ")}
		}
		if err := one("project", which, projects, names(all, func(m *model) string { return m.projectName })); err != nil {
			return nil, err
		}
	}
	if s.iteration == "" {
		return models, nil
	}
	var list []iterationName
	for i, m := range models { // newest first, so that what was never dated is never the latest
		n := iterationName{ID: m.iteration, Name: m.iterationName, Trained: int64(len(models) - i), Published: m.publishedName != ""}
		list = append(list, n)
	}
	id, err := chooseIteration(list, s.iteration)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(models), func(m *model) bool { return m.iteration != id }), nil
}

var errEmptyArchive = problem{
	What: "Could not find any backup", Why: "The archive is empty",
	Do: "Export a model, or run `visionkeeper reconcile`; if there should be one, name its container in ARCHIVE_CONTAINER",
}

// isInterruption tells the end by Ctrl-C from other errors.
func isInterruption(err error) bool { return errors.Is(err, context.Canceled) }
