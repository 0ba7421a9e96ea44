package emulator

import (
	"cmp"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"time"
)

// predictionFolder is the container of the pictures of stored predictions.
const predictionFolder = "predictionimages"

// stored is a prediction that was kept with its picture, whose id is its own.
type stored struct {
	Iteration   string
	Application string
	Created     time.Time
	Picture     picture
	Predictions []predictionWire
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

func (k stored) wire(p *project, version string) predictionResultWire {
	return predictionResultWire{k.Picture.ID, p.ID, k.Iteration, wireTime(k.Created), predictionWires(k.Predictions, version)}
}

// sentImage returns the one picture of a body and its file name, if it has one.
func (c *call) sentImage() (part, error) {
	parts, err := c.parts("imageData")
	if err == nil && len(parts) != 1 {
		err = badRequest("BadRequestImageStream", "Send one image")
	}
	if err != nil {
		return part{}, err
	}
	return parts[0], nil
}

// linkedImage returns the picture at the URL that a body gives. It fetches from
// loopback addresses only.
func (s *Server) linkedImage(c *call) (part, error) {
	var body struct{ URL string }
	if err := c.decodeRequired(&body); err != nil {
		return part{}, err
	}
	var content []byte
	var err error
	s.unlocked(func() { content, err = s.fetch(body.URL, maxPicture) })
	if err != nil {
		return part{}, badRequest("BadRequestImageUrl", "The image can't be fetched")
	}
	return part{path.Base(body.URL), content}, nil
}

func (s *Server) quickTestImage(c *call) (any, error) {
	sent, err := c.sentImage()
	if err != nil {
		return nil, err
	}
	return s.quickTest(c, sent)
}

func (s *Server) quickTestImageURL(c *call) (any, error) {
	sent, err := s.linkedImage(c)
	if err != nil {
		return nil, err
	}
	return s.quickTest(c, sent)
}

// quickTest returns an iteration's predictions for a picture, and keeps the
// picture unless store=false.
func (s *Server) quickTest(c *call, sent part) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	i, err := p.predictor(c)
	if err != nil {
		return nil, err
	}
	store, err := c.flag("store", true)
	if err != nil {
		return nil, err
	}
	return s.predict(c, p, i, sent, maxPicture, store)
}

// predict returns an iteration's predictions for a picture of at most so many
// bytes. Their id is that of the request, as recorded.
func (s *Server) predict(c *call, p *project, i *iteration, sent part, most int, store bool) (any, error) {
	if len(sent.content) > most {
		return nil, badRequest("BadRequestImageSizeBytes", "The image is larger than %d MB", most>>20)
	}
	width, height, ok := measure(sent.content)
	if !ok {
		return nil, badRequest("BadRequestImageFormat", "The image is no JPEG, PNG, GIF or BMP")
	}
	shown := picture{ID: c.id, Created: c.now, Width: width, Height: height, Hash: pictureHash(sent.content)}
	k := stored{Iteration: i.ID, Application: c.query.Get("application"), Created: c.now, Picture: shown, Predictions: predictions(i, s.truth(i, shown))}
	k.Predictions = s.ruled(k.Predictions, sent.name)
	if store {
		if _, err := s.pictures.put(sent.content); err != nil {
			return nil, err
		}
		p.Predictions = append(p.Predictions, k)
	}
	return k.wire(p, c.version), nil
}

// Label is what a picture shows: a tag, by its name, and where, in shares of the picture's
// width and height.
type Label struct {
	Tag                      string
	Left, Top, Width, Height float64
}

// Show says what a picture shows on which nothing was trained. The iterations see it there,
// as far as SetQuality says; what they don't know by a tag they don't see.
func (s *Server) Show(content []byte, labels ...Label) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown == nil {
		s.shown = map[string][]Label{}
	}
	s.shown[pictureHash(content)] = labels
}

