package emulator

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// stored is a picture that was sent to a quick test and kept.
type stored struct {
	ID, Iteration string
	Created       time.Time
	Picture       picture
}

type predictionResultWire struct {
	ID          string           `json:"id"`
	Project     string           `json:"project"`
	Iteration   string           `json:"iteration"`
	Created     wireTime         `json:"created"`
	Predictions []predictionWire `json:"predictions"`
}

type storedPredictionWire struct {
	ResizedImageURI  string `json:"resizedImageUri"`
	ThumbnailURI     string `json:"thumbnailUri"`
	OriginalImageURI string `json:"originalImageUri"`
	Domain           string `json:"domain"`
	predictionResultWire
}

func (s *Server) quickTestImage(c *call) (any, error) {
	parts, err := c.parts("imageData")
	if err != nil {
		return nil, err
	}
	if len(parts) != 1 {
		return nil, badRequest("BadRequestImageStream", "Send one image")
	}
	return s.quickTest(c, parts[0].content)
}

// quickTestImageURL tests the picture at a URL. It fetches from loopback
// addresses only.
func (s *Server) quickTestImageURL(c *call) (any, error) {
	var body struct{ URL string }
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	var content []byte
	var err error
	s.unlocked(func() { content, err = s.fetch(body.URL, maxPicture) })
	if err != nil {
		return nil, badRequest("BadRequestImageUrl", "The image can't be fetched")
	}
	return s.quickTest(c, content)
}

// quickTest returns an iteration's predictions for a picture, and keeps the
// picture unless store=false.
func (s *Server) quickTest(c *call, content []byte) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	i, err := p.predictor(c.query.Get("iterationid"))
	if err != nil {
		return nil, err
	}
	if len(content) > maxPicture {
		return nil, badRequest("BadRequestImageSizeBytes", "The image is larger than 6 MB")
	}
	width, height, ok := measure(content)
	if !ok {
		return nil, badRequest("BadRequestImageFormat", "The image is no JPEG, PNG, GIF or BMP")
	}
	hash, err := s.pictures.put(content)
	if err != nil {
		return nil, err
	}
	kept := stored{newID(), i.ID, c.now, picture{ID: newID(), Created: c.now, Width: width, Height: height, Hash: hash}}
	if !strings.EqualFold(c.query.Get("store"), "false") {
		p.Predictions = append(p.Predictions, kept)
	}
	return kept.wire(p, i), nil
}

// predictor returns the iteration with this id. For "" it is the one trained last.
func (p *project) predictor(text string) (*iteration, error) {
	if text != "" {
		id, _ := canonicalID(text)
		i, err := p.iteration(id)
		if err == nil && i.Status != statusCompleted {
			err = badRequest("BadRequestIterationIsNotTrained", "The iteration is not trained")
		}
		return i, err
	}
	var last *iteration
	for _, i := range p.Iterations {
		if i.TrainedAt != nil && (last == nil || i.TrainedAt.After(*last.TrainedAt)) {
			last = i
		}
	}
	if last == nil {
		return nil, notFound("NotFoundProjectDefaultIteration", "The project has no trained iteration")
	}
	return last, nil
}

func (k stored) wire(p *project, i *iteration) predictionResultWire {
	return predictionResultWire{k.ID, p.ID, k.Iteration, wireTime(k.Created), predictions(i, &k.Picture)}
}

type predictionTokenWire struct {
	Session      string              `json:"session"`
	Continuation string              `json:"continuation"`
	MaxCount     int                 `json:"maxCount"`
	OrderBy      string              `json:"orderBy"`
	Tags         []predictionTagWire `json:"tags"`
	IterationID  *string             `json:"iterationId"`
	StartTime    *string             `json:"startTime"`
	EndTime      *string             `json:"endTime"`
	Application  string              `json:"application"`
}

type predictionTagWire struct {
	ID           string  `json:"id"`
	MinThreshold float64 `json:"minThreshold"`
	MaxThreshold float64 `json:"maxThreshold"`
}

// queryPredictions lists kept quick tests of an iteration, oldest last, in one page.
func (s *Server) queryPredictions(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	token := predictionTokenWire{OrderBy: "Newest"}
	if err := c.decode(&token); err != nil {
		return nil, err
	}
	results := []storedPredictionWire{}
	for _, k := range slices.Backward(p.Predictions) {
		i, err := p.iteration(k.Iteration)
		if err != nil || token.IterationID != nil && *token.IterationID != k.Iteration {
			continue
		}
		results = append(results, storedPredictionWire{
			s.imageURI(p, &k.Picture, "r"), s.imageURI(p, &k.Picture, "t"), s.imageURI(p, &k.Picture, "o"), i.DomainID, k.wire(p, i),
		})
	}
	return map[string]any{"token": token, "results": results}, nil
}

func (s *Server) deletePrediction(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	ids, err := c.guids("ids", maxBatch)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, badRequest("BadRequestPredictionIdsMissing", "The parameter ids is required")
	}
	p.Predictions = slices.DeleteFunc(p.Predictions, func(k stored) bool { return slices.Contains(ids, k.ID) })
	return noContent, nil
}

// createImagesFromPredictions makes training images of kept quick tests.
func (s *Server) createImagesFromPredictions(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	entries, metadata, err := c.entries()
	if err != nil {
		return nil, err
	}
	var batch []upload
	for _, e := range entries {
		u := upload{source: e.ID, failed: imageBadSource, tags: e.TagIDs, regions: e.Regions, metadata: metadata}
		id, _ := canonicalID(e.ID)
		for _, k := range p.Predictions {
			if k.ID != id {
				continue
			}
			if u.content, err = s.pictures.get(k.Picture.Hash); err != nil {
				return nil, err
			}
			u.failed = ""
		}
		batch = append(batch, u)
	}
	return s.addImages(c, batch)
}

// notServed refuses what would need an eye for pictures.
func (s *Server) notServed(*call) (any, error) {
	return nil, &refusal{http.StatusBadRequest, "BadRequestNotSupported", "The emulator doesn't judge pictures"}
}
