package state

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"golang.org/x/sync/errgroup"

	"visionkeeper/internal/seal"
)

// Listing is which blobs the state had at one time, and in which versions. What is read by
// it costs a request only where this process doesn't hold that version: where nothing has
// changed, one listing is all that the whole state costs. It is safe for concurrent use.
type Listing struct {
	store    *Store
	date     time.Time              // when it was made, by the storage service's clock
	made     time.Time              // the same by the caller's
	clock    func() time.Time       // the caller's
	versions map[string]azcore.ETag // by the blob's name, without quotes; nil if it failed
	letters  []*container.BlobItem
	err      error // why it failed
}

// List lists the state. Clock is the caller's, from which records that cost no request are
// dated. With an error comes a listing of nothing, by which everything is read. (List Blobs)
func (s *Store) List(ctx context.Context, clock func() time.Time) (*Listing, error) {
	l := &Listing{store: s, clock: clock, versions: map[string]azcore.ETag{}}
	pages := s.container.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Include: container.ListBlobsInclude{Metadata: true}})
	for pages.More() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			err = s.explain("list the state", err)
			return &Listing{store: s, clock: clock, err: err}, err
		}
		if l.made.IsZero() {
			l.date, l.made = value(page.Date), clock()
		}
		for _, item := range page.Segment.BlobItems {
			switch name := *item.Name; {
			case strings.HasPrefix(name, deadLetterPrefix):
				l.letters = append(l.letters, item)
			case readers(name) != nil:
				l.versions[name] = unquoted(value(item.Properties.ETag))
			}
		}
	}
	s.held.keep(l.versions)
	return l, nil
}

// Projects are the ids of the projects that have a state. The error is that of List: which
// they are isn't known then.
func (l *Listing) Projects() ([]string, error) {
	var ids []string
	for name := range l.versions {
		if id, ok := projectOf(name); ok {
			ids = append(ids, id)
		}
	}
	return ids, l.err
}

// Load is Store.Load, without a request where the listed version is held, or none is listed.
// The record is dated by the listing then, and says so by Listed: others may have written
// since.
func (l *Listing) Load(ctx context.Context, projectID string) (*Record, error) {
	name := projectBlob(projectID)
	known, isHeld := l.store.held.get(name)
	version, isListed := l.versions[name]
	r := &Record{Project: Project{ID: projectID}, Seen: l.date.Add(l.clock().Sub(l.made)), Listed: true}
	switch p, isWhole := known.said.(*Project); {
	case isWhole && isListed && unquoted(known.etag) == version:
		r.Project, r.etag = *p, known.etag
		return r, nil
	case !isHeld && !isListed && l.versions != nil:
		return r, nil
	}
	r, err := l.store.Load(ctx, projectID)
	if err == nil && r.Lost == nil && r.etag != "" {
		p := r.Project
		l.store.held.put(name, r.etag, &p)
	}
	return r, err
}

// Health is Store.Health, without a request where the listed version is held. What it leads
// to must not be changed: others may be led to it too.
func (l *Listing) Health(ctx context.Context) (Health, error) {
	h, err := l.fetch(ctx, healthBlob)
	health, _ := h.said.(Health)
	return health, err
}

// View is the state at one look, for those who show it to people. What it leads to must not
// be changed: the next look may lead to it too.
type View struct {
	// Projects are those that have a state, by id. One whose state is broken is empty.
	Projects map[string]*Project
	// Versions are different for each version of a project's state, by id.
	Versions map[string]string
	Health   Health // the zero value if there is none
	// Set is the policy that a person set, unchecked; nil if there is none.
	Set     []byte
	InForce PolicyInForce // the zero value if there is none
	Letters []LetterSeen  // in the order of their ids
	// App is what is remembered of what is about no one project; nil if there is nothing.
	App *Project
}

// LetterSeen is a dead letter as a listing shows it.
type LetterSeen struct {
	ID   string
	Last time.Time // when it last came
}

// viewers is how many blobs are fetched at a time.
const viewers = 8