// truth gives a picture the tags and regions that Show said, or that it had when the
// iteration was trained on it.
func (s *Server) truth(i *iteration, shown picture) *picture {
	for _, known := range i.Images {
		if known.Hash == shown.Hash {
			shown.Tags, shown.Regions = known.Tags, known.Regions
		}
	}
	for n, l := range s.shown[shown.Hash] {
		for _, t := range i.Tags {
			if t.Name == l.Tag {
				shown.Tags = append(shown.Tags, pictureTag{ID: t.ID})
				shown.Regions = append(shown.Regions, region{ID: fmt.Sprint(shown.Hash, n), TagID: t.ID, Left: l.Left, Top: l.Top, Width: l.Width, Height: l.Height})
			}
		}
	}
	return &shown
}

// predictor returns the iteration that the query names, or else the one trained
// last.
func (p *project) predictor(c *call) (*iteration, error) {
	i, err := c.iteration(p)
	switch {
	case err != nil:
		return nil, err
	case i != nil && i.Status != statusCompleted:
		return nil, badRequest("BadRequestIterationIsNotTrained", "The iteration is not trained")
	case i != nil:
		return i, nil
	}
	for _, other := range p.Iterations {
		if other.TrainedAt != nil && (i == nil || other.TrainedAt.After(*i.TrainedAt)) {
			i = other
		}
	}
	if i == nil {
		return nil, notFound("NotFoundProjectDefaultIteration", "The project has no trained iteration")
	}
	return i, nil
}

// predictionToken is the query of QueryPredictions and, in the answer, what asks for
// the next page. The form of session and continuation is the emulator's own.
type predictionToken struct {
	Session      string          `json:"session"`
	Continuation *string         `json:"continuation"`
	MaxCount     int             `json:"maxCount"`
	OrderBy      string          `json:"orderBy"`
	Tags         []predictionTag `json:"tags"`
	IterationID  *string         `json:"iterationId"`
	StartTime    *time.Time      `json:"startTime"`
	EndTime      *time.Time      `json:"endTime"`
	Application  *string         `json:"application"`
}

type predictionTag struct {
	ID           string   `json:"id"`
	MinThreshold float64  `json:"minThreshold"`
	MaxThreshold *float64 `json:"maxThreshold"`
}

// Limits of a query for predictions. That of its results isn't documented.
const (
	maxPredictionTags    = 2
	maxPredictionResults = 256
)

// check checks a query and makes its fields canonical.
func (q *predictionToken) check() error {
	known, ok := fold([]string{"Newest", "Oldest", "Suggested"}, cmp.Or(q.OrderBy, "Newest"))
	q.OrderBy = known
	invalid := !ok || q.MaxCount < 0 || q.StartTime != nil && q.EndTime != nil && q.EndTime.Before(*q.StartTime)
	if q.IterationID != nil {
		ids, err := canonicalIDs([]string{*q.IterationID})
		if err != nil {
			return err
		}
		q.IterationID = &ids[0]
	}
	for n := range q.Tags {
		t := &q.Tags[n]
		ids, err := canonicalIDs([]string{t.ID})
		if err != nil {
			return err
		}
		if t.ID = ids[0]; t.MaxThreshold == nil {
			t.MaxThreshold = new(1.0)
		}
		invalid = invalid || t.MinThreshold < 0 || *t.MaxThreshold > 1 || t.MinThreshold > *t.MaxThreshold
	}
	switch {
	case len(q.Tags) > maxPredictionTags:
		return badRequest("BadRequestPredictionTagsExceededCount", "At most %d tags can be combined", maxPredictionTags)
	case q.MaxCount > maxPredictionResults:
		return badRequest("BadRequestPredictionResultsExceededCount", "maxCount goes up to %d", maxPredictionResults)
	case invalid:
		return badRequest("BadRequestPredictionInvalidQueryParameters", "The order, the number, the times or a threshold is not valid")
	}
	return nil
}

