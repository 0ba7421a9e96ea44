package rescue

import (
	"cmp"
	"context"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// Plan says what a rescue of a project takes from now on.
type Plan struct {
	Project string `json:"project"` // id
	Name    string `json:"name"`
	// Exports are still to be asked for, as far as the service says what it offers.
	Exports int           `json:"exports"`
	Stuck   []state.Stuck `json:"stuck"` // models that can't be exported
	// Images are those of the workspace, Listings those that the workspace and all
	// iterations list together.
	Images   int   `json:"images"`
	Listings int   `json:"listings"`
	Pictures int   `json:"pictures"` // to be read
	Bytes    int64 `json:"bytes"`    // of them, estimated by samples
	Sampled  int   `json:"sampled"`  // pictures that the estimate rests on
	// Calls are those of the Training API, estimated.
	Calls int `json:"calls"`
}

const (
	// callsOfExport is how many calls an export takes, waits included.
	callsOfExport = 6
	// callsOfSnapshot is how many a snapshot takes besides its pages.
	callsOfSnapshot = 20
	// sampled is how many pictures are measured for an estimate.
	sampled = 16
)

// Plan looks at a project, and counts. It writes nothing. Besides a few calls it takes two
// for each iteration.
func (r *Rescuer) Plan(ctx context.Context, project customvision.Project) (Plan, error) {
	p := Plan{Project: project.ID, Name: project.Name, Stuck: []state.Stuck{}}
	v, err := r.load(ctx, project.ID)
	if err != nil {
		return p, err
	}
	iterations, err := r.Service.Iterations(ctx, project.ID)
	if err != nil {
		return p, err
	}
	names, err := r.domains(ctx)
	if err != nil {
		return p, err
	}
	if p.Images, err = r.Service.ImageCount(ctx, project.ID, "", customvision.AllImages); err != nil {
		return p, err
	}
	p.snapshot(p.Images)
	p.Pictures = p.Images
	for _, it := range iterations {
		if it.Status != customvision.StatusCompleted || it.TrainedAt == nil {
			continue
		}
		if !it.Exportable {
			p.Stuck = append(p.Stuck, state.Stuck{Iteration: it.ID, Name: it.Name, Domain: cmp.Or(names[customvision.Canonical(it.DomainID)], it.DomainID), Since: *it.TrainedAt})
		} else if err := r.planExports(ctx, project.ID, it, &p); err != nil {
			return p, err
		}
		if v.p.Kept[it.ID] != nil {
			continue
		}
		n, err := r.Service.ImageCount(ctx, project.ID, it.ID, customvision.AllImages)
		if err != nil {
			return p, err
		}
		p.snapshot(2 * n) // the images, and what it predicts of them
	}
	if kept := v.p.Kept[dataset.Workspace]; kept != nil {
		p.Pictures = max(0, p.Images-(kept.Found.Images-kept.Missing))
	}
	return p, r.sample(ctx, project.ID, &p)
}

// snapshot counts what a snapshot of so many images takes.
func (p *Plan) snapshot(images int) {
	p.Listings += images
	p.Calls += callsOfSnapshot + images/(customvision.PageSize-1) + 1
}

func (r *Rescuer) planExports(ctx context.Context, project string, it customvision.Iteration, p *Plan) error {
	there, err := r.Service.Exports(ctx, project, it.ID)
	if err != nil {
		return err
	}
	wanted := policy.Rule{Exports: policy.Words{policy.All}}.ExportsOf(it.ExportableTo)
	for _, name := range wanted {
		platform, flavor, _ := strings.Cut(name, ".")
		if !slices.ContainsFunc(there, func(e customvision.Export) bool {
			return strings.EqualFold(e.Platform, platform) && strings.EqualFold(e.Flavor, flavor)
		}) {
			p.Exports++
			p.Calls += callsOfExport
		}
	}
	return nil
}

// sample measures a few pictures, and estimates the bytes of those that are to be read.
func (r *Rescuer) sample(ctx context.Context, project string, p *Plan) error {
	if p.Pictures == 0 {
		return nil
	}
	images, err := r.Service.Images(ctx, project, "", customvision.Page{Take: sampled})
	if err != nil {
		return err
	}
	var sum int64
	for _, i := range images {
		n, err := r.size(ctx, project, i.OriginalImageURI)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil { // an estimate does without
			sum += n
			p.Sampled++
		}
	}
	if p.Sampled > 0 {
		p.Bytes = sum / int64(p.Sampled) * int64(p.Pictures)
	}
	return nil
}

// size is how many bytes are at a link.
func (r *Rescuer) size(ctx context.Context, project, link string) (int64, error) {
	s, err := r.source(project, link)
	if err != nil {
		return 0, err
	}
	return r.Archive.Length(ctx, s)
}

// source is what is at a link, which is followed only if it may be.
func (r *Rescuer) source(project, link string) (archive.Source, error) {
	u, err := url.Parse(link)
	if err != nil || link == "" {
		return archive.Source{}, errNoLink
	}
	if u.Scheme == "" && u.Host == "" {
		return archive.Source{Name: u.Path, Open: func(ctx context.Context) (io.ReadCloser, error) {
			return r.Service.Artifact(ctx, project, link)
		}}, nil
	}
	if err := r.CheckLink(link); err != nil {
		return archive.Source{}, linkRefused{err}
	}
	return archive.Source{Name: u.Host + u.Path, URL: link}, nil
}

// domains are the names of the service's domains by their ids.
func (r *Rescuer) domains(ctx context.Context) (map[string]string, error) {
	list, err := r.Service.Domains(ctx)
	names := map[string]string{}
	for _, d := range list {
		names[d.ID] = d.Name
	}
	return names, err
}

// Time is how long so many calls take at a rate a second.
func Time(calls int, perSecond float64) time.Duration {
	return time.Duration(float64(calls) / perSecond * float64(time.Second))
}
