package rescue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
)

// thresholds are those at which the performance of an iteration is saved; of one that is
// neither the newest nor published, only the usual one.
var (
	thresholds = []float64{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}
	usual      = []float64{0.5}
)

// head begins a snapshot: its first part is all but the images.
func (v *run) head(ctx context.Context, of string, project json.RawMessage, iterations []json.RawMessage) error {
	name, err := dataset.NewName(v.id, of, v.Now())
	if err != nil {
		return err
	}
	v.tried[of] = true
	var predictions json.RawMessage
	if v.Predictions && of == dataset.Workspace {
		predictions = customvision.FirstPredictions("Oldest", v.pageSize)
	}
	t := &Taking{Name: name, Modified: v.project.LastModified, Moved: v.Now().UTC(), NextPredictions: predictions}
	first, err := v.Sets.Begin(name)
	if err != nil {
		return err
	}
	lines := []dataset.Line{first, {Kind: dataset.KindProject, Data: project}}
	var trained *customvision.Iteration
	for n, it := range v.trained() {
		if it.ID == of {
			trained, t.All = &it, wantsAll(n, it)
			t.IterationName, t.TrainedAt, t.PublishedName = it.Name, it.TrainedAt, it.PublishName
		}
	}
	if domain := v.domainOf(trained); domain != "" {
		raw, err := v.Service.DomainJSON(ctx, domain)
		if err != nil && !refusedFor(err) {
			return err
		}
		if err == nil {
			lines = append(lines, dataset.Line{Kind: dataset.KindDomain, Data: raw})
		}
	}
	tags, err := v.Service.TagsJSON(ctx, v.id, t.iterationID())
	if err != nil {
		return err
	}
	for _, raw := range tags {
		lines = append(lines, dataset.Line{Kind: dataset.KindTag, Data: raw})
	}
	t.Asked.Tags = len(tags)
	t.Asked.ImageTags, t.Tags = imageTags(tags)
	for _, raw := range iterations {
		var it customvision.Iteration
		if of == dataset.Workspace || json.Unmarshal(raw, &it) == nil && customvision.Canonical(it.ID) == of {
			lines = append(lines, dataset.Line{Kind: dataset.KindIteration, Data: raw})
			t.Asked.Iterations++
		}
	}
	if t.Asked.Images, err = v.Service.ImageCount(ctx, v.id, t.iterationID(), customvision.AllImages); err != nil {
		return err
	}
	if t.Asked.Tagged, err = v.Service.ImageCount(ctx, v.id, t.iterationID(), customvision.TaggedImages); err != nil {
		return err
	}
	t.Asked.Untagged = t.Asked.Images - t.Asked.Tagged
	if trained != nil {
		if lines, err = v.performance(ctx, t, lines); err != nil {
			return err
		}
	}
	if err := v.stage(ctx, t, lines); err != nil {
		return err
	}
	v.p.Taking = t
	return v.save(ctx)
}

// performance adds the lines of a trained iteration's performance. One that the service
// doesn't have is no fault.
func (v *run) performance(ctx context.Context, t *Taking, lines []dataset.Line) ([]dataset.Line, error) {
	at := usual
	if t.All {
		at = thresholds
	}
	for _, threshold := range at {
		raw, err := v.Service.PerformanceJSON(ctx, v.id, t.Of, threshold)
		if refusedFor(err) {
			t.Note = fmt.Sprintf("the service gives no performance (%s)", err)
			break
		}
		if err != nil {
			return nil, err
		}
		lines = append(lines, dataset.Line{Kind: dataset.KindPerformance, Iteration: t.Of, Threshold: &threshold, Data: raw})
	}
	n, err := v.Service.ImagePerformanceCount(ctx, v.id, t.Of)
	if err != nil && !refusedFor(err) {
		return nil, err
	}
	t.Asked.ImagePerformances = n
	return lines, nil
}

// refusedFor reports whether the service itself says that it doesn't give a thing.
func refusedFor(err error) bool {
	var e *customvision.Error
	return customvision.NotFound(err) || errors.As(err, &e) && e.Status == http.StatusBadRequest && strings.HasPrefix(e.Code, "BadRequest")
}

