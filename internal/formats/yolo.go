package formats

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"visionkeeper/internal/remedy"
)

// yolo writes images/PART and labels/PART with a text for each picture, and data.yaml, as
// Ultralytics reads it: https://docs.ultralytics.com/datasets/detect. A line is the class
// and the box, in shares: the middle from the left and from the top, width, height. The
// text of a picture that shows none of the classes is empty.
type yolo struct{ *job }

func (y *yolo) refuses(p *plan) error {
	if p.record.Task != Detection {
		return remedy.New("choose imagefolder, which Ultralytics trains classification from", "the format %s holds boxes, and the project %q has none", YOLO, p.record.Project.Name)
	}
	return nil
}

func (y *yolo) begin(j *job) error { y.job = j; return nil }

func (y *yolo) folder(pic *picture) string { return "images/" + pic.part }

func (y *yolo) label(pic *picture) error {
	if extension := path.Ext(pic.name); !slices.Contains(readByMost, extension) {
		y.note("have the extension " + extension + ", which Ultralytics passes over")
	}
	if min(pic.width, pic.height) < 10 {
		y.note("are smaller than 10 pixels, which Ultralytics passes over")
	}
	var lines strings.Builder
	for _, b := range pic.boxes {
		fmt.Fprintln(&lines, b.class, b.left+b.width/2, b.top+b.height/2, b.width, b.height)
	}
	return y.to.write("labels/"+pic.part+"/"+label(pic.id)+".txt", []byte(lines.String()))
}

// end writes data.yaml. Without a path in it, Ultralytics looks beside it. Without a split
// both train and val are all pictures, because it needs both.
func (y *yolo) end() error {
	var text strings.Builder
	paths := map[string]string{train: "images/train", val: "images/train"}
	for _, p := range y.record.Parts {
		paths[p.Name] = "images/" + p.Name
	}
	for _, name := range []string{train, val, test} {
		if paths[name] != "" {
			fmt.Fprintf(&text, "%s: %s\n", name, paths[name])
		}
	}
	text.WriteString("names:\n")
	for _, c := range y.record.Classes {
		name, err := json.Marshal(c.Name) // which is YAML, too
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "  %d: %s\n", c.Index, name)
	}
	return y.to.write("data.yaml", []byte(text.String()))
}
