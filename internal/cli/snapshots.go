package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
)

// snapshot is one of a data set, with the names that its proof has.
type snapshot struct {
	dataset.Snapshot
	project, iteration string
	trained            int64 // order in time; 0 where it isn't known
	published          bool
}

// verifiedSnapshot is what verify found of one.
type verifiedSnapshot struct {
	Project    string          `json:"project"`
	Of         string          `json:"of"` // the iteration's name, or workspace
	Blob       string          `json:"blob"`
	Finding    finding         `json:"finding"`
	Verdict    dataset.Verdict `json:"verdict"`
	VerifiedAt *time.Time      `json:"verifiedAt"` // when the proof was written; null without one that can be read
	Images     int             `json:"images"`
	Why        string          `json:"why"`
}

// snapshots finds those of the project and the iteration that are named.
func (p *program) snapshots(ctx context.Context, v *vault, s selection) ([]snapshot, error) {
	listed, err := v.sets.Snapshots(ctx, "")
	if err != nil {
		return nil, err
	}
	all := make([]snapshot, len(listed))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(proofReaders)
	for n, l := range listed {
		group.Go(func() error {
			all[n] = snapshot{Snapshot: l, project: l.Project, iteration: l.Of}
			proof, err := v.sets.Proof(groupCtx, l)
			if err != nil { // verify says why it can't be read
				return groupCtx.Err()
			}
			all[n].project, all[n].iteration = cmp.Or(proof.ProjectName, l.Project), cmp.Or(proof.IterationName, l.Of)
			if all[n].published = proof.PublishedName != ""; proof.TrainedAt != nil {
				all[n].trained = proof.TrainedAt.UnixNano()
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(one snapshot) bool {
		return !isNamed(s.project, one.project, one.Project) || !isNamed(s.iteration, one.iteration, one.Of)
	}), nil
}

// proofReaders is how many proofs are read at a time.
const proofReaders = 8

// verifySnapshots reads those of a share again.
func (p *program) verifySnapshots(ctx context.Context, v *vault, list []snapshot, part, parts int, result *verifyResult) error {
	var checked dataset.Checked
	for i, one := range list {
		if int(crc32.ChecksumIEEE([]byte(one.Blob())))%parts != part-1 {
			continue
		}
		p.out.progress(i, len(list), one.project+", "+one.iteration+", data set")
		proof, err := v.sets.Reverify(ctx, one.Snapshot, &checked)
		got := verifiedSnapshot{
			Project: one.project, Of: one.iteration, Blob: one.Blob(), Finding: holds, Verdict: one.Verdict, Images: proof.Found.Images, Why: proof.Note,
		}
		if !proof.Ended.IsZero() {
			got.VerifiedAt = &proof.Ended
		}
		bad, isBad := faultOf(err)
		switch {
		case err != nil && !isBad:
			return err
		case errors.Is(err, archive.ErrUnproven):
			got.Finding, got.Why = unproven, bad.why
		case err != nil:
			got.Finding, got.Why = bad.finding, err.Error()
			result.BadSnapshots++
		case one.Verdict != dataset.Complete:
			got.Finding = kept
		}
		result.Snapshots = append(result.Snapshots, got)
	}
	return nil
}

func (p *program) sayVerifiedSnapshots(r verifyResult) {
	if len(r.Snapshots) == 0 {
		return
	}
	if r.Total > 0 {
		p.out.say("")
	}
	rows := [][]string{{"PROJECT", "DATA SET OF", "IMAGES", "FINDING", "VERDICT", "PROVEN AT", "WHY"}}
	for _, s := range r.Snapshots {
		at := "-"
		if s.VerifiedAt != nil {
			at = s.VerifiedAt.Format("2006-01-02")
		}
		rows = append(rows, []string{s.Project, s.Of, fmt.Sprint(s.Images), string(s.Finding), orDash(string(s.Verdict)), at, s.Why})
	}
	p.out.table(rows)
	p.out.say("")
	if r.BadSnapshots > 0 {
		p.out.say("%s", p.out.red(fmt.Sprintf("%d of %s %s no longer what they were.", r.BadSnapshots, count(len(r.Snapshots), "snapshot"), are(r.BadSnapshots))))
		return
	}
	p.out.say("%s", p.out.green(sentence(count(len(r.Snapshots), "snapshot"))+" read, with every image."))
}

// isNamed reports whether a person's word is one of a thing's names, its id, or nothing.
func isNamed(word, name, id string) bool {
	parsed, err := customvision.ParseID(word)
	return word == "" || strings.EqualFold(word, name) || strings.EqualFold(word, id) || err == nil && parsed == id
}
