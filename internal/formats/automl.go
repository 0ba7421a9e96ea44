package formats

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// autoML writes images, and for each part a folder with an MLTable and its JSON lines, as
// Azure Machine Learning's AutoML for images takes them:
// https://learn.microsoft.com/azure/machine-learning/reference-automl-images-schema.
// Where the images will be in a datastore isn't known here, so image_url is relative to
// the data set's folder; docs/datasets.md says how to put the rest before it.
type autoML struct {
	*job
	lines map[string]*draft
}

type autoMLLine struct {
	URL     string        `json:"image_url"`
	Details autoMLDetails `json:"image_details"`
	Label   any           `json:"label"` // by the task: a name, names, or boxes
}

type autoMLDetails struct {
	Format string `json:"format,omitempty"` // missing where the service names none for it
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

type autoMLBox struct {
	Label   string  `json:"label"`
	TopX    float64 `json:"topX"` // shares, all four
	TopY    float64 `json:"topY"`
	BottomX float64 `json:"bottomX"`
	BottomY float64 `json:"bottomY"`
	IsCrowd int     `json:"isCrowd"`
}

// autoMLParts are the parts' names there.
var autoMLParts = map[string]string{train: "training", val: "validation", test: "test"}

// autoMLReads are the formats that AutoML documents.
var autoMLReads = []string{"jpg", "png", "bmp", "tif"}

func (a *autoML) refuses(*plan) error { return nil }

func (a *autoML) begin(j *job) error {
	a.job = j
	var err error
	a.lines, err = j.eachPart()
	return err
}

func (a *autoML) folder(*picture) string { return "images" }

func (a *autoML) label(pic *picture) error {
	l := autoMLLine{URL: pic.path, Details: autoMLDetails{Width: pic.width, Height: pic.height}}
	if format := strings.TrimPrefix(path.Ext(pic.name), "."); slices.Contains(autoMLReads, format) {
		l.Details.Format = format
	} else {
		a.note("have the extension ." + format + ", which AutoML doesn't name among those it takes")
	}
	names := []string{}
	for _, class := range pic.classes {
		names = append(names, a.record.Classes[class].Name)
	}
	switch a.record.Task {
	case SingleLabel:
		l.Label = names[0]
	case MultiLabel:
		l.Label = names
	default:
		boxes := []autoMLBox{}
		for _, b := range pic.boxes {
			boxes = append(boxes, autoMLBox{a.record.Classes[b.class].Name, b.left, b.top, b.left + b.width, b.top + b.height, 0})
		}
		l.Label = boxes
	}
	text, err := encode(l)
	if err != nil {
		return err
	}
	_, err = a.lines[pic.part].Write(text)
	return err
}

func (a *autoML) end() error {
	for _, p := range a.record.Parts {
		name := autoMLParts[p.Name]
		if err := a.to.keep(a.lines[p.Name], fmt.Sprintf("%s-mltable-folder/%s_annotations.jsonl", name, name)); err != nil {
			return err
		}
		if err := a.to.write(name+"-mltable-folder/MLTable", fmt.Appendf(nil, mlTable, name)); err != nil {
			return err
		}
	}
	return nil
}

// mlTable is an MLTable for the JSON lines of a part:
// https://learn.microsoft.com/azure/machine-learning/how-to-prepare-datasets-for-automl-images.
const mlTable = `paths:
  - file: ./%s_annotations.jsonl
transformations:
  - read_json_lines:
      encoding: utf8
      invalid_lines: error
      include_path_column: false
  - convert_column_types:
      - columns: image_url
        column_type: stream_info
`
