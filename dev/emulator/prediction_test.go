package emulator

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// predicts sends a picture to the Prediction API: as a form, or as a URL if it is a
// text.
func (s *fixture) predicts(version, path string, picture any) *answer {
	s.t.Helper()
	kind, body := "application/json", []byte(nil)
	switch p := picture.(type) {
	case []byte:
		kind, body = form(p)
	case string:
		body = mustJSON(map[string]string{"url": p})
	}
	r, err := http.NewRequest("POST", s.url+"/customvision/"+version+"/prediction/"+path, bytes.NewReader(body))
	require.NoError(s.t, err)
	r.Header.Set("Prediction-Key", testKey)
	r.Header.Set("Content-Type", kind)
	return s.do(r)
}

// published is a project whose one trained iteration is published as "my model",
// and the iteration.
func (s *fixture) published(domain string) (project, iteration string) {
	s.t.Helper()
	project = "projects/" + s.call("POST", "projects", q("name", "a", "domainId", domain), nil).ok()["id"].(string)
	for _, name := range []string{"cat", "dog"} {
		s.images(project, s.tag(project, name), 1)
	}
	iteration = s.trained(project)
	s.call("POST", iteration+"/publish", q("publishName", "my model", "predictionId", predictionID), nil)
	return project, iteration[len(iteration)-36:]
}

func TestPredictions(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	pictures := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(png(7)) }))
	t.Cleanup(pictures.Close)
	for kind, domain := range map[string]string{"classify": compactDomain, "detect": compactDetection} {
		project, iteration := s.published(domain)
		path := project[9:] + "/" + kind + "/iterations/my%20model/"
		var first any
		for _, version := range []string{predictionV30, predictionV31} {
			for _, form := range []string{"image", "image/nostore", "url", "url/nostore"} {
				var picture any = png(7)
				if strings.HasPrefix(form, "url") {
					picture = pictures.URL + "/seven.png"
				}
				a := s.predicts(version, path+form+"?application=shop", picture)
				got := a.ok()
				assert.Equal(t, a.header.Get("apim-request-id"), got["id"])
				assert.Equal(t, iteration, got["iteration"])
				list := got["predictions"].([]any)
				require.Len(t, list, 2)
				for _, p := range list {
					guess := p.(map[string]any)
					assert.Equal(t, version == predictionV31, guess["tagType"] != nil)
					assert.Equal(t, kind == "detect", guess["boundingBox"] != nil)
					delete(guess, "tagType")
				}
				if first == nil {
					first = list
				}
				assert.Equal(t, first, list, "the same picture is seen the same")
			}
		}
		stored := s.call("POST", project+"/predictions/query", nil, map[string]any{"application": "shop"}).ok()["results"].([]any)
		assert.Len(t, stored, 4, "those without nostore")
		image := stored[0].(map[string]any)["originalImageUri"].(string)
		assert.Contains(t, image, "/predictionimages/"+project[9:]+"/o-")
		assert.Equal(t, png(7), download(t, image))
		other := s.predicts(predictionV31, path+"image", png(8)).ok()["predictions"]
		assert.NotEqual(t, first, other, "another picture is seen otherwise")
	}
}

func TestPredictionsAreRefused(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project, _ := s.published(compactDomain)
	path := project[9:] + "/classify/iterations/my%20model/"
	s.predicts(predictionV31, path+"image", append(png(1), make([]byte, maxPredicted)...)).refused(400, "BadRequestImageSizeBytes")
	s.predicts(predictionV31, path+"image", []byte("text")).refused(400, "BadRequestImageFormat")
	s.predicts(predictionV31, path+"image", "http://127.0.0.1/").refused(415, "UnsupportedMediaType")
	s.predicts(predictionV31, path+"url", png(1)).refused(415, "UnsupportedMediaType")
	s.predicts(predictionV31, path+"url", "http://192.0.2.1/").refused(400, "BadRequestImageUrl")
	s.predicts(predictionV31, strings.Replace(path, "my%20model", "My%20Model", 1)+"image", png(1)).refused(404, "NotFoundIteration")
	s.predicts(predictionV31, unknownID+"/classify/iterations/my%20model/image", png(1)).refused(404, "NotFoundProject")
	s.predicts(predictionV31, strings.Replace(path, "classify", "detect", 1)+"image", png(1)).refused(400, "BadRequestUnsupportedDomain")
	r, err := http.NewRequest("POST", s.url+"/customvision/v3.1/prediction/"+path+"image", bytes.NewReader(png(1)))
	require.NoError(t, err)
	r.Header.Set("Training-Key", testKey)
	assert.Equal(t, 401, s.do(r).status, "the key of the other API's header")
	require.NoError(t, s.FaultCalls("ClassifyImage", 1, CallFault{Status: 429}))
	assert.Contains(t, string(s.predicts(predictionV31, path+"image", png(1)).body), "Custom_Vision_Prediction_3.1")
}

