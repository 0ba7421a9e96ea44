// Package pictures makes data sets whose truth is known: every picture's bytes, size and
// orientation, every tag and every box. The same seed makes the same set. For tests only.
// Start reading at New.
package pictures

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"time"
)

// Kind is what a project's models do.
type Kind string

const (
	Multiclass Kind = "Multiclass" // one tag for a picture
	Multilabel Kind = "Multilabel" // any number of tags
	Detection  Kind = "Detection"  // boxes with tags
)

// The types of Tag.
const (
	Regular        = "Regular"
	Negative       = "Negative"
	GeneralProduct = "GeneralProduct"
)

// Set is a data set.
type Set struct {
	Project, Name string // the project's id and name
	Kind          Kind
	Tags          []Tag
	Images        []Image
	// AsStored lets the service look at pictures as they are stored, and not as a person
	// sees them: its sizes and boxes are those then.
	AsStored bool
}

// Tag is one of a project.
type Tag struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

// Image is a picture with its labels. Width and Height are in pixels as they are stored;
// Orientation is EXIF's, 0 where there is none.
type Image struct {
	ID            string
	Bytes         []byte
	Extension     string // that the bytes call for, with its dot
	Width, Height int
	Orientation   int
	Tags          []string // ids
	Regions       []Region
	Created       time.Time
}

// Displayed are the sizes of the picture as a person sees it.
func (i Image) Displayed() (width, height int) {
	if i.Orientation >= 5 {
		return i.Height, i.Width
	}
	return i.Width, i.Height
}

// Region is a box on the picture as a person sees it, in shares of its width and height.
type Region struct {
	ID                       string
	Tag                      string // id
	Left, Top, Width, Height float64
}

// Seen are an image's regions as the service has them.
func (s Set) Seen(i Image) []Region {
	var list []Region
	for _, r := range i.Regions {
		if s.AsStored {
			r = r.stored(i.Orientation)
		}
		list = append(list, r)
	}
	return list
}

// stored is the box on the picture as it is stored.
func (r Region) stored(orientation int) Region {
	right, bottom := 1-r.Left-r.Width, 1-r.Top-r.Height
	switch orientation {
	case 2:
		r.Left = right
	case 3:
		r.Left, r.Top = right, bottom
	case 4:
		r.Top = bottom
	case 5:
		r.Left, r.Top = r.Top, r.Left
	case 6:
		r.Left, r.Top = r.Top, right
	case 7:
		r.Left, r.Top = bottom, right
	case 8:
		r.Left, r.Top = bottom, r.Left
	}
	if orientation >= 5 {
		r.Width, r.Height = r.Height, r.Width
	}
	return r
}

// hard are tags that are hard to write: for a file system, for XML, for a table.
var hard = []string{
	"cat", "Cat", "dog", "a/b", "..", "CON", "nul.txt", `say "hi", twice`, "=1+1", "Übergröße", "日本語", "e\u0301", "%41", "ends.", " space ",
	"<b>&amp;", "line\nbreak", "tab\tbed", "bell\a", "~tilde", "-dash", "yes", "0", "'single'", "back\\slash", "#hash: x",
}

