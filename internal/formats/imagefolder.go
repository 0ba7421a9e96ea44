package formats

import (
	"path"
	"slices"
)

// imageFolder writes a folder of pictures for each part. Of a project whose pictures have
// one class each, there is a folder for each class in it, as torchvision's ImageFolder,
// Ultralytics and Hugging Face read it. Of others the classes stand in the part's
// metadata.jsonl, as Hugging Face reads it:
// https://huggingface.co/docs/datasets/image_dataset.
type imageFolder struct {
	*job
	lines map[string]*draft // nil where there is a folder for each class
}

type imageFolderLine struct {
	FileName string              `json:"file_name"`
	Labels   *[]string           `json:"labels,omitempty"`
	Objects  *imageFolderObjects `json:"objects,omitempty"`
}

// imageFolderObjects are boxes in pixels, as in COCO, with the classes' indexes.
type imageFolderObjects struct {
	Boxes      [][4]float64 `json:"bbox"`
	Categories []int        `json:"categories"`
}

func (f *imageFolder) refuses(*plan) error { return nil }

func (f *imageFolder) begin(j *job) error {
	f.job = j
	if j.record.Task != SingleLabel {
		var err error
		f.lines, err = j.eachPart()
		return err
	}
	// All folders in each part, because readers count classes by them.
	for _, p := range j.record.Parts {
		for _, c := range j.record.Classes {
			if err := j.to.root.MkdirAll(p.Name+"/"+c.Label, 0o777); err != nil {
				return j.to.cannot(err)
			}
		}
	}
	return nil
}

func (f *imageFolder) folder(pic *picture) string {
	if f.record.Task == SingleLabel {
		return pic.part + "/" + f.record.Classes[pic.classes[0]].Label
	}
	return pic.part
}

func (f *imageFolder) label(pic *picture) error {
	if f.lines == nil { // its folder says all
		if extension := path.Ext(pic.name); !slices.Contains(readByMost, extension) {
			f.note("have the extension " + extension + ", which torchvision and Ultralytics pass over")
		}
		return nil
	}
	l := imageFolderLine{FileName: pic.name}
	if f.record.Task == Detection {
		l.Objects = &imageFolderObjects{[][4]float64{}, []int{}}
		width, height := float64(pic.width), float64(pic.height)
		for _, b := range pic.boxes {
			l.Objects.Boxes = append(l.Objects.Boxes, [4]float64{b.left * width, b.top * height, b.width * width, b.height * height})
			l.Objects.Categories = append(l.Objects.Categories, b.class)
		}
	} else {
		labels := []string{}
		for _, class := range pic.classes {
			labels = append(labels, f.record.Classes[class].Name)
		}
		l.Labels = &labels
	}
	text, err := encode(l)
	if err != nil {
		return err
	}
	_, err = f.lines[pic.part].Write(text)
	return err
}

func (f *imageFolder) end() error {
	for _, p := range f.record.Parts {
		if d := f.lines[p.Name]; d != nil {
			if err := f.to.keep(d, p.Name+"/metadata.jsonl"); err != nil {
				return err
			}
		}
	}
	return nil
}
