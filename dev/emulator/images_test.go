package emulator

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// statuses of a batch, in its order.
func (a *answer) statuses(status int) []string {
	a.t.Helper()
	require.Equal(a.t, status, a.status, "%s", a.body)
	var summary struct {
		IsBatchSuccessful bool
		Images            []struct{ Status string }
	}
	require.NoError(a.t, json.Unmarshal(a.body, &summary))
	assert.Equal(a.t, status == 200, summary.IsBatchSuccessful)
	var all []string
	for _, i := range summary.Images {
		all = append(all, i.Status)
	}
	return all
}

func TestImagesFromFiles(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.project()
	cat, dog := s.tag(project, "cat"), s.tag(project, "dog")
	a := s.call("POST", project+"/images/files", nil, map[string]any{
		"images":   []any{map[string]any{"name": "a.png", "contents": png(1), "tagIds": []string{dog}}},
		"tagIds":   []string{cat},
		"metadata": map[string]string{"from": "camera 1"},
	})
	assert.Equal(t, []string{"OK"}, a.statuses(200))
	result := a.ok()["images"].([]any)[0].(map[string]any)
	assert.Equal(t, "a.png", result["sourceUrl"])
	i := result["image"].(map[string]any)
	assert.Equal(t, 8.0, i["width"])
	assert.Equal(t, 4.0, i["height"])
	assert.Equal(t, map[string]any{"from": "camera 1"}, i["metadata"])
	assert.Len(t, i["tags"], 2)
	for _, key := range []string{"originalImageUri", "resizedImageUri", "thumbnailUri"} {
		assert.Equal(t, png(1), download(t, i[key].(string)), key)
	}
}

// bitmap is the beginning of a BMP file, which is all that is looked at.
func bitmap(width, height int32) []byte {
	b := append([]byte("BM"), make([]byte, 24)...)
	binary.LittleEndian.PutUint32(b[18:], uint32(width))
	binary.LittleEndian.PutUint32(b[22:], uint32(height))
	return b
}

func TestImageStatuses(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.project()
	negative, cat := s.tag(project, "none", "type", "Negative"), s.tag(project, "cat")
	a := s.call("POST", project+"/images/files", nil, map[string]any{"images": []any{
		map[string]any{"name": "new", "contents": png(1)},
		map[string]any{"name": "again", "contents": png(1), "tagIds": []string{cat}},
		map[string]any{"name": "no picture", "contents": []byte("text")},
		map[string]any{"name": "large", "contents": append(png(2), make([]byte, maxPicture)...)},
		map[string]any{"name": "mixed", "contents": png(3), "tagIds": []string{cat, negative}},
		map[string]any{"name": "bitmap", "contents": bitmap(8, -4)},
		map[string]any{"name": "wide", "contents": bitmap(101, 4)},
		map[string]any{"name": "huge", "contents": bitmap(10_241, 10_241)},
		map[string]any{"name": "nothing", "contents": []byte("GIF89a\x00\x00\x00\x00\x00\x00\x00")},
	}})
	assert.Equal(t, []string{"OK", "OKDuplicate", "ErrorImageFormat", "ErrorImageSize", "ErrorNegativeAndRegularTagOnSameImage", "OK", "ErrorImageSize", "ErrorImageSize", "ErrorImageFormat"}, a.statuses(207))
	assert.Equal(t, "2", string(s.call("GET", project+"/images/count", nil, nil).body))
	assert.Equal(t, "1", string(s.call("GET", project+"/images/tagged/count", nil, nil).body), "a duplicate's tags are added")
}

