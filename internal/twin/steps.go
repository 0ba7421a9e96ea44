package twin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// step does the next thing. It reports whether there may be more to do now.
func (r *run) step(ctx context.Context) (more bool, err error) {
	t := r.record.Twin
	if t.Project == "" {
		return r.find(ctx)
	}
	if t.Project == r.project.ID { // it can't be, and nothing may ever be done to the original
		return false, ended("what is remembered as the twin is the project itself")
	}
	p, err := r.twin(ctx)
	switch {
	case err != nil || p == nil:
		return true, err
	case p.Status == customvision.StatusImporting:
		return false, nil
	case p.Status == customvision.StatusFailed:
		return false, ended(fmt.Sprintf("Custom Vision could not make the copy: delete the project %q there, and ask for a twin again", p.Name))
	case t.Trained == "":
		return r.train(ctx, *p)
	case t.Record == "":
		return r.compare(ctx, *p)
	case r.rule.Keep:
		return true, r.update(ctx, func(p *state.Project) { p.Clear(scope); p.Twin.Ended = r.now() })
	}
	return r.remove(ctx, *p)
}

// find finds the twin by its name, and has it made if it isn't there.
func (r *run) find(ctx context.Context) (more bool, err error) {
	list, err := r.Service.Projects(ctx)
	if err != nil {
		return false, err
	}
	var found *customvision.Project
	for i, p := range list { // of two the older one, always the same
		if r.isTwin(p.Name) && (found == nil || cmp.Or(p.Created.Compare(found.Created), strings.Compare(p.ID, found.ID)) < 0) {
			found = &list[i]
		}
	}
	if found != nil {
		return true, r.adopt(ctx, *found)
	}
	if r.pending() {
		return false, nil
	}
	export, err := r.Service.ExportProject(ctx, r.project.ID)
	if err != nil {
		return false, refusal{"Custom Vision makes no copy of the project", err}
	}
	if export.Token == "" {
		return false, errors.New("ExportProject: Custom Vision gave no token to make a copy by")
	}
	return r.send(ctx, func(*state.Twin) {}, "Custom Vision doesn't take the copy", func(ctx context.Context) error {
		p, err := r.Service.ImportProject(ctx, export.Token, r.record.Twin.Name)
		if err != nil {
			return err
		}
		return r.adopt(ctx, p)
	})
}

// isTwin reports whether a project's name is the twin's.
func (r *run) isTwin(name string) bool {
	of, ok := policy.ParseTwin(name)
	return ok && of.Project == r.project.ID && of.Token == r.record.Twin.Token
}

// adopt records which project the twin is.
func (r *run) adopt(ctx context.Context, p customvision.Project) error {
	id, err := customvision.ParseID(p.ID)
	if err != nil {
		return err
	}
	return r.update(ctx, func(p *state.Project) {
		p.Clear(scope)
		p.Twin.Project, p.Twin.Until = id, time.Time{}
	})
}

// pending reports whether something was announced and its sender may not be done yet.
func (r *run) pending() bool {
	until := r.record.Twin.Until
	return !until.IsZero() && r.now().Before(until.Add(r.Times.IntentGrace))
}

// send announces what is asked for once, and asks. After a lost answer the announcement
// stays, and the next run looks first. What the service refused was not done, so the
// announcement ends.
func (r *run) send(ctx context.Context, announce func(*state.Twin), why string, ask func(context.Context) error) (more bool, err error) {
	left := senderTime
	if deadline, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(deadline))
	}
	until := r.now().Add(left)
	if err := r.update(ctx, func(p *state.Project) {
		announce(p.Twin)
		p.Twin.Until = until
	}); err != nil {
		return false, err
	}
	within, cancel := context.WithTimeout(ctx, until.Sub(r.now()))
	defer cancel()
	if err = within.Err(); err == nil {
		err = ask(within)
	}
	var answer *customvision.Error
	if err == nil || customvision.Lost(err) || !errors.As(err, &answer) && !errors.Is(err, context.DeadlineExceeded) {
		return err == nil, err
	}
	over, done := state.LastWrite(ctx)
	defer done()
	if taken := r.update(over, func(p *state.Project) { p.Twin.Until = time.Time{} }); taken != nil {
		return false, taken
	}
	return false, refusal{why, err}
}

