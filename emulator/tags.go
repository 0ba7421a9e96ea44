package emulator

import "slices"

// Types of tags.
const (
	regularTag  = "Regular"
	negativeTag = "Negative"
	productTag  = "GeneralProduct"
)

type tagWire struct {
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	Description *string `json:"description"`
	Type        string  `json:"type"`
	ImageCount  int     `json:"imageCount"`
}

func (t *tag) wire(count int) tagWire { return tagWire{t.ID, t.Name, t.Description, t.Type, count} }

// count is how many pictures carry the tag.
func (p *project) count(tagID string) int {
	n := 0
	for _, i := range p.Images {
		if i.tagged(tagID) {
			n++
		}
	}
	return n
}

func (i *picture) tagged(id string) bool {
	return slices.ContainsFunc(i.Tags, func(t pictureTag) bool { return t.ID == id })
}

// snapshot keeps with the iteration what it is trained on.
func (p *project) snapshot(i *iteration) {
	for _, t := range p.Tags {
		if len(i.SelectedTags) == 0 || slices.Contains(i.SelectedTags, t.ID) {
			kept := *t
			kept.ImageCount = p.count(t.ID)
			i.Tags = append(i.Tags, &kept)
		}
	}
	i.Images = clonePictures(p.Images)
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

func (s *Server) getTags(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	list := []tagWire{}
	for _, t := range p.Tags {
		list = append(list, t.wire(p.count(t.ID)))
	}
	return list, nil
}

func (s *Server) createTag(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	name, err := c.required("name")
	if err != nil {
		return nil, err
	}
	t := &tag{ID: newID(), Name: name, Description: optional(c.query.Get("description")), Type: regularTag}
	p.Tags = append(p.Tags, t)
	p.changed(c.now)
	return t.wire(0), nil
}
