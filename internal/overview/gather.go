package overview

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"golang.org/x/sync/errgroup"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/remedy"
	"visionkeeper/internal/rescue"
	"visionkeeper/internal/state"
	"visionkeeper/internal/storage"
)

// Sources are what is gathered from. Only the archive has to be there.
type Sources struct {
	Archive *archive.Archive
	State   *state.Store
	// Sets are the archive's data sets, from which it is counted what is saved of them. Where
	// it is nil, that is what the last sweep counted.
	Sets *dataset.Store
	// Queues is the account of the notification queue, nil where it isn't known; Queue is
	// the queue's name, and QueueURI its address.
	Queues          *azqueue.ServiceClient
	Queue, QueueURI string
	// Service is Custom Vision. Where it is nil, what is trained and exported is what the
	// last looks showed.
	Service *customvision.Client
	// Now is time.Now but in tests.
	Now func() time.Time
}

// Gatherer gathers. What it has read it keeps in memory, and reads again only what has
// changed since: the next time it lists the state, and asks for the length of two
// queues. It is safe for concurrent use.
type Gatherer struct {
	Sources

	mu      sync.Mutex
	shelves map[string]*shelf // by project
	listed  time.Time         // when the whole archive was
	recalls map[string]recall // by project
	// described are the models whose facts were looked for.
	described map[*archive.Model]bool

	proofsMu sync.Mutex
	proofs   map[string]checked // by name
}

// checked is what is kept of a proof.
type checked struct {
	sha256 string
	at     time.Time
	note   string
}

// mostProofs bounds what is kept of proofs, some hundred bytes each.
const mostProofs = 20_000

func (g *Gatherer) proof(name string) (checked, bool) {
	g.proofsMu.Lock()
	defer g.proofsMu.Unlock()
	proof, known := g.proofs[name]
	return proof, known
}

func (g *Gatherer) keepProof(name string, proof checked) {
	g.proofsMu.Lock()
	defer g.proofsMu.Unlock()
	if len(g.proofs) >= mostProofs {
		clear(g.proofs)
	}
	g.proofs[name] = proof
}

// shelf is what the archive has of a project, at one version of the project's state: who
// archives something writes that afterwards.
type shelf struct {
	version string
	models  []*archive.Model
}

// recall is what one version of a project's state says of the iterations.
type recall struct {
	version string
	facts   map[string]told
}

// told is what is remembered of an iteration, with its performance as it is shown.
type told struct {
	archive.Facts
	shown *Performance
}

func tell(f archive.Facts) told {
	var p customvision.Performance
	if f.Performance == nil || json.Unmarshal(f.Performance, &p) != nil {
		return told{f, nil}
	}
	return told{f, &Performance{p.Precision, p.Recall, p.AveragePrecision}}
}

// New makes a Gatherer. It sends no request.
func New(s Sources) *Gatherer {
	if s.Now == nil {
		s.Now = time.Now
	}
	return &Gatherer{Sources: s, recalls: map[string]recall{}, proofs: map[string]checked{}}
}

// Gather looks. An error means that the archive can't be read; what else can't be is
// left out, and said.
func (g *Gatherer) Gather(ctx context.Context) (Status, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.Now()
	status := Status{RetirementDays: DaysLeft(now), Complete: true, Notes: []string{}, Conditions: []Condition{}, Rescue: []state.Coverage{}}
	var queue *Queue
	var queueErr, stateErr error
	var view *state.View
	var group errgroup.Group
	if g.Queues != nil {
		group.Go(func() error { queue, queueErr = QueueLength(ctx, g.Queues, g.Queue); return nil })
	}
	view, stateErr = g.State.View(ctx)
	models, err := g.archived(ctx, view, now)
	_ = group.Wait()
	if err != nil {
		return status, err
	}
	b := newBoard(models)
	if g.Service != nil {
		for _, err := range b.addService(ctx, g.Service, g.QueueURI) {
			status.missing("what is trained and exported is shown as far as it is remembered", err)
		}
	}
	if status.Queue = queue; queueErr != nil {
		status.missing("the queue is not shown", queueErr)
	}
	var rules *policy.Policy
	if stateErr == nil {
		rules = g.addState(&status, b, view)
	} else {
		status.missing("what the state holds is not shown", stateErr)
	}
	if g.Sets != nil {
		g.addSets(ctx, &status, stateErr == nil)
	}
	if err := ctx.Err(); err != nil {
		return status, err
	}
	status.RescueTotal = state.Sum(status.Rescue, status.RetirementDays)
	b.countUnproven()
	status.Projects, status.Asked, status.view = b.projects(rules), b.asked, view
	status.count()
	return status, nil
}

// addSets counts what is saved of data sets, by the archive alone where the state can't be
// read.
func (g *Gatherer) addSets(ctx context.Context, status *Status, byState bool) {
	states := g.State
	if !byState {
		states = nil
	}
	covered, err := rescue.Covered(ctx, g.Archive, g.Sets, states)
	if err != nil {
		status.missing("what is saved of data sets is not shown", err)
		return
	}
	status.Rescue = covered
}