// TestImagesFromData sends the two forms that the official JavaScript client
// uses, of which one has no file name, and a plain body.
func TestImagesFromData(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.project()
	cat := s.tag(project, "cat")
	send := func(kind string, body []byte) *answer {
		r, err := http.NewRequest("POST", s.url+"/customvision/v3.3/training/"+project+"/images?tagIds="+cat, bytes.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Training-Key", testKey)
		r.Header.Set("Content-Type", kind)
		return s.do(r)
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="imageData"`}, "Content-Type": {"application/octet-stream"}})
	require.NoError(t, err)
	part.Write(png(1))
	part, err = w.CreateFormFile("imageData", "i.jpg")
	require.NoError(t, err)
	part.Write(png(2))
	require.NoError(t, w.Close())
	assert.Equal(t, []string{"OK", "OK"}, send(w.FormDataContentType(), body.Bytes()).statuses(200))
	assert.Equal(t, []string{"OK"}, send("application/octet-stream", png(3)).statuses(200))
	assert.Equal(t, "3", string(s.call("GET", project+"/images/tagged/count", q("tagIds", cat), nil).body))

	send("application/octet-stream", nil).refused(400, "BadRequestImageBatch")
	send("multipart/form-data; boundary=x", []byte("--x\r\nbroken")).refused(400, "BadRequestImageStream")
	send("application/json", []byte("{}")).refused(415, "UnsupportedMediaType")
}

func TestImagesFromURLs(t *testing.T) {
	t.Parallel()
	pictures := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/a.png" {
			http.NotFound(w, r)
			return
		}
		w.Write(png(1))
	}))
	t.Cleanup(pictures.Close)
	s := start(t)
	project := s.project()
	a := s.call("POST", project+"/images/urls", nil, map[string]any{"images": []any{
		map[string]any{"url": pictures.URL + "/a.png"},
		map[string]any{"url": pictures.URL + "/b.png"},
		map[string]any{"url": "http://192.0.2.1/a.png"}, // beyond this machine
		map[string]any{"url": "file:///etc/hostname"},
	}})
	assert.Equal(t, []string{"OK", "ErrorSource", "ErrorSource", "ErrorSource"}, a.statuses(207))
}

func TestImageBatchIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.project()
	entries := make([]map[string]any, maxBatch+1)
	for n := range entries {
		entries[n] = map[string]any{"name": "a", "url": "http://127.0.0.1:1/a", "id": unknownID}
	}
	for _, form := range []string{"files", "urls", "predictions"} {
		path := project + "/images/" + form
		s.call("POST", path, nil, map[string]any{"images": entries}).refused(400, "BadRequestExceededBatchSize")
		s.call("POST", path, nil, map[string]any{}).refused(400, "BadRequestImageBatch")
		s.call("POST", path, nil, "{").refused(400, "BadRequestInvalid")
		s.call("POST", path, nil, map[string]any{"images": entries[:1], "metadata": map[string]string{" ": "a"}}).refused(400, "BadRequestImageMetadataKey")
		s.call("POST", path, nil, map[string]any{"images": entries[:1], "metadata": map[string]string{"a": ""}}).refused(400, "BadRequestImageMetadataValue")
		s.call("POST", path, nil, map[string]any{"images": entries[:1], "tagIds": []string{unknownID}}).refused(400, "BadRequestImageTags")
		s.call("POST", path, nil, map[string]any{"images": entries[:1], "tagIds": []string{"cat"}}).refused(400, "BadRequestInvalidIds")
	}
	var many []string
	for n := range maxTags + 1 {
		many = append(many, s.tag(project, fmt.Sprint(n)))
	}
	s.call("POST", project+"/images/files", nil, map[string]any{"images": entries[:1], "tagIds": many}).refused(400, "BadRequestExceedTagPerImageLimit")
}

func TestImageListsAndCounts(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.project()
	cat, dog := s.tag(project, "cat"), s.tag(project, "dog")
	cats, dogs := s.images(project, cat, 3), s.images(project, dog, 60)
	s.call("POST", project+"/images/files", nil, map[string]any{"images": []any{map[string]any{"name": "plain", "contents": png(int(seeds.Add(1)))}}}).ok()

	for path, want := range map[string]string{
		"/images/count": "64", "/images/count?taggingStatus=Untagged": "1", "/images/count?taggingStatus=tagged&tagIds=" + cat: "3",
		"/images/tagged/count": "63", "/images/tagged/count?tagIds=" + cat + "," + dog: "63", "/images/untagged/count": "1",
	} {
		p, query := cut(path)
		assert.Equal(t, want, string(s.call("GET", project+p, query, nil).body), path)
	}
	for path, want := range map[string]int{
		"/images": 50, "/images?take=256": 64, "/images?take=0": 0, "/images?skip=60": 4, "/images?skip=100": 0,
		"/images/tagged?tagIds=" + cat: 3, "/images/untagged": 1, "/images?taggingStatus=Untagged": 1,
		"/images/id?imageIds=" + cats[0] + "," + dogs[0] + "," + unknownID: 2,
	} {
		p, query := cut(path)
		assert.Len(t, s.call("GET", project+p, query, nil).list(), want, path)
	}
	assert.Equal(t, cats[0], s.call("GET", project+"/images", q("orderBy", "Oldest"), nil).list()[0]["id"])
	assert.Equal(t, dogs[59], s.call("GET", project+"/images/tagged", nil, nil).list()[0]["id"], "newest first")

	for _, query := range []url.Values{q("take", "257"), q("take", "-1"), q("skip", "-1")} {
		s.call("GET", project+"/images", query, nil).refused(400, "BadRequestImageExceededCount")
	}
	for _, query := range []url.Values{q("orderBy", "Random"), q("taggingStatus", "Some"), q("take", "all"), q("$filter", "metadata=a like 'b'")} {
		s.call("GET", project+"/images", query, nil).refused(400, "BadRequestInvalid")
	}
	s.call("GET", project+"/images", q("tagIds", "cat"), nil).refused(400, "BadRequestInvalidIds")
}

// cut splits a path from its query.
func cut(path string) (string, url.Values) {
	path, query, _ := strings.Cut(path, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		panic(err)
	}
	return path, values
}

func TestImageMetadataAndFilter(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.project()
	ids := s.images(project, s.tag(project, "cat"), 3)
	update := func(ids string, metadata map[string]string) *answer {
		return s.call("POST", project+"/images/metadata", q("imageIds", ids), metadata)
	}
	assert.Equal(t, []string{"OK", "OK"}, update(ids[0]+","+ids[1], map[string]string{"room": "1", "floor": "2"}).statuses(200))
	assert.Equal(t, []string{"OK"}, update(ids[1], map[string]string{"room": "2", "floor": ""}).statuses(200))
	assert.Equal(t, []string{"OK", "ErrorImageNotFound"}, update(ids[2]+","+unknownID, map[string]string{"room": "3"}).statuses(207))
	for filter, want := range map[string]string{
		"metadata=room eq '1'":                                 "1",
		"room ne '1'":                                          "2",
		"metadata=room eq '1' or room eq '2'":                  "2",
		"metadata=room eq '1' and floor eq '2' or room eq '3'": "2",
		"metadata=floor ne '2'":                                "2",
		"metadata=room eq '1' and floor ne '2'":                "0",
	} {
		assert.Equal(t, want, string(s.call("GET", project+"/images/count", q("$filter", filter), nil).body), filter)
	}
}

func TestImageTags(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.project()
	cat, dog, none := s.tag(project, "cat"), s.tag(project, "dog"), s.tag(project, "none", "type", "Negative")
	id := s.images(project, cat, 1)[0]
	tag := func(tags ...string) *answer {
		var entries []map[string]string
		for _, t := range tags {
			entries = append(entries, map[string]string{"imageId": id, "tagId": t})
		}
		return s.call("POST", project+"/images/tags", nil, map[string]any{"tags": entries})
	}
	entry := func(t string) []any { return []any{map[string]any{"imageId": id, "tagId": t}} }
	assert.Equal(t, map[string]any{"created": entry(dog), "duplicated": entry(cat), "exceeded": nil}, tag(cat, dog).ok())
	s.version = v34
	assert.Equal(t, map[string]any{"created": []any{}, "duplicated": entry(cat), "exceeded": []any{}}, tag(cat).ok())
	tag(none).refused(400, "BadRequestNegativeAndRegularTagOnSameImage")
	tag(unknownID).refused(404, "NotFoundTag")
	tag().refused(400, "BadRequestImageTags")
	s.call("DELETE", project+"/images/tags", q("imageIds", id, "tagIds", cat+","+dog), nil).empty()
	assert.Equal(t, "1", string(s.call("GET", project+"/images/untagged/count", nil, nil).body))
	s.call("DELETE", project+"/images/tags", q("imageIds", id), nil).refused(400, "BadRequestRequiredParamIsNull")
	s.call("DELETE", project+"/images/tags", q("imageIds", unknownID, "tagIds", cat), nil).refused(404, "NotFoundImage")
}

func TestDeleteImages(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.trainable()
	iteration := s.trained(project)
	trained := q("iterationId", iteration[len(iteration)-36:])
	count := func(query url.Values) string { return string(s.call("GET", project+"/images/count", query, nil).body) }
	id := s.call("GET", project+"/images", nil, nil).list()[0]["id"].(string)
	s.call("DELETE", project+"/images", nil, nil).refused(400, "BadRequestRequiredParamIsNull")
	s.call("DELETE", project+"/images", q("imageIds", id), nil).empty()
	assert.Equal(t, []string{"9", "10"}, []string{count(nil), count(trained)})
	s.call("DELETE", project+"/images", q("allImages", "true", "allIterations", "true"), nil).empty()
	assert.Equal(t, []string{"0", "0"}, []string{count(nil), count(trained)})
}

func TestRegions(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := "projects/" + s.call("POST", "projects", q("name", "a", "domainId", "a27d5ca5-bb19-49d8-a70a-fec086c47f5b"), nil).ok()["id"].(string)
	cat := s.tag(project, "cat")
	region := func(left float64) map[string]any {
		return map[string]any{"tagId": cat, "left": left, "top": 0.25, "width": 0.25, "height": 0.25}
	}
	a := s.call("POST", project+"/images/files", nil, map[string]any{"images": []any{
		map[string]any{"name": "a", "contents": png(1), "regions": []any{region(0.25)}}}})
	i := a.ok()["images"].([]any)[0].(map[string]any)["image"].(map[string]any)
	require.Len(t, i["regions"], 1)
	first := i["regions"].([]any)[0].(map[string]any)
	assert.Equal(t, "cat", first["tagName"])
	assert.Equal(t, 0.25, first["left"])
	assert.Len(t, i["tags"], 1, "a region's tag is the image's")

	at := func(left float64) map[string]any {
		r := region(left)
		r["imageId"] = i["id"]
		return r
	}
	create := func(regions ...any) *answer {
		return s.call("POST", project+"/images/regions", nil, map[string]any{"regions": regions})
	}
	created := create(at(0.5)).ok()
	second := created["created"].([]any)[0].(map[string]any)
	assert.Empty(t, created["duplicated"])
	mixed := create(at(0.5), at(0.6))
	assert.Equal(t, 207, mixed.status)
	create(at(0.8)).refused(400, "BadRequestImageRegions")
	create().refused(400, "BadRequestImageRegions")
	create(slices.Repeat([]any{at(0.5)}, maxBatch+1)...).refused(400, "BadRequestExceededBatchSize")
	assert.Equal(t, 207, create(slices.Repeat([]any{at(0.5)}, maxBatch)...).status)
	wrong := at(0.1)
	wrong["imageId"] = unknownID
	create(wrong).refused(404, "NotFoundImage")

	s.call("DELETE", project+"/images/regions", q("regionIds", second["regionId"].(string)), nil).empty()
	left := s.call("GET", project+"/images", nil, nil).list()[0]
	require.Len(t, left["regions"], 2)
	assert.Len(t, left["tags"], 1)
	var ids []string
	for _, r := range left["regions"].([]any) {
		ids = append(ids, r.(map[string]any)["regionId"].(string))
	}
	s.call("DELETE", project+"/images/regions", q("regionIds", ids[0], "regionIds", ids[1]), nil).empty()
	left = s.call("GET", project+"/images", nil, nil).list()[0]
	assert.Empty(t, left["regions"])
	assert.Empty(t, left["tags"], "the tag goes with its last region")
	s.call("DELETE", project+"/images/regions", nil, nil).refused(400, "BadRequestRequiredParamIsNull")

	classification := s.project()
	r := region(0.1)
	r["tagId"] = s.tag(classification, "cat")
	s.call("POST", classification+"/images/files", nil, map[string]any{"images": []any{map[string]any{"contents": png(1), "regions": []any{r}}}}).refused(400, "BadRequestImageRegions")
}

func TestRegionsLieInsideTheImage(t *testing.T) {
	t.Parallel()
	p := &project{DomainID: "a27d5ca5-bb19-49d8-a70a-fec086c47f5b", Tags: []*tag{{ID: unknownID}}}
	for _, c := range []struct {
		left, top, width, height float64
		inside                   bool
	}{
		{0, 0, 1, 1, true}, {0.5, 0.5, 0.5, 0.5, true}, {0.1, 0.2, 0.9, 0.8, true}, // 0.1+0.9 may be more than 1 by rounding
		{-0.1, 0, 0.5, 0.5, false}, {0, -0.1, 0.5, 0.5, false}, {0, 0, 0, 0.5, false}, {0, 0, 0.5, 0, false},
		{0.6, 0, 0.5, 0.5, false}, {0, 0.6, 0.5, 0.5, false},
	} {
		err := p.checkRegions([]regionInput{{TagID: unknownID, Left: c.left, Top: c.top, Width: c.width, Height: c.height}})
		assert.Equal(t, c.inside, err == nil, "%v", c)
	}
}

func TestDetectionPerformanceHasBoxes(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project := "projects/" + s.call("POST", "projects", q("name", "a", "domainId", "a27d5ca5-bb19-49d8-a70a-fec086c47f5b"), nil).ok()["id"].(string)
	cat := s.tag(project, "cat")
	s.call("POST", project+"/images/files", nil, map[string]any{"images": []any{map[string]any{"contents": png(1), "name": "a",
		"regions": []any{map[string]any{"tagId": cat, "left": 0.1, "top": 0.1, "width": 0.2, "height": 0.2}}}}}).ok()
	iteration := s.trained(project)
	i := s.call("GET", iteration+"/performance/images", nil, nil).list()[0]
	box := i["predictions"].([]any)[0].(map[string]any)["boundingBox"].(map[string]any)
	assert.InDelta(t, 0.1, box["left"], 0.01)
	loose := s.call("GET", iteration+"/performance", q("overlapThreshold", "0.3"), nil).ok()
	tight := s.call("GET", iteration+"/performance", q("overlapThreshold", "0.9"), nil).ok()
	assert.Less(t, tight["recall"], loose["recall"])
}