// twin is the twin's project as the service has it now; nil, with the end recorded, where
// it isn't there any more.
func (r *run) twin(ctx context.Context) (*customvision.Project, error) {
	t := r.record.Twin
	p, err := r.Service.Project(ctx, t.Project)
	if customvision.NotFound(err) { // one answer may be wrong
		p, err = r.Service.Project(ctx, t.Project)
	}
	switch {
	case customvision.NotFound(err) && t.Record != "":
		return nil, r.update(ctx, func(p *state.Project) {
			p.Clear(scope)
			p.Twin.Deleted = r.now()
			p.Twin.Ended = p.Twin.Deleted
		})
	case customvision.NotFound(err):
		return nil, ended("somebody deleted it in Custom Vision before it was archived")
	case err != nil:
		return nil, err
	case !r.isTwin(p.Name):
		return nil, ended(fmt.Sprintf("somebody renamed it to %q, so it is a project like any other now", p.Name))
	}
	return &p, nil
}

// train puts the twin on a compact domain, and trains it once.
func (r *run) train(ctx context.Context, p customvision.Project) (more bool, err error) {
	t := r.record.Twin
	iterations, err := r.Service.Iterations(ctx, t.Project)
	if err != nil {
		return false, err
	}
	images, err := r.Service.ImageCount(ctx, t.Project, "", customvision.AllImages)
	if err != nil {
		return false, err
	}
	if it := r.trainedHere(iterations, p); it != "" {
		return true, r.update(ctx, func(p *state.Project) {
			p.Clear(scope)
			p.Twin.Trained, p.Twin.Images, p.Twin.Until = it, cmp.Or(t.Images, images), time.Time{}
		})
	}
	if r.pending() {
		return false, nil
	}
	if err := r.compact(ctx, p); err != nil {
		return false, err
	}
	if err := r.room(ctx, iterations); err != nil {
		return false, err
	}
	var known []string
	for _, it := range iterations {
		if it.Status != customvision.StatusNew {
			known = append(known, customvision.Canonical(it.ID))
		}
	}
	hours := min(t.Hours, r.rule.BudgetHours)
	options := customvision.TrainOptions{Type: customvision.TypeAdvanced, ReservedBudgetInHours: hours}
	return r.send(ctx, func(t *state.Twin) { t.Known, t.Images, t.Hours = known, images, hours }, "Custom Vision doesn't train the twin", func(ctx context.Context) error {
		it, err := r.Service.Train(ctx, t.Project, options)
		if err != nil {
			return err
		}
		id, err := customvision.ParseID(it.ID)
		if err != nil {
			return err
		}
		return r.update(ctx, func(p *state.Project) { p.Clear(scope); p.Twin.Trained, p.Twin.Until = id, time.Time{} })
	})
}

// trainedHere is the iteration that was trained in the twin, and not brought along from the
// original; empty where there is none.
func (r *run) trainedHere(iterations []customvision.Iteration, p customvision.Project) string {
	announced := !r.record.Twin.Until.IsZero()
	for _, it := range iterations {
		id := customvision.Canonical(it.ID)
		later := it.TrainedAt != nil && it.TrainedAt.After(p.Created)
		unknown := announced && !slices.Contains(r.record.Twin.Known, id)
		if it.Status != customvision.StatusNew && (it.Status == customvision.StatusTraining || later || unknown) {
			return id
		}
	}
	return ""
}

// compact changes the twin's domain to the compact one of the same type.
func (r *run) compact(ctx context.Context, p customvision.Project) error {
	domains, err := r.Service.Domains(ctx)
	if err != nil {
		return err
	}
	to, err := compactOf(domains, p.Settings.DomainID)
	switch {
	case err != nil:
		return ended(err.Error())
	case customvision.Canonical(p.Settings.DomainID) == to.ID:
		return nil
	}
	p.Settings.DomainID, p.Settings.TargetExportPlatforms = to.ID, []string{}
	changed, err := r.Service.UpdateProject(ctx, r.record.Twin.Project, p)
	switch {
	case err != nil:
		return refusal{"Custom Vision doesn't change the twin's domain", err}
	case customvision.Canonical(changed.Settings.DomainID) != to.ID:
		return errors.New("UpdateProject: Custom Vision answered without the new domain")
	}
	return nil
}