// missing notes what isn't shown, why, and what to do.
func (s *Status) missing(what string, err error) {
	s.Complete = false
	s.Notes = append(s.Notes, Note(what, err))
}

// Note says in one line what isn't shown, why, and what to do if that is known.
func Note(what string, err error) string {
	note := what + ": " + Why(err)
	if do := remedyOf(err); do != "" {
		note += ": " + do
	}
	return note
}

// Why is an error's cause in one line for a person.
func Why(err error) string {
	if storage.NotSignedIn(err) {
		return "no identity could sign in"
	}
	text, _ := remedy.Of(err)
	return strings.TrimSuffix(text, ".")
}

// remedyOf is what to do about an error; empty where nothing is known.
func remedyOf(err error) string {
	if storage.NotSignedIn(err) {
		return storage.HowToSignIn
	}
	_, do := remedy.Of(err)
	return do
}

// addState adds what the state holds, and returns the policy that is followed.
func (g *Gatherer) addState(status *Status, b *board, view *state.View) *policy.Policy {
	letters := len(view.Letters)
	status.DeadLetters = &letters
	status.Sweep, status.Rescue = sweepOf(view.Health), append(status.Rescue, view.Health.Rescue...)
	if view.App != nil {
		var own []state.Condition
		for _, c := range view.App.Conditions {
			own = append(own, *c)
		}
		status.Conditions = Conditions(own, nameless)
	}
	var rules *policy.Policy
	if p, err := policy.Parse([]byte(view.InForce.Policy)); view.InForce.Policy != "" && err == nil {
		rules, status.Mode = &p, p.Mode
	}
	if view.Set != nil {
		if _, err := policy.Parse(view.Set); err != nil {
			status.Mode = policy.Observe
			status.Notes = append(status.Notes, fmt.Sprintf("the policy set in %s is not followed, nothing is asked for or trained: %s", g.State.PolicyPlace(), err))
		}
	}
	var last time.Time
	for _, p := range view.Projects {
		if p.Notified.After(last) {
			last = p.Notified
		}
		if p.ConnectionTest != nil && p.ConnectionTest.After(last) {
			last = *p.ConnectionTest
		}
	}
	status.LastNotification = known(last)
	b.addState(view, func(project string) map[string]told { return g.recall(view, project) })
	return rules
}

// recall is what the state remembers of a project's iterations for their proofs.
func (g *Gatherer) recall(view *state.View, project string) map[string]told {
	if r := g.recalls[project]; r.version == view.Versions[project] {
		return r.facts
	}
	r := recall{view.Versions[project], map[string]told{}}
	for id, it := range view.Projects[project].Iterations {
		var f archive.Facts
		if it.Facts != nil && json.Unmarshal(it.Facts, &f) == nil {
			r.facts[id] = tell(f)
		}
	}
	g.recalls[project] = r
	return r.facts
}

// sweepOf is what health.json says; nil where there was no sweep.
func sweepOf(health state.Health) *Sweep {
	if health.Ended.IsZero() {
		return nil
	}
	s := &Sweep{
		Ended: health.Ended, Round: known(health.Round), Projects: health.Projects, Covered: health.Covered,
		Warnings: append([]string{}, health.Warnings...), Errors: append([]string{}, health.Errors...),
	}
	var stateless []state.Condition
	for _, c := range health.Conditions {
		if _, err := customvision.ParseID(c.Project); err != nil && c.Project != state.App { // whose state has them
			stateless = append(stateless, c.Condition)
		}
	}
	s.Conditions = Conditions(stateless, nameless)
	return s
}

// nameless knows no iteration's name.
func nameless(string) string { return "" }

// QueueLength counts the messages of a queue and of its poison queue, which isn't there
// before the first poison message. (Get Queue Metadata, twice)
func QueueLength(ctx context.Context, queues *azqueue.ServiceClient, name string) (*Queue, error) {
	var q Queue
	var err, poisonErr error
	var group sync.WaitGroup
	group.Go(func() { q.Messages, err = storage.QueueLength(ctx, queues, name) })
	group.Go(func() { q.Poison, poisonErr = storage.QueueLength(ctx, queues, name+storage.PoisonSuffix) })
	group.Wait()
	if storage.Status(poisonErr) == http.StatusNotFound {
		poisonErr = nil
	}
	if err := cmp.Or(err, poisonErr); err != nil { // always the same one where both fail
		return nil, err
	}
	return &q, nil
}

const (
	// listAgain is after how long the whole archive is listed again, whatever the state
	// says: others may write there too.
	listAgain = 10 * time.Minute
	// mostListed is how many projects are listed each by itself.
	mostListed = 20
	// readers is how many requests to the archive are under way at a time.
	readers = 8
)

