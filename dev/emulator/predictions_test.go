package emulator

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestQuickTestBecomesATrainingImage(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.trainable()
	quick := func(query string, content []byte) *answer {
		r, err := http.NewRequest("POST", s.url+"/customvision/v3.3/training/"+project+"/quicktest/image"+query, bytes.NewReader(content))
		require.NoError(t, err)
		r.Header.Set("Training-Key", testKey)
		r.Header.Set("Content-Type", "application/octet-stream")
		return s.do(r)
	}
	picture := png(int(seeds.Add(1)))
	quick("", picture).refused(404, "NotFoundProjectDefaultIteration")
	iteration := s.trained(project)
	result := quick("", picture).ok()
	assert.Equal(t, iteration[len(iteration)-36:], result["iteration"])
	assert.Len(t, result["predictions"], 2)
	quick("?store=false&iterationId="+iteration[len(iteration)-36:], picture).ok()
	quick("", []byte("text")).refused(400, "BadRequestImageFormat")
	quick("", append(png(1), make([]byte, maxPicture)...)).refused(400, "BadRequestImageSizeBytes")
	quick("?iterationId="+unknownID, picture).refused(404, "NotFoundIteration")

	found := s.call("POST", project+"/predictions/query", nil, map[string]any{"orderBy": "Newest"}).ok()
	require.Len(t, found["results"], 1)
	kept := found["results"].([]any)[0].(map[string]any)
	assert.Equal(t, picture, download(t, kept["originalImageUri"].(string)))

	batch := map[string]any{"images": []any{map[string]any{"id": result["id"]}, map[string]any{"id": unknownID}}}
	assert.Equal(t, []string{"OK", "ErrorSource"}, s.call("POST", project+"/images/predictions", nil, batch).statuses(207))
	s.call("DELETE", project+"/predictions", q("ids", result["id"].(string)), nil).empty()
	s.call("DELETE", project+"/predictions", nil, nil).refused(400, "BadRequestPredictionIdsMissing")
	assert.Empty(t, s.call("POST", project+"/predictions/query", nil, map[string]any{"maxCount": 0}).ok()["results"])
}

func TestQuickTestByURL(t *testing.T) {
	t.Parallel()
	pictures := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(png(1)) }))
	t.Cleanup(pictures.Close)
	s := start(t, noValidation)
	project := s.project()
	s.trained(project)
	s.call("POST", project+"/quicktest/url", nil, map[string]string{"url": pictures.URL}).ok()
	s.call("POST", project+"/quicktest/url", nil, map[string]string{"url": "http://192.0.2.1/"}).refused(400, "BadRequestImageUrl")
}

func TestWhatNeedsAnEyeIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.project()
	for _, path := range []string{"/images/suggested", "/images/suggested/count", "/images/" + unknownID + "/regionproposals", "/tagsandregions/suggestions"} {
		s.call("POST", project+path, nil, map[string]any{}).refused(400, "BadRequestNotSupported")
	}
}

// What a better iteration gets wrong a worse one gets wrong too.
func TestQuickTestsGoByWhatAPictureShowsAndHowGoodTheIterationIs(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project := s.project()
	for _, name := range []string{"cup", "fork"} {
		s.call("POST", project+"/tags", q("name", name), nil).ok()
	}
	var pictures [][]byte
	for n := range 60 {
		pictures = append(pictures, png(1000+n))
		s.Show(pictures[n], Label{Tag: []string{"cup", "fork"}[n%2]})
	}
	right := func(iteration string) (right int, of map[int]bool) {
		of = map[int]bool{}
		for n, content := range pictures {
			r, err := http.NewRequest("POST", s.url+"/customvision/v3.3/training/"+project+"/quicktest/image?store=false&iterationId="+iteration[len(iteration)-36:], bytes.NewReader(content))
			require.NoError(t, err)
			r.Header.Set("Training-Key", testKey)
			r.Header.Set("Content-Type", "application/octet-stream")
			for _, p := range s.do(r).ok()["predictions"].([]any) {
				p := p.(map[string]any)
				if (p["probability"].(float64) >= 0.5) == (p["tagName"] == []string{"cup", "fork"}[n%2]) {
					right++
				} else {
					of[n] = true
				}
			}
		}
		return right, of
	}
	s.SetQuality(0.9)
	good, missed := right(s.trained(project))
	assert.InDelta(t, 0.9, float64(good)/120, 0.08)
	s.SetQuality(0.5)
	bad, missedMore := right(s.trained(project))
	assert.InDelta(t, 0.5, float64(bad)/120, 0.15)
	for n := range missed {
		assert.True(t, missedMore[n])
	}
	assert.Empty(t, s.call("POST", project+"/predictions/query", nil, map[string]any{"orderBy": "Newest"}).ok()["results"], "store=false stores nothing")
}
