package storage

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"iter"
	"net/http"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"visionkeeper/internal/answers"
)

// Item is what a listing tells of a blob, as far as most need it.
type Item struct {
	Name, ETag string // the ETag without quotes
	Size       int64
}

// List goes through the blobs of a container whose names begin with the prefix, in the order
// of their names, 5,000 a request. It ends with an error. (List Blobs)
//
// The SDK takes most of a sweep's time to read a page of it: about 20 values of each blob, by
// reflection. Here a page is read by readPage, and by the SDK what that doesn't understand.
func List(ctx context.Context, c *container.Client, prefix string) iter.Seq2[Item, error] {
	return new(Lister).List(ctx, c, prefix)
}

// Lister is for a listing that is made again and again: it remembers the pages of the last
// one, and what they say isn't read again while they are the same. The zero value is ready to
// use. It is safe for concurrent use; what it lists must be the same each time.
type Lister struct{ pages answers.Memory[*page] } // by the page's marker

// List is the package's List.
func (l *Lister) List(ctx context.Context, c *container.Client, prefix string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		asked := map[string]bool{}
		for marker := ""; ; {
			asked[marker] = true
			r := reading{memory: &l.pages, marker: marker}
			options := container.ListBlobsFlatOptions{Prefix: &prefix}
			if marker != "" {
				options.Marker = &marker
			}
			resp, err := c.NewListBlobsFlatPager(&options).NextPage(context.WithValue(ctx, pageKey{}, &r))
			if err != nil {
				yield(Item{}, err)
				return
			}
			read := r.page
			if read == nil {
				read = pageOf(resp.ListBlobsFlatSegmentResponse)
			}
			for _, item := range read.items {
				if !yield(item, nil) {
					return
				}
			}
			if read.next == "" {
				l.pages.Keep(func(marker string) bool { return asked[marker] })
				return
			}
			if read.next == marker {
				yield(Item{}, errors.New("a page of List Blobs leads to itself"))
				return
			}
			marker = read.next
		}
	}
}

// page is one answer to List Blobs.
type page struct {
	items []Item
	next  string // the marker of the next one; empty on the last
}

// pageOf is a page that the SDK has read.
func pageOf(r container.ListBlobsFlatSegmentResponse) *page {
	p := &page{next: value(r.NextMarker)}
	if r.Segment != nil {
		for _, b := range r.Segment.BlobItems {
			p.items = append(p.items, itemOf(b))
		}
	}
	return p
}

