package rescue

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
)

// due reports whether a project is to be looked at.
func (v *run) due() bool {
	if v.p.Taking != nil || v.untold() != nil || v.Now().Sub(v.p.Looked) >= lookEvery {
		return true
	}
	for _, k := range v.p.Kept {
		if k.waits(v.Now()) {
			return true
		}
	}
	return false
}

// waits reports whether a snapshot is to be taken again because it isn't complete.
func (k *Kept) waits(now time.Time) bool {
	return k.Verdict != dataset.Complete && !now.Before(k.Next)
}

// begin looks at the project, and begins the snapshot that is needed first: that of the
// workspace, then those of the iterations, the published and the newest first. It leaves
// Taking nil if none is.
func (v *run) begin(ctx context.Context) error {
	raw, err := v.Service.ProjectJSON(ctx, v.id)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &v.project); err != nil {
		return err
	}
	listed, err := v.Service.IterationsJSON(ctx, v.id)
	if err != nil {
		return err
	}
	v.iterations = nil
	for _, one := range listed {
		var it customvision.Iteration
		if json.Unmarshal(one, &it) == nil {
			it.ID = customvision.Canonical(it.ID)
			v.iterations = append(v.iterations, it)
		}
	}
	if err := v.see(ctx); err != nil {
		return err
	}
	for {
		of, err := v.next(ctx)
		if err != nil || of == "" {
			return errors.Join(err, errors.Join(slices.Collect(maps.Values(v.failed))...))
		}
		if err = v.head(ctx, of, raw, listed); !failsAlone(ctx, err) {
			return err
		}
		v.failed[of] = fmt.Errorf("begin the snapshot of %s: %w", of, err) // the others don't wait for it
	}
}

// failsAlone reports whether the service fails at something, and may do others.
func failsAlone(ctx context.Context, err error) bool {
	var e *customvision.Error
	return ctx.Err() == nil && errors.As(err, &e) && !slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests}, e.Status)
}

// see notes what the service says that there is.
func (v *run) see(ctx context.Context) error {
	var names map[string]string
	all := []SeenIteration{}
	for _, it := range v.iterations {
		s := SeenIteration{ID: it.ID, Name: it.Name, Status: it.Status, Exportable: it.Exportable, DomainID: it.DomainID}
		if it.TrainedAt != nil {
			s.TrainedAt = *it.TrainedAt
		}
		if it.Status == customvision.StatusCompleted && !it.Exportable {
			if names == nil {
				var err error
				if names, err = v.domains(ctx); err != nil {
					return err
				}
			}
			s.Domain = names[customvision.Canonical(it.DomainID)]
		}
		all = append(all, s)
	}
	v.p.Name, v.p.Looked, v.p.Iterations = v.project.Name, v.Now().UTC(), all
	return nil
}

// next is what a snapshot is to be taken of now; empty where there is nothing.
func (v *run) next(ctx context.Context) (string, error) {
	switch kept := v.p.Kept[dataset.Workspace]; {
	case v.wants(dataset.Workspace):
		return dataset.Workspace, nil
	case kept != nil && v.failed[dataset.Workspace] == nil && kept.Verdict == dataset.Complete && (v.Force || v.Now().Sub(kept.Checked) >= againAfter):
		differs, err := v.differs(ctx, kept)
		if err != nil || differs {
			return dataset.Workspace, err
		}
		kept.Checked = v.Now().UTC()
	}
	for n, it := range v.trained() {
		kept := v.p.Kept[it.ID]
		if v.wants(it.ID) || kept != nil && !kept.All && wantsAll(n, it) && kept.Verdict == dataset.Complete && !v.tried[it.ID] {
			return it.ID, nil
		}
	}
	return "", nil
}

// wants reports whether a snapshot is to be taken because there is none that is complete.
// One that has to wait is tried by force once in a run.
func (v *run) wants(of string) bool {
	kept := v.p.Kept[of]
	if v.failed[of] != nil {
		return false
	}
	return kept == nil && !v.tried[of] || kept != nil && (kept.waits(v.Now()) || v.Force && kept.Verdict != dataset.Complete && !v.tried[of])
}

// maxTries is how often a snapshot is taken again at once because the data set changed
// while it was read.
const maxTries = 3

// trained are the iterations that have a model, the newest first.
func (v *run) trained() []customvision.Iteration {
	list := slices.DeleteFunc(slices.Clone(v.iterations), func(it customvision.Iteration) bool {
		_, err := customvision.ParseID(it.ID)
		return err != nil || it.Status != customvision.StatusCompleted || it.TrainedAt == nil
	})
	slices.SortFunc(list, func(a, b customvision.Iteration) int { return b.TrainedAt.Compare(*a.TrainedAt) })
	return list
}

// wantsAll reports whether the performance of the n-th newest iteration is saved at every
// threshold.
func wantsAll(n int, it customvision.Iteration) bool { return n == 0 || it.PublishName != "" }

// differs reports whether the workspace isn't what its snapshot found, by the counts, the
// newest image, and the project's lastModified: nobody knows whether the service changes
// that with a box that is moved, but if so, it shows. (GetImageCount, GetImages, GetTags; QueryPredictions)
func (v *run) differs(ctx context.Context, kept *Kept) (bool, error) {
	if !v.project.LastModified.Equal(kept.Modified) {
		return true, nil
	}
	images, err := v.Service.ImageCount(ctx, v.id, "", customvision.AllImages)
	if err != nil {
		return false, err
	}
	newest, err := v.Service.NewestImage(ctx, v.id)
	if err != nil {
		return false, err
	}
	tags, err := v.Service.TagsJSON(ctx, v.id, "")
	if err != nil {
		return false, err
	}
	sum, _ := imageTags(tags)
	at := time.Time{}
	if newest != nil {
		at = newest.Created
	}
	if v.Predictions {
		page, err := v.Service.Predictions(ctx, v.id, customvision.FirstPredictions("Newest", 1))
		if err != nil {
			return false, err
		}
		if len(page.Predictions) > 0 && page.Predictions[0].ID != kept.Prediction {
			return true, nil
		}
	}
	return images != kept.Asked.Images || len(tags) != kept.Asked.Tags || sum != kept.Asked.ImageTags || !at.Equal(kept.Newest), nil
}

// imageTags adds the images of each tag, and hashes the tags in whatever order they come.
func imageTags(tags []json.RawMessage) (sum int, hash string) {
	var texts []string
	for _, raw := range tags {
		var t customvision.Tag
		if json.Unmarshal(raw, &t) == nil {
			sum += t.ImageCount
		}
		texts = append(texts, sameText(raw, t.ID))
	}
	slices.Sort(texts)
	h := sha256.New()
	for _, text := range texts {
		h.Write([]byte(text + "\n"))
	}
	return sum, hex.EncodeToString(h.Sum(nil)[:8])
}

// sameText is a tag's JSON as a text that is the same in any letter case of its id.
func sameText(tag json.RawMessage, id string) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(tag, &members) != nil {
		return string(tag)
	}
	members["id"], _ = json.Marshal(id) // a text can't fail
	text, _ := json.Marshal(members)    // nor can what was read
	return string(text)
}

// domainOf is the domain that a snapshot's models are of.
func (v *run) domainOf(it *customvision.Iteration) string {
	if it == nil {
		return v.project.Settings.DomainID
	}
	return cmp.Or(it.DomainID, v.project.Settings.DomainID)
}
