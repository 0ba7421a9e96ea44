package holdout

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"visionkeeper/internal/customvision"
)

// labelsName is the file that says which labels the pictures of its folder have, a line each,
// as Hugging Face reads it and `visionkeeper dataset --format imagefolder` writes it.
const labelsName = "metadata.jsonl"

// Truths are what the pictures of a set show, by their names.
type Truths struct {
	Of map[string]Truth
	// Boxes reports whether it is said where on the pictures.
	Boxes bool
}

// Truth is what one picture shows: labels, or boxes with labels.
type Truth struct {
	Labels []string
	Boxes  []Box
}

// Box is a part of a picture that shows something.
type Box struct {
	Label string
	customvision.Box
}

// Labels are all that occur, sorted.
func (t Truths) Labels() []string {
	all := map[string]bool{}
	for _, one := range t.Of {
		for _, l := range one.Labels {
			all[l] = true
		}
		for _, b := range one.Boxes {
			all[b.Label] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// Truths reads what the pictures show: by files in COCO's form, whose names begin with
// instances, where there is one; else by the metadata.jsonl in a picture's folder, or by the
// folder's name.
func (s Set) Truths(ctx context.Context) (Truths, error) {
	t := Truths{Of: map[string]Truth{}}
	known := map[string]bool{}
	for _, p := range s.Pictures {
		known[p.Name] = true
	}
	t.Boxes = slices.ContainsFunc(s.labels, func(f File) bool { return isCOCO(f.Name) })
	listed := map[string]bool{} // folders with a file of their own
	for _, f := range s.labels {
		if t.Boxes && !isCOCO(f.Name) {
			continue
		}
		data, err := s.Read(ctx, f)
		if err != nil {
			return t, err
		}
		if t.Boxes {
			err = t.coco(f.Name, data, known)
		} else {
			listed[path.Dir(f.Name)] = true
			err = t.lines(f.Name, data, known)
		}
		if err != nil {
			return t, err
		}
	}
	for _, p := range s.Pictures {
		_, said := t.Of[p.Name]
		label := path.Base(path.Dir(p.Name))
		switch {
		case said:
		case t.Boxes || listed[path.Dir(p.Name)]:
			return t, unusable("nothing says what the picture %q shows", p.Name)
		case label == ".":
			return t, unusable("the picture %q lies in no folder that is named as a tag", p.Name)
		default:
			t.Of[p.Name] = Truth{Labels: []string{label}}
		}
	}
	return t, nil
}

// lines reads a metadata.jsonl.
func (t Truths) lines(name string, data []byte, known map[string]bool) error {
	for line := range bytes.Lines(data) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var l struct {
			File   string    `json:"file_name"`
			Labels *[]string `json:"labels"`
		}
		if json.Unmarshal(line, &l) != nil || l.Labels == nil {
			return unusable(`in %q a line has no "file_name" with "labels": %s`, name, firstLine(line))
		}
		picture := path.Join(path.Dir(name), l.File)
		if !known[picture] {
			return unusable("%q names the picture %q, which isn't there", name, picture)
		}
		t.Of[picture] = Truth{Labels: *l.Labels}
	}
	return nil
}

// coco reads a file in COCO's form. Its pictures lie beside it, or, where its name is
// annotations/instances_PART.json, in the folder PART, as `visionkeeper dataset --format
// coco` writes them.
func (t Truths) coco(name string, data []byte, known map[string]bool) error {
	var c struct {
		Images []struct {
			ID            int64
			Width, Height float64
			File          string `json:"file_name"`
		}
		Annotations []struct {
			Image    int64     `json:"image_id"`
			Category int64     `json:"category_id"`
			Box      []float64 `json:"bbox"`
		}
		Categories []struct {
			ID   int64
			Name string
		}
	}
	if err := json.Unmarshal(data, &c); err != nil || c.Images == nil {
		return unusable("%q isn't in COCO's form: it has no list of images", name)
	}
	folders := []string{path.Dir(name)}
	if part, ok := strings.CutPrefix(strings.TrimSuffix(path.Base(name), ".json"), "instances_"); ok {
		folders = append(folders, path.Join(path.Dir(name), "..", part))
	}
	names, categories := map[int64]string{}, map[int64]string{}
	for _, category := range c.Categories {
		categories[category.ID] = category.Name
	}
	sizes := map[int64][2]float64{}
	for _, i := range c.Images {
		at := slices.IndexFunc(folders, func(folder string) bool { return known[path.Join(folder, i.File)] })
		if at < 0 {
			return unusable("%q names the picture %q, which isn't there", name, i.File)
		}
		if !(i.Width > 0 && i.Height > 0) {
			return unusable("%q doesn't say how large the picture %q is", name, i.File)
		}
		names[i.ID], sizes[i.ID] = path.Join(folders[at], i.File), [2]float64{i.Width, i.Height}
		t.Of[names[i.ID]] = Truth{}
	}
	for _, a := range c.Annotations {
		label, size, picture := categories[a.Category], sizes[a.Image], names[a.Image]
		if label == "" || picture == "" || len(a.Box) != 4 {
			return unusable("%q has an annotation without a picture, a category or a box of four numbers", name)
		}
		one := t.Of[picture]
		one.Boxes = append(one.Boxes, Box{label, customvision.Box{Left: a.Box[0] / size[0], Top: a.Box[1] / size[1], Width: a.Box[2] / size[0], Height: a.Box[3] / size[1]}})
		t.Of[picture] = one
	}
	return nil
}

// Several is the first picture with more than one label; "" where there is none.
func (t Truths) Several() string {
	for _, name := range slices.Sorted(maps.Keys(t.Of)) {
		if labels := t.Of[name].Labels; slices.ContainsFunc(labels, func(l string) bool { return l != labels[0] }) {
			return name
		}
	}
	return ""
}

// Known are the tags of a project, as far as a measure goes by them.
type Known struct {
	IDs   map[string]string // by the labels that mean them
	Names map[string]string // by their ids
	// Own are the ids of those that the iteration has: all of them have figures, whatever it sees.
	Own []string
	// Negative is the id of the tag of what shows none of the others; "" where there is none.
	Negative string
}

// Tags finds the tags that labels mean, by their names: the project's, or as a folder is
// named after it, with % and two digits for what a file's name can't have, and ~ and the
// tag's id where the name alone can't be a folder's.
func Tags(labels []string, known map[string]string) (ids map[string]string, unknown []string) {
	ids = map[string]string{}
	marked := map[string]bool{}
	for _, id := range known {
		marked[id] = true
	}
	for _, l := range labels {
		plain, err := url.PathUnescape(l)
		tilde := strings.LastIndexByte(l, '~')
		switch {
		case known[l] != "":
			ids[l] = known[l]
		case err == nil && known[plain] != "":
			ids[l] = known[plain]
		case tilde >= 0 && marked[l[tilde+1:]]:
			ids[l] = l[tilde+1:]
		default:
			unknown = append(unknown, fmt.Sprintf("%q", l))
		}
	}
	return ids, unknown
}
