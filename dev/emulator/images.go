package emulator

import (
	"math"
	"slices"
	"strings"
)

// Limits of one request about images.
const (
	maxBatch     = 64  // images created or untagged at once
	maxImageTags = 128 // tags put on images at once
	maxTags      = 20  // tags in one request
	maxIDs       = 256 // images asked for or deleted by id
	maxTake      = 256 // images of one page
	takeUnless   = 50  // images of a page by default
)

// imageWire lacks tags, regions and metadata where the image has none, as recorded.
type imageWire struct {
	ID               string            `json:"id"`
	Created          databaseTime      `json:"created"`
	Width            int               `json:"width"`
	Height           int               `json:"height"`
	ResizedImageURI  string            `json:"resizedImageUri"`
	ThumbnailURI     string            `json:"thumbnailUri"`
	OriginalImageURI string            `json:"originalImageUri"`
	Tags             []imageTagWire    `json:"tags,omitempty"`
	Regions          []imageRegionWire `json:"regions,omitempty"`
	Metadata         map[string]string `json:"metadata,omitempty"`
}

type imageTagWire struct {
	TagID   string       `json:"tagId"`
	TagName *string      `json:"tagName"`
	Created databaseTime `json:"created"`
}

func (s *Server) imageWire(p *project, tags []*tag, i *picture) imageWire {
	return imageWire{
		ID: i.ID, Created: databaseTime(i.Created), Width: i.Width, Height: i.Height,
		ResizedImageURI: s.imageURI(p, i, "i"), ThumbnailURI: s.imageURI(p, i, "t"), OriginalImageURI: s.imageURI(p, i, "i"),
		Tags: tagWires(tags, i), Regions: regionWires(tags, i), Metadata: i.Metadata,
	}
}

func tagWires(tags []*tag, i *picture) []imageTagWire {
	var list []imageTagWire
	for _, t := range i.Tags {
		list = append(list, imageTagWire{t.ID, tagName(tags, t.ID), databaseTime(t.Created)})
	}
	return list
}

// tagName returns nil for a tag that isn't among tags.
func tagName(tags []*tag, id string) *string {
	for _, t := range tags {
		if t.ID == id {
			return &t.Name
		}
	}
	return nil
}

// imageURI returns the link to a picture. kind is i for the original, which is
// also the resized one, and t for the thumbnail. The emulator serves the
// original's bytes for both.
func (s *Server) imageURI(p *project, i *picture, kind string) string {
	return s.pictureLink("i-" + compact(p.ID) + "/" + kind + "-" + compact(i.ID))
}

func (s *Server) pictureLink(path string) string {
	if s.answer(DownloadURI) == "relative" {
		return "/" + path
	}
	return s.selfLink(path, downloadLife)
}

func (i *picture) tagged(id string) bool {
	return slices.ContainsFunc(i.Tags, func(t pictureTag) bool { return t.ID == id })
}

// untag removes a tag and its regions from a picture.
func (i *picture) untag(id string) {
	i.Tags = slices.DeleteFunc(i.Tags, func(t pictureTag) bool { return t.ID == id })
	i.Regions = slices.DeleteFunc(i.Regions, func(r region) bool { return r.TagID == id })
}

func clonePictures(list []*picture) []*picture {
	clones := make([]*picture, len(list))
	for n, old := range list {
		clone := *old
		clone.Tags, clone.Regions = slices.Clone(old.Tags), slices.Clone(old.Regions)
		clones[n] = &clone
	}
	return clones
}

// want selects the pictures of an operation by whether they have tags.
type want int

const (
	wantAll want = iota
	wantTagged
	wantUntagged
)

// chosen returns the pictures that a query selects by at most so many tags, oldest
// first.
func chosen(c *call, pictures []*picture, which want, most int) ([]*picture, error) {
	ids, err := c.guids("tagIds", most)
	if err != nil {
		return nil, err
	}
	filter, err := parseFilter(c.query.Get("$filter"))
	if err != nil {
		return nil, err
	}
	var list []*picture
	for _, i := range pictures {
		if which == wantTagged && len(i.Tags) == 0 || which == wantUntagged && len(i.Tags) > 0 || !filter(i.Metadata) {
			continue
		}
		if len(ids) == 0 || slices.ContainsFunc(ids, i.tagged) {
			list = append(list, i)
		}
	}
	return list, nil
}

// taggingStatus returns the parameter of that name of GetImages and
// GetImageCount.
func (c *call) taggingStatus() (want, error) {
	switch text := c.query.Get("taggingstatus"); strings.ToLower(text) {
	case "", "all":
		return wantAll, nil
	case "tagged":
		return wantTagged, nil
	case "untagged":
		return wantUntagged, nil
	default:
		return 0, badRequest("BadRequestInvalid", "The value '%s' is not valid for taggingStatus", text)
	}
}

