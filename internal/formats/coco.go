package formats

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// coco writes a folder of pictures for each part, and annotations/instances_PART.json:
// https://cocodataset.org/#format-data. Boxes are in pixels, from the left and the top, and
// aren't rounded. Ids are counted from 1, since some readers keep 0 for the background.
type coco struct {
	*job
	parts             map[string]*cocoPart
	image, annotation int // the last ids
}

// cocoPart is the file of a part. The annotations come behind all images, so they wait in
// a file of their own.
type cocoPart struct {
	file                *draft
	later               scratch
	waiting             *bufio.Writer // into later
	images, annotations *list
}

type cocoImage struct {
	ID       int    `json:"id"`
	Width    int    `json:"width"`
	Height   int    `json:"height"`
	FileName string `json:"file_name"` // in the folder of the part
}

type cocoAnnotation struct {
	ID           int        `json:"id"`
	ImageID      int        `json:"image_id"`
	CategoryID   int        `json:"category_id"`
	Box          [4]float64 `json:"bbox"` // left, top, width, height
	Area         float64    `json:"area"`
	Segmentation [][]int    `json:"segmentation"` // none
	IsCrowd      int        `json:"iscrowd"`
}

type cocoCategory struct {
	ID            int    `json:"id"`
	Name          string `json:"name"`
	Supercategory string `json:"supercategory"`
}

func (c *coco) refuses(p *plan) error { return onlyDetection(p, COCO) }

func (c *coco) begin(j *job) error {
	c.job, c.parts = j, map[string]*cocoPart{}
	info, err := encode(map[string]string{"description": j.record.Project.Name, "version": j.record.Snapshot.ID})
	if err != nil {
		return err
	}
	for _, p := range j.record.Parts {
		part := &cocoPart{}
		c.parts[p.Name] = part
		if part.file, err = j.to.draft(); err != nil {
			return err
		}
		if part.later, err = j.to.scratch(); err != nil {
			return err
		}
		part.waiting = bufio.NewWriter(part.later)
		part.images, part.annotations = &list{w: part.file}, &list{w: part.waiting}
		if _, err := fmt.Fprintf(part.file, `{"info": %s, "images": [`, bytes.TrimSpace(info)); err != nil {
			return err
		}
	}
	return nil
}

func (c *coco) folder(pic *picture) string { return pic.part }

func (c *coco) label(pic *picture) error {
	part := c.parts[pic.part]
	c.image++
	if err := part.images.add(cocoImage{c.image, pic.width, pic.height, pic.name}); err != nil {
		return err
	}
	width, height := float64(pic.width), float64(pic.height)
	for _, b := range pic.boxes {
		c.annotation++
		a := cocoAnnotation{
			ID: c.annotation, ImageID: c.image, CategoryID: b.class + 1, Segmentation: [][]int{},
			Box: [4]float64{b.left * width, b.top * height, b.width * width, b.height * height},
		}
		a.Area = a.Box[2] * a.Box[3]
		if err := part.annotations.add(a); err != nil {
			return err
		}
	}
	return nil
}

func (c *coco) end() error {
	categories := []cocoCategory{}
	for _, class := range c.record.Classes {
		categories = append(categories, cocoCategory{class.Index + 1, class.Name, ""})
	}
	text, err := encode(categories)
	if err != nil {
		return err
	}
	for _, p := range c.record.Parts {
		part := c.parts[p.Name]
		if err := part.waiting.Flush(); err != nil {
			return err
		}
		if _, err := part.later.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.WriteString(part.file, `], "annotations": [`); err != nil {
			return err
		}
		if _, err := io.Copy(part.file, part.later); err != nil {
			return err
		}
		part.later.Close()
		if _, err := fmt.Fprintf(part.file, "], \"categories\": %s}\n", bytes.TrimSpace(text)); err != nil {
			return err
		}
		if err := c.to.keep(part.file, "annotations/instances_"+p.Name+".json"); err != nil {
			return err
		}
	}
	return nil
}

// list writes the items of a JSON array one by one, each in a line.
type list struct {
	w     io.Writer
	began bool
}

func (l *list) add(item any) error {
	text, err := encode(item)
	if err != nil {
		return err
	}
	before := "\n"
	if l.began {
		before = ",\n"
	}
	l.began = true
	_, err = l.w.Write(append([]byte(before), bytes.TrimSpace(text)...))
	return err
}
