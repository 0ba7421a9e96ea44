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

// Watch looks at the whole state again and again, for those who show it to people. A
// look costs one listing, and one request for each blob that has changed since the last
// one. It is safe for concurrent use.
type Watch struct {
	store *Store
	mu    sync.Mutex
	held  map[string]held // by the blob's name
}

// held is what a blob said in one version.
type held struct {
	etag string // without quotes, as listings have it
	said any
}

// Watch returns a Watch that hasn't looked yet.
func (s *Store) Watch() *Watch { return &Watch{store: s, held: map[string]held{}} }

// View is the state at one look. What it leads to must not be changed: the next look
// may lead to it too.
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

// watchers is how many blobs are fetched at a time.
const watchers = 8

// Look lists the state container and fetches what has changed. An error means that
// something there can't be read. (List Blobs, Get Blob for each change)
func (w *Watch) Look(ctx context.Context) (*View, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	view := &View{Projects: map[string]*Project{}, Versions: map[string]string{}}
	listed := map[string]string{}
	pages := w.store.container.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{})
	for pages.More() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, w.store.explain("list the state", err)
		}
		for _, item := range page.Segment.BlobItems {
			switch name := *item.Name; {
			case strings.HasPrefix(name, deadLetterPrefix):
				view.Letters = append(view.Letters, LetterSeen{letterID(item), value(item.Properties.LastModified)})
			case readers(name) != nil:
				listed[name] = unquoted(value(item.Properties.ETag))
			}
		}
	}
	if err := w.fetch(ctx, listed); err != nil {
		return nil, err
	}
	for name, h := range w.held {
		switch said := h.said.(type) {
		case *Project:
			if said.ID == App {
				view.App = said
				continue
			}
			view.Projects[said.ID], view.Versions[said.ID] = said, h.etag
		case Health:
			view.Health = said
		case PolicyInForce:
			view.InForce = said
		case []byte:
			view.Set = said
		default:
			panic("state: a watch holds " + name)
		}
	}
	return view, nil
}

// unquoted is an ETag as listings give it; elsewhere it stands in quotes.
func unquoted(etag azcore.ETag) string { return strings.Trim(string(etag), `"`) }

// fetch brings what is held in line with what was listed.
func (w *Watch) fetch(ctx context.Context, listed map[string]string) error {
	maps.DeleteFunc(w.held, func(name string, h held) bool { return listed[name] != h.etag })
	var missing []string
	for name := range listed {
		if _, known := w.held[name]; !known {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	found := make([]*held, len(missing))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(watchers)
	for i, name := range missing {
		group.Go(func() error {
			data, version, err := w.store.read(ctx, name)
			if bloberror.HasCode(err, bloberror.BlobNotFound) {
				return nil // deleted since the listing
			}
			if err != nil {
				return w.store.explain("read "+name, err)
			}
			said, err := readers(name)(name, data)
			found[i] = &held{unquoted(version.etag), said}
			return err
		})
	}
	err := group.Wait()
	for i, h := range found {
		if h != nil && h.said != nil {
			w.held[missing[i]] = *h
		}
	}
	return err
}

// readers is how a blob is read; nil for one that isn't shown. What is broken says
// nothing, as everywhere: the next writer replaces it.
func readers(name string) func(name string, data []byte) (any, error) {
	id, isProject := strings.CutSuffix(strings.TrimPrefix(name, projectPrefix), ".json")
	switch {
	case strings.HasPrefix(name, projectPrefix) && isProject || name == projectBlob(App):
		return func(name string, data []byte) (any, error) {
			p := &Project{ID: id}
			if err := decode(data, p); err != nil {
				if errors.Is(err, ErrNewer) {
					return nil, fmt.Errorf("state blob %s: %w", name, err)
				}
				p = &Project{}
			}
			p.ID = id
			return p, nil
		}
	case name == healthBlob:
		return unsealed[Health]
	case name == inForceBlob:
		return unsealed[PolicyInForce]
	case name == policyBlob:
		return func(_ string, data []byte) (any, error) { return data, nil }
	}
	return nil
}

func unsealed[T any](_ string, data []byte) (any, error) {
	var v, none T
	if seal.Unmarshal(data, &v) != nil {
		return none, nil //nolint:nilerr // the next writer replaces it
	}
	return v, nil
}
