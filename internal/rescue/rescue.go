// Package rescue saves a project's data set while Custom Vision is there: what the
// project holds now, and what each of its iterations saw, as snapshots in the archive
// (package dataset). It works in slices: what it has done stands in the state, and the
// next slice goes on there, whichever process has it.
//
// A snapshot is read page by page, the oldest image first. Each page's lines are a part
// of a blob that nobody sees before all of them are there; then it is read back, counted
// against what the service counts, and proven.
//
// Start reading at Rescuer.Run, then take.go.
package rescue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/events"
	"visionkeeper/internal/state"
)

// ErrBusy says that another process saves this project at the moment.
var ErrBusy = errors.New("another process is at it")

// Options are what rescuing needs. All but Events are required.
type Options struct {
	Service *customvision.Client
	Archive *archive.Archive // for reading pictures
	Sets    *dataset.Store
	State   *state.Store
	// CheckLink is nil if a link to a picture may be followed.
	CheckLink func(link string) error
	Now       func() time.Time
	// Events are the destinations that are told when a data set is complete; nil where the
	// app's settings aren't known.
	Events []string
}

// Rescuer saves data sets. It is safe for concurrent use.
type Rescuer struct {
	Options
	token string // of this process

	pageSize int // images of a page

	mu      sync.Mutex
	running map[string]bool // projects
}

// New makes a Rescuer. It sends no request.
func New(o Options) *Rescuer {
	return &Rescuer{Options: o, token: rand.Text(), pageSize: customvision.PageSize, running: map[string]bool{}}
}

const (
	// lookEvery is how often a project is looked at for new iterations.
	lookEvery = time.Hour
	// againAfter is how long a snapshot of the workspace stands at least.
	againAfter = 7 * 24 * time.Hour
	// heldFor is how long a project belongs to a process that no longer writes.
	heldFor = 2 * time.Minute
	// saveEvery is how often progress is written.
	saveEvery = 20 * time.Second
	// stagedFor is how long the storage service surely keeps parts that wait: it says a week.
	stagedFor = 6 * 24 * time.Hour
)

// run is one slice for a project.
type run struct {
	*Rescuer
	id      string
	p       Progress
	version state.Rescue
	saved   time.Time
	Wish
	known   dataset.Known
	learned map[string]bool // snapshots whose pictures are known
	// stored are the archive's pictures, by their hashes, in bytes; nil until something is
	// known. What is known and isn't there any more is read again.
	stored map[string]int64
	tried  map[string]bool  // what snapshots were begun of in this run
	failed map[string]error // what the service didn't let one be begun of

	project    customvision.Project
	iterations []customvision.Iteration
}

// Wish is what is asked for besides what the data set itself is.
type Wish struct {
	// Force looks now at what was to wait.
	Force bool
	// Predictions saves stored predictions too: pictures that people had classified.
	Predictions bool
}

// Run goes on with a project until all of its data set is saved or ctx ends, whose end is
// no error: Progress says what there is. The error is ErrBusy while another process has the
// project.
func (r *Rescuer) Run(ctx context.Context, project string, wish Wish) (Progress, error) {
	project = customvision.Canonical(project)
	if !r.enter(project) {
		return Progress{}, fmt.Errorf("save the data set of project %s: %w", project, ErrBusy)
	}
	defer r.leave(project)
	v, err := r.load(ctx, project)
	if err != nil {
		return Progress{}, err
	}
	v.Wish = wish
	if !v.Force && !v.due() {
		return v.p, nil
	}
	if v.p.Holder != r.token && r.Now().Before(v.p.HeldUntil) {
		return v.p, fmt.Errorf("save the data set of project %s: %w until %s", project, ErrBusy, v.p.HeldUntil.Format("15:04:05"))
	}
	if err := v.save(ctx); err != nil {
		return v.p, overtaken(err)
	}
	looked := v.p.Looked
	err = v.all(ctx)
	switch {
	case errors.Is(err, state.ErrOvertaken):
		return v.p, overtaken(err)
	case ctx.Err() != nil:
		err = nil
		if v.p.Taking == nil {
			v.p.Looked = looked // nothing came of the look: the next slice needn't wait
		}
	}
	v.p.Trouble = ""
	if err != nil {
		v.p.Trouble = err.Error()
	}
	err = errors.Join(err, v.release(ctx))
	return v.p, err
}

