package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/events"
	"visionkeeper/internal/seal"
	"visionkeeper/internal/state"
)

// finding is what verify found of one backup.
type finding string

const (
	holds    finding = "holds"    // the bytes are those of its proof, which makes it a backup
	kept     finding = "kept"     // as archived, and no backup: the proof says damaged or unidentified
	resting  finding = "resting"  // a backup in the Archive tier, where nothing can be read
	unproven finding = "unproven" // there is no proof
	broken   finding = "broken"   // the bytes, or the proof, are not what they were
	lost     finding = "lost"     // the package or its proof is gone
)

type verifyResult struct {
	Share   string     `json:"share"`
	Total   int        `json:"total"` // packages in the share
	Checked []verified `json:"checked"`
	Unread  int        `json:"unread"` // packages left out by an interruption or an error
	// Of the packages that were checked: Kept are those that are no backup, Lost those
	// that are gone or changed.
	Holds   int `json:"holds"`
	Kept    int `json:"kept"`
	Lost    int `json:"lost"`
	Resting int `json:"resting"`
	// Exports counts the exports that were checked. Unsafe names those of them that have
	// no backup that holds or rests.
	Exports int      `json:"exports"`
	Unsafe  []string `json:"unsafe"`
	// Snapshots are those of data sets. BadSnapshots counts those of them that are no longer
	// what they were.
	Snapshots []verifiedSnapshot `json:"snapshots"`
	// Deleted are the iterations of which this app says that it deleted them at Custom Vision
	// to make room: the archive alone has them.
	Deleted []deletedIteration `json:"deleted,omitempty"`
	// Twins are the models that can't be exported and have a compact twin in the archive,
	// which is not the same model.
	Twins        []twinned `json:"twins,omitempty"`
	BadSnapshots int       `json:"badSnapshots"`
}

type deletedIteration struct {
	Project   string    `json:"project"`
	Iteration string    `json:"iteration"`
	Gone      time.Time `json:"gone"`
	// Missing are the proofs on which the deletion stood and that are no longer there, as
	// far as their exports are in the share.
	Missing []string `json:"missing"`
}

type twinned struct {
	Project   string `json:"project"`
	Iteration string `json:"iteration"`
	Twin      string `json:"twin"`   // name of the twin's project
	Record    string `json:"record"` // the document that says so
	// Missing are the proofs of the twin's exports that are no longer there, as far as they
	// are in the share.
	Missing []string `json:"missing"`
}

type verified struct {
	Project    string          `json:"project"`
	Iteration  string          `json:"iteration"`
	Export     string          `json:"export"`
	Blob       string          `json:"blob"`
	Finding    finding         `json:"finding"`
	Verdict    archive.Verdict `json:"verdict"`    // of its proof
	VerifiedAt *time.Time      `json:"verifiedAt"` // when the proof was written; null without one that can be read
	Why        string          `json:"why"`

	key string // of the export: names may stand for several
}

// isBackup reports whether the export is safe by this package.
func (v verified) isBackup() bool { return v.Finding == holds || v.Finding == resting }

func (p *program) verifyCommand() *cobra.Command {
	var s selection
	var share string
	c := p.verb("verify", "Read backups again and prove that each is what it was", `
Works from the archive alone: without Custom Vision, its key, and the state. It
compares every byte with the proof that was written when the model was archived,
and writes nothing but, if the app tells others what happens, what is broken or lost. Only what is proven or intact counts as a backup; a package
that was damaged or unidentified from the beginning is kept, and counts as none.
A package in the Archive tier can't be read: it rests, with its last proof. Of a
data set every line and every image is read.

The exit code is 3 if an export in the archive has no backup that holds or rests,
or if a snapshot of a data set isn't what it was.
Exports that never came into the archive are shown by the verb status.`,
		func(ctx context.Context, _ []string) error {
			return failedTo("verify the archive", p.verify(ctx, s, share))
		})
	s.flags(c)
	c.Flags().StringVar(&share, "share", "1/1", "only one `part` of the exports, such as 1/7: the seven parts are all")
	return c
}