// goOn reads the rest of a snapshot, and ends it.
func (v *run) goOn(ctx context.Context) error {
	t := v.p.Taking
	if v.Now().Sub(t.Moved) > stagedFor {
		v.p.Taking = nil
		return v.save(ctx)
	}
	err := v.rest(ctx, t)
	switch {
	case ctx.Err() != nil:
	case t.Of != dataset.Workspace && customvision.NotFound(err), errors.Is(err, dataset.ErrPartsGone):
		v.p.Taking = nil // the iteration is gone, or the parts are
		return v.save(ctx)
	case err != nil:
		t.Stumbles++
	}
	return err
}

func (v *run) rest(ctx context.Context, t *Taking) error {
	for !t.Listed {
		if err := v.page(ctx, t); t.givesUp(ctx, err) {
			t.lacks("images", t.Of, err)
			t.Listed = true
		} else if err != nil {
			return err
		}
	}
	for t.Performances < t.Asked.ImagePerformances {
		n, err := v.performances(ctx, t)
		if t.givesUp(ctx, err) {
			t.lacks("imagePerformances", t.Of, err)
			break
		}
		if err != nil {
			return err
		}
		if n == 0 {
			t.lacks("imagePerformances", t.Of, fmt.Errorf("the service counts %d, and lists %d", t.Asked.ImagePerformances, t.Performances))
			break
		}
	}
	for t.NextPredictions != nil {
		if err := v.predictions(ctx, t); err != nil {
			return err
		}
	}
	if err := v.compare(ctx, t); err != nil {
		return err
	}
	if err := v.Sets.Commit(ctx, t.Name, t.Parts); err != nil {
		return err
	}
	return v.prove(ctx, t)
}

// givesUp reports whether the service has failed at the same place for so long that the
// snapshot is ended without the rest, so that others get their turn.
func (t *Taking) givesUp(ctx context.Context, err error) bool {
	return t.Stumbles >= maxStumbles && failsAlone(ctx, err) && !(t.Of != dataset.Workspace && customvision.NotFound(err))
}

// page reads the next page of images, and stages it. The page begins with the last image
// that was read: if another one stands there, the list has shifted.
func (v *run) page(ctx context.Context, t *Taking) error {
	from := max(0, t.Images-1)
	images, err := v.Service.Images(ctx, v.id, t.iterationID(), customvision.Page{Skip: from, Take: v.pageSize})
	if err != nil {
		return err
	}
	if t.Images > 0 {
		if len(images) > 0 && images[0].ID == t.Last {
			images = images[1:]
		} else {
			t.changed("the list shifted after %d images", t.Images)
		}
	}
	if t.Images > 2*t.Asked.Images+10*v.pageSize { // the list goes round
		t.changed("the service counts %d images, and lists %d and more", t.Asked.Images, t.Images)
		images = nil
	}
	if len(images) == 0 {
		t.Listed = true
		return nil
	}
	if err := v.learn(ctx, t.Of); err != nil {
		return err
	}
	for len(images) > 0 {
		some := images[:v.portion(images)]
		lines, missing, err := v.pictures(ctx, t, some)
		if err != nil {
			return err
		}
		if err := v.stage(ctx, t, lines); err != nil {
			return err
		}
		for _, m := range missing {
			t.lacks(m.What, m.ID, errors.New(m.Why))
		}
		t.Images, t.Last = t.Images+len(some), some[len(some)-1].ID
		if err := v.saveNowAndThen(ctx); err != nil {
			return err
		}
		images = images[len(some):]
	}
	return nil
}

// portion is how many of the images are staged at once: so few that a short slice gets on,
// and that a process still has the project when it has read them, by the pictures that are
// to be read.
func (v *run) portion(images []customvision.Image) int {
	toRead := 0
	for n, image := range images {
		if _, _, ok := v.archived(image.ID); ok {
			continue
		}
		if toRead++; toRead == portion {
			return n + 1
		}
	}
	return len(images)
}