func TestRulesDecidePredictions(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project, _ := s.published(compactDomain)
	path := project[9:] + "/classify/iterations/my%20model/image"
	top := func() (string, float64) {
		guess := s.predicts(predictionV31, path, png(7)).ok()["predictions"].([]any)[0].(map[string]any)
		return guess["tagName"].(string), guess["probability"].(float64)
	}
	s.post("predict?name=.png&tag=cat&probability=0.97") // the form's file is a.png
	s.post("predict?name=.png&tag=dog&probability=0.01")
	s.post("predict?name=b.png&tag=dog&probability=1")
	name, probability := top()
	assert.Equal(t, "cat", name)
	assert.Equal(t, 0.97, probability)
	s.post("predict?tag=dog&probability=0.98")
	name, _ = top()
	assert.Equal(t, "dog", name, "a later rule counts, and one without a name is for all")
	for _, bad := range []string{"predict", "predict?tag=cat", "predict?tag=cat&probability=2", "predict?tag=cat&probability=NaN", "predict?probability=1"} {
		status, _ := s.control("POST", bad)
		assert.Equal(t, 400, status, bad)
	}
}

func TestQueryPredictions(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project, iteration := s.published(compactDomain)
	path := project[9:] + "/classify/iterations/my%20model/image"
	cat := s.tagsByName(project)["cat"]["id"].(string)
	dog := s.tagsByName(project)["dog"]["id"].(string)
	var ids []string
	for n, probability := range []string{"0.2", "0.6", "0.9"} {
		s.post("predict?tag=cat&probability=" + probability)
		s.post("predict?tag=dog&probability=0.1")
		ids = append(ids, s.predicts(predictionV31, path+"?application=app"+probability, png(n)).ok()["id"].(string))
		s.Advance(1e9)
	}
	query := func(body map[string]any) (found []string, token map[string]any) {
		a := s.call("POST", project+"/predictions/query", nil, body).ok()
		for _, r := range a["results"].([]any) {
			found = append(found, r.(map[string]any)["id"].(string))
		}
		return found, a["token"].(map[string]any)
	}
	at := func(n int) string { return s.state.Projects[0].Predictions[n].Created.Format("2006-01-02T15:04:05Z") }
	threshold := func(id string, least, most float64) map[string]any {
		return map[string]any{"id": id, "minThreshold": least, "maxThreshold": most}
	}
	for name, c := range map[string]struct {
		body map[string]any
		want []string
	}{
		"newest first":           {map[string]any{"maxCount": 0}, []string{ids[2], ids[1], ids[0]}},
		"oldest first":           {map[string]any{"orderBy": "oldest"}, ids},
		"the least sure first":   {map[string]any{"orderBy": "Suggested"}, ids},
		"of an application":      {map[string]any{"application": "app0.6"}, ids[1:2]},
		"from a time on":         {map[string]any{"startTime": at(1), "orderBy": "Oldest"}, ids[1:]},
		"up to a time":           {map[string]any{"endTime": at(1), "orderBy": "Oldest"}, ids[:2]},
		"of an iteration":        {map[string]any{"iterationId": strings.ToUpper(iteration), "orderBy": "Oldest"}, ids},
		"of another":             {map[string]any{"iterationId": unknownID}, nil},
		"by a tag's probability": {map[string]any{"tags": []any{threshold(cat, 0.5, 0.7)}}, ids[1:2]},
		"without an upper bound": {map[string]any{"orderBy": "Oldest", "tags": []any{map[string]any{"id": cat, "minThreshold": 0.5}}}, ids[1:]},
		"by two tags":            {map[string]any{"tags": []any{threshold(cat, 0, 1), threshold(dog, 0.2, 1)}}, nil},
	} {
		found, token := query(c.body)
		assert.Equal(t, c.want, found, name)
		assert.Nil(t, token["continuation"], name)
	}

	body := map[string]any{"orderBy": "Oldest", "maxCount": 2}
	found, token := query(body)
	assert.Equal(t, ids[:2], found)
	require.NotNil(t, token["continuation"])
	found, token = query(token)
	assert.Equal(t, ids[2:], found, "the token of an answer asks for the next page")
	assert.Nil(t, token["continuation"])

	for code, bad := range map[string][]map[string]any{
		"BadRequestRequiredParamIsNull":              {{}},
		"BadRequestInvalidIds":                       {{"iterationId": "x"}, {"tags": []any{threshold("x", 0, 1)}}},
		"BadRequestPredictionTagsExceededCount":      {{"tags": []any{threshold(cat, 0, 1), threshold(dog, 0, 1), threshold(cat, 0, 1)}}},
		"BadRequestPredictionResultsExceededCount":   {{"maxCount": 257}},
		"BadRequestPredictionInvalidQueryParameters": {{"maxCount": -1}, {"orderBy": "Random"}, {"startTime": at(2), "endTime": at(0)}, {"continuation": "x"}, {"tags": []any{threshold(cat, 0.7, 0.5)}}, {"tags": []any{threshold(cat, -1, 2)}}},
		"BadRequestInvalid":                          {{"startTime": "yesterday"}},
	} {
		for _, b := range bad {
			s.call("POST", project+"/predictions/query", nil, b).refused(400, code)
		}
	}
	many := make([]string, maxBatch+1)
	for n := range many {
		many[n] = newID()
	}
	s.call("DELETE", project+"/predictions", q("ids", strings.Join(many, ",")), nil).refused(400, "BadRequestPredictionIdsExceededCount")
}
