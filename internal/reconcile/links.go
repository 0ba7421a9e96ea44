package reconcile

import (
	"context"
	"errors"
	"io"
	"net/url"
	"slices"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/models"
	"visionkeeper/internal/state"
)

// linkOf says where the best of an export's download links leads: it has one for each
// entry with its name in the service's list.
func (v *visit) linkOf(look *Look, l Listed) (best customvision.Export, kind linkKind, err error) {
	for i, e := range append([]customvision.Export{l.Export}, l.Others...) {
		if k, refused := v.leads(look, l.Key, e); i == 0 || k > kind {
			best, kind, err = e, k, refused
		}
	}
	return best, kind, err
}

// leads says where an entry's download link leads.
func (v *visit) leads(look *Look, key archive.Key, e customvision.Export) (linkKind, error) {
	link, err := url.Parse(e.DownloadURI)
	switch {
	case e.DownloadURI == "":
		return noLink, nil
	case err != nil:
		return linkForbidden, faultf(state.LinkRefused, "its bytes are not in the model container, and its download link is not a URL")
	case v.inside(e.DownloadURI):
		return linkInside, nil
	}
	if link.Scheme != "" || link.Host != "" {
		if err := archive.CheckDownloadURL(e.DownloadURI, v.Downloads.Suffix, v.Downloads.Loopback); err != nil {
			return linkForbidden, faultf(state.LinkRefused, "its bytes are not in the model container, and its download link is not followed: %s", err)
		}
	}
	if look.shares(key, e) {
		return linkShared, nil
	}
	return linkOwn, nil
}

// inside reports whether a link leads into the model container, by the address that the
// app has of it or that the project's settings have.
func (v *visit) inside(link string) bool {
	_, ours := v.Models.Blob(link)
	_, theirs := models.BlobOf(v.seen.Project.ContainerURI, link)
	return ours || theirs
}

// shares reports whether another export's link leads to the same address: one that
// belongs to two belongs to none of them alone.
func (l *Look) shares(key archive.Key, e customvision.Export) bool {
	same := func(o customvision.Export) bool {
		return o.DownloadURI != "" && archive.Address(o.DownloadURI) == archive.Address(e.DownloadURI)
	}
	return slices.ContainsFunc(l.Unusable, same) || slices.ContainsFunc(l.Exports, func(o Listed) bool {
		return o.Key != key && (same(o.Export) || slices.ContainsFunc(o.Others, same))
	})
}

// follow identifies what an export's own link gives.
func (v *visit) follow(ctx context.Context, key archive.Key, e customvision.Export) (found, error) {
	link, err := url.Parse(e.DownloadURI)
	if err != nil {
		return found{}, err
	}
	s := archive.Source{Kind: archive.FromDownload, Name: link.Host + link.Path, URL: e.DownloadURI}
	if link.Host == "" {
		s = archive.Source{Kind: archive.FromArtifact, Name: link.Path, Open: func(ctx context.Context) (io.ReadCloser, error) {
			return v.Service.Artifact(ctx, key.Project, e.DownloadURI)
		}}
	}
	id, err := v.Archive.Identify(ctx, s)
	return found{source: s, id: id}, err
}

// linkFault makes a condition of a link that gives nothing.
func linkFault(err error) error {
	if errors.Is(err, archive.ErrNotFound) {
		return faultf(state.NoLink, "its bytes are not in the model container, and there is nothing at its download link")
	}
	return err
}

// linkedBlob is the blob that the export's link leads to, read by that link; nil where it
// leads to none, or where it isn't followed.
func (v *visit) linkedBlob(e *evidence) *archive.Source {
	if e.link != linkInside {
		return nil
	}
	name, ours := v.Models.Blob(e.entry.DownloadURI)
	if !ours {
		name, _ = models.BlobOf(v.seen.Project.ContainerURI, e.entry.DownloadURI)
		if archive.CheckDownloadURL(e.entry.DownloadURI, v.Downloads.Suffix, v.Downloads.Loopback) != nil {
			return nil
		}
	}
	return &archive.Source{Kind: archive.FromContainer, Name: name, URL: e.entry.DownloadURI}
}