// page applies orderBy, take and skip to a list that is oldest first.
func page[T any](c *call, list []T) ([]T, error) {
	take, err := c.integer("take", takeUnless)
	if err != nil {
		return nil, err
	}
	skip, err := c.integer("skip", 0)
	if err != nil {
		return nil, err
	}
	if take < 0 || take > maxTake || skip < 0 {
		return nil, badRequest("BadRequestImageExceededCount", "take goes from 0 to %d and skip from 0", maxTake)
	}
	list = slices.Clone(list)
	switch order := c.query.Get("orderby"); strings.ToLower(order) {
	case "", "newest":
		slices.Reverse(list)
	case "oldest":
	default:
		return nil, badRequest("BadRequestInvalid", "The value '%s' is not valid for orderBy", order)
	}
	list = list[min(skip, len(list)):]
	return list[:min(take, len(list))], nil
}

func (s *Server) listImages(c *call, which want) (any, error) {
	p, tags, pictures, err := s.seen(c)
	if err != nil {
		return nil, err
	}
	if pictures, err = chosen(c, pictures, which, maxTags); err != nil {
		return nil, err
	}
	if pictures, err = page(c, pictures); err != nil {
		return nil, err
	}
	return s.imageWires(p, tags, pictures), nil
}

func (s *Server) imageWires(p *project, tags []*tag, pictures []*picture) []imageWire {
	list := []imageWire{}
	for _, i := range pictures {
		list = append(list, s.imageWire(p, tags, i))
	}
	return list
}

func (s *Server) countImages(c *call, which want) (any, error) {
	_, _, pictures, err := s.seen(c)
	if err != nil {
		return nil, err
	}
	pictures, err = chosen(c, pictures, which, math.MaxInt)
	return len(pictures), err
}

func (s *Server) getImages(c *call) (any, error) {
	which, err := c.taggingStatus()
	if err != nil {
		return nil, err
	}
	return s.listImages(c, which)
}

func (s *Server) getImageCount(c *call) (any, error) {
	which, err := c.taggingStatus()
	if err != nil {
		return nil, err
	}
	return s.countImages(c, which)
}

func (s *Server) getTaggedImages(c *call) (any, error)       { return s.listImages(c, wantTagged) }
func (s *Server) getUntaggedImages(c *call) (any, error)     { return s.listImages(c, wantUntagged) }
func (s *Server) getTaggedImageCount(c *call) (any, error)   { return s.countImages(c, wantTagged) }
func (s *Server) getUntaggedImageCount(c *call) (any, error) { return s.countImages(c, wantUntagged) }

// getImagesByIDs ignores ids that don't exist.
func (s *Server) getImagesByIDs(c *call) (any, error) {
	p, tags, pictures, err := s.seen(c)
	if err != nil {
		return nil, err
	}
	ids, err := c.guids("imageIds", maxIDs)
	if err != nil {
		return nil, err
	}
	var list []*picture
	for _, i := range pictures {
		if slices.Contains(ids, i.ID) {
			list = append(list, i)
		}
	}
	return s.imageWires(p, tags, list), nil
}

func (s *Server) deleteImages(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	ids, err := c.guids("imageIds", maxIDs)
	if err != nil {
		return nil, err
	}
	all, err := c.flag("allImages", false)
	if err != nil {
		return nil, err
	}
	everywhere, err := c.flag("allIterations", false)
	if err != nil {
		return nil, err
	}
	if !all && len(ids) == 0 {
		return nil, badRequest("BadRequestRequiredParamIsNull", "imageIds or allImages=true is required")
	}
	gone := func(i *picture) bool { return all || slices.Contains(ids, i.ID) }
	p.Images = slices.DeleteFunc(p.Images, gone)
	if everywhere {
		for _, i := range p.Iterations {
			i.Images = slices.DeleteFunc(i.Images, gone)
		}
	}
	p.changed(c.now)
	return noContent, nil
}

// guids returns a list of GUIDs from the query. More than most of them are an
// error.
func (c *call) guids(name string, most int) ([]string, error) {
	texts := c.list(name)
	if len(texts) > most {
		return nil, badRequest("BadRequestExceededBatchSize", "%s takes at most %d ids", name, most)
	}
	return canonicalIDs(texts)
}

func canonicalIDs(texts []string) ([]string, error) {
	var ids []string
	for _, text := range texts {
		id, ok := canonicalID(text)
		if !ok {
			return nil, badRequest("BadRequestInvalidIds", "%s is not an id", text)
		}
		ids = append(ids, id)
	}
	return ids, nil
}