// New makes a set of that many pictures, among them some without a tag, some of each
// format and orientation, and two with the same bytes. Its tags have these names; where
// none are given, some that are hard to write.
func New(seed uint64, kind Kind, images int, names ...string) Set {
	if len(names) == 0 {
		names = hard
	}
	random := rand.New(rand.NewPCG(seed, uint64(crc32.ChecksumIEEE([]byte(kind)))))
	id := func() string {
		var b [16]byte
		for i := range b {
			b[i] = byte(random.UintN(256))
		}
		return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	}
	s := Set{Project: id(), Name: "Truth " + string(kind), Kind: kind}
	for _, name := range names {
		s.Tags = append(s.Tags, Tag{id(), name, Regular})
	}
	negative := Tag{id(), "Negative", Negative}
	if kind == Detection {
		s.Tags = append(s.Tags, Tag{id(), "any product", GeneralProduct})
	} else {
		s.Tags = append(s.Tags, negative)
	}
	random.Shuffle(len(s.Tags), func(i, j int) { s.Tags[i], s.Tags[j] = s.Tags[j], s.Tags[i] })
	classes := slices.DeleteFunc(slices.Clone(s.Tags), func(t Tag) bool { return t.Type == Negative })
	for n := range images {
		width, height := 12+random.IntN(40), 12+random.IntN(40)
		if n%3 == 0 {
			height = width + 5 // so that a turn shows
		}
		i := Image{ID: id(), Created: time.Date(2020, 11, 6, 17, 34, n, 692575900, time.UTC), Width: width, Height: height}
		i.Bytes, i.Extension, i.Orientation = draw(random, n, width, height)
		if n == 1 {
			first := s.Images[0]
			i.Bytes, i.Extension, i.Orientation, i.Width, i.Height = first.Bytes, first.Extension, first.Orientation, first.Width, first.Height
		}
		switch {
		case n%11 == 10: // no tag
		case kind == Detection:
			for range 1 + random.IntN(4) {
				r := Region{ID: id(), Tag: classes[random.IntN(len(classes))].ID, Left: random.Float64() * 0.9, Top: random.Float64() * 0.9}
				r.Width, r.Height = (1-r.Left)*random.Float64(), (1-r.Top)*random.Float64()
				i.Regions = append(i.Regions, r)
				if !slices.Contains(i.Tags, r.Tag) {
					i.Tags = append(i.Tags, r.Tag)
				}
			}
		case n%7 == 6:
			i.Tags = []string{negative.ID}
		default:
			count := 1
			if kind == Multilabel {
				count += random.IntN(3)
			}
			for _, at := range random.Perm(len(classes))[:min(count, len(classes))] {
				i.Tags = append(i.Tags, classes[at].ID)
			}
		}
		s.Images = append(s.Images, i)
	}
	return s
}

// Tag finds a tag by its id.
func (s Set) Tag(id string) Tag {
	return s.Tags[slices.IndexFunc(s.Tags, func(t Tag) bool { return t.ID == id })]
}

// ProjectJSON is the project as the Training API gives it.
func (s Set) ProjectJSON() json.RawMessage {
	settings := map[string]any{"domainId": s.Domain(), "classificationType": string(s.Kind)}
	if s.Kind == Detection {
		settings["classificationType"] = nil
	}
	return encode(map[string]any{"id": s.Project, "name": s.Name, "settings": settings})
}

// Domain is the id of the project's domain.
func (s Set) Domain() string {
	if s.Kind == Detection {
		return "a27d5ca5-bb19-49d8-a70a-fec086c47f5b"
	}
	return "0732100f-1a38-4e49-a514-c9b44c697ab5"
}

// DomainJSON is the project's domain as the Training API gives it.
func (s Set) DomainJSON() json.RawMessage {
	kind := "Classification"
	if s.Kind == Detection {
		kind = "ObjectDetection"
	}
	return encode(map[string]any{"id": s.Domain(), "name": "General (compact)", "type": kind, "exportable": true, "enabled": true})
}

// JSON is the tag as the Training API gives it.
func (t Tag) JSON() json.RawMessage { return encode(t) }

// ImageJSON is an image as the Training API gives it: a member is missing where there is
// nothing, and its times have no zone.
func (s Set) ImageJSON(i Image) json.RawMessage {
	at := i.Created.Format("2006-01-02T15:04:05.9999999")
	width, height := i.Displayed()
	if s.AsStored {
		width, height = i.Width, i.Height
	}
	out := map[string]any{"id": i.ID, "created": at, "width": width, "height": height}
	var tags, regions []any
	for _, id := range i.Tags {
		tags = append(tags, map[string]any{"tagId": id, "tagName": s.Tag(id).Name, "created": at})
	}
	for _, r := range s.Seen(i) {
		regions = append(regions, map[string]any{
			"regionId": r.ID, "tagId": r.Tag, "tagName": s.Tag(r.Tag).Name, "created": at,
			"left": r.Left, "top": r.Top, "width": r.Width, "height": r.Height,
		})
	}
	if tags != nil {
		out["tags"] = tags
	}
	if regions != nil {
		out["regions"] = regions
	}
	return encode(out)
}

func encode(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// Iteration is a training of the project.
type Iteration struct{ ID, Name string }

// JSON is the iteration as the Training API gives it.
func (i Iteration) JSON(s Set) json.RawMessage {
	kind := any(string(s.Kind))
	if s.Kind == Detection {
		kind = nil
	}
	return encode(map[string]any{
		"id": i.ID, "name": i.Name, "projectId": s.Project, "status": "Completed", "domainId": s.Domain(), "classificationType": kind,
		"created": "2020-11-06T17:34:53Z", "lastModified": "2020-11-06T17:44:53Z", "trainedAt": "2020-11-06T17:44:53Z", "exportable": true,
	})
}
