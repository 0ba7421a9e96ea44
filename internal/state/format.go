package state

import (
	"encoding/json"
	"errors"
	"fmt"
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
	if err := json.Unmarshal(body, p); err != nil {
		return err
	}
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

// maxFacts bounds what is remembered of one iteration for its proofs, in bytes.
const maxFacts = 256 << 10

// encode is a project's state as it is written, within maxBlob: of what is too
// large the facts go first, which can be asked for again, and then the blobs that
// are known to be archived, which the archive tells as well.
func encode(p Project) ([]byte, error) {
	for _, it := range p.Iterations {
		if it != nil && len(it.Facts) > maxFacts {
			it.Facts = nil
		}
	}
	data, err := seal.Marshal(p)
	if err != nil || len(data) <= maxBlob {
		return data, err
	}
	for _, it := range p.Iterations {
		if it != nil {
			it.Blobs = nil
		}
	}
	data, err = seal.Marshal(p)
	if err == nil && len(data) > maxBlob {
		err = fmt.Errorf("the state of project %s is larger than %d bytes", p.ID, maxBlob)
	}
	return data, err
}
