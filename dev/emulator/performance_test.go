package emulator

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPerformance(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.trainable()
	iteration := s.trained(project)
	measure := func(path, threshold string) map[string]any {
		return s.call("GET", path+"/performance", q("threshold", threshold), nil).ok()
	}
	low, high := measure(iteration, "0.1"), measure(iteration, "0.9")
	assert.Equal(t, low, measure(iteration, "0.1"), "the same each time")
	assert.Less(t, low["precision"], high["precision"], "precision rises with the threshold")
	assert.Greater(t, low["recall"], high["recall"], "recall falls")
	assert.Equal(t, low["averagePrecision"], high["averagePrecision"])
	perTag := low["perTagPerformance"].([]any)
	require.Len(t, perTag, 2)
	for _, p := range []map[string]any{low, high, perTag[0].(map[string]any)} {
		for _, key := range []string{"precision", "recall", "averagePrecision"} {
			assert.Greater(t, p[key], 0.3)
			assert.LessOrEqual(t, p[key], 1.0)
		}
	}

	for _, tag := range s.call("GET", project+"/tags", nil, nil).list() {
		s.images(project, tag["id"].(string), 50)
	}
	better := s.trained(project)
	assert.Greater(t, measure(better, "0.5")["averagePrecision"], low["averagePrecision"], "more images help")
	assert.Equal(t, low, measure(iteration, "0.1"), "an iteration stays what it was")
}

func TestPerformanceIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project := s.project()
	s.FailTrainings(1)
	s.call("GET", s.trained(project)+"/performance", nil, nil).refused(400, "BadRequestIterationIsNotTrained")
	iteration := s.trained(project)
	for _, threshold := range []string{"high", "NaN", "-0.1", "1.1"} {
		s.call("GET", iteration+"/performance", q("threshold", threshold), nil).refused(400, "BadRequestInvalid")
	}
	empty := s.call("GET", iteration+"/performance", nil, nil).ok()
	assert.Empty(t, empty["perTagPerformance"])
}

func TestImagePerformance(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.trainable()
	iteration := s.trained(project)
	tags := s.call("GET", project+"/tags", nil, nil).list()
	s.images(project, tags[0]["id"].(string), 3)

	all := s.call("GET", iteration+"/performance/images", nil, nil).list()
	require.Len(t, all, 10, "those that it was trained on")
	assert.Equal(t, "10", string(s.call("GET", iteration+"/performance/images/count", nil, nil).body))
	assert.Equal(t, "5", string(s.call("GET", iteration+"/performance/images/count", q("tagIds", tags[1]["id"].(string)), nil).body))
	assert.Len(t, s.call("GET", iteration+"/performance/images", q("take", "3", "skip", "8"), nil).list(), 2)
	oldest := s.call("GET", iteration+"/performance/images", q("orderBy", "Oldest", "take", "1"), nil).list()[0]
	assert.Equal(t, all[9], withoutLinks(oldest, all[9]))

	own := oldest["tags"].([]any)[0].(map[string]any)["tagId"]
	predictions := oldest["predictions"].([]any)
	require.Len(t, predictions, 2)
	for _, p := range predictions {
		guess := p.(map[string]any)
		assert.Equal(t, guess["tagId"] == own, guess["probability"].(float64) >= 0.5)
		assert.Nil(t, guess["boundingBox"])
	}
}

// withoutLinks takes the links over, which are minted for each answer.
func withoutLinks(got, want map[string]any) map[string]any {
	got["imageUri"], got["thumbnailUri"] = want["imageUri"], want["thumbnailUri"]
	return got
}

func TestATestMaySayHowWellAnIterationPredicts(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.trainable()
	s.SetQuality(0.4)
	poor := s.trained(project)
	s.SetQuality(0)
	measure := func(path string) any {
		return s.call("GET", path+"/performance", nil, nil).ok()["averagePrecision"]
	}
	assert.InDelta(t, 0.4, measure(poor), 1e-9)
}