// overtaken says of a write that another process was before that this process doesn't
// have the project.
func overtaken(err error) error {
	if errors.Is(err, state.ErrOvertaken) {
		return errors.Join(ErrBusy, err)
	}
	return err
}

func (r *Rescuer) enter(project string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running[project] {
		return false
	}
	r.running[project] = true
	return true
}

func (r *Rescuer) leave(project string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, project)
}

// all takes one snapshot after the other.
func (v *run) all(ctx context.Context) error {
	for ctx.Err() == nil {
		if v.p.Taking == nil {
			if err := v.begin(ctx); err != nil || v.p.Taking == nil {
				return err
			}
		}
		if err := v.goOn(ctx); err != nil {
			return err
		}
	}
	return nil
}

// save writes the progress, and that the project belongs to this process for a while.
func (v *run) save(ctx context.Context) error {
	v.saved = v.Now()
	v.p.Holder, v.p.HeldUntil = v.token, v.saved.Add(heldFor).UTC()
	var err error
	v.version, err = v.State.SetRescue(ctx, v.id, v.version, v.p)
	return err
}

// saveNowAndThen writes the progress if that was long ago.
func (v *run) saveNowAndThen(ctx context.Context) error {
	if v.Now().Sub(v.saved) < saveEvery {
		return nil
	}
	return v.save(ctx)
}

// untold is the complete snapshot of the workspace of which others aren't told yet; nil
// where there is none.
func (v *run) untold() *Kept {
	kept := v.p.Kept[dataset.Workspace]
	if nobody := v.Events != nil && len(v.Events) == 0; nobody || kept == nil || kept.Verdict != dataset.Complete || kept.Snapshot == v.p.Told {
		return nil
	}
	return kept
}

// tell writes into the project's outbox that its data set is complete. It goes by what is
// kept and not by what was just done, so that nothing is lost with a process that dies; an
// event that is there already isn't written again. A project that the app hasn't looked at
// has no outbox yet. (Get Blob, Put Blob)
func (v *run) tell(ctx context.Context) error {
	kept := v.untold()
	if kept == nil {
		return nil
	}
	name := dataset.Name{Project: v.id, Of: dataset.Workspace, Snapshot: kept.Snapshot}
	e, _ := events.Saved(v.Archive, dataset.Proof{
		Name: name, ProjectName: v.p.Name, Verdict: kept.Verdict, Size: kept.Size, SHA256: kept.SHA256, Found: kept.Found,
		Files: kept.Files, Bytes: kept.Bytes, Begun: name.Time(), Ended: kept.Ended,
	})
	record, err := v.State.Load(ctx, v.id)
	if err != nil || record.Revision == "" || v.Events == nil && record.Outbox == nil {
		return err
	}
	if err := v.State.Update(ctx, record, func(p *state.Project) error {
		if o := p.Events(v.Events, record.Seen); o != nil {
			o.Add(record.Seen, e)
		}
		return nil
	}); err != nil {
		return err
	}
	v.p.Told = kept.Snapshot
	return nil
}

// release tells others, writes the progress and leaves the project to any process, though
// the time is up.
func (v *run) release(ctx context.Context) error {
	ctx, cancel := state.LastWrite(ctx)
	defer cancel()
	v.p.Holder, v.p.HeldUntil = "", time.Time{}
	if err := v.cover(ctx); err != nil {
		return err
	}
	untold := v.tell(ctx)
	var err error
	v.version, err = v.State.SetRescue(ctx, v.id, v.version, v.p)
	return errors.Join(untold, err)
}