// mostIterations is how many iterations a project has at most.
const mostIterations = 20

// room deletes the oldest iteration that the twin brought along, if there is no room for
// another one. The original has its own.
func (r *run) room(ctx context.Context, iterations []customvision.Iteration) error {
	trained := slices.DeleteFunc(slices.Clone(iterations), func(it customvision.Iteration) bool { return it.Status == customvision.StatusNew })
	if len(trained) < mostIterations {
		return nil
	}
	oldest := slices.MinFunc(trained, func(a, b customvision.Iteration) int {
		return cmp.Or(at(a).Compare(at(b)), strings.Compare(a.ID, b.ID))
	})
	if err := r.Service.DeleteIteration(ctx, r.record.Twin.Project, oldest.ID); err != nil && !customvision.NotFound(err) {
		return refusal{"Custom Vision makes no room in the twin", err}
	}
	return nil
}

func at(it customvision.Iteration) time.Time {
	if it.TrainedAt == nil {
		return time.Time{}
	}
	return *it.TrainedAt
}

// threshold is the probability at which both are measured.
const threshold = 0.5

// compare waits until the twin is trained and its exports are in the archive, and writes
// there what it is, and how well both predict.
func (r *run) compare(ctx context.Context, p customvision.Project) (more bool, err error) {
	t := r.record.Twin
	it, err := r.Service.Iteration(ctx, t.Project, t.Trained)
	switch {
	case customvision.NotFound(err):
		return false, ended("somebody deleted its trained iteration in Custom Vision before it was archived")
	case err != nil:
		return false, err
	case it.Status == customvision.StatusTraining:
		return false, nil
	case it.Status != customvision.StatusCompleted:
		return false, ended(fmt.Sprintf("its training has the status %s: delete the project %q in Custom Vision, and ask for a twin again", it.Status, p.Name))
	case !it.Exportable:
		return false, ended(fmt.Sprintf("its model can't be exported either: delete the project %q in Custom Vision, and ask for a twin again", p.Name))
	}
	proofs, err := r.archived(ctx)
	if err != nil || proofs == nil {
		return false, err
	}
	domains, err := r.Service.Domains(ctx)
	if err != nil {
		return false, err
	}
	doc := archive.Twin{
		ID: archive.TwinID(t.Asked, t.Token), Threshold: threshold, Copied: p.Created, Hours: t.Hours, Keep: r.rule.Keep, Written: r.now(),
		Original: archive.Trained{Project: r.project.ID, ProjectName: r.project.Name, Iteration: t.Iteration, IterationName: t.IterationName, Domain: t.Domain, Proofs: []string{}},
		Twin:     archive.Trained{Project: t.Project, ProjectName: p.Name, Iteration: t.Trained, IterationName: it.Name, Domain: nameOf(domains, it.DomainID), TrainedAt: it.TrainedAt, Proofs: proofs},
	}
	if of, err := r.Service.Iteration(ctx, r.project.ID, t.Iteration); err == nil {
		doc.Original.TrainedAt = of.TrainedAt
	} else if !customvision.Definite(err) {
		return false, err
	}
	for _, m := range []*archive.Trained{&doc.Original, &doc.Twin} {
		if err := r.measure(ctx, m); err != nil {
			return false, err
		}
	}
	if err := r.Archive.PutTwin(ctx, doc); err != nil {
		return false, err
	}
	return true, r.update(ctx, func(p *state.Project) { p.Clear(scope); p.Twin.Record = doc.Blob() })
}

