package cli

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/seal"
)

// finding is what verify found of one backup.
type finding string

const (
	holds    finding = "holds"    // the bytes are those of its proof
	resting  finding = "resting"  // in the Archive tier, where nothing can be read
	unproven finding = "unproven" // there is no proof
	broken   finding = "broken"   // the bytes, or the proof, are not what they were
	lost     finding = "lost"     // the package or its proof is gone
)

type verifyResult struct {
	Share   string     `json:"share"`
	Total   int        `json:"total"` // backups in the share
	Checked []verified `json:"checked"`
	Unread  int        `json:"unread"` // left out by an interruption or an error
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
}

// bad reports whether the exit code must say that something is wrong.
func (v verified) bad() bool { return v.Finding != holds && v.Finding != resting }

func (p *program) verifyCommand() *cobra.Command {
	var s selection
	var share string
	c := p.verb("verify", "Read backups again and prove that each is what it was", `
Works from the archive alone: without Custom Vision, its key, and the state. It
compares every byte with the proof that was written when the model was archived,
and writes nothing. A package in the Archive tier can't be read: it is listed as
resting, with its last proof. The exit code is 3 if anything is wrong.`,
		func(ctx context.Context, _ []string) error {
			return failedTo("verify the archive", p.verify(ctx, s, share))
		})
	s.flags(c)
	c.Flags().StringVar(&share, "share", "1/1", "only one `part` of the backups, such as 1/7: the seven parts are all")
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
	if models, err = s.choose(models); err != nil {
		return err
	}
	type item struct {
		*archive.Model
		archive.Backup
	}
	var items []item
	for _, m := range models {
		for _, b := range m.Backups {
			if int(crc32.ChecksumIEEE([]byte(b.Blob+b.Proof)))%parts == part-1 {
				items = append(items, item{m, b})
			}
		}
	}
	result := verifyResult{Share: share, Total: len(items), Checked: []verified{}}
	var failure error
	for i, it := range items {
		name := it.ProjectName + ", " + it.IterationName + ", " + it.Key.String()
		p.out.progress(i, len(items), name)
		one, err := examine(ctx, v.archive, it.Backup)
		if err != nil {
			failure, result.Unread = err, len(items)-i
			break
		}
		one.Project, one.Iteration, one.Export = it.ProjectName, it.IterationName, it.Key.String()
		result.Checked = append(result.Checked, one)
	}
	if err := p.out.result(result, func() { p.sayVerified(result) }); err != nil {
		return err
	}
	if failure != nil {
		p.out.warn("%s not read.", sentence(count(result.Unread, "backup")+" "+are(result.Unread)))
		return failure
	}
	for _, c := range result.Checked {
		if c.bad() {
			return exitCode(exitFound)
		}
	}
	return nil
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
		if v.Finding == "" {
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
		p.out.say("There is no backup in this share.")
		return
	}
	rows := [][]string{{"PROJECT", "ITERATION", "EXPORT", "FINDING", "VERDICT", "PROVEN AT", "WHY"}}
	number := map[finding]int{}
	bad := 0
	for _, c := range r.Checked {
		at := "-"
		if c.VerifiedAt != nil {
			at = c.VerifiedAt.Format("2006-01-02")
		}
		rows = append(rows, []string{c.Project, c.Iteration, c.Export, string(c.Finding), orDash(string(c.Verdict)), at, c.Why})
		number[c.Finding]++
		if c.bad() {
			bad++
		}
	}
	p.out.table(rows)
	p.out.say("")
	text := fmt.Sprintf("%d of %s hold", number[holds], count(r.Total, "backup"))
	if number[resting] > 0 {
		text += fmt.Sprintf(", %d rest", number[resting])
	}
	if bad > 0 {
		p.out.say("%s", p.out.red(fmt.Sprintf("%s, %d %s wrong.", text, bad, are(bad))))
		return
	}
	p.out.say("%s", p.out.green(text+"."))
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
