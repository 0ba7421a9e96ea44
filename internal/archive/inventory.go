package archive

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Model is one iteration as the archive alone knows it.
type Model struct {
	Project, Iteration         string // ids
	ProjectName, IterationName string // the id where no proof can be read
	TrainedAt                  time.Time
	PublishedName              string // when it was archived
	Backups                    []Backup
	Facts                      Facts // of the newest proof that can be read
}

// proofReaders is how many proofs are read at a time.
const proofReaders = 8

// Inventory is all that the archive holds, by the names in the proofs: projects
// in the order of their names, the newest model first. One listing, and one
// request for each iteration.
func (a *Archive) Inventory(ctx context.Context) ([]*Model, error) {
	if err := a.Check(ctx); err != nil {
		return nil, err
	}
	backups, err := a.Backups(ctx, "", "")
	if err != nil {
		return nil, err
	}
	models := Models(backups)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(proofReaders)
	for _, m := range models {
		group.Go(func() error { return a.Describe(groupCtx, m) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(models, func(x, y *Model) int {
		return cmp.Or(strings.Compare(strings.ToLower(x.ProjectName), strings.ToLower(y.ProjectName)),
			strings.Compare(x.Project, y.Project), y.TrainedAt.Compare(x.TrainedAt), strings.Compare(x.Iteration, y.Iteration))
	})
	return models, nil
}

// Models puts backups, in the order in which Backups has them, together by their
// iterations. Their names are ids until they are described.
func Models(backups []Backup) []*Model {
	var models []*Model
	for _, b := range backups { // in the order of project and iteration
		if n := len(models); n == 0 || models[n-1].Project != b.Project || models[n-1].Iteration != b.Iteration {
			models = append(models, &Model{Project: b.Project, Iteration: b.Iteration, ProjectName: b.Project, IterationName: b.Iteration})
		}
		m := models[len(models)-1]
		m.Backups = append(m.Backups, b)
	}
	return models
}

// Describe takes names, times and the other facts from the newest proof that has them
// and can be read. (Get Blob)
func (a *Archive) Describe(ctx context.Context, m *Model) error {
	newest := slices.SortedFunc(slices.Values(m.Backups), func(x, y Backup) int { return y.LastModified.Compare(x.LastModified) })
	for _, b := range newest {
		proof, err := a.Proof(ctx, b)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil || proof.ProjectName == "":
			continue
		}
		m.ProjectName, m.IterationName, m.PublishedName = proof.ProjectName, cmp.Or(proof.IterationName, m.Iteration), proof.PublishedName
		if proof.TrainedAt != nil {
			m.TrainedAt = *proof.TrainedAt
		}
		m.Facts = proof.Facts
		return nil
	}
	return nil
}

// Exports are the model's backups by export, the best first.
func (m *Model) Exports() map[string][]Backup {
	list := map[string][]Backup{}
	for _, b := range m.Backups {
		list[b.Key.String()] = append(list[b.Key.String()], b)
	}
	for _, copies := range list {
		slices.SortStableFunc(copies, func(x, y Backup) int { return rank(x.Verdict) - rank(y.Verdict) })
	}
	return list
}

// rank orders verdicts by what they are worth.
func rank(v Verdict) int {
	return slices.Index([]Verdict{Proven, Intact, "", Unidentified, Damaged, Lost}, v)
}

// Safe reports whether the model could be put on disk again.
func (m *Model) Safe() bool {
	return slices.ContainsFunc(m.Backups, func(b Backup) bool { return b.Verdict.Counts() })
}
