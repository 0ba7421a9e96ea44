package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// backup archives one finished export.
func (v *visit) backup(ctx context.Context, a Action) error {
	key, err := v.key(a)
	if err != nil {
		return err
	}
	source, identity, err := v.source(ctx, key, *v.export(a.Iteration, a.Export))
	var b archive.Backup
	if err == nil {
		b, err = v.copyAndVerify(ctx, key, source, identity, v.facts(a.Iteration))
	}
	switch {
	case hopeless(err):
		return impossible(err.Error())
	case err != nil:
		return err
	}
	look := v.seen.Looks[a.Iteration]
	look.Backups = append(look.Backups, b)
	if b.Origin.Kind == archive.FromContainer {
		v.archived(modelBlob{iteration: a.Iteration, name: b.Origin.Name, etag: b.Origin.ETag})
	}
	return nil
}

// collect archives a blob of the model container as what it says it is.
func (v *visit) collect(ctx context.Context, a Action) error {
	i := slices.IndexFunc(v.seen.Blobs, func(b modelBlob) bool { return b.name == a.Blob })
	b := v.seen.Blobs[i]
	err := v.archiveBlob(ctx, b, v.seen.Looks[b.iteration], v.facts(b.iteration))
	if err != nil && !hopeless(err) && !errors.Is(err, errGone) {
		return err
	}
	v.seen.Blobs = slices.Delete(slices.Clone(v.seen.Blobs), i, i+1)
	if errors.Is(err, errGone) {
		return nil
	}
	v.archived(b)
	if err != nil {
		return impossible(err.Error())
	}
	return nil
}

// hopeless tells a package that no further copy makes a backup of.
func hopeless(err error) bool {
	return errors.Is(err, archive.ErrDamaged) || errors.Is(err, archive.ErrTooLarge)
}

// copyAndVerify brings an identified source into the archive and proves it. After
// a crash it is done again: names collide harmlessly.
func (r *Reconciler) copyAndVerify(ctx context.Context, key archive.Key, s archive.Source, id archive.Identity, facts archive.Facts) (archive.Backup, error) {
	b, err := r.Archive.Copy(ctx, key, s, id)
	if err != nil || b.Verdict != "" {
		return b, err
	}
	proof, err := r.Archive.Verify(ctx, b, facts)
	b.Verdict = proof.Verdict
	return b, err
}

// source finds the bytes of an export: the model container's blob if it is
// exactly this export, else the service's own download.
func (v *visit) source(ctx context.Context, key archive.Key, e customvision.Export) (archive.Source, archive.Identity, error) {
	look := v.seen.Looks[key.Iteration]
	var names []string
	if v.seen.Project.Container {
		names = blobNames(key, e.Platform)
	}
	var inItsPlace *customvision.Export // the other one that the container seems to hold
	var there string                    // what it holds: a content
	for _, blob := range names {
		s, err := v.Models.source(ctx, blob)
		if err != nil {
			return archive.Source{}, archive.Identity{}, err
		}
		id, err := v.Archive.Identify(ctx, s)
		if errors.Is(err, archive.ErrNotFound) {
			continue
		}
		if err != nil {
			return s, id, err
		}
		open, linked := look.leavesOpen(id.Manifest), v.Models.holds(e.DownloadURI, blob)
		other := look.other(id.Manifest, key)
		taken := !open && other != nil
		switch {
		case !open && id.Manifest != nil && id.Manifest.Is(key) && !look.doubts(key, blob, id.ETag):
			return s, id, nil
		case linked && taken:
			return s, id, errOverwritten
		case linked && open && !look.leaves(key, id.ContentID):
			return s, id, errOpen
		case linked: // nothing else can be meant
			s.Kind = archive.FromDownload
			return s, id, nil
		case taken:
			inItsPlace, there = other, id.ContentID
		}
	}
	s, err := v.download(key, e)
	if err != nil {
		return s, archive.Identity{}, err
	}
	id, err := v.Archive.Identify(ctx, s)
	if err != nil || inItsPlace == nil || id.ContentID != there {
		return s, id, err
	}
	// Either its own package was overwritten too, or the service calls the
	// platform's default by the other's name: then the other's link tells them apart.
	theirs, err := v.download(key, *inItsPlace)
	if err == nil {
		var their archive.Identity
		if their, err = v.Archive.Identify(ctx, theirs); err == nil && their.ContentID == id.ContentID {
			err = errOverwritten
		}
	}
	return s, id, err
}

// other is another of the exports made that a manifest names; nil where there is none.
func (l *Look) other(m *archive.Manifest, key archive.Key) *customvision.Export {
	i := slices.IndexFunc(l.Exports, func(e customvision.Export) bool {
		other, err := archive.NewKey(key.Project, key.Iteration, e.Platform, e.Flavor)
		return err == nil && m != nil && other != key && m.Is(other) && e.Status == customvision.ExportDone
	})
	if i < 0 {
		return nil
	}
	return &l.Exports[i]
}

// leavesOpen tells a manifest that may be that of any listed flavor of its
// platform: it names none, and whether the service names those that were asked
// for isn't documented.
func (l *Look) leavesOpen(m *archive.Manifest) bool {
	return m != nil && m.Flavor == "" && l.flavor(m.Platform) != ""
}

// flavor is one that is listed of a platform; "" where there is the default alone.
func (l *Look) flavor(platform string) string {
	for _, e := range l.Exports {
		if customvision.SamePlatform(e.Platform, platform) && e.Flavor != "" {
			return e.Flavor
		}
	}
	return ""
}