// archived is what the archive has, listed again as far as it may have changed. View is
// nil where the state can't be read.
func (g *Gatherer) archived(ctx context.Context, view *state.View, now time.Time) ([]*archive.Model, error) {
	var changed []string
	if view != nil {
		for id, version := range view.Versions {
			if s := g.shelves[id]; s == nil || s.version != version {
				changed = append(changed, id)
			}
		}
	}
	if view == nil || g.shelves == nil || len(changed) > mostListed || now.Sub(g.listed) > listAgain {
		if err := g.listAll(ctx, view, now); err != nil {
			return nil, err
		}
	} else {
		fresh := make([]*shelf, len(changed))
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(readers)
		for i, id := range changed {
			group.Go(func() error {
				backups, err := g.Archive.Backups(ctx, id, "")
				fresh[i] = &shelf{view.Versions[id], archive.Models(backups)}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
		for i, id := range changed {
			fresh[i].keep(g.shelves[id])
			g.shelves[id] = fresh[i]
		}
	}
	var models []*archive.Model
	for _, s := range g.shelves {
		models = append(models, s.models...)
	}
	return models, g.describe(ctx, view, models)
}

// listAll lists the whole archive.
func (g *Gatherer) listAll(ctx context.Context, view *state.View, now time.Time) error {
	if err := g.Archive.Check(ctx); err != nil {
		return err
	}
	backups, err := g.Archive.Backups(ctx, "", "")
	if err != nil {
		return err
	}
	shelves := map[string]*shelf{}
	if view != nil {
		for id, version := range view.Versions {
			shelves[id] = &shelf{version: version}
		}
	}
	for _, m := range archive.Models(backups) {
		if shelves[m.Project] == nil {
			shelves[m.Project] = &shelf{}
		}
		shelves[m.Project].models = append(shelves[m.Project].models, m)
	}
	for id, s := range shelves {
		s.keep(g.shelves[id])
	}
	g.shelves, g.listed = shelves, now
	return nil
}

// keep takes over the models whose backups are the same: they are described.
func (s *shelf) keep(before *shelf) {
	if before == nil {
		return
	}
	for i, m := range s.models {
		same := func(o *archive.Model) bool { return o.Iteration == m.Iteration && slices.Equal(o.Backups, m.Backups) }
		if k := slices.IndexFunc(before.models, same); k >= 0 {
			s.models[i] = before.models[k]
		}
	}
}

// describe reads a proof of each model that the state knows no facts of.
func (g *Gatherer) describe(ctx context.Context, view *state.View, models []*archive.Model) error {
	described := map[*archive.Model]bool{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for _, m := range models {
		described[m] = true
		if g.described[m] {
			continue
		}
		if view != nil && view.Projects[m.Project] != nil {
			if f, ok := g.recall(view, m.Project)[m.Iteration]; ok && f.IterationName != "" && view.Projects[m.Project].Name != "" {
				m.ProjectName, m.IterationName, m.PublishedName, m.Facts = view.Projects[m.Project].Name, f.IterationName, f.PublishedName, f.Facts
				if f.TrainedAt != nil {
					m.TrainedAt = *f.TrainedAt
				}
				continue
			}
		}
		group.Go(func() error { return g.Archive.Describe(ctx, m) })
	}
	err := group.Wait()
	if err == nil {
		g.described = described
	}
	return err
}

// WithBackups adds to a project that was gathered what its proofs say of its copies. A
// proof never changes, so each is read once. (Get Blob for each)
func (g *Gatherer) WithBackups(ctx context.Context, p Project) (Project, error) {
	p.Iterations = slices.Clone(p.Iterations)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i := range p.Iterations {
		m := &p.Iterations[i]
		m.Backups = make([]Backup, len(m.backups))
		for k, b := range m.backups {
			m.Backups[k] = Backup{Export: b.Key.String(), Blob: b.Blob, Verdict: b.Verdict, Size: b.Size, Archived: b.LastModified}
			group.Go(func() error { return g.addProof(ctx, &m.Backups[k], b) })
		}
	}
	return p, group.Wait()
}

func (g *Gatherer) addProof(ctx context.Context, to *Backup, b archive.Backup) error {
	proof, isKnown := g.proof(b.Proof)
	if !isKnown {
		read, err := g.Archive.Proof(ctx, b)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			to.Note = Why(err)
			return nil
		}
		proof = checked{read.SHA256, read.VerifiedAt, read.Note}
		g.keepProof(b.Proof, proof)
	}
	to.SHA256, to.Verified, to.Note = proof.sha256, known(proof.at), proof.note
	return nil
}

// Find is the copy with this name, of those that were gathered.
func (s Status) Find(blob string) (archive.Backup, Project, Model, bool) {
	for _, p := range s.Projects {
		for _, m := range p.Iterations {
			for _, b := range m.backups {
				if b.Blob == blob && blob != "" {
					return b, p, m, true
				}
			}
		}
	}
	return archive.Backup{}, Project{}, Model{}, false
}
