package emulator

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTagLife(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.project()
	created := s.call("POST", project+"/tags", q("name", "cat & dog", "description", "pets"), nil).ok()
	assert.Equal(t, map[string]any{"id": created["id"], "name": "cat & dog", "description": "pets", "type": "Regular", "imageCount": 0.0}, created)
	tag := project + "/tags/" + created["id"].(string)
	s.images(project, created["id"].(string), 2)
	assert.Equal(t, 2.0, s.call("GET", tag, nil, nil).ok()["imageCount"])
	changed := s.call("PATCH", tag, nil, map[string]any{"name": "pets", "description": nil, "type": "Negative"}).ok()
	assert.Equal(t, map[string]any{"id": created["id"], "name": "pets", "description": nil, "type": "Negative", "imageCount": 2.0}, changed)
	s.call("DELETE", tag, nil, nil).empty()
	s.call("GET", tag, nil, nil).refused(404, "NotFoundTag")
	assert.Equal(t, "2", string(s.call("GET", project+"/images/untagged/count", nil, nil).body))
}

func TestTagsAreKeptAsTrained(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.trainable()
	iteration := s.trained(project)
	id := iteration[len(iteration)-36:]
	now := s.call("GET", project+"/tags", nil, nil).list()
	s.images(project, now[0]["id"].(string), 1)
	s.call("DELETE", project+"/tags/"+now[1]["id"].(string), nil, nil).empty()
	assert.Equal(t, now, s.call("GET", project+"/tags", q("iterationId", id), nil).list())
	assert.Equal(t, now[1], s.call("GET", project+"/tags/"+now[1]["id"].(string), q("iterationId", id), nil).ok())
	s.call("GET", project+"/tags", q("iterationId", unknownID), nil).refused(404, "NotFoundIteration")
}

func TestTagIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.project()
	s.tag(project, "cat")
	s.tag(project, "none", "type", "Negative")
	product := s.tag(project, "product", "type", "GeneralProduct")
	for _, c := range []struct {
		code  string
		pairs []string
	}{
		{"BadRequestRequiredParamIsNull", nil},
		{"BadRequestTagName", []string{"name", " "}},
		{"BadRequestTagNameNotUnique", []string{"name", "Cat"}},
		{"BadRequestTagType", []string{"name", "a", "type", "Some"}},
		{"BadRequestMultipleNegativeTag", []string{"name", "a", "type", "Negative"}},
		{"BadRequestMultipleGeneralProductTag", []string{"name", "a", "type", "GeneralProduct"}},
	} {
		s.call("POST", project+"/tags", q(c.pairs...), nil).refused(400, c.code)
	}
	s.call("PATCH", project+"/tags/"+product, nil, map[string]any{"name": "cat"}).refused(400, "BadRequestTagNameNotUnique")
	s.call("PATCH", project+"/tags/"+unknownID, nil, map[string]any{"name": "b"}).refused(404, "NotFoundTag")
	s.call("DELETE", project+"/tags/"+unknownID, nil, nil).refused(404, "NotFoundTag")
}