// offset returns how many results the pages before have shown.
func (q *predictionToken) offset() (int, error) {
	if q.Continuation == nil || *q.Continuation == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(*q.Continuation)
	if err != nil || n < 0 {
		return 0, badRequest("BadRequestPredictionInvalidQueryParameters", "The continuation is not one that was given")
	}
	return n, nil
}

// matches reports whether a stored prediction has what the query asks for: of
// several tags, each.
func (q *predictionToken) matches(k stored) bool {
	if q.IterationID != nil && *q.IterationID != k.Iteration ||
		q.StartTime != nil && k.Created.Before(*q.StartTime) || q.EndTime != nil && k.Created.After(*q.EndTime) ||
		q.Application != nil && *q.Application != "" && *q.Application != k.Application {
		return false
	}
	for _, t := range q.Tags {
		if !slices.ContainsFunc(k.Predictions, func(w predictionWire) bool {
			return w.TagID == t.ID && w.Probability >= t.MinThreshold && w.Probability <= *t.MaxThreshold
		}) {
			return false
		}
	}
	return true
}

// order sorts results that are oldest first. Suggested puts first what the
// iteration was least sure of.
func (q *predictionToken) order(list []stored) {
	switch q.OrderBy {
	case "Newest":
		slices.Reverse(list)
	case "Suggested":
		slices.SortStableFunc(list, func(a, b stored) int { return cmp.Compare(a.likeliest(), b.likeliest()) })
	}
}

func (k stored) likeliest() float64 {
	most := 0.0
	for _, w := range k.Predictions {
		most = max(most, w.Probability)
	}
	return most
}

// queryPredictions lists stored predictions of iterations that still exist.
func (s *Server) queryPredictions(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	var q predictionToken
	if err := c.decodeFilled(&q); err != nil {
		return nil, err
	}
	if err := q.check(); err != nil {
		return nil, err
	}
	offset, err := q.offset()
	if err != nil {
		return nil, err
	}
	var list []stored
	for _, k := range p.Predictions {
		if _, err := p.iteration(k.Iteration); err == nil && q.matches(k) {
			list = append(list, k)
		}
	}
	q.order(list)
	list = list[min(offset, len(list)):]
	q.Continuation, q.Session = nil, cmp.Or(q.Session, "1:"+strconv.Itoa(len(p.Predictions)))
	if q.MaxCount > 0 && len(list) > q.MaxCount {
		list = list[:q.MaxCount]
		q.Continuation = new(strconv.Itoa(offset + q.MaxCount))
	}
	results := []storedPredictionWire{}
	for _, k := range list {
		i, _ := p.iteration(k.Iteration)
		link := func(kind string) string {
			return s.pictureLink(predictionFolder + "/" + p.ID + "/" + kind + "-" + compact(k.Picture.ID))
		}
		results = append(results, storedPredictionWire{link("o"), link("t"), link("o"), i.DomainID, k.wire(p, c.version)})
	}
	return map[string]any{"token": q, "results": results}, nil
}

func (s *Server) deletePrediction(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	ids, err := canonicalIDs(c.list("ids"))
	switch {
	case err != nil:
		return nil, err
	case len(ids) == 0:
		return nil, badRequest("BadRequestPredictionIdsMissing", "The parameter ids is required")
	case len(ids) > maxBatch:
		return nil, badRequest("BadRequestPredictionIdsExceededCount", "ids takes at most %d ids", maxBatch)
	}
	p.Predictions = slices.DeleteFunc(p.Predictions, func(k stored) bool { return slices.Contains(ids, k.Picture.ID) })
	return noContent, nil
}

// createImagesFromPredictions makes training images of stored predictions.
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
		ids, err := canonicalIDs([]string{e.ID})
		if err != nil {
			return nil, err
		}
		for _, shown := range p.predictionPictures() {
			if shown.ID != ids[0] {
				continue
			}
			if u.content, err = s.pictures.get(shown.Hash); err != nil {
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
