package emulator

import (
	"regexp"
	"strings"
)

// armID matches a predictionId: the full ARM id of a prediction resource.
var armID = regexp.MustCompile(`(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.CognitiveServices/accounts/[^/]+$`)

func (s *Server) publishIteration(c *call) (any, error) {
	p, i, err := s.lookup(c)
	if err != nil {
		return nil, err
	}
	name, err := c.required("publishName")
	if err != nil {
		return nil, err
	}
	target, err := c.required("predictionId")
	if err != nil {
		return nil, err
	}
	overwrite, err := c.flag("overwrite", false)
	if err != nil {
		return nil, err
	}
	switch {
	case i.Status != statusCompleted:
		return nil, badRequest("BadRequestIterationIsNotTrained", "The iteration is not trained")
	case i.PublishName != "": // overwrite=true doesn't help, as users report
		return nil, badRequest("BadRequestIterationIsPublished", "Iteration is already published as: %s", i.PublishName)
	case strings.TrimSpace(name) == "":
		return nil, badRequest("BadRequestInvalidPublishName", "The publish name is empty")
	case !armID.MatchString(target):
		return nil, badRequest("BadRequestInvalidPublishTarget", "predictionId is not the resource id of a prediction resource")
	}
	for _, other := range p.Iterations {
		if other.PublishName != name {
			continue
		}
		if !overwrite || s.answer(PublishOverwrite) == "fails" {
			return nil, badRequest("BadRequestInvalidPublishName", "The publish name %s is used by another iteration", name)
		}
		other.PublishName, other.PublishTarget, other.LastModified = "", "", c.now
	}
	i.PublishName, i.PublishTarget, i.LastModified = name, target, c.now
	return true, nil
}

func (s *Server) unpublishIteration(c *call) (any, error) {
	_, i, err := s.lookup(c)
	if err != nil {
		return nil, err
	}
	if i.PublishName == "" {
		return nil, badRequest("BadRequestIterationNotPublished", "The iteration is not published")
	}
	i.PublishName, i.PublishTarget, i.LastModified = "", "", c.now
	return noContent, nil
}