func (p *program) verify(ctx context.Context, s selection, share string) error {
	part, parts, err := parseShare(share)
	if err != nil {
		return err
	}
	v, err := p.openVault()
	if err != nil {
		return err
	}
	models, err := v.archive.Inventory(ctx)
	if err != nil {
		return err
	}
	snapshots, err := p.snapshots(ctx, v, s)
	if err != nil {
		return err
	}
	stones, err := v.archive.Tombstones(ctx, "")
	if err != nil {
		return err
	}
	twins, err := v.archive.Twins(ctx, "")
	if err != nil {
		return err
	}
	inventory := models
	if chosen, err := s.choose(models); err == nil {
		models = chosen
	} else if len(snapshots) == 0 {
		return err
	} else {
		models = nil
	}
	type item struct {
		*archive.Model
		archive.Backup
	}
	var items []item
	for _, m := range models {
		for _, b := range m.Backups { // the copies of an export are in one share
			if inShare(b.Key, part, parts) {
				items = append(items, item{m, b})
			}
		}
	}
	result := verifyResult{Share: share, Total: len(items), Checked: []verified{}, Snapshots: []verifiedSnapshot{}}
	var failure error
	bad := map[string][]state.Event{} // by project
	for i, it := range items {
		name := it.ProjectName + ", " + it.IterationName + ", " + it.Key.String()
		p.out.progress(i, len(items), name)
		one, err := examine(ctx, v.archive, it.Backup)
		if err != nil {
			failure, result.Unread = err, len(items)-i
			break
		}
		one.Project, one.Iteration, one.Export = it.ProjectName, it.IterationName, it.Key.String()
		one.key = exportID(it.Key)
		result.Checked = append(result.Checked, one)
		if one.Finding == broken || one.Finding == lost {
			bad[it.Backup.Project] = append(bad[it.Backup.Project], events.Broken(v.archive, it.Backup, it.ProjectName, it.IterationName, string(one.Finding), one.Why, time.Now()))
		}
	}
	if err := events.Note(ctx, v.state, bad); err != nil {
		p.out.warn("Others are not told of it: %s.", err)
	}
	result.count()
	if s != (selection{}) {
		stones = of(stones, models)
		twins = slices.DeleteFunc(twins, func(t archive.Twin) bool {
			return !slices.ContainsFunc(models, func(m *archive.Model) bool { return m.Project == t.Twin.Project })
		})
	}
	there := proofsOf(inventory)
	result.addDeleted(v.archive, stones, there, part, parts)
	result.addTwins(v.archive, twins, there, part, parts)
	if failure == nil {
		failure = p.verifySnapshots(ctx, v, snapshots, part, parts, &result)
	}
	if err := p.out.result(result, func() { p.sayVerified(result); p.sayVerifiedSnapshots(result) }); err != nil {
		return err
	}
	switch {
	case failure != nil:
		p.out.warn("%s not read.", sentence(count(result.Unread, "package")+" "+are(result.Unread)))
		return failure
	case len(result.Unsafe) > 0, result.BadSnapshots > 0:
		return exitCode(exitFound)
	}
	return nil
}

// of leaves the tombstones of the models.
func of(stones []archive.Tombstone, models []*archive.Model) []archive.Tombstone {
	return slices.DeleteFunc(stones, func(t archive.Tombstone) bool {
		return !slices.ContainsFunc(models, func(m *archive.Model) bool { return m.Project == t.Project && m.Iteration == t.Iteration })
	})
}

// inShare reports whether the copies of an export are in one of so many parts.
func inShare(k archive.Key, part, parts int) bool {
	return int(crc32.ChecksumIEEE([]byte(exportID(k))))%parts == part-1
}

// proofsOf are the names of all proofs.
func proofsOf(inventory []*archive.Model) map[string]bool {
	there := map[string]bool{}
	for _, m := range inventory {
		for _, b := range m.Backups {
			there[b.Proof] = true
		}
	}
	return there
}

// addDeleted adds the iterations that the app deleted.
func (r *verifyResult) addDeleted(a *archive.Archive, stones []archive.Tombstone, there map[string]bool, part, parts int) {
	for _, t := range stones {
		d := deletedIteration{Project: cmp.Or(t.ProjectName, t.Project), Iteration: cmp.Or(t.IterationName, t.Iteration), Gone: *t.Gone}
		d.Missing = r.missing(a, d.Project+", "+d.Iteration, t.Proofs, there, part, parts)
		r.Deleted = append(r.Deleted, d)
	}
}

// addTwins adds the models that have a compact twin.
func (r *verifyResult) addTwins(a *archive.Archive, twins []archive.Twin, there map[string]bool, part, parts int) {
	for _, t := range twins {
		one := twinned{Project: t.Original.ProjectName, Iteration: t.Original.IterationName, Twin: t.Twin.ProjectName, Record: t.Blob()}
		one.Missing = r.missing(a, t.Twin.ProjectName+", "+t.Twin.IterationName, t.Twin.Proofs, there, part, parts)
		r.Twins = append(r.Twins, one)
	}
}

// missing are the proofs that a document names and that are gone without a trace: exports
// of a model that aren't safe.
func (r *verifyResult) missing(a *archive.Archive, model string, proofs []string, there map[string]bool, part, parts int) []string {
	missing := []string{}
	for _, proof := range proofs {
		b, err := a.ByProof(proof)
		if err == nil && inShare(b.Key, part, parts) && !there[proof] {
			missing = append(missing, proof)
			r.Exports++
			r.Unsafe = append(r.Unsafe, model+", "+b.Key.String()+": its proof is gone")
		}
	}
	return missing
}

// exportID tells exports of all projects apart.
func exportID(k archive.Key) string { return k.Project + "/" + k.Iteration + "/" + k.String() }

// count counts what was found.
func (r *verifyResult) count() {
	safe, names := map[string]bool{}, map[string]string{}
	for _, c := range r.Checked {
		switch c.Finding {
		case holds:
			r.Holds++
		case resting:
			r.Resting++
		case kept, unproven:
			r.Kept++
		default:
			r.Lost++
		}
		safe[c.key] = safe[c.key] || c.isBackup()
		names[c.key] = c.Project + ", " + c.Iteration + ", " + c.Export
	}
	r.Exports, r.Unsafe = len(safe), []string{}
	for key, name := range names {
		if !safe[key] {
			r.Unsafe = append(r.Unsafe, name)
		}
	}
	slices.Sort(r.Unsafe)
}

