package emulator

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

type imagePerformanceWire struct {
	Predictions  []predictionWire  `json:"predictions"`
	ID           string            `json:"id"`
	Created      databaseTime      `json:"created"`
	Width        int               `json:"width"`
	Height       int               `json:"height"`
	ImageURI     string            `json:"imageUri"`
	ThumbnailURI string            `json:"thumbnailUri"`
	Tags         []imageTagWire    `json:"tags,omitempty"`
	Regions      []imageRegionWire `json:"regions,omitempty"`
}

type predictionWire struct {
	Probability float64  `json:"probability"`
	TagID       string   `json:"tagId"`
	TagName     string   `json:"tagName"`
	BoundingBox *boxWire `json:"boundingBox,omitempty"`
	TagType     string   `json:"tagType,omitempty"`
}

type boxWire struct {
	Left   float64 `json:"left"`
	Top    float64 `json:"top"`
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
}

// performancePictures returns the pictures by which a trained iteration was
// measured, chosen by at most so many tags.
func (s *Server) performancePictures(c *call, most int) (*project, *iteration, []*picture, error) {
	p, i, err := s.lookup(c)
	if err != nil {
		return nil, nil, nil, err
	}
	if i.Status != statusCompleted {
		return nil, nil, nil, badRequest("BadRequestIterationIsNotTrained", "The iteration is not trained")
	}
	pictures, err := chosen(c, i.Images, wantTagged, most)
	return p, i, pictures, err
}

func (s *Server) getImagePerformances(c *call) (any, error) {
	p, i, pictures, err := s.performancePictures(c, maxTags)
	if err != nil {
		return nil, err
	}
	if pictures, err = page(c, pictures); err != nil {
		return nil, err
	}
	list := []imagePerformanceWire{}
	for _, shown := range pictures {
		list = append(list, imagePerformanceWire{
			Predictions: predictionWires(predictions(i, shown), c.version), ID: shown.ID, Created: databaseTime(shown.Created),
			Width: shown.Width, Height: shown.Height,
			ImageURI: s.imageURI(p, shown, "i"), ThumbnailURI: s.imageURI(p, shown, "t"),
			Tags: tagWires(i.Tags, shown), Regions: regionWires(i.Tags, shown),
		})
	}
	return list, nil
}

func (s *Server) getImagePerformanceCount(c *call) (any, error) {
	_, _, pictures, err := s.performancePictures(c, math.MaxInt)
	return len(pictures), err
}

// predictions invents an iteration's predictions for a picture: mostly its own
// tags, always the same for the same picture, the likeliest first. Where SetQuality said
// how well the iteration predicts, so much of it is right, and what a better one gets wrong
// a worse one gets wrong too.
func predictions(i *iteration, shown *picture) []predictionWire {
	list := []predictionWire{}
	d, _ := findDomain(i.DomainID)
	for _, t := range i.Tags {
		luck := unit(i.ID, shown.Hash, t.ID)
		if i.Quality > 0 {
			luck = unit(shown.Hash, t.Name, "luck")
		}
		guess := predictionWire{Probability: round(0.3 * luck), TagID: t.ID, TagName: t.Name, TagType: t.Type}
		wrong := i.Quality > 0 && unit(shown.Hash, t.Name) >= i.Quality
		if shown.tagged(t.ID) != wrong {
			guess.Probability = round(0.5 + 0.5*luck)
		}
		if d.kind != objectDetection {
			list = append(list, guess)
			continue
		}
		found := false
		for n, r := range shown.Regions {
			if r.TagID != t.ID {
				continue
			}
			found = true
			if wrong {
				continue
			}
			shift := 0.02 * unit(i.ID, r.ID, fmt.Sprint(n))
			guess.BoundingBox = &boxWire{round(r.Left * (1 - shift)), round(r.Top * (1 - shift)), r.Width, r.Height}
			list = append(list, guess)
		}
		if !found || wrong {
			guess.BoundingBox = &boxWire{round(luck / 2), round(luck / 3), 0.25, 0.25}
			list = append(list, guess)
		}
	}
	return likeliestFirst(list)
}

func likeliestFirst(list []predictionWire) []predictionWire {
	slices.SortStableFunc(list, func(a, b predictionWire) int { return cmp.Compare(b.Probability, a.Probability) })
	return list
}

// predictionWires returns predictions as a version of an API has them: older ones
// have no types of tags.
func predictionWires(list []predictionWire, version string) []predictionWire {
	list = append([]predictionWire{}, list...)
	for n := range list {
		if version == v33 || version == predictionV30 {
			list[n].TagType = ""
		}
	}
	return list
}
