package emulator

import (
	"cmp"
	"slices"
	"strings"
)

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

func (t *tag) wire() tagWire { return tagWire{t.ID, t.Name, t.Description, t.Type, t.ImageCount} }

// counted returns the project's tags with their numbers of pictures.
func (p *project) counted() []*tag {
	list := make([]*tag, len(p.Tags))
	for n, old := range p.Tags {
		t := *old
		t.ImageCount = p.count(t.ID)
		list[n] = &t
	}
	return list
}

// count returns how many pictures have the tag.
func (p *project) count(tagID string) int {
	n := 0
	for _, i := range p.Images {
		if i.tagged(tagID) {
			n++
		}
	}
	return n
}

// snapshot copies the tags and pictures that an iteration is trained on into it.
func (p *project) snapshot(i *iteration) {
	for _, t := range p.counted() {
		if len(i.SelectedTags) == 0 || slices.Contains(i.SelectedTags, t.ID) {
			i.Tags = append(i.Tags, t)
		}
	}
	i.Images = clonePictures(p.Images)
}

// seen returns the project as the caller asks for it: its current state, or the
// state that an iteration was trained on.
func (s *Server) seen(c *call) (p *project, tags []*tag, pictures []*picture, err error) {
	if p, err = s.project(c.ids["projectId"]); err != nil {
		return nil, nil, nil, err
	}
	i, err := c.iteration(p)
	if err != nil {
		return nil, nil, nil, err
	}
	if i == nil || i.Status == statusNew {
		return p, p.counted(), p.Images, nil
	}
	return p, i.Tags, i.Images, nil
}

// iteration returns the iteration that the query names, or nil if it names none.
func (c *call) iteration(p *project) (*iteration, error) {
	ids, err := c.guids("iterationId", 1)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return p.iteration(ids[0])
}

func (s *Server) getTags(c *call) (any, error) {
	_, tags, _, err := s.seen(c)
	if err != nil {
		return nil, err
	}
	list := []tagWire{}
	for _, t := range tags {
		list = append(list, t.wire())
	}
	slices.SortFunc(list, func(a, b tagWire) int { return cmp.Compare(databaseOrder(a.ID), databaseOrder(b.ID)) })
	return list, nil
}

// databaseOrder returns a key that sorts GUIDs as the service's SQL Server does: by
// their last bytes first, those of the first three groups in reverse.
func databaseOrder(id string) string {
	groups := strings.Split(id, "-")
	slices.Reverse(groups)
	for n, group := range groups[2:] {
		turned := ""
		for ; group != ""; group = group[2:] {
			turned = group[:2] + turned
		}
		groups[2+n] = turned
	}
	return strings.Join(groups, "")
}

func (s *Server) getTag(c *call) (any, error) {
	_, tags, _, err := s.seen(c)
	if err != nil {
		return nil, err
	}
	for _, t := range tags {
		if t.ID == c.ids["tagId"] {
			return t.wire(), nil
		}
	}
	return nil, notFound("NotFoundTag", "No tag found with id %s", c.ids["tagId"])
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
	if kind := c.query.Get("type"); kind != "" {
		t.Type = kind
	}
	if err := s.checkTag(p, t); err != nil {
		return nil, err
	}
	if limit := s.tier().tags; limit > 0 && len(p.Tags) >= limit {
		return nil, badRequest("BadRequestExceedTagPerProjectLimit", "The project has %d tags", len(p.Tags))
	}
	p.Tags = append(p.Tags, t)
	p.changed(c.now)
	return t.wire(), nil
}

// checkTag checks a new or changed tag and makes its fields canonical.
func (s *Server) checkTag(p *project, t *tag) error {
	var ok bool
	if t.Type, ok = fold([]string{regularTag, negativeTag, productTag}, t.Type); !ok {
		return badRequest("BadRequestTagType", "The tag type %s is not known", t.Type)
	}
	if strings.TrimSpace(t.Name) == "" || s.tooLong(t.Name) {
		return badRequest("BadRequestTagName", "The tag name is empty or too long")
	}
	for _, other := range p.Tags {
		switch {
		case other.ID == t.ID:
		case strings.EqualFold(other.Name, t.Name):
			return badRequest("BadRequestTagNameNotUnique", "A tag named %s exists", t.Name)
		case t.Type == negativeTag && other.Type == negativeTag:
			return badRequest("BadRequestMultipleNegativeTag", "The project has a negative tag")
		case t.Type == productTag && other.Type == productTag:
			return badRequest("BadRequestMultipleGeneralProductTag", "The project has a general product tag")
		}
	}
	return nil
}

func (s *Server) updateTag(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	old, err := p.tag(c.ids["tagId"])
	if err != nil {
		return nil, err
	}
	var patch struct {
		Name, Type  *string
		Description maybe[*string]
	}
	if err := c.decodeFilled(&patch); err != nil {
		return nil, err
	}
	next := *old
	if patch.Name != nil {
		next.Name = *patch.Name
	}
	if patch.Type != nil {
		next.Type = *patch.Type
	}
	if patch.Description.Set {
		next.Description = patch.Description.Value
	}
	if err := s.checkTag(p, &next); err != nil {
		return nil, err
	}
	*old = next
	p.changed(c.now)
	next.ImageCount = p.count(next.ID)
	return next.wire(), nil
}

func (s *Server) deleteTag(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	t, err := p.tag(c.ids["tagId"])
	if err != nil {
		return nil, err
	}
	p.Tags = slices.DeleteFunc(p.Tags, func(o *tag) bool { return o == t })
	for _, i := range p.Images {
		i.untag(t.ID)
	}
	p.changed(c.now)
	return noContent, nil
}
