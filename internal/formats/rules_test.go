package formats_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"visionkeeper/dev/pictures"
	"visionkeeper/dev/pictures/archived"
	"visionkeeper/internal/formats"
)

// truthOf is a set for each task.
func truthOf(kind pictures.Kind) memory { return memory{archived.New(pictures.New(11, kind, 60), nil)} }

// schema compiles one of testdata, or a definition in it.
func schema(t *testing.T, at string) *jsonschema.Schema {
	s, err := jsonschema.NewCompiler().Compile(filepath.Join("testdata", at))
	require.NoError(t, err)
	return s
}

// matches holds a JSON text against a schema.
func matches(t *testing.T, s *jsonschema.Schema, text []byte) {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	assert.NoError(t, s.Validate(v), string(text))
}

func lines(t *testing.T, path ...string) []string {
	text, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
}

func TestCOCOIsAsItsFormatSays(t *testing.T) {
	t.Parallel()
	w := write(t, "", truthOf(pictures.Detection), formats.COCO, "50/50")
	s := schema(t, "coco.schema.json")
	images, annotations := map[int]bool{}, map[int]bool{}
	for _, part := range []string{"train", "val"} {
		text, err := os.ReadFile(filepath.Join(w.folder, "annotations", "instances_"+part+".json"))
		require.NoError(t, err)
		matches(t, s, text)
		var file struct {
			Images      []struct{ ID int }
			Categories  []struct{ ID int }
			Annotations []struct {
				ID         int
				ImageID    int `json:"image_id"`
				CategoryID int `json:"category_id"`
			}
		}
		require.NoError(t, json.Unmarshal(text, &file))
		here, categories := map[int]bool{}, map[int]bool{}
		for _, i := range file.Images {
			assert.False(t, images[i.ID], "ids are used once, in all parts together")
			images[i.ID], here[i.ID] = true, true
		}
		for _, c := range file.Categories {
			categories[c.ID] = true
		}
		assert.Len(t, categories, len(w.record.Classes))
		for _, a := range file.Annotations {
			assert.False(t, annotations[a.ID])
			annotations[a.ID] = true
			assert.True(t, here[a.ImageID])
			assert.True(t, categories[a.CategoryID])
		}
	}
}

// TestYOLOIsAsUltralyticsChecks goes by what Ultralytics asks of each picture and its
// text, in verify_image_label of ultralytics/data/utils.py.
func TestYOLOIsAsUltralyticsChecks(t *testing.T) {
	t.Parallel()
	set := truthOf(pictures.Detection)
	w := write(t, "", set, formats.YOLO, "80/20")
	text, err := os.ReadFile(filepath.Join(w.folder, "data.yaml"))
	require.NoError(t, err)
	var data struct {
		Train, Val, Test string
		Names            map[int]string
	}
	require.NoError(t, yaml.Unmarshal(text, &data))
	for i := range data.Names {
		assert.Equal(t, w.record.Classes[i].Name, data.Names[i])
	}
	assert.Len(t, data.Names, len(w.record.Classes))
	assert.Empty(t, data.Test)
	labelled := 0
	for _, folder := range []string{data.Train, data.Val} {
		pics, err := os.ReadDir(filepath.Join(w.folder, folder))
		require.NoError(t, err)
		for _, p := range pics {
			path := filepath.Join(w.folder, folder, p.Name())
			label := strings.Replace(strings.TrimSuffix(path, filepath.Ext(path))+".txt", "/images/", "/labels/", 1)
			seen := map[string]bool{}
			for _, line := range lines(t, label) {
				labelled++
				fields := strings.Fields(line)
				require.Len(t, fields, 5)
				class, err := strconv.Atoi(fields[0])
				require.NoError(t, err)
				assert.Contains(t, data.Names, class)
				for _, f := range fields[1:] {
					share, err := strconv.ParseFloat(f, 64)
					require.NoError(t, err)
					assert.True(t, share >= 0 && share <= 1, line)
				}
				assert.False(t, seen[line])
				seen[line] = true
			}
		}
	}
	assert.NotZero(t, labelled)
}

func TestYOLOWithoutASplitValidatesWithAll(t *testing.T) {
	t.Parallel()
	w := write(t, "", truthOf(pictures.Detection), formats.YOLO, "")
	assert.Equal(t, []string{"train: images/train", "val: images/train"}, lines(t, w.folder, "data.yaml")[:2])
}

// TestAPictureOfNoneOfTheClassesHasAnEmptyText shows the negative tag of a project for
// detection, which the service trains nothing from.
func TestAPictureOfNoneOfTheClassesHasAnEmptyText(t *testing.T) {
	t.Parallel()
	truth := pictures.New(12, pictures.Detection, 12)
	negative := pictures.Tag{ID: "0a1b2c3d-0000-4000-8000-00000000000f", Name: "Negative", Type: pictures.Negative}
	truth.Tags = append(truth.Tags, negative)
	truth.Images[4].Tags, truth.Images[4].Regions = []string{negative.ID}, nil
	truth.Images[5].Regions = nil // a tag, and no box
	set := memory{archived.New(truth, nil)}
	w := write(t, "", set, formats.YOLO, "")
	text, err := os.ReadFile(filepath.Join(w.folder, "labels", "train", truth.Images[4].ID+".txt"))
	require.NoError(t, err)
	assert.Empty(t, text)
	assert.NoFileExists(t, filepath.Join(w.folder, "labels", "train", truth.Images[5].ID+".txt"))
	assert.Equal(t, formats.LeftOut{Untagged: 1, Unboxed: 1}, w.record.LeftOut)
	assert.Equal(t, &formats.Negative{Name: "Negative", TagID: negative.ID}, w.record.Negative)

	for _, format := range []string{formats.COCO, formats.VOC, formats.AutoML, formats.ImageFolder} {
		others := write(t, "", set, format, "")
		assert.Equal(t, w.record.LeftOut, others.record.LeftOut)
		assert.Equal(t, w.record.Images, others.record.Images)
	}
}

