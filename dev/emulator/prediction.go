package emulator

// maxPredicted is the largest picture of the Prediction API: 4 MB.
const maxPredicted = 4 << 20

// predictSent serves pictures in the request.
func predictSent(kind string, store bool) func(*Server, *call) (any, error) {
	return func(s *Server, c *call) (any, error) {
		sent, err := c.sentImage()
		if err != nil {
			return nil, err
		}
		return s.predictPublished(c, kind, sent, store)
	}
}

// predictLinked serves pictures at a URL.
func predictLinked(kind string, store bool) func(*Server, *call) (any, error) {
	return func(s *Server, c *call) (any, error) {
		sent, err := s.linkedImage(c)
		if err != nil {
			return nil, err
		}
		return s.predictPublished(c, kind, sent, store)
	}
}

// predictPublished returns the predictions of the iteration that is published under
// the name in the path.
func (s *Server) predictPublished(c *call, kind string, sent part, store bool) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	for _, i := range p.Iterations {
		if i.PublishName == "" || i.PublishName != c.ids[publishedName] {
			continue
		}
		if d, _ := findDomain(i.DomainID); d.kind != kind {
			return nil, badRequest("BadRequestUnsupportedDomain", "The iteration is one of %s", d.kind)
		}
		return s.predict(c, p, i, sent, maxPredicted, store)
	}
	return nil, notFound("NotFoundIteration", "No iteration is published as %s", c.ids[publishedName])
}
