package holdout

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
)

// files are a set, by their names.
type files map[string]string

// below writes a set into a folder of the app.
func (f files) below(t *testing.T) Sets {
	t.Helper()
	root := t.TempDir()
	for name, text := range f {
		to := filepath.Join(root, "holdout", filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o777))
		require.NoError(t, os.WriteFile(to, []byte(text), 0o666))
	}
	return Sets{Root: root}
}

// truths lists a set, and reads what its pictures show.
func (f files) truths(t *testing.T) (Truths, error) {
	t.Helper()
	set, err := f.below(t).List(t.Context(), "./holdout")
	if err != nil {
		return Truths{}, err
	}
	return set.Truths(t.Context())
}

const coco = `{"images": [{"id": 1, "width": 200, "height": 100, "file_name": "a.jpg"}, {"id": 2, "width": 10, "height": 10, "file_name": "b.jpg"}],
	"annotations": [{"id": 1, "image_id": 1, "category_id": 7, "bbox": [20, 10, 100, 50]}], "categories": [{"id": 7, "name": "cup"}]}`

func TestWhatPicturesShow(t *testing.T) {
	t.Parallel()
	boxed := Truths{Boxes: true, Of: map[string]Truth{"val/a.jpg": {Boxes: []Box{here("cup", 0.1, 0.1, 0.5, 0.5)}}, "val/b.jpg": {}}}
	for name, c := range map[string]struct {
		set  files
		want Truths
	}{
		"by folders": {
			files{"cup/1.jpg": "1", "cup/2.PNG": "2", "fork/1.jpeg": "3", "readme.txt": "", "dataset.json": "{}"},
			Truths{Of: map[string]Truth{"cup/1.jpg": {Labels: []string{"cup"}}, "cup/2.PNG": {Labels: []string{"cup"}}, "fork/1.jpeg": {Labels: []string{"fork"}}}},
		},
		"by folders in a part": {files{"val/cup/1.jpg": "1"}, Truths{Of: map[string]Truth{"val/cup/1.jpg": {Labels: []string{"cup"}}}}},
		"by a list": {
			files{"val/1.jpg": "1", "val/2.jpg": "2", "val/metadata.jsonl": `{"file_name": "1.jpg", "labels": ["cup", "fork"]}` + "\n\n" + `{"file_name": "2.jpg", "labels": []}`},
			Truths{Of: map[string]Truth{"val/1.jpg": {Labels: []string{"cup", "fork"}}, "val/2.jpg": {Labels: []string{}}}},
		},
		"by boxes, as the verb dataset writes them": {files{"val/a.jpg": "1", "val/b.jpg": "2", "annotations/instances_val.json": coco}, boxed},
		"by boxes, and a part is empty":             {files{"val/a.jpg": "1", "val/b.jpg": "2", "annotations/instances_val.json": coco, "annotations/instances_test.json": `{"images": [], "annotations": [], "categories": []}`}, boxed},
		"by boxes, whatever else says something":    {files{"val/a.jpg": "1", "val/b.jpg": "2", "val/instances.json": coco, "val/metadata.jsonl": `{"file_name": "a.jpg", "objects": {}}`}, boxed},
		"by boxes beside them":                      {files{"val/a.jpg": "1", "val/b.jpg": "2", "val/instances.json": coco}, boxed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := c.set.truths(t)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestASetThatCannotBeUsedSaysWhy(t *testing.T) {
	t.Parallel()
	many := files{}
	for n := range Most + 1 {
		many[fmt.Sprintf("cup/%d.jpg", n)] = "1"
	}
	crowd := files{}
	for n := range mostFiles + 2 {
		crowd[fmt.Sprintf("cup/%d.jpg", n)] = ""
	}
	for want, set := range map[string]files{
		"the app's folder has no folder":                              {},
		"there is no picture in it":                                   {"cup/readme.txt": ""},
		"it has 501 pictures, and takes 500 at most":                  many,
		"it has more than 2000 files":                                 crowd,
		`the picture "cup/1.jpg" is larger than 6 MB`:                 {"cup/1.jpg": strings.Repeat("1", 6<<20+1)},
		`the picture "1.jpg" lies in no folder`:                       {"1.jpg": "1"},
		`nothing says what the picture "val/2.jpg" shows`:             {"val/1.jpg": "1", "val/2.jpg": "1", "val/metadata.jsonl": `{"file_name": "1.jpg", "labels": []}`},
		`nothing says what the picture "val/c.jpg" shows`:             {"val/a.jpg": "1", "val/b.jpg": "1", "val/c.jpg": "1", "val/instances.json": coco},
		`names the picture "3.jpg", which isn't there`:                {"1.jpg": "1", "metadata.jsonl": `{"file_name": "3.jpg", "labels": []}`},
		`names the picture "a.jpg", which isn't there`:                {"val/b.jpg": "1", "val/instances.json": coco},
		`a line has no "file_name" with "labels": {"file_name": "1.j`: {"1.jpg": "1", "metadata.jsonl": `{"file_name": "1.jpg"}`},
		"isn't in COCO's form":                                        {"a.jpg": "1", "instances.json": "[]"},
		"doesn't say how large":                                       {"a.jpg": "1", "instances.json": `{"images": [{"id": 1, "file_name": "a.jpg"}]}`},
		"an annotation without":                                       {"a.jpg": "1", "instances.json": `{"images": [{"id": 1, "width": 1, "height": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 1, 1, 1]}]}`},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			_, err := set.truths(t)
			var useless Unusable
			require.ErrorAs(t, err, &useless)
			assert.ErrorContains(t, err, want)
		})
	}
}

// Links may lead anywhere.
func TestNothingOutsideOfTheFolderIsRead(t *testing.T) {
	t.Parallel()
	sets := files{"cup/1.jpg": "1"}.below(t)
	require.NoError(t, os.WriteFile(filepath.Join(sets.Root, "secret.jpg"), []byte("secret"), 0o666))
	require.NoError(t, os.Symlink("../../secret.jpg", filepath.Join(sets.Root, "holdout", "cup", "2.jpg")))
	require.NoError(t, os.Symlink("../holdout", filepath.Join(sets.Root, "holdout", "loop")))
	set, err := sets.List(t.Context(), "./holdout")
	require.NoError(t, err)
	require.Len(t, set.Pictures, 1)
	for _, place := range []string{"./../" + filepath.Base(sets.Root), "./holdout/../.."} {
		_, err = sets.List(t.Context(), place)
		assert.ErrorContains(t, err, "no folder", place)
	}
}

func TestLabelsMeanTagsByTheirNames(t *testing.T) {
	t.Parallel()
	got, unknown := Tags([]string{"cup", "a%2Fb", "50%", "spoon", "cup~4", "cup~5", "~"}, map[string]string{"cup": "1", "a/b": "2", "50%": "3", "Cup": "4"})
	assert.Equal(t, map[string]string{"cup": "1", "a%2Fb": "2", "50%": "3", "cup~4": "4"}, got)
	assert.Equal(t, []string{`"spoon"`, `"cup~5"`, `"~"`}, unknown)
}

// A set in a container is the same as one in a folder, and another one with each change.
func TestASetInAContainer(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	c := w.Archives.Blobs(nil).NewContainerClient(w.Names.HoldOut)
	sets := Sets{Blobs: w.Archives.Blobs(nil)}
	_, err := sets.List(t.Context(), w.Names.HoldOut+"/kitchen")
	assert.ErrorContains(t, err, "the archive's account has no container")
	_, err = c.Create(t.Context(), nil)
	require.NoError(t, err)
	put := func(name, text string) {
		_, err := c.NewBlockBlobClient(name).UploadBuffer(t.Context(), []byte(text), nil)
		require.NoError(t, err)
	}
	put("kitchen/cup/1.jpg", "one")
	put("kitchen/cup/2.jpg", "two")
	put("kitchen2/cup/3.jpg", "not this one")
	put("kitchen/readme.txt", "no picture")
	put("odd/cup//./../%20 ü+?#.jpg", "odd")
	list := func() Set {
		set, err := sets.List(t.Context(), w.Names.HoldOut+"/kitchen")
		require.NoError(t, err)
		return set
	}
	first := list()
	require.Len(t, first.Pictures, 2)
	assert.Equal(t, first.Hash, list().Hash)
	put("kitchen/readme.txt", "nor now")
	assert.Equal(t, first.Hash, list().Hash, "that says nothing")
	data, err := first.Read(t.Context(), first.Pictures[1])
	require.NoError(t, err)
	assert.True(t, bytes.Equal([]byte("two"), data))
	truths, err := first.Truths(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"cup"}, truths.Labels())

	odd, err := sets.List(t.Context(), w.Names.HoldOut+"/odd")
	require.NoError(t, err)
	data, err = odd.Read(t.Context(), odd.Pictures[0])
	require.NoError(t, err)
	assert.Equal(t, "odd", string(data))

	put("kitchen/cup/2.jpg", "TWO")
	_, err = first.Read(t.Context(), first.Pictures[1])
	assert.ErrorIs(t, err, errChanged)
	second := list()
	assert.NotEqual(t, first.Hash, second.Hash)
	put("kitchen/cup/metadata.jsonl", `{"file_name": "1.jpg", "labels": ["fork"]}`)
	assert.NotEqual(t, second.Hash, list().Hash)
}

// What a set says is shown to people, on terminals too.
func TestWhatALineSaysIsShownPlainly(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "a?[31mb", firstLine([]byte(" a\x1b[31mb\nnext")))
	assert.Equal(t, strings.Repeat("ü", 39)+"?", firstLine([]byte(strings.Repeat("ü", 39)+"\xff"+"ü")))
}
