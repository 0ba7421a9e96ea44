package emulator

import (
	"net/http"
	"slices"
)

type imageRegionWire struct {
	RegionID string       `json:"regionId"`
	TagName  *string      `json:"tagName"`
	Created  databaseTime `json:"created"`
	TagID    string       `json:"tagId"`
	Left     float64      `json:"left"`
	Top      float64      `json:"top"`
	Width    float64      `json:"width"`
	Height   float64      `json:"height"`
}

func regionWires(tags []*tag, i *picture) []imageRegionWire {
	var list []imageRegionWire
	for _, r := range i.Regions {
		list = append(list, r.wire(tags))
	}
	return list
}

func (r region) wire(tags []*tag) imageRegionWire {
	return imageRegionWire{r.ID, tagName(tags, r.TagID), databaseTime(r.Created), r.TagID, r.Left, r.Top, r.Width, r.Height}
}

// checkRegions checks regions of an image and makes their tag ids canonical.
func (p *project) checkRegions(regions []regionInput) error {
	if len(regions) > 0 && p.domain().kind != objectDetection {
		return badRequest("BadRequestImageRegions", "Only object detection knows regions")
	}
	const most = 1 + 1e-6 // the whole image, with room for rounding
	for n := range regions {
		r := &regions[n]
		ids, err := canonicalIDs([]string{r.TagID})
		if err != nil {
			return err
		}
		r.TagID = ids[0]
		if _, err := p.tag(r.TagID); err != nil {
			return badRequest("BadRequestImageTags", "The project has no tag %s", r.TagID)
		}
		if r.Left < 0 || r.Top < 0 || r.Width <= 0 || r.Height <= 0 || r.Left+r.Width > most || r.Top+r.Height > most {
			return badRequest("BadRequestImageRegions", "A region must lie inside the image, whose sides are 1")
		}
	}
	return nil
}

type regionSummaryWire struct {
	Created    []regionResultWire `json:"created"`
	Duplicated []regionInput      `json:"duplicated"`
	Exceeded   []regionInput      `json:"exceeded"`
}

type regionResultWire struct {
	ImageID string `json:"imageId"`
	imageRegionWire
}

func (s *Server) createImageRegions(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	var batch struct{ Regions []regionInput }
	if err := c.decodeRequired(&batch); err != nil {
		return nil, err
	}
	switch {
	case len(batch.Regions) == 0:
		return nil, badRequest("BadRequestImageRegions", "No region is given")
	case len(batch.Regions) > maxBatch:
		return nil, badRequest("BadRequestExceededBatchSize", "At most %d regions can be given at once", maxBatch)
	}
	if err := p.checkRegions(batch.Regions); err != nil {
		return nil, err
	}
	for n := range batch.Regions {
		r := &batch.Regions[n]
		ids, err := canonicalIDs([]string{r.ImageID})
		if err != nil {
			return nil, err
		}
		r.ImageID = ids[0]
		if _, err := p.picture(r.ImageID); err != nil {
			return nil, err
		}
	}
	summary := regionSummaryWire{[]regionResultWire{}, []regionInput{}, []regionInput{}}
	for _, r := range batch.Regions {
		i, _ := p.picture(r.ImageID)
		if len(i.Regions) >= maxRegionsPerImage {
			summary.Exceeded = append(summary.Exceeded, r)
		} else if added := i.addRegion(r, c.now); added == nil {
			summary.Duplicated = append(summary.Duplicated, r)
		} else {
			summary.Created = append(summary.Created, regionResultWire{i.ID, added.wire(nil)}) // without the tag's name, as recorded
		}
	}
	if len(summary.Created) > 0 {
		p.changed(c.now)
	}
	if len(summary.Created) < len(batch.Regions) {
		return jsonReply(http.StatusMultiStatus, summary)
	}
	return summary, nil
}

// deleteImageRegions deletes regions. The last region of a tag takes the tag with
// it.
func (s *Server) deleteImageRegions(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	ids, err := c.guids("regionIds", maxBatch)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, badRequest("BadRequestRequiredParamIsNull", "The parameter regionIds is required")
	}
	for _, i := range p.Images {
		for _, old := range slices.Clone(i.Regions) {
			if !slices.Contains(ids, old.ID) {
				continue
			}
			i.Regions = slices.DeleteFunc(i.Regions, func(r region) bool { return r.ID == old.ID })
			if !slices.ContainsFunc(i.Regions, func(r region) bool { return r.TagID == old.TagID }) {
				i.untag(old.TagID)
			}
		}
	}
	p.changed(c.now)
	return noContent, nil
}
