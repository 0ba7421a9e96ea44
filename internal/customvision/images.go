package customvision

import (
	"encoding/json"
	"slices"
	"time"
)

// Image is a picture of a project's data set, with what was drawn on it. Raw is the
// service's own JSON, with the links in it.
type Image struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	// Width and Height are in pixels, as the service counts them.
	Width  int `json:"width"`
	Height int `json:"height"`
	// The links are secrets for a day. They may be relative: see Client.Artifact.
	OriginalImageURI string            `json:"originalImageUri"`
	ResizedImageURI  string            `json:"resizedImageUri"`
	Tags             []ImageTag        `json:"tags"`
	Regions          []Region          `json:"regions"`
	Metadata         map[string]string `json:"-"` // the user's own
	Raw              json.RawMessage   `json:"-"`
}

// ImageTag is a tag that an image has.
type ImageTag struct {
	TagID   string    `json:"tagId"`
	TagName string    `json:"tagName"` // "" (null in JSON) in some answers
	Created time.Time `json:"created"`
}

// Region is a box on an image, with its tag. Left, Top, Width and Height are shares of
// the image, from 0 to 1; Left and Top are those of the box's upper left corner.
type Region struct {
	RegionID string    `json:"regionId"`
	TagID    string    `json:"tagId"`
	TagName  string    `json:"tagName"`
	Created  time.Time `json:"created"`
	Left     float64   `json:"left"`
	Top      float64   `json:"top"`
	Width    float64   `json:"width"`
	Height   float64   `json:"height"`
}

// UnmarshalJSON decodes the image, field by field.
func (i *Image) UnmarshalJSON(data []byte) error {
	type plain Image
	i.Raw = slices.Clone(data)
	var own struct {
		Metadata map[string]json.RawMessage `json:"metadata"`
	}
	if json.Unmarshal(data, &own) == nil && own.Metadata != nil {
		i.Metadata = map[string]string{}
		for key, value := range own.Metadata {
			i.Metadata[key] = plainText(value)
		}
	}
	return decodeItem(data, (*plain)(i))
}

// UnmarshalJSON decodes the tag of an image, field by field.
func (t *ImageTag) UnmarshalJSON(data []byte) error {
	type plain ImageTag
	return decodeItem(data, (*plain)(t))
}

// UnmarshalJSON decodes the region, field by field.
func (r *Region) UnmarshalJSON(data []byte) error {
	type plain Region
	return decodeItem(data, (*plain)(r))
}