// parseShare reads "2/7".
func parseShare(s string) (part, parts int, err error) {
	left, right, _ := strings.Cut(s, "/")
	part, err = strconv.Atoi(left)
	parts, err2 := strconv.Atoi(right)
	if err != nil || err2 != nil || part < 1 || part > parts {
		return 0, 0, problem{What: fmt.Sprintf("Could not take the share %q", s), Why: "A share is one of equal parts, counted from 1", Do: "Write it as in --share 1/7"}
	}
	return part, parts, nil
}

// examine proves one backup again. An error means that it could not be read.
func examine(ctx context.Context, a *archive.Archive, b archive.Backup) (verified, error) {
	v := verified{Blob: b.Blob, Verdict: b.Verdict}
	if v.Blob == "" {
		v.Blob = b.Proof
	}
	proof, err := a.Reverify(ctx, b)
	if archive.Resting(err) {
		v.Finding, v.Why = resting, "it rests in the Archive tier"
		if proof, err = a.Proof(ctx, b); archive.Resting(err) {
			v.Why, err = "it rests in the Archive tier, and so does its proof", nil
		}
	}
	if !proof.VerifiedAt.IsZero() {
		v.VerifiedAt = &proof.VerifiedAt
	}
	if err == nil {
		switch {
		case !b.Verdict.Counts():
			v.Finding, v.Why = kept, cmp.Or(proof.Note, v.Why)
		case v.Finding == "":
			v.Finding, v.Why = holds, proof.Note
		}
		return v, nil
	}
	found, isBad := faultOf(err)
	if !isBad {
		return v, err
	}
	v.Finding, v.Why = found.finding, found.why
	return v, nil
}

// fault is what is wrong with a backup.
type fault struct {
	finding finding
	why     string
}

// faultOf reports whether err shows a fault of the backup, rather than that the
// backup could not be read.
func faultOf(err error) (fault, bool) {
	switch {
	case errors.Is(err, archive.ErrUnproven):
		return fault{unproven, "it has no proof yet"}, true
	case errors.Is(err, seal.ErrBroken):
		return fault{broken, "its proof is not what was once written"}, true
	case errors.Is(err, archive.ErrDamaged), errors.Is(err, archive.ErrTooLarge):
		return fault{broken, "its bytes are not those that its proof names"}, true
	case errors.Is(err, archive.ErrNotFound):
		return fault{lost, "its package or its proof is gone"}, true
	}
	return fault{}, false
}

func (p *program) sayVerified(r verifyResult) {
	if r.Total == 0 {
		if len(r.Snapshots) > 0 {
			return
		}
		if r.Share == "1/1" {
			p.out.say("There is no backup in the archive.")
			return
		}
		p.out.say("There is no backup in this share.")
		return
	}
	rows := [][]string{{"PROJECT", "ITERATION", "EXPORT", "FINDING", "VERDICT", "PROVEN AT", "WHY"}}
	for _, c := range r.Checked {
		at := "-"
		if c.VerifiedAt != nil {
			at = c.VerifiedAt.Format("2006-01-02")
		}
		rows = append(rows, []string{c.Project, c.Iteration, c.Export, string(c.Finding), orDash(string(c.Verdict)), at, c.Why})
	}
	p.out.table(rows)
	p.out.say("")
	for _, d := range r.Deleted {
		p.out.say("%s, %s: deleted at Custom Vision by this app on %s to make room.", d.Project, d.Iteration, d.Gone.Format("2006-01-02"))
	}
	for _, t := range r.Twins {
		p.out.say("%s, %s: %s is its compact twin, and not the same model.", t.Project, t.Iteration, t.Twin)
	}
	p.out.say("%s: %d %s, %d kept that %s no backup, %d lost or changed, %d resting.",
		sentence(count(len(r.Checked), "package")), r.Holds, hold(r.Holds), r.Kept, are(r.Kept), r.Lost, r.Resting)
	switch {
	case len(r.Unsafe) > 0:
		shown := r.Unsafe[:min(len(r.Unsafe), mostConditions)]
		p.out.say("%s", p.out.red(fmt.Sprintf("%d of %s %s not safe:", len(r.Unsafe), count(r.Exports, "export"), are(len(r.Unsafe)))))
		for _, export := range shown {
			p.out.say("%s", p.out.red("  "+export))
		}
		if more := len(r.Unsafe) - len(shown); more > 0 {
			p.out.say("%s", p.out.red(fmt.Sprintf("  and %d more; --json lists all", more)))
		}
	case r.Unread == 0:
		p.out.say("%s", p.out.green(fmt.Sprintf("%s: each has a backup.", sentence(count(r.Exports, "export")))))
	}
}

func hold(n int) string {
	if n == 1 {
		return "backup holds"
	}
	return "backups hold"
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