// performances reads the next page of what an iteration predicts of its images.
func (v *run) performances(ctx context.Context, t *Taking) (int, error) {
	list, err := v.Service.ImagePerformances(ctx, v.id, t.Of, customvision.Page{Skip: t.Performances, Take: v.pageSize})
	if err != nil || len(list) == 0 {
		return 0, err
	}
	var lines []dataset.Line
	for _, raw := range list {
		lines = append(lines, dataset.Line{Kind: dataset.KindImagePerformance, Iteration: t.Of, Data: raw})
	}
	if err := v.stage(ctx, t, lines); err != nil {
		return 0, err
	}
	t.Performances += len(list)
	return len(list), v.saveNowAndThen(ctx)
}

// stage sends lines as the next part.
func (v *run) stage(ctx context.Context, t *Taking, lines []dataset.Line) error {
	var b bytes.Buffer
	for _, l := range lines {
		if err := dataset.Write(&b, l); err != nil {
			return err
		}
	}
	if err := v.Sets.Stage(ctx, t.Name, t.Parts, b.Bytes()); err != nil {
		return err
	}
	t.Parts++
	t.Moved, t.Stumbles = v.Now().UTC(), 0
	return nil
}

// compare asks again what was asked at the beginning.
func (v *run) compare(ctx context.Context, t *Taking) error {
	images, err := v.Service.ImageCount(ctx, v.id, t.iterationID(), customvision.AllImages)
	if err != nil {
		return err
	}
	if images != t.Asked.Images {
		t.changed("there were %d images, now there are %d", t.Asked.Images, images)
	}
	tags, err := v.Service.TagsJSON(ctx, v.id, t.iterationID())
	if err != nil {
		return err
	}
	if _, hash := imageTags(tags); hash != t.Tags {
		t.changed("the tags or their numbers of images changed")
	}
	if t.Of != dataset.Workspace {
		return nil
	}
	raw, err := v.Service.ProjectJSON(ctx, v.id)
	if err != nil {
		return err
	}
	var now customvision.Project
	if json.Unmarshal(raw, &now) == nil && !now.LastModified.Equal(t.Modified) {
		t.changed("the project was changed at %s", now.LastModified.UTC().Format(time.RFC3339))
	}
	return nil
}

// prove reads a committed snapshot back, writes what it is worth, and takes it for the
// newest.
func (v *run) prove(ctx context.Context, t *Taking) error {
	found, err := v.Sets.ReadBack(ctx, t.Name)
	if err != nil {
		return err
	}
	p := dataset.Proof{
		Name: t.Name, ProjectName: v.p.Name, IterationName: t.IterationName, TrainedAt: t.TrainedAt, PublishedName: t.PublishedName,
		Size: found.Size, SHA256: found.SHA256, ETag: found.ETag, Asked: t.Asked, Found: found.Counts,
		Newest: found.Newest, Modified: t.Modified, Files: found.Files, Bytes: found.Bytes, AllThresholds: t.All,
		Missing: t.Missing, More: t.More, Changes: t.Changes, Begun: t.Time(), Ended: v.Now().UTC(),
	}
	p.Judge(found, t.Note)
	if err := v.Sets.Prove(ctx, p); err != nil {
		return err
	}
	kept, before := keptOf(p), v.p.Kept[t.Of]
	kept.Prediction = t.Prediction
	if p.Verdict != dataset.Complete {
		if before != nil && before.Verdict != dataset.Complete {
			kept.Tries = before.Tries
		}
		kept.Tries++
		kept.Next = v.Now().Add(pause(p.Verdict, kept.Tries)).UTC()
	}
	v.p.Kept[t.Of], v.p.Taking, v.tried[t.Of] = kept, nil, true
	return v.save(ctx)
}

// pause is how long a snapshot that isn't complete stands before another is taken.
func pause(verdict dataset.Verdict, tries int) time.Duration {
	if verdict == dataset.Changed && tries < maxTries {
		return 0
	}
	return min(time.Hour<<min(tries-1, 10), againAfter)
}
