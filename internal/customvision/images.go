package customvision

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// PageSize is the most that one page of images, or of their performances, holds.
const PageSize = 256

// Image is a picture of a project's data set, with what was drawn on it. Its ids are
// canonical, as are those of tags and regions. Raw is the service's own JSON, with the
// links in it.
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
	err := decodeItem(data, (*plain)(i))
	i.ID = Canonical(i.ID)
	return err
}

// UnmarshalJSON decodes the tag of an image, field by field.
func (t *ImageTag) UnmarshalJSON(data []byte) error {
	type plain ImageTag
	err := decodeItem(data, (*plain)(t))
	t.TagID = Canonical(t.TagID)
	return err
}

// UnmarshalJSON decodes the region, field by field.
func (r *Region) UnmarshalJSON(data []byte) error {
	type plain Region
	err := decodeItem(data, (*plain)(r))
	r.RegionID, r.TagID = Canonical(r.RegionID), Canonical(r.TagID)
	return err
}

// Page is a part of a list of images: the oldest first, Take of them (PageSize at
// most) after Skip.
type Page struct{ Skip, Take int }

func (p Page) query() url.Values {
	return url.Values{"orderBy": {"Oldest"}, "skip": {strconv.Itoa(p.Skip)}, "take": {strconv.Itoa(p.Take)}}
}

// Images lists a project's images, tagged or not, as an iteration saw them (GetImages).
// An empty iterationID means those of now.
func (c *Client) Images(ctx context.Context, projectID, iterationID string, p Page) ([]Image, error) {
	query := p.query()
	query.Set("taggingStatus", "All")
	setIf(query, "iterationId", iterationID)
	return call[[]Image](ctx, c, request{operation: "GetImages", method: http.MethodGet,
		path: "projects/{}/images", ids: []string{projectID}, query: query})
}

// NewestImage is the image that was added last (GetImages); nil where there is none.
func (c *Client) NewestImage(ctx context.Context, projectID string) (*Image, error) {
	list, err := call[[]Image](ctx, c, request{operation: "GetImages", method: http.MethodGet, path: "projects/{}/images",
		ids: []string{projectID}, query: url.Values{"orderBy": {"Newest"}, "take": {"1"}, "taggingStatus": {"All"}}})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

// The taggingStatus of ImageCount.
const (
	AllImages    = "All"
	TaggedImages = "Tagged"
)

// ImageCount counts a project's images of a taggingStatus, as an iteration saw them
// (GetImageCount). An empty iterationID means those of now.
func (c *Client) ImageCount(ctx context.Context, projectID, iterationID, status string) (int, error) {
	query := url.Values{"taggingStatus": {status}}
	setIf(query, "iterationId", iterationID)
	n, err := call[count](ctx, c, request{operation: "GetImageCount", method: http.MethodGet,
		path: "projects/{}/images/count", ids: []string{projectID}, query: query})
	return int(n), err
}

// ImagePerformances gives what an iteration predicts of its own training images, as JSON
// (GetImagePerformances).
func (c *Client) ImagePerformances(ctx context.Context, projectID, iterationID string, p Page) ([]json.RawMessage, error) {
	return call[[]json.RawMessage](ctx, c, request{operation: "GetImagePerformances", method: http.MethodGet,
		path: "projects/{}/iterations/{}/performance/images", ids: []string{projectID, iterationID}, query: p.query()})
}

// ImagePerformanceCount counts what ImagePerformances lists (GetImagePerformanceCount).
func (c *Client) ImagePerformanceCount(ctx context.Context, projectID, iterationID string) (int, error) {
	n, err := call[count](ctx, c, request{operation: "GetImagePerformanceCount", method: http.MethodGet,
		path: "projects/{}/iterations/{}/performance/images/count", ids: []string{projectID, iterationID}})
	return int(n), err
}

// count is a bare number, which the official examples have as text.
type count int

func (n *count) UnmarshalJSON(data []byte) error {
	i, err := strconv.Atoi(plainText(data))
	*n = count(i)
	return err
}
