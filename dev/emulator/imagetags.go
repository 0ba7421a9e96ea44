package emulator

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

type imageTagEntry struct {
	ImageID string `json:"imageId"`
	TagID   string `json:"tagId"`
}

// tagSummaryWire has null for empty lists on v3.3, as in the official example, and
// empty ones on v3.4-preview, as recorded.
type tagSummaryWire struct {
	Created    []imageTagEntry `json:"created"`
	Duplicated []imageTagEntry `json:"duplicated"`
	Exceeded   []imageTagEntry `json:"exceeded"`
}

func (p *project) picture(id string) (*picture, error) {
	if n := slices.IndexFunc(p.Images, func(i *picture) bool { return i.ID == id }); n >= 0 {
		return p.Images[n], nil
	}
	return nil, notFound("NotFoundImage", "No image found with id %s", id)
}

func (s *Server) createImageTags(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	var batch struct{ Tags []imageTagEntry }
	if err := c.decodeRequired(&batch); err != nil {
		return nil, err
	}
	switch {
	case len(batch.Tags) == 0:
		return nil, badRequest("BadRequestImageTags", "No tag is given")
	case len(batch.Tags) > maxImageTags:
		return nil, badRequest("BadRequestExceededBatchSize", "At most %d tags can be given at once", maxImageTags)
	}
	for n := range batch.Tags { // in full or not at all
		e := &batch.Tags[n]
		ids, err := canonicalIDs([]string{e.ImageID, e.TagID})
		if err != nil {
			return nil, err
		}
		e.ImageID, e.TagID = ids[0], ids[1]
		i, err := p.picture(e.ImageID)
		if err != nil {
			return nil, err
		}
		if _, err := p.tag(e.TagID); err != nil {
			return nil, err
		}
		next := picture{Tags: slices.Clone(i.Tags)}
		if next.addTag(e.TagID, c.now); p.mixesNegative(&next) {
			return nil, badRequest("BadRequestNegativeAndRegularTagOnSameImage", "An image can't carry the negative tag and another one")
		}
	}
	var summary tagSummaryWire
	for _, e := range batch.Tags {
		i, _ := p.picture(e.ImageID)
		switch {
		case i.tagged(e.TagID):
			summary.Duplicated = append(summary.Duplicated, e)
		case len(i.Tags) >= maxTagsPerImage:
			summary.Exceeded = append(summary.Exceeded, e)
		default:
			i.addTag(e.TagID, c.now)
			summary.Created = append(summary.Created, e)
		}
	}
	if len(summary.Created) > 0 {
		p.changed(c.now)
	}
	if c.version == v34 {
		for _, list := range []*[]imageTagEntry{&summary.Created, &summary.Duplicated, &summary.Exceeded} {
			*list = append([]imageTagEntry{}, *list...)
		}
	}
	return summary, nil
}

func (s *Server) deleteImageTags(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	images, err := c.guids("imageIds", maxBatch)
	if err != nil {
		return nil, err
	}
	tags, err := c.guids("tagIds", maxTags)
	if err != nil {
		return nil, err
	}
	if len(images) == 0 || len(tags) == 0 {
		return nil, badRequest("BadRequestRequiredParamIsNull", "imageIds and tagIds are required")
	}
	for _, id := range images {
		i, err := p.picture(id)
		if err != nil {
			return nil, err
		}
		for _, t := range tags {
			i.untag(t)
		}
	}
	p.changed(c.now)
	return noContent, nil
}

type metadataEntryWire struct {
	ImageID  string            `json:"imageId"`
	Status   string            `json:"status"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// metadataLimit limits the metadata of one image. Lengths are in characters.
type metadataLimit struct{ pairs, key, value int }

var metadataLimits = map[string]metadataLimit{v33: {50, 256, 512}, v34: {10, 128, 256}}

// hold reports whether metadata is within the limits.
func (l metadataLimit) hold(metadata map[string]string) bool {
	for key, value := range metadata {
		if utf8.RuneCountInString(key) > l.key || utf8.RuneCountInString(value) > l.value {
			return false
		}
	}
	return len(metadata) <= l.pairs
}

// updateImageMetadata adds metadata to images. An empty value deletes its key.
func (s *Server) updateImageMetadata(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	ids, err := c.guids("imageIds", maxIDs)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, badRequest("BadRequestRequiredParamIsNull", "The parameter imageIds is required")
	}
	var metadata map[string]string
	if err := c.decodeFilled(&metadata); err != nil {
		return nil, err
	}
	summary := struct {
		IsBatchSuccessful bool                `json:"isBatchSuccessful"`
		Images            []metadataEntryWire `json:"images"`
	}{true, []metadataEntryWire{}}
	for _, id := range ids {
		i, err := p.picture(id)
		if err != nil {
			summary.IsBatchSuccessful = false
			summary.Images = append(summary.Images, metadataEntryWire{ImageID: id, Status: "ErrorImageNotFound"})
			continue
		}
		next := map[string]string{}
		for _, from := range []map[string]string{i.Metadata, metadata} {
			for key, value := range from {
				if next[key] = value; value == "" {
					delete(next, key)
				}
			}
		}
		if !metadataLimits[c.version].hold(next) {
			summary.IsBatchSuccessful = false
			summary.Images = append(summary.Images, metadataEntryWire{ImageID: id, Status: imageLimit})
			continue
		}
		i.Metadata = next
		summary.Images = append(summary.Images, metadataEntryWire{id, imageOK, next})
	}
	if !summary.IsBatchSuccessful {
		return jsonReply(http.StatusMultiStatus, summary)
	}
	return summary, nil
}

// regionInput is a Region of the contract. ImageID is set only where the region
// isn't part of an image.
type regionInput struct {
	ImageID string  `json:"imageId,omitempty"`
	TagID   string  `json:"tagId"`
	Left    float64 `json:"left"`
	Top     float64 `json:"top"`
	Width   float64 `json:"width"`
	Height  float64 `json:"height"`
}

// UnmarshalJSON refuses a region that lacks a side.
func (r *regionInput) UnmarshalJSON(data []byte) error {
	var in struct {
		ImageID, TagID           string
		Left, Top, Width, Height *float64
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	if in.Left == nil || in.Top == nil || in.Width == nil || in.Height == nil {
		return errors.New("a region has left, top, width and height")
	}
	*r = regionInput{in.ImageID, in.TagID, *in.Left, *in.Top, *in.Width, *in.Height}
	return nil
}

// addRegion returns nil if the picture has the same region already.
func (i *picture) addRegion(r regionInput, now time.Time) *region {
	added := region{ID: newID(), TagID: r.TagID, Created: now, Left: r.Left, Top: r.Top, Width: r.Width, Height: r.Height}
	for _, old := range i.Regions {
		if old.TagID == added.TagID && old.Left == added.Left && old.Top == added.Top && old.Width == added.Width && old.Height == added.Height {
			return nil
		}
	}
	i.addTag(r.TagID, now)
	i.Regions = append(i.Regions, added)
	return &i.Regions[len(i.Regions)-1]
}