func itemOf(b *container.BlobItem) Item {
	item := Item{Name: value(b.Name)}
	if p := b.Properties; p != nil {
		item.ETag, item.Size = unquoted(string(value(p.ETag))), value(p.ContentLength)
	}
	return item
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// unquoted is an ETag without the quotes in which some services list it.
func unquoted(etag string) string { return strings.Trim(etag, `"`) }

// pageKey is the key of the *reading that a request's context has for pages.
type pageKey struct{}

// reading is how pages reads the answer to a request.
type reading struct {
	memory *answers.Memory[*page]
	marker string
	page   *page // what it read; nil if readPage doesn't understand it
}

// pages refuses an answer to any listing of blobs that is none, which the SDK takes for an
// empty one. It reads the answers to the requests of List, and leaves the SDK an empty body.
type pages struct{}

// Do implements policy.Policy.
func (pages) Do(req *policy.Request) (*http.Response, error) {
	resp, err := req.Next()
	query := req.Raw().URL.Query()
	if err != nil || resp.StatusCode != http.StatusOK || query.Get("comp") != "list" || query.Get("restype") != "container" {
		return resp, err
	}
	body, err := runtime.Payload(resp)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(body, []byte("<EnumerationResults")) || !bytes.Contains(body, []byte("<Blobs")) {
		return nil, errors.New("the answer to List Blobs isn't a list of blobs")
	}
	if r, ok := req.Raw().Context().Value(pageKey{}).(*reading); ok {
		r.page, _ = r.memory.Read(r.marker, body, func() (*page, error) { return readPage(body), nil })
		if r.page != nil {
			resp.Body = http.NoBody
		}
	}
	return resp, nil
}

// Where in a page stands what is read of it.
const (
	wholePath = "/EnumerationResults"
	nextPath  = wholePath + "/NextMarker"
	blobPath  = wholePath + "/Blobs/Blob"
	namePath  = blobPath + "/Name"
	etagPath  = blobPath + "/Properties/Etag"
	sizePath  = blobPath + "/Properties/Content-Length"
)

// readPage reads a page in the form in which services write it: tags and text and nothing
// else, so each < begins a tag. A blob whose values aren't plain text is left to the SDK. It
// returns nil if there is anything else, or if the end is missing.
func readPage(doc []byte) *page {
	doc = bytes.TrimPrefix(doc, []byte("\ufeff"))
	if bytes.HasPrefix(doc, []byte("<?xml ")) {
		_, doc, _ = bytes.Cut(doc, []byte("?>"))
	}
	var (
		p     page
		path  []byte // of the open elements
		blob  []byte // the document from the open blob on
		item  Item   // the open blob
		plain bool   // whether all that was read of it is plain
		leaf  bool   // whether the tag before opened the element that is open, without attributes
	)
	for {
		start := bytes.IndexByte(doc, '<')
		if start < 0 {
			return nil
		}
		text, element := doc[:start], doc[start:]
		end := bytes.IndexByte(element, '>')
		if end < 0 {
			return nil
		}
		doc = element[end+1:]
		tag, closes := bytes.CutPrefix(element[1:end], []byte("/"))
		name := tag[:nameLen(tag)]
		attributes, empty := bytes.CutSuffix(tag[len(name):], []byte("/"))
		switch {
		case len(name) == 0, closes && len(name) < len(tag), !plainAttributes(attributes):
			return nil
		case !closes:
			path = append(append(path, '/'), name...)
			text, leaf = nil, len(attributes) == 0
			if string(path) == blobPath {
				blob, item, plain = element, Item{}, true
			}
		}
		if !closes && !empty {
			continue
		}
		parent, ok := bytes.CutSuffix(path, name)
		if !ok || !bytes.HasSuffix(parent, []byte("/")) {
			return nil
		}
		switch string(path) {
		case namePath:
			plain = plain && leaf && plainText(text) && item.Name == ""
			item.Name = string(text)
		case etagPath:
			plain = plain && leaf && plainText(text)
			item.ETag = unquoted(string(text))
		case sizePath:
			size, err := strconv.ParseInt(string(text), 10, 64)
			plain = plain && leaf && err == nil
			item.Size = size
		case blobPath:
			if !plain || item.Name == "" {
				var read container.BlobItem
				if xml.Unmarshal(blob[:len(blob)-len(doc)], &read) != nil {
					return nil
				}
				item = itemOf(&read)
			}
			p.items = append(p.items, item)
		case nextPath:
			if !leaf || !plainText(text) {
				return nil
			}
			p.next = string(text)
		case wholePath:
			return &p
		}
		if path, leaf = parent[:len(parent)-1], false; len(path) == 0 {
			return nil // the document is another
		}
	}
}

// nameLen is how many bytes of a tag are its name.
func nameLen(tag []byte) int {
	for i, c := range tag {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return i
		}
	}
	return len(tag)
}

// plainAttributes reports whether what stands in a tag after its name is nothing, or
// attributes in double quotes without a > in them.
func plainAttributes(b []byte) bool {
	return len(b) == 0 || b[0] == ' ' && bytes.Count(b, []byte(`"`))%2 == 0 && bytes.IndexByte(b, '\'') < 0
}

// plainText reports whether text stands for itself in XML whatever is around it: ASCII
// without an escape.
func plainText(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' || c == '&' {
			return false
		}
	}
	return true
}
