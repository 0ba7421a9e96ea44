package archive

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"visionkeeper/internal/storage"
)

// Backups lists what the archive holds of an iteration, of a whole project
// (iteration empty), or of all (both empty), in the order of the names. Packages
// that have no proof yet are among them, with an empty verdict. It costs one
// request per 5,000 blobs of models. (List Blobs)
func (a *Archive) Backups(ctx context.Context, project, iteration string) ([]Backup, error) {
	prefix := ""
	for _, id := range []string{project, iteration} {
		if id == "" {
			break
		}
		canonical, err := canonicalID(id)
		if err != nil {
			return nil, fmt.Errorf("list the archive: %w", err)
		}
		prefix += canonical + "/"
	}
	return a.list(ctx, prefix)
}

// beyond sorts after the ids of all projects, with which the names of backups begin, and
// before the folders of data sets, which may hold very much.
const beyond = "g"

func (a *Archive) list(ctx context.Context, prefix string) ([]Backup, error) {
	found := map[string]*Backup{} // by stem
	pager := a.container.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{
		Prefix:  &prefix,
		Include: container.ListBlobsInclude{Metadata: true},
	})
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, storage.Explain(fmt.Sprintf("list the archive container %q", a.name), err)
		}
		items := page.Segment.BlobItems
		for _, item := range items {
			note(found, item)
		}
		if n := len(items); n > 0 && *items[n-1].Name >= beyond {
			break
		}
	}
	list := make([]Backup, 0, len(found))
	for _, b := range found {
		if b.Blob == "" {
			b.Verdict = Lost
		}
		list = append(list, *b)
	}
	slices.SortFunc(list, func(x, y Backup) int {
		return strings.Compare(x.Blob+x.Proof, y.Blob+y.Proof)
	})
	return list, nil
}

// note enters one listed blob, package or proof, where it belongs.
func note(found map[string]*Backup, item *container.BlobItem) {
	key, contentID, verdict, ok := parsePath(*item.Name)
	if !ok {
		return
	}
	b := found[stem(*item.Name)]
	if b == nil {
		b = &Backup{Key: key, ContentID: contentID}
		found[stem(*item.Name)] = b
	}
	if verdict != "" {
		if b.Verdict == "" || slices.Index(written, verdict) < slices.Index(written, b.Verdict) {
			b.Verdict, b.Proof = verdict, *item.Name
		}
		return
	}
	b.Blob = *item.Name
	b.Origin = originOf(item.Metadata)
	if p := item.Properties; p != nil {
		b.ETag = etagOf(p.ETag)
		if p.ContentLength != nil {
			b.Size = *p.ContentLength
		}
		if p.LastModified != nil {
			b.LastModified = *p.LastModified
		}
	}
}

// The metadata of an archived package. Values are ASCII: other characters make
// the signature fail.
const (
	metaKind = "sourcekind"
	metaName = "sourcename"
	metaETag = "sourceetag"
	metaWhy  = "sourcecertainty"
)

func (o Origin) metadata() map[string]*string {
	name, etag := url.PathEscape(o.Name), url.PathEscape(o.ETag)
	m := map[string]*string{metaKind: &o.Kind}
	if name != "" {
		m[metaName] = &name
	}
	if etag != "" {
		m[metaETag] = &etag
	}
	if o.Certainty != "" {
		m[metaWhy] = (*string)(&o.Certainty)
	}
	return m
}

// originOf reads metadata, whose keys are capitalised in a download and as they
// were written in a listing.
func originOf(metadata map[string]*string) Origin {
	value := func(key string) string {
		for k, v := range metadata {
			if strings.EqualFold(k, key) && v != nil {
				plain, err := url.PathUnescape(*v)
				if err == nil {
					return plain
				}
			}
		}
		return ""
	}
	return Origin{Kind: value(metaKind), Name: value(metaName), ETag: value(metaETag), Certainty: Certainty(value(metaWhy))}
}

// unquote is an ETag as listings give it; elsewhere it stands in quotes.
func unquote(etag string) string {
	if len(etag) >= 2 && etag[0] == '"' && etag[len(etag)-1] == '"' {
		return etag[1 : len(etag)-1]
	}
	return etag
}

// etagOf is the ETag of an answer, without quotes.
func etagOf(etag *azcore.ETag) string {
	if etag == nil {
		return ""
	}
	return unquote(string(*etag))
}

// ifMatch is the condition that pins a blob to an ETag; nil where there is none
// to pin to. A weak one never matches.
func ifMatch(etag string) *azcore.ETag {
	if etag == "" || strings.HasPrefix(etag, "W/") {
		return nil
	}
	quoted := azcore.ETag(`"` + etag + `"`)
	return &quoted
}
