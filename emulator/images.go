package emulator

func (s *Server) countImages(c *call, want func(*picture) bool) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	n := 0
	for _, i := range p.Images {
		if want(i) {
			n++
		}
	}
	return n, nil
}

func (s *Server) getImageCount(c *call) (any, error) {
	return s.countImages(c, func(*picture) bool { return true })
}

func (s *Server) getTaggedImageCount(c *call) (any, error) {
	return s.countImages(c, func(i *picture) bool { return len(i.Tags) > 0 })
}

func (s *Server) getUntaggedImageCount(c *call) (any, error) {
	return s.countImages(c, func(i *picture) bool { return len(i.Tags) == 0 })
}

// createImagesFromFiles keeps the pictures' tags.
func (s *Server) createImagesFromFiles(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	var batch struct {
		Images []struct {
			Name     string
			Contents []byte
			TagIDs   []string
		}
		TagIDs []string
	}
	if err := c.decode(&batch); err != nil {
		return nil, err
	}
	type result struct {
		SourceURL string `json:"sourceUrl"`
		Status    string `json:"status"`
	}
	results := []result{}
	for _, entry := range batch.Images {
		i := &picture{ID: newID(), Created: c.now}
		for _, id := range append(batch.TagIDs, entry.TagIDs...) {
			if id, ok := canonicalID(id); ok && !i.tagged(id) {
				i.Tags = append(i.Tags, pictureTag{id, c.now})
			}
		}
		p.Images = append(p.Images, i)
		results = append(results, result{entry.Name, "OK"})
	}
	p.changed(c.now)
	return map[string]any{"isBatchSuccessful": true, "images": results}, nil
}
