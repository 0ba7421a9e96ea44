package state

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"visionkeeper/internal/seal"
)

// formatVersion is that of a project's state. Version 1 had no number.
const formatVersion = 2

// ErrNewer says that a newer version of the program wrote the state. Nothing is
// changed then: it may hold what this version doesn't know.
var ErrNewer = errors.New("a newer version of Visionkeeper wrote it: publish that version again, or a later one")

// decode reads a project's state of this format or of an earlier one.
func decode(data []byte, p *Project) error {
	if len(data) > maxBlob {
		return fmt.Errorf("it is larger than %d bytes: %w", maxBlob, seal.ErrBroken)
	}
	var body json.RawMessage
	if err := seal.Unmarshal(data, &body); err != nil {
		return err
	}
	var format struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(body, &format); err != nil {
		return err
	}
	if format.Version > formatVersion {
		return ErrNewer
	}
	s := stored{Project: *p}
	if err := json.Unmarshal(body, &s); err != nil {
		return err
	}
	*p = unpack(s)
	if format.Version < formatVersion {
		return upgrade(body, p)
	}
	return nil
}

// upgrade brings a state of version 1 into this form: what was given up there is
// looked at again. When it first saw a project it didn't record.
func upgrade(body []byte, p *Project) error {
	if p.Name != "" {
		p.Seen = time.Unix(0, 0).UTC()
	}
	var before struct {
		Iterations map[string]struct {
			Blocked string `json:"blocked"`
			Exports map[string]struct {
				Refused string `json:"refused"`
				Blocked string `json:"blocked"`
			} `json:"exports"`
		} `json:"iterations"`
	}
	if err := json.Unmarshal(body, &before); err != nil {
		return err
	}
	for id, it := range before.Iterations {
		given := it.Blocked != ""
		for _, e := range it.Exports {
			given = given || e.Refused != "" || e.Blocked != ""
		}
		if given {
			p.Iteration(id).Settled = nil
		}
	}
	return nil
}

// maxFacts bounds what is kept of one iteration for its proofs, in bytes.
const maxFacts = 256 << 10

// boundedFacts are facts without their largest members, as far as they are too large.
func boundedFacts(facts json.RawMessage) json.RawMessage {
	if len(facts) <= maxFacts {
		return facts
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(facts, &members) != nil {
		return nil
	}
	left := len(facts)
	largest := func(a, b string) int { return cmp.Compare(len(members[b]), len(members[a])) }
	for _, name := range slices.SortedFunc(maps.Keys(members), largest) {
		if left <= maxFacts {
			break
		}
		left -= len(members[name])
		delete(members, name)
	}
	kept, err := json.Marshal(members)
	if err != nil || len(kept) > maxFacts {
		return nil
	}
	return kept
}

// encode is a project's state as it is written, within maxBlob. Of what is too large,
// what can be learnt again at the least cost goes first. The texts of the pauses of
// single blobs come with the next try; the pauses themselves cost the tries; pictures can be
// asked for again; which blobs are archived, the archive knows as well. Facts go late: of a deleted iteration nobody
// else has them. Events that wait go last. p itself stays whole.
func encode(p Project) ([]byte, error) {
	data, err := pack(p)
	if err != nil || len(data) <= maxBlob {
		return data, err
	}
	p = p.Clone()
	for _, leaveOut := range []func(){
		p.Outbox.forget,
		p.coarsenPauses,
		func() {
			p.Conditions = slices.DeleteFunc(p.Conditions, func(c *Condition) bool { return c.Blob != "" })
		},
		func() { p.Shown = nil },
		func() { p.eachIteration(func(it *Iteration) { it.Measuring = nil }) },
		func() { p.eachIteration(func(it *Iteration) { it.Blobs = nil }) },
		func() { p.eachIteration(func(it *Iteration) { it.Facts = nil }) },
		func() { p.Outbox = nil },
	} {
		leaveOut()
		if data, err = pack(p); err != nil || len(data) <= maxBlob {
			return data, err
		}
	}
	return nil, fmt.Errorf("the state of project %s is larger than %d bytes", p.ID, maxBlob)
}

func (p *Project) eachIteration(do func(*Iteration)) {
	for _, it := range p.Iterations {
		if it != nil {
			do(it)
		}
	}
}

// indentedUpTo is the size up to which a state is indented, for people, in bytes.
const indentedUpTo = 1 << 20

// stored is the form of a state in its blob.
type stored struct {
	Project
	// Pauses are the conditions of single blobs, which may be very many.
	Pauses []*pause `json:"pauses,omitempty"`
}

// pack seals a state. A blob whose name is made of the project's and the iteration's
// ids, as Custom Vision makes it, is named by what follows them.
func pack(p Project) ([]byte, error) {
	s := stored{Project: p}
	s.Iterations = each(p.Iterations, func(it Iteration) Iteration { return it })
	for id, it := range s.Iterations {
		it.Facts = boundedFacts(it.Facts)
		it.Blobs = renamed(it.Blobs, func(name string) string { return shortBlob(p.ID, id, name) })
	}
	s.Conditions, s.Pauses = packPauses(p)
	data, err := seal.Marshal(s)
	if err != nil || len(data) <= indentedUpTo {
		return data, err
	}
	var b bytes.Buffer
	err = json.Compact(&b, data)
	return b.Bytes(), err
}

// unpack makes a state of its form in the blob.
func unpack(s stored) Project {
	p := s.Project
	for id, it := range p.Iterations {
		if it != nil {
			it.Blobs = renamed(it.Blobs, func(name string) string { return wholeBlob(p.ID, id, name) })
		}
	}
	p.Conditions = slices.DeleteFunc(p.Conditions, func(c *Condition) bool { return c == nil })
	maps.DeleteFunc(p.Deletions, func(_ string, d *Deletion) bool { return d == nil })
	p.Trainings = slices.DeleteFunc(p.Trainings, func(t *Training) bool { return t == nil })
	if p.Outbox != nil {
		p.Outbox.Events = slices.DeleteFunc(p.Outbox.Events, func(e *Event) bool { return e == nil })
	}
	unpackPauses(&p, s.Pauses)
	return p
}

// blobPrefix begins the names of an iteration's blobs; see customvision.BlobName.
func blobPrefix(project, iteration string) string { return project + " - " + iteration + "." }

func shortBlob(project, iteration, name string) string {
	if rest, ok := strings.CutPrefix(name, blobPrefix(project, iteration)); ok {
		return "." + rest
	}
	return name
}

func wholeBlob(project, iteration, name string) string {
	if rest, ok := strings.CutPrefix(name, "."); ok {
		return blobPrefix(project, iteration) + rest
	}
	return name
}

func renamed(blobs map[string]string, name func(string) string) map[string]string {
	if blobs == nil {
		return nil
	}
	all := make(map[string]string, len(blobs))
	for n, etag := range blobs {
		all[name(n)] = etag
	}
	return all
}
