package reconcile

import (
	"cmp"
	"slices"
	"time"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/holdout"
	"visionkeeper/internal/models"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// Observed is all that Plan decides by: one look at a project.
type Observed struct {
	// Now is the storage service's time: intents and conditions are dated by it.
	Now     time.Time
	Project state.Project
	// Iterations of the project as the API lists them. Iterations without a usable id
	// are left out; Unusable names them.
	Iterations []customvision.Iteration
	Unusable   []state.Scope
	// Missing reports whether a remembered iteration isn't among them, and nobody knows
	// whether it is gone: nothing is trained then.
	Missing bool
	// Looks at single iterations, by id. Of the others nothing is planned.
	Looks map[string]*Look
	// Blobs of the model container that the state doesn't know in this version, by
	// iteration; a sweep alone looks for them.
	Blobs map[string][]models.Blob
	// Worth is nil where nobody looked whether a training is worth it.
	Worth *Worth
	// Held are all blobs of the model container, by iteration; nil where it wasn't listed.
	Held map[string][]models.Blob
	// Gone are iterations that the service, asked for them, doesn't have.
	Gone map[string]bool
	// Sets are the complete snapshots of data sets in the archive, by iteration; nil where
	// they weren't listed, which is done where room is to be made.
	Sets map[string]dataset.Snapshot
	// HoldOut is the set of pictures that the gate of a promotion measures by; nil where
	// nobody looked, because no gate asks for it now, or where it can't be used.
	HoldOut *holdout.Set
	// Tried holds the steps that this run has tried: none is planned again.
	Tried map[Step]bool
}

// Look is what was seen of one iteration.
type Look struct {
	At      time.Time // when the exports were asked for, by our clock
	Exports []Listed  // one for each key
	Backups []archive.Backup
	// Unlisted reports whether the exports couldn't be listed, so that Exports is empty:
	// what lies in the model container is archived all the same.
	Unlisted bool
	// Unusable are listed exports that nothing can be stored under.
	Unusable []customvision.Export
}

// Listed is an export in the API's list.
type Listed struct {
	customvision.Export
	Key archive.Key
	// Others are further entries of the same name that are done, and have links.
	Others []customvision.Export
}

// Step is one thing to do. Two steps are the same thing to do if they are equal.
type Step struct {
	Kind ActionKind
	state.Scope
}

// Concerns reports whether a scope is that of an iteration, or of an export or a blob of
// it that has the platform; any platform where that is empty.
func Concerns(s state.Scope, iteration, platform string) bool {
	of := platformOf(s.Export)
	if s.Blob != "" {
		_, _, of, _ = customvision.ParseBlobName(s.Blob)
	}
	return s.Iteration == iteration && (platform == "" || of == "" || customvision.SamePlatform(of, platform))
}

// Action is one step of a plan.
type Action struct {
	Step
	Code state.Code // of a Postpone
	Why  string     // for a person
	// Until is when a Postpone is over by itself; zero where nobody knows.
	Until time.Time
	// Sight is a fingerprint of what a Postpone was found by, where that matters.
	Sight string
	// Training is what is trained, of a Retrain and a Train; nil of others.
	Training *Training
	// QuickTests is how many pictures a Measure asks, at most; 0 where the service has measured.
	QuickTests int
}

// ActionKind names what is done.
type ActionKind string

const (
	Inspect  ActionKind = "inspect"  // see the exports: never planned, since a run begins with it
	Describe ActionKind = "describe" // gather what proofs say of the iteration
	Backup   ActionKind = "backup"   // archive and prove a finished export
	Collect  ActionKind = "collect"  // archive a blob that no listed export accounts for
	Export   ActionKind = "export"   // ask for an export
	Delete   ActionKind = "delete"   // delete an iteration at the service, to make room
	Bury     ActionKind = "bury"     // record that an iteration which the app deleted is gone
	Retrain  ActionKind = "retrain"  // train again, after a failure or because it is worth it
	Train    ActionKind = "train"    // train because a person asks for it: never planned by Plan
	Measure  ActionKind = "measure"  // ask how well an iteration predicts, for the gate
	Publish  ActionKind = "publish"  // give an iteration the name that the policy publishes under
	Promote  ActionKind = "promote"  // the same because a person asks for it
	Adopt    ActionKind = "adopt"    // record what came of an intent whose answer was lost
	Postpone ActionKind = "postpone" // record that something can't be done now, and why
	Wait     ActionKind = "wait"     // nothing to do until the service has finished
	Settle   ActionKind = "settle"   // record that everything is done
)

// personal reports whether nobody but a person asks for it, who hears at once what becomes
// of it: nothing is put off.
func (k ActionKind) personal() bool { return k == Train || k == Promote }

// reads reports whether the action reads a package.
func (a Action) reads() bool { return a.Kind == Backup || a.Kind == Collect }

// Rules are the policy for one project with the times that plans depend on.
type Rules struct {
	policy.Rule
	Mode       policy.Mode
	Under      string        // fingerprint of what conditions were met under
	StuckAfter time.Duration // an export that takes longer no longer holds its platform
	Grace      time.Duration // after a dead sender's deadline, until another may send
	SettledFor time.Duration // until a settled iteration is looked at again, at most
	Ask        *Ask          // what a person asks for; nil otherwise
}

// Plan says what is to be done, in order: first what secures what there is, with
// what has failed least often in front. It has no I/O and changes nothing. What an
// action will show is not guessed: after acting, plan again.
func Plan(r Rules, o Observed) []Action {
	p := &plan{Rules: r, o: o}
	for _, s := range o.Unusable {
		p.postpone(s, state.BadName, "its id is no GUID, so nothing can be stored under it")
	}
	for _, it := range o.Iterations {
		switch it.Status {
		case customvision.StatusTraining:
			p.add(Wait, state.Scope{Iteration: it.ID}, "it is training")
		case customvision.StatusCompleted:
			if look := o.Looks[it.ID]; look != nil {
				p.completed(it, look)
			}
		}
	}
	p.retrain()
	p.openTrainings()
	p.promote()
	p.deletions()
	p.room()
	p.blobs()
	p.actions = slices.DeleteFunc(p.actions, func(a Action) bool { return o.Tried[a.Step] })
	slices.SortStableFunc(p.actions, func(a, b Action) int { return cmp.Compare(p.attempts(a), p.attempts(b)) })
	return p.actions
}

// plan is a plan while it is made.
type plan struct {
	Rules
	o       Observed
	actions []Action
	// lacksSet reports whether a gate asks for the hold-out set, which wasn't looked at.
	lacksSet bool
}

func (p *plan) add(kind ActionKind, s state.Scope, why string) {
	p.actions = append(p.actions, Action{Step: Step{Kind: kind, Scope: s}, Why: why})
}

// postpone plans to record a condition, unless it is known and not yet due.
func (p *plan) postpone(s state.Scope, code state.Code, why string) {
	if c := p.o.Project.Condition(s); p.due(s) || c.Code != code {
		p.actions = append(p.actions, Action{Step: Step{Kind: Postpone, Scope: s}, Code: code, Why: why})
	}
}

// due reports whether nothing keeps a scope from being tried now.
// What the service's limit kept from being trained is due as soon as there is room: as
// soon as the project has fewer iterations than it had then.
func (p *plan) due(s state.Scope) bool {
	c := p.o.Project.Condition(s)
	return due(c, p.Under, p.o.Now) || c.Code == state.Full && s != noRoom && p.o.count() < c.At
}

func (p *plan) attempts(a Action) int {
	if c := p.o.Project.Condition(a.Scope); c != nil && a.reads() {
		return c.Attempts
	}
	return 0
}

// blobs plans for blobs of the model container that nothing else accounts for: of
// iterations that the service no longer has, or that no export in its list is.
func (p *plan) blobs() {
	backedUp, costly := p.backedUp(), p.costly()
	for id, blobs := range p.o.Blobs {
		look := p.o.Looks[id]
		if look == nil || backedUp[id] {
			continue // what is still to be backed up may turn out to be one of them
		}
		settled, waits := look.settledBlobs(), look.waitingBlobs()
		completed := slices.ContainsFunc(p.o.Iterations, func(it customvision.Iteration) bool {
			return it.ID == id && it.Status == customvision.StatusCompleted
		})
		for _, b := range blobs {
			s := state.Scope{Iteration: id, Blob: b.Name, ETag: b.ETag}
			given := slices.ContainsFunc(costly, func(e state.Scope) bool {
				return e.Iteration == id && customvision.SamePlatform(platformOf(e.Export), b.Platform)
			})
			if !settled(b) && !(completed && waits(b)) && p.due(s) && !given {
				p.add(Collect, s, "it lies in the model container, and no export in the list is it")
			}
		}
	}
	slices.SortStableFunc(p.actions, func(a, b Action) int { return cmp.Compare(a.Blob, b.Blob) })
}

// costly are the exports that were given up for what reading them costs. A blob that
// may be one of them would cost the same again.
func (p *plan) costly() []state.Scope {
	var exports []state.Scope
	for _, c := range p.o.Project.Conditions {
		if c.Export != "" && (c.Code == state.Unfinished || c.Code == state.TooCostly) {
			exports = append(exports, c.Scope)
		}
	}
	return exports
}

// backedUp are the iterations of which a backup is due.
func (p *plan) backedUp() map[string]bool {
	iterations := map[string]bool{}
	for _, a := range p.actions {
		if a.Kind == Backup {
			iterations[a.Iteration] = true
		}
	}
	return iterations
}

// settledBlobs reports of a blob of the model container whether it, in this version,
// needs no look of its own: it is archived, or kept while an export of its platform that
// it may be isn't proven. Of a damaged copy the blob itself may be good. There may be very
// many blobs.
func (l *Look) settledBlobs() func(models.Blob) bool {
	type version struct{ name, etag string }
	counted, doubtful := map[version]bool{}, map[version]bool{}
	for _, c := range l.Backups {
		if c.Origin.Kind == archive.FromContainer {
			v := version{c.Origin.Name, c.Origin.ETag}
			counted[v] = counted[v] || c.Verdict.Counts()
			doubtful[v] = doubtful[v] || c.Verdict == archive.Unidentified
		}
	}
	return func(b models.Blob) bool {
		v := version{b.Name, b.ETag}
		return counted[v] || doubtful[v] && slices.ContainsFunc(l.Exports, func(e Listed) bool {
			return e.Status == customvision.ExportDone && customvision.SamePlatform(e.Platform, b.Platform) && !l.proven(e.Key)
		})
	}
}

// waitingBlobs reports of a blob of the model container whether a copy of it, in this
// version, waits for its proof, which the export's backup writes.
func (l *Look) waitingBlobs() func(models.Blob) bool {
	type version struct{ name, etag string }
	waits, copied := map[version]bool{}, l.copied()
	for _, c := range l.Backups {
		if !l.Unlisted && c.Origin.Kind == archive.FromContainer && copied[c.Key] {
			waits[version{c.Origin.Name, c.Origin.ETag}] = true
		}
	}
	return func(b models.Blob) bool { return waits[version{b.Name, b.ETag}] }
}

// of are the copies of an export that the archive holds.
func (l *Look) of(key archive.Key) []archive.Backup {
	return slices.DeleteFunc(slices.Clone(l.Backups), func(b archive.Backup) bool { return b.Key != key })
}

// proven reports whether the archive has a backup of an export that counts.
func (l *Look) proven(key archive.Key) bool {
	return slices.ContainsFunc(l.Backups, func(b archive.Backup) bool { return b.Key == key && b.Verdict.Counts() })
}

// copied are the exports of which the archive has a copy that waits for its proof, and
// nothing better.
func (l *Look) copied() map[archive.Key]bool {
	copied := map[archive.Key]bool{}
	for _, b := range l.Backups {
		if b.Verdict == "" {
			copied[b.Key] = true
		}
	}
	for _, b := range l.Backups {
		if b.Verdict.Counts() {
			delete(copied, b.Key)
		}
	}
	return copied
}

// Status is what was seen of an export, by its name: proven in the archive, exported,
// exporting, or empty where it isn't under way.
func (l *Look) Status(name string) string {
	status := ""
	for _, e := range l.Exports {
		switch {
		case e.Key.String() != name || e.Status == customvision.ExportFailed:
		case e.Status == customvision.ExportDone:
			status = "exported"
		default:
			status = "exporting"
		}
	}
	if slices.ContainsFunc(l.Backups, func(b archive.Backup) bool { return b.Key.String() == name && b.Verdict.Counts() }) {
		return "proven"
	}
	return status
}

// names are the exports of a status in the list.
func (l *Look) names(status string) []string {
	var names []string
	for _, e := range l.Exports {
		if e.Status == status {
			names = append(names, e.Key.String())
		}
	}
	return names
}

// lacks reports whether an export isn't in the list, nor proven.
func (l *Look) lacks(name string) bool {
	return l.Status(name) == "" && !slices.ContainsFunc(l.Exports, func(e Listed) bool { return e.Key.String() == name })
}

// lacked reports whether a condition says that an export was there which the list lacks.
func (l *Look) lacked(c *state.Condition) bool {
	return l != nil && c.Export != "" && (c.Unproven || c.Code == state.ExportStuck || c.Code == state.Exporting) && l.lacks(c.Export)
}

// export finds an export of the API's list by its key; nil where there is none.
func (l *Look) export(key archive.Key) *Listed {
	for i := range l.Exports {
		if l.Exports[i].Key == key {
			return &l.Exports[i]
		}
	}
	return nil
}

// done reports whether the list has the export as done.
func (l *Look) done(key archive.Key) bool {
	e := l.export(key)
	return e != nil && e.Status == customvision.ExportDone
}

// see puts an export into the list. Of two entries with one key Done wins, then a link,
// then what isn't Failed. Of those that are done every link is kept.
func (l *Look) see(key archive.Key, e customvision.Export) {
	known := l.export(key)
	done := func(e customvision.Export) bool { return e.Status == customvision.ExportDone }
	switch {
	case known == nil:
		l.Exports = append(l.Exports, Listed{Export: e, Key: key})
	case done(e) && done(known.Export) && known.DownloadURI != "":
		if e.DownloadURI != "" && e.DownloadURI != known.DownloadURI {
			known.Others = append(known.Others, e)
		}
	case done(e), !done(known.Export) && known.Status == customvision.ExportFailed:
		known.Export = e
	}
}

// isWanted reports whether the rule asks for exports of the iteration.
func isWanted(r policy.Rule, it customvision.Iteration, all []customvision.Iteration) bool {
	return slices.ContainsFunc(r.Iterations, func(which string) bool {
		switch which {
		case policy.All: // what a twin brought along, so that it was made after its training, isn't what a twin is for
			return !r.OfTwin || it.TrainedAt == nil || it.TrainedAt.After(it.Created)
		case policy.Published:
			return it.PublishName != ""
		case policy.Newest:
			return it.ID == newest(all)
		}
		return it.ID == which // a person asks for it
	})
}

// newest is the completed iteration that was trained last, by trainedAt: neither
// position nor name nor created says so. Of two trained at once it is always the same.
// It is "" while one whose trainedAt can't be read may have been trained later: that was
// no later than its last change.
func newest(all []customvision.Iteration) string {
	var id string
	var at time.Time
	for _, it := range all {
		if it.Status != customvision.StatusCompleted || it.TrainedAt == nil {
			continue
		}
		if it.TrainedAt.After(at) || it.TrainedAt.Equal(at) && it.ID > id {
			id, at = it.ID, *it.TrainedAt
		}
	}
	if slices.ContainsFunc(all, func(it customvision.Iteration) bool {
		return it.Status == customvision.StatusCompleted && it.TrainedAt == nil && (it.LastModified.IsZero() || it.LastModified.After(at))
	}) {
		return ""
	}
	return id
}

// settled reports whether an iteration needs no look: everything was done under
// this rule, not long ago, its exports were seen with the last look, and no condition
// is due. One that is no longer wanted asks for nothing more.
func settled(r Rules, o Observed, it customvision.Iteration) bool {
	record := o.Project.Iterations[it.ID]
	if record == nil || record.Settled == nil || o.Project.Condition(state.Scope{Iteration: it.ID, Fact: state.FactExports}) != nil {
		return false
	}
	s := record.Settled
	return s.Rule == r.hash() && (s.Wanted || !isWanted(r.Rule, it, o.Iterations)) &&
		o.Now.Sub(s.At) < spread(r.SettledFor, it.ID) && !anyDue(r, o, it.ID)
}

// anyDue reports whether a condition of the iteration is to be tried again now.
func anyDue(r Rules, o Observed, iteration string) bool {
	return slices.ContainsFunc(o.Project.Conditions, func(c *state.Condition) bool {
		return c.Iteration == iteration && c.Fact != state.FactRoom && !ofPromoting(c) && due(c, r.Under, o.Now) && (r.Mode == policy.Act || !ofAsking(c))
	})
}

// ofAsking reports whether the condition is of an effect, which nothing tries with
// mode observe.
func ofAsking(c *state.Condition) bool {
	return c.Blob == "" && c.Fact == "" && !c.Unproven && c.Code != state.NotExportable && c.Code != state.NotOffered && c.Code != state.BadName
}

// hash is the fingerprint of all that a settled iteration was settled under.
func (r Rules) hash() string { return string(r.Mode) + "-" + r.Hash() }

// keepsOpen reports whether there is more to come after the action. In observe mode
// nothing comes of what isn't done.
func keepsOpen(r Rules, a Action) bool {
	return a.Kind == Describe || a.Kind == Backup || a.Kind == Wait || a.Kind == Export && r.Mode == policy.Act
}

func countFunc[T any](list []T, is func(T) bool) int {
	n := 0
	for _, v := range list {
		if is(v) {
			n++
		}
	}
	return n
}
