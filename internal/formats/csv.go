package formats

import (
	"encoding/csv"
	"strconv"
)

// table writes images, and labels.csv: a line for each tag or box of a picture, and one for
// a picture without any. RFC 4180 with a heading.
type table struct {
	*job
	file *draft
	csv  *csv.Writer
}

// columns of labels.csv. Left, top, width and height are shares of the picture as it is
// displayed; so are image_width and image_height, in pixels.
var columns = []string{
	"file", "part", "tag", "tag_type", "left", "top", "width", "height",
	"image_width", "image_height", "image_id", "tag_id", "region_id", "sha256",
}

func (t *table) refuses(*plan) error { return nil }

func (t *table) begin(j *job) error {
	t.job = j
	var err error
	if t.file, err = j.to.draft(); err != nil {
		return err
	}
	t.csv = csv.NewWriter(t.file)
	return t.csv.Write(columns)
}

func (t *table) folder(*picture) string { return "images" }

func (t *table) label(pic *picture) error {
	line := func(tag, kind, tagID, region string, box ...float64) error {
		out := []string{pic.path, pic.part, tag, kind, "", "", "", "", strconv.Itoa(pic.width), strconv.Itoa(pic.height), pic.id, tagID, region, pic.file.SHA256}
		for i, share := range box {
			out[4+i] = strconv.FormatFloat(share, 'g', -1, 64)
		}
		return t.csv.Write(out)
	}
	lines := 0
	for _, b := range pic.boxes {
		c := t.record.Classes[b.class]
		if err := line(c.Name, c.Type, c.TagID, b.region, b.left, b.top, b.width, b.height); err != nil {
			return err
		}
		lines++
	}
	if t.record.Task != Detection || lines == 0 {
		for _, class := range pic.classes {
			c := t.record.Classes[class]
			if err := line(c.Name, c.Type, c.TagID, ""); err != nil {
				return err
			}
			lines++
		}
	}
	if n := t.record.Negative; pic.negative {
		lines++
		if err := line(n.Name, negativeTag, n.TagID, ""); err != nil {
			return err
		}
	}
	if lines == 0 {
		return line("", "", "", "")
	}
	return nil
}

func (t *table) end() error {
	t.csv.Flush()
	if err := t.csv.Error(); err != nil {
		return err
	}
	return t.to.keep(t.file, "labels.csv")
}