// leaves tells that a content can be of no other of the platform's exports than
// this one: all others are archived, and have another.
func (l *Look) leaves(key archive.Key, content string) bool {
	return !slices.ContainsFunc(l.Exports, func(e customvision.Export) bool {
		other, err := archive.NewKey(key.Project, key.Iteration, e.Platform, e.Flavor)
		return err == nil && other != key && other.Platform == key.Platform && e.Status != customvision.ExportFailed &&
			!slices.ContainsFunc(backupsOf(l, other), func(b archive.Backup) bool { return b.Verdict.Counts() && b.ContentID != content })
	})
}

// doubts tells that this version of the container's blob was archived, and was
// damaged, or nobody could say whether it is the export.
func (l *Look) doubts(key archive.Key, blob, etag string) bool {
	return slices.ContainsFunc(backupsOf(l, key), func(b archive.Backup) bool {
		return (unsure(b) || b.Verdict == archive.Damaged) && b.Origin.Name == blob && b.Origin.ETag == etag
	})
}

const errOpen = impossible("it can't be told which export of its platform the model container holds, and its download link leads there")

const errOverwritten = impossible("overwritten: another export of its platform took its place in the model container, and its download link gives no other bytes")

// download is the service's own package of an export, if its link may be followed.
func (v *visit) download(key archive.Key, e customvision.Export) (archive.Source, error) {
	link, err := url.Parse(e.DownloadURI)
	if err != nil || e.DownloadURI == "" {
		return archive.Source{}, impossible("its bytes are not in the model container, and the service gives no download link")
	}
	if link.Scheme == "" && link.Host == "" {
		return archive.Source{Kind: archive.FromArtifact, Name: link.Path, Open: func(ctx context.Context) (io.ReadCloser, error) {
			return v.Service.Artifact(ctx, key.Project, e.DownloadURI)
		}}, nil
	}
	if err := archive.CheckDownloadURL(e.DownloadURI, v.Downloads.Suffix, v.Downloads.Loopback); err != nil {
		return archive.Source{}, impossible("its bytes are not in the model container, and its download link is not followed: " + err.Error())
	}
	return archive.Source{Kind: archive.FromDownload, Name: link.Host + link.Path, URL: e.DownloadURI}, nil
}

// blobNames are the names an export's blob may have in the model container:
// whether the service writes ids with hyphens isn't documented.
func blobNames(key archive.Key, platform string) []string {
	plain := strings.NewReplacer("-", "")
	return []string{
		customvision.BlobName(key.Project, key.Iteration, platform),
		customvision.BlobName(plain.Replace(key.Project), plain.Replace(key.Iteration), platform),
	}
}

// facts are what the state knows of an iteration for its proofs.
func (v *visit) facts(iteration string) archive.Facts {
	var f archive.Facts
	if record := v.seen.Project.Iterations[iteration]; record != nil && record.Facts != nil {
		_ = json.Unmarshal(record.Facts, &f) // written by describe; without them the bytes still count
	}
	f.ProjectName = v.seen.Project.Name
	for _, it := range v.seen.Iterations {
		if it.ID == iteration {
			f.IterationName, f.PublishedName, f.TrainedAt = it.Name, it.PublishName, it.TrainedAt
		}
	}
	return f
}

// performanceThreshold is the probability threshold at which proofs record an
// iteration's performance: the portal's default. The overlap is left to the service.
const performanceThreshold = 0.5

// measured is an iteration's performance with the threshold it was asked at.
type measured struct {
	Threshold float64 `json:"threshold"`
	customvision.Performance
}

// describe gathers what proofs tell of an iteration: domain, tags, performance.
// It is done once, when the iteration is first seen completed, so that a backup
// needs no further calls. What the service refuses to tell is left out.
func (v *visit) describe(ctx context.Context, a Action) error {
	it := v.iteration(a.Iteration)
	f := archive.Facts{ClassificationType: it.ClassificationType, Domain: archive.Domain{ID: it.DomainID}}
	if it.DomainID != "" {
		d, err := v.Service.Domain(ctx, it.DomainID)
		if err != nil && !definite(err) {
			return err
		}
		f.Domain.Name, f.Domain.Type = d.Name, d.Type
	}
	tags, err := v.Service.Tags(ctx, v.record.ID, a.Iteration)
	if err != nil && !definite(err) {
		return err
	}
	for _, t := range tags {
		f.Tags = append(f.Tags, archive.Tag{ID: t.ID, Name: t.Name, Type: t.Type, ImageCount: t.ImageCount})
	}
	p, err := v.Service.Performance(ctx, v.record.ID, a.Iteration, performanceThreshold, 0)
	if err == nil {
		f.Performance, err = json.Marshal(measured{performanceThreshold, p})
	}
	if err != nil && !definite(err) {
		return err
	}
	facts, err := json.Marshal(f)
	if err != nil {
		return err
	}
	v.learn(func(p *state.Project) { p.Iteration(a.Iteration).Facts = facts })
	return nil
}

// definite tells the service's no that asking again won't change.
func definite(err error) bool {
	var refused *customvision.Error
	return errors.As(err, &refused) && !customvision.Lost(err) && refused.Status >= 400 && refused.Status < 500 &&
		refused.Status != 401 && refused.Status != 403 && refused.Status != 429
}
