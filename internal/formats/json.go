package formats

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"visionkeeper/internal/dataset"
)

// document writes images, and dataset.json with all that the service said of each: its own
// JSON is in "data", as the snapshot has it.
type document struct {
	*job
	file   *draft
	images *list
}

type documentImage struct {
	File    string        `json:"file"`
	Part    string        `json:"part"`
	Bytes   *dataset.File `json:"original"`
	Width   int           `json:"width"` // pixels, as it is displayed
	Height  int           `json:"height"`
	Classes []int         `json:"classes"`
	Boxes   []documentBox `json:"boxes"`
	Data    any           `json:"data"`
}

// documentBox is in shares of the image as it is displayed.
type documentBox struct {
	Class  int     `json:"class"`
	Region string  `json:"regionId"`
	Left   float64 `json:"left"`
	Top    float64 `json:"top"`
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
}

func (d *document) refuses(*plan) error { return nil }

func (d *document) begin(j *job) error {
	d.job = j
	var err error
	if d.file, err = j.to.draft(); err != nil {
		return err
	}
	head, err := encode(struct {
		Project   Named     `json:"project"`
		Iteration *Named    `json:"iteration"`
		Task      string    `json:"task"`
		Classes   []Class   `json:"classes"`
		Negative  *Negative `json:"negative"`
	}{j.record.Project, j.record.Iteration, j.record.Task, j.record.Classes, j.record.Negative})
	if err != nil {
		return err
	}
	d.images = &list{w: d.file}
	_, err = fmt.Fprintf(d.file, `%s, "images": [`, bytes.TrimSuffix(head, []byte("}\n")))
	return err
}

func (d *document) folder(*picture) string { return "images" }

func (d *document) label(pic *picture) error {
	i := documentImage{
		File: pic.path, Part: pic.part, Bytes: pic.file, Width: pic.width, Height: pic.height,
		Classes: append([]int{}, pic.classes...), Boxes: []documentBox{}, Data: json.RawMessage(pic.raw),
	}
	for _, b := range pic.boxes {
		i.Boxes = append(i.Boxes, documentBox{b.class, b.region, b.left, b.top, b.width, b.height})
	}
	return d.images.add(i)
}

func (d *document) end() error {
	if _, err := io.WriteString(d.file, "]}\n"); err != nil {
		return err
	}
	return d.to.keep(d.file, "dataset.json")
}