// View lists the state container and fetches what has changed. An error means that
// something there can't be read. (List Blobs, Get Blob for each change)
func (s *Store) View(ctx context.Context) (*View, error) {
	l, err := s.List(ctx, time.Now)
	if err != nil {
		return nil, err
	}
	view := &View{Projects: map[string]*Project{}, Versions: map[string]string{}}
	for _, item := range l.letters {
		view.Letters = append(view.Letters, LetterSeen{letterID(item), value(item.Properties.LastModified)})
	}
	names := slices.Sorted(maps.Keys(l.versions))
	found := make([]held, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(viewers)
	for i, name := range names {
		group.Go(func() (err error) {
			found[i], err = l.fetch(ctx, name)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, h := range found {
		id, isProject := projectOf(names[i])
		switch said := h.said.(type) {
		case *Project:
			if said.ID == App {
				view.App = said
				continue
			}
			view.Projects[id], view.Versions[id] = said, string(h.etag)
		case Health:
			view.Health = said
		case PolicyInForce:
			view.InForce = said
		case []byte:
			view.Set = said
		case nil:
			if isProject && h.etag != "" {
				view.Projects[id], view.Versions[id] = &Project{ID: id}, string(h.etag)
			}
		}
	}
	return view, nil
}

// fetch reads a blob unless its listed version is held, and holds what it says; that is nil
// for one that is broken or isn't there.
func (l *Listing) fetch(ctx context.Context, name string) (held, error) {
	s := l.store
	if known, ok := s.held.get(name); ok && unquoted(known.etag) == l.versions[name] {
		return known, nil
	}
	data, version, err := s.read(ctx, name)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return held{}, nil
	}
	if err != nil {
		return held{}, s.explain("read "+name, err)
	}
	return s.hold(name, version.etag, data)
}

// hold holds what a blob says in a version: what others would read, not what was meant.
func (s *Store) hold(name string, version azcore.ETag, data []byte) (held, error) {
	said, err := readers(name)(data)
	if err != nil {
		return held{}, fmt.Errorf("state blob %s/%s: %w", s.name, name, err)
	}
	s.held.put(name, version, said)
	return held{version, said}, nil
}

// projectOf is the id of the project whose state a blob is; ok reports whether it is one.
func projectOf(name string) (id string, ok bool) {
	id, ok = strings.CutPrefix(name, projectPrefix)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(id, ".json")
}

// readers is how a blob is read; nil for one that isn't held. What is broken says nothing,
// as everywhere: the next writer replaces it.
func readers(name string) func([]byte) (any, error) {
	id, isProject := projectOf(name)
	switch {
	case name == projectBlob(App):
		id = App
		fallthrough
	case isProject:
		return func(data []byte) (any, error) {
			p := &Project{ID: id}
			err := decode(data, p)
			if errors.Is(err, ErrNewer) {
				return nil, err
			}
			if err != nil {
				return nil, nil
			}
			p.ID = id
			return p, nil
		}
	case name == healthBlob:
		return unsealed[Health]
	case name == inForceBlob:
		return unsealed[PolicyInForce]
	case name == policyBlob:
		return func(data []byte) (any, error) { return data, nil }
	}
	return nil
}

func unsealed[T any](data []byte) (any, error) {
	var v, none T
	if seal.Unmarshal(data, &v) != nil {
		return none, nil //nolint:nilerr // the next writer replaces it
	}
	return v, nil
}

// holding is what blobs of the state say, each in the version that this process read or
// wrote last. It is safe for concurrent use; what it holds is never changed.
type holding struct {
	mu    sync.Mutex
	blobs map[string]held // by the blob's name
}

type held struct {
	etag azcore.ETag
	said any // a *Project, Health and so on; nil for one that is broken
}

func (h *holding) get(name string) (known held, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	known, ok = h.blobs[name]
	return known, ok
}

func (h *holding) put(name string, version azcore.ETag, said any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.blobs == nil {
		h.blobs = map[string]held{}
	}
	h.blobs[name] = held{version, said}
}

// keep drops all that isn't listed.
func (h *holding) keep(listed map[string]azcore.ETag) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.blobs, func(name string, _ held) bool { _, ok := listed[name]; return !ok })
}

// unquoted is an ETag as listings give it; elsewhere it stands in quotes.
func unquoted(etag azcore.ETag) azcore.ETag { return azcore.ETag(strings.Trim(string(etag), `"`)) }
