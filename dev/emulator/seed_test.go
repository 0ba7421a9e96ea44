package emulator

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// files writes files into a new folder of this name.
func files(t *testing.T, name string, contents map[string][]byte) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), name)
	for file, content := range contents {
		path := filepath.Join(folder, file)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, content, 0o644))
	}
	return folder
}

func TestProjectOfAFolderOfPictures(t *testing.T) {
	t.Parallel()
	folder := files(t, "pets", map[string][]byte{
		"cat/1.png": png(1), "cat/2.png": png(2), "cat/notes.txt": []byte("text"), "dog/3.png": png(3), "4.png": png(4), ".DS_Store": {1}, "cat/deep/5.png": png(5),
	})
	s := start(t, func(o *Options) { o.Seeds = []string{folder} })
	projects := s.call("GET", "projects", nil, nil).list()
	require.Len(t, projects, 1)
	assert.Equal(t, "pets", projects[0]["name"])
	assert.Equal(t, "Multiclass", projects[0]["settings"].(map[string]any)["classificationType"])
	project := "projects/" + projects[0]["id"].(string)
	tags := s.tagsByName(project)
	require.Len(t, tags, 2)
	assert.Equal(t, 2.0, tags["cat"]["imageCount"])
	assert.Equal(t, 1.0, tags["dog"]["imageCount"])
	assert.Equal(t, "1", string(s.call("GET", project+"/images/untagged/count", nil, nil).body))
}

func TestProjectOfACOCOFile(t *testing.T) {
	t.Parallel()
	coco := func(file map[string]any) string {
		text, err := json.Marshal(file)
		require.NoError(t, err)
		return filepath.Join(files(t, "street", map[string][]byte{"street.json": text, "in/1.png": png(1), "2.png": png(2)}), "street.json")
	}
	images := []map[string]any{{"id": 5, "file_name": "in/1.png", "width": 8, "height": 4}, {"id": 6, "file_name": "2.png", "width": 8, "height": 4}}
	categories := []map[string]any{{"id": 1, "name": "car"}, {"id": 2, "name": "bus"}}
	box := func(image, category int, sides ...float64) map[string]any {
		return map[string]any{"image_id": image, "category_id": category, "bbox": sides}
	}
	pixels := []any{box(5, 1, 2, 1, 4, 2), box(6, 2, 0, 0, 1, 1)}
	parts := []any{box(5, 1, 0.25, 0.25, 0.5, 0.5), box(6, 2, 0, 0, 0.125, 0.25)}
	for unit, boxes := range map[string][]any{"pixels": pixels, "parts": parts} {
		s := start(t, func(o *Options) {
			o.Seeds = []string{coco(map[string]any{"images": images, "categories": categories, "annotations": boxes})}
		})
		project := "projects/" + s.call("GET", "projects", nil, nil).list()[0]["id"].(string)
		var sides []any
		for _, i := range s.call("GET", project+"/images", q("orderBy", "Oldest"), nil).list() {
			r := i["regions"].([]any)[0].(map[string]any)
			sides = append(sides, r["tagName"], r["left"], r["top"], r["width"], r["height"])
		}
		assert.Equal(t, []any{"car", 0.25, 0.25, 0.5, 0.5, "bus", 0.0, 0.0, 0.125, 0.25}, sides, unit)
	}

	plain := []map[string]any{{"image_id": 5, "category_id": 1}, {"image_id": 5, "category_id": 2}}
	s := start(t, func(o *Options) {
		o.Seeds = []string{coco(map[string]any{"images": images, "categories": categories, "annotations": plain})}
	})
	settings := s.call("GET", "projects", nil, nil).list()[0]["settings"].(map[string]any)
	assert.Equal(t, "Multilabel", settings["classificationType"], "a picture has two tags")

	for want, file := range map[string]map[string]any{
		"holds no pictures":        {"images": nil},
		"outside of the file's":    {"images": []any{map[string]any{"file_name": "../1.png"}}},
		"no such file":             {"images": []any{map[string]any{"file_name": "3.png"}}},
		"the category 9":           {"images": images, "annotations": []any{map[string]any{"image_id": 5, "category_id": 9}}},
		"no width and height":      {"images": []any{map[string]any{"id": 5, "file_name": "2.png"}}, "categories": categories, "annotations": pixels},
		"must lie inside":          {"images": images, "categories": categories, "annotations": []any{map[string]any{"image_id": 5, "category_id": 1, "bbox": []float64{7, 0, 8, 2}}}},
		"would answer ErrorImageF": {"images": []any{map[string]any{"file_name": "street.json"}}},
	} {
		path := coco(file)
		_, err := New(Options{Key: "k", Seeds: []string{path}})
		require.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, path)
	}
	_, err := New(Options{Key: "k", Seeds: []string{filepath.Join(t.TempDir(), "nowhere")}})
	assert.Error(t, err)
}

func TestResetBeginsAnew(t *testing.T) {
	t.Parallel()
	folder := files(t, "pets", map[string][]byte{"cat/1.png": png(1)})
	file := filepath.Join(t.TempDir(), "state.json")
	keep := func(o *Options) { o.Seeds, o.State = []string{folder}, file }
	s := start(t, noValidation, keep, answering(IterationOrder, "newest-first"))
	sown := s.project()
	s.images(sown, s.tag(sown, "cat"), 2)
	iteration := s.trained(s.project("notificationQueueUri", "https://a.queue.core.windows.net/q"))
	link := s.exported(iteration, "ONNX", "")["downloadUri"].(string)
	s.post("fail-next-training?count=3")
	s.post("predict?tag=cat&probability=1")
	s.post("answer?question=iteration-order&answer=shuffled")
	s.post("clock?advance=1h")
	s.post("reset")

	assert.Equal(t, Pending{}, s.View().Pending)
	assert.Empty(t, s.Messages())
	assert.Empty(t, s.Requests())
	assert.Equal(t, noon, s.Now())
	assert.Equal(t, 403, status(t, link))
	for _, k := range s.View().Questions {
		if k.Question == IterationOrder {
			assert.Equal(t, "newest-first", k.Answer, "as it was started")
		}
	}
	projects := s.call("GET", "projects", nil, nil).list()
	require.Len(t, projects, 1)
	assert.Equal(t, "pets", projects[0]["name"])
	kept, err := os.ReadDir(file + ".pictures")
	require.NoError(t, err)
	assert.Len(t, kept, 1, "the seed's")
	s.Close()
	again := start(t, keep)
	assert.Len(t, again.call("GET", "projects", nil, nil).list(), 1, "the seed is there already")
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	s := start(t)
	status, body := s.control("GET", "ready")
	assert.Equal(t, 200, status)
	assert.JSONEq(t, `{"ready":true}`, body)
	c := newCloud(t)
	s = start(t, c.connected)
	status, _ = s.control("GET", "ready")
	assert.Equal(t, 200, status)
	c.serviceStorage.BlobURL = "http://127.0.0.1:1/nobody"
	s = start(t, c.connected)
	status, body = s.control("GET", "ready")
	assert.Equal(t, 503, status)
	assert.Contains(t, body, "service storage")
}