// TestOddImagesSpoilNothing has what the service refuses, or should: a box where pictures are
// classified, and the negative tag beside another.
func TestOddImagesSpoilNothing(t *testing.T) {
	t.Parallel()
	truth := pictures.New(13, pictures.Multiclass, 12)
	truth.Images[4].Regions = []pictures.Region{{ID: "r", Tag: truth.Images[4].Tags[0], Width: 1, Height: 1}}
	truth.Images[4].Tags = nil
	for _, format := range []string{formats.AutoML, formats.ImageFolder, formats.CSV, formats.JSON} {
		w := write(t, "", memory{archived.New(truth, nil)}, format, "")
		assert.Equal(t, formats.SingleLabel, w.record.Task)
		if format == formats.AutoML || format == formats.ImageFolder {
			assert.Equal(t, formats.LeftOut{Untagged: 2}, w.record.LeftOut)
		}
	}
	truth.Images[6].Tags = append(slices.Clone(truth.Images[5].Tags), truth.Images[6].Tags...)
	w := write(t, "", memory{archived.New(truth, nil)}, formats.ImageFolder, "")
	assert.Equal(t, formats.MultiLabel, w.record.Task, "one class can't say it")
}

func TestAutoMLIsAsItsSchemaSays(t *testing.T) {
	t.Parallel()
	for _, kind := range []pictures.Kind{pictures.Multiclass, pictures.Multilabel, pictures.Detection} {
		w := write(t, "", truthOf(kind), formats.AutoML, "60/20/20")
		line, table := schema(t, "automl.schema.json#/$defs/"+w.record.Task), schema(t, "mltable.schema.json")
		for _, part := range []string{"training", "validation", "test"} {
			folder := filepath.Join(w.folder, part+"-mltable-folder")
			text, err := os.ReadFile(filepath.Join(folder, "MLTable"))
			require.NoError(t, err)
			var v any
			require.NoError(t, yaml.Unmarshal(text, &v))
			asJSON, err := json.Marshal(v)
			require.NoError(t, err)
			matches(t, table, asJSON)
			file := v.(map[string]any)["paths"].([]any)[0].(map[string]any)["file"].(string)
			all := lines(t, folder, file)
			assert.NotEmpty(t, all)
			for _, l := range all {
				matches(t, line, []byte(l))
			}
		}
	}
}

func TestMetadataIsAsHuggingFaceSays(t *testing.T) {
	t.Parallel()
	for _, kind := range []pictures.Kind{pictures.Multilabel, pictures.Detection} {
		w := write(t, "", truthOf(kind), formats.ImageFolder, "60/40")
		line := schema(t, "imagefolder.schema.json#/$defs/"+w.record.Task)
		for _, l := range append(lines(t, w.folder, "train", "metadata.jsonl"), lines(t, w.folder, "val", "metadata.jsonl")...) {
			matches(t, line, []byte(l))
		}
	}
}

// TestAllPartsHaveTheSameFolders keeps the numbers of the classes, which readers give by
// the folders that there are.
func TestAllPartsHaveTheSameFolders(t *testing.T) {
	t.Parallel()
	w := write(t, "", truthOf(pictures.Multiclass), formats.ImageFolder, "98/1/1")
	var want []string
	for _, c := range w.record.Classes {
		want = append(want, c.Label)
	}
	for _, part := range []string{"train", "val", "test"} {
		folders, err := os.ReadDir(filepath.Join(w.folder, part)) // in order
		require.NoError(t, err)
		var got []string
		for _, f := range folders {
			got = append(got, f.Name())
		}
		assert.Equal(t, want, got)
	}
	assert.Contains(t, strings.Join(w.record.Notes, "\n"), "the part ")
}

// TestVOCIsAsItsToolsRead goes by the numbers that PASCAL's tools take: whole ones, from 1
// to the size.
func TestVOCIsAsItsToolsRead(t *testing.T) {
	t.Parallel()
	w := write(t, "", truthOf(pictures.Detection), formats.VOC, "80/20")
	var names []string
	for _, set := range []string{"train", "val"} {
		names = append(names, lines(t, w.folder, "ImageSets", "Main", set+".txt")...)
	}
	assert.Len(t, names, w.record.Images)
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(w.folder, "Annotations", name+".xml"))
		require.NoError(t, err)
		var a struct {
			FileName string `xml:"filename"`
			Size     struct {
				Width  int `xml:"width"`
				Height int `xml:"height"`
				Depth  int `xml:"depth"`
			} `xml:"size"`
			Objects []struct {
				Name string `xml:"name"`
				Box  struct {
					Left   int `xml:"xmin"`
					Top    int `xml:"ymin"`
					Right  int `xml:"xmax"`
					Bottom int `xml:"ymax"`
				} `xml:"bndbox"`
				Difficult int `xml:"difficult"`
			} `xml:"object"`
		}
		require.NoError(t, xml.Unmarshal(text, &a))
		assert.FileExists(t, filepath.Join(w.folder, "JPEGImages", a.FileName))
		for _, o := range a.Objects {
			assert.NotEmpty(t, o.Name)
			assert.True(t, 1 <= o.Box.Left && o.Box.Left <= o.Box.Right && o.Box.Right <= a.Size.Width, string(text))
			assert.True(t, 1 <= o.Box.Top && o.Box.Top <= o.Box.Bottom && o.Box.Bottom <= a.Size.Height, string(text))
		}
	}
}