// measure asks how well a model predicts. What the service has refused to say for a day stays
// unknown: the original may be deleted.
func (r *run) measure(ctx context.Context, m *archive.Trained) error {
	p, err := r.Service.Performance(ctx, m.Project, m.Iteration, threshold, 0)
	c := r.record.Condition(scope)
	switch late := c != nil && r.now().Sub(c.First) >= refusedFor; {
	case customvision.Definite(err) && late:
		return nil
	case err != nil:
		return refusal{"Custom Vision doesn't say how well both predict", err}
	}
	m.Performance, err = json.Marshal(p)
	return err
}

// refusedFor is how long what was refused is waited for: an export, or a figure.
const refusedFor = 24 * time.Hour

// archived are the proofs of the twin's exports, once all that there will be are proven in
// the archive; nil before. That the sweeps have asked for all that the policy wants stands
// in the twin's own state.
func (r *run) archived(ctx context.Context) ([]string, error) {
	t := r.record.Twin
	own, err := r.State.Load(ctx, t.Project)
	if err != nil {
		return nil, err
	}
	if of := own.Iterations[t.Trained]; of == nil || of.Settled == nil || !of.Settled.Wanted {
		return nil, nil
	}
	for _, c := range own.Conditions {
		final := c.Code == state.NotOffered || (c.Code == state.ExportRefused || c.Code == state.ExportFailed) && r.now().Sub(c.First) >= refusedFor
		if c.Iteration == t.Trained && !final {
			return nil, nil
		}
	}
	backups, err := r.Archive.Backups(ctx, t.Project, t.Trained)
	if err != nil {
		return nil, err
	}
	var proofs []string
	safe := map[string]bool{}
	for _, b := range backups {
		if b.Verdict.Counts() {
			proofs, safe[b.Key.String()] = append(proofs, b.Proof), true
		}
	}
	exports, err := r.Service.Exports(ctx, t.Project, t.Trained)
	if err != nil {
		return nil, err
	}
	for _, e := range exports {
		key, err := archive.NewKey(t.Project, t.Trained, e.Platform, e.Flavor)
		if e.Status != customvision.ExportFailed && (err != nil || !safe[key.String()]) {
			return nil, nil
		}
	}
	return proofs, nil
}

// remove deletes the twin's project, after a last look: each export of it is proven and
// there, and nobody uses it or has put images into it, which may be nowhere else.
func (r *run) remove(ctx context.Context, p customvision.Project) (more bool, err error) {
	t := r.record.Twin
	iterations, err := r.Service.Iterations(ctx, t.Project)
	if err != nil {
		return false, err
	}
	for _, it := range iterations {
		id := customvision.Canonical(it.ID)
		own := id == t.Trained || it.Status == customvision.StatusNew || it.TrainedAt != nil && !it.TrainedAt.After(p.Created) || slices.Contains(t.Known, id)
		if !own || it.PublishName != "" {
			return false, ended("somebody trained or published it, so it stays in Custom Vision")
		}
	}
	switch images, err := r.Service.ImageCount(ctx, t.Project, "", customvision.AllImages); {
	case err != nil:
		return false, err
	case images != t.Images:
		return false, ended("somebody added or deleted images in it, so it stays in Custom Vision")
	}
	proofs, err := r.archived(ctx)
	if err != nil || proofs == nil {
		return false, err
	}
	backups, err := r.Archive.Backups(ctx, t.Project, t.Trained)
	if err != nil {
		return false, err
	}
	for _, b := range backups {
		if !b.Verdict.Counts() {
			continue
		}
		if err := r.Archive.Stands(ctx, b); err != nil {
			return false, fmt.Errorf("the twin isn't deleted, because the archive is not as its proofs say (run `visionkeeper verify`): %w", err)
		}
	}
	if again, err := r.twin(ctx); err != nil || again == nil {
		return true, err
	}
	if err := r.Service.DeleteProject(ctx, t.Project); err != nil && !customvision.NotFound(err) {
		return false, refusal{"Custom Vision doesn't delete the twin", err}
	}
	return true, r.update(ctx, func(p *state.Project) {
		p.Clear(scope)
		p.Twin.Deleted = r.now()
		p.Twin.Ended = p.Twin.Deleted
	})
}
