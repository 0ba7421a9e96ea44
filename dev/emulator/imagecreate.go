package emulator

import (
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Statuses of one image of a batch.
const (
	imageOK            = "OK"
	imageDuplicate     = "OKDuplicate"
	imageBadSource     = "ErrorSource"
	imageBadFormat     = "ErrorImageFormat"
	imageBadSize       = "ErrorImageSize"
	imageNotStored     = "ErrorStorage"
	imageLimit         = "ErrorLimitExceed"
	imageTagLimit      = "ErrorTagLimitExceed"
	imageRegionLimit   = "ErrorRegionLimitExceed"
	imageNegativeMixed = "ErrorNegativeAndRegularTagOnSameImage"
)

// Limits of one image.
const (
	maxSide            = 10_240 // pixels
	maxAspect          = 25     // to 1
	maxTagsPerImage    = 100
	maxRegionsPerImage = 300
)

// upload is one image of a batch, from any of the three operations.
type upload struct {
	source   string
	content  []byte
	failed   string // the status if its bytes couldn't be fetched
	tags     []string
	regions  []regionInput
	metadata map[string]string
}

type imageSummaryWire struct {
	IsBatchSuccessful bool              `json:"isBatchSuccessful"`
	Images            []imageResultWire `json:"images"`
}

type imageResultWire struct {
	SourceURL string     `json:"sourceUrl"`
	Status    string     `json:"status"`
	Image     *imageWire `json:"image"`
}

// addImages adds a batch, each image independently. The answer is 207 unless all
// are new.
func (s *Server) addImages(c *call, batch []upload) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	var tags []string
	for n := range batch {
		tags = append(tags, batch[n].tags...)
		if batch[n].tags, err = s.knownTags(p, batch[n].tags); err != nil {
			return nil, err
		}
		if err := p.checkRegions(batch[n].regions); err != nil {
			return nil, err
		}
	}
	if _, err := s.knownTags(p, tags); err != nil { // the limit is the batch's
		return nil, err
	}
	summary := imageSummaryWire{IsBatchSuccessful: true, Images: []imageResultWire{}}
	for _, u := range batch {
		result := imageResultWire{SourceURL: u.source}
		var i *picture
		if i, result.Status = s.addImage(p, u, c); i != nil {
			w := s.imageWire(p, p.Tags, i)
			for n := range w.Tags {
				w.Tags[n].TagName = nil // as recorded
			}
			result.Image = &w
		}
		summary.IsBatchSuccessful = summary.IsBatchSuccessful && result.Status == imageOK
		summary.Images = append(summary.Images, result)
	}
	if summary.IsBatchSuccessful {
		return summary, nil
	}
	return jsonReply(http.StatusMultiStatus, summary)
}

// checkBatch checks the number of images of a batch.
func checkBatch(n int) error {
	switch {
	case n == 0:
		return badRequest("BadRequestImageBatch", "The batch holds no image")
	case n > maxBatch:
		return badRequest("BadRequestExceededBatchSize", "A batch holds at most %d images", maxBatch)
	}
	return nil
}

// knownTags returns the ids of the project's tags in canonical form, each once.
// An unknown id is an error.
func (s *Server) knownTags(p *project, texts []string) ([]string, error) {
	ids, err := canonicalIDs(texts)
	if err != nil {
		return nil, err
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) > maxTags {
		return nil, badRequest("BadRequestExceedTagPerImageLimit", "At most %d tags can be given at once", maxTags)
	}
	for _, id := range ids {
		if _, err := p.tag(id); err != nil {
			return nil, badRequest("BadRequestImageTags", "The project has no tag %s", id)
		}
	}
	return ids, nil
}

// addImage adds one image, or returns the existing one with the same bytes.
func (s *Server) addImage(p *project, u upload, c *call) (*picture, string) {
	now := c.now
	if u.failed != "" {
		return nil, u.failed
	}
	width, height, ok := measure(u.content)
	switch {
	case len(u.content) > maxPicture || max(width, height) > maxSide || max(width, height) > maxAspect*min(width, height):
		return nil, imageBadSize
	case !ok && !s.options.NoValidation:
		return nil, imageBadFormat
	}
	hash, err := s.pictures.put(u.content)
	if err != nil {
		s.options.Logf("keep a picture: %v", err)
		return nil, imageNotStored
	}
	i, status := &picture{ID: newID(), Created: now, Width: width, Height: height, Hash: hash, Metadata: u.metadata}, imageOK
	if n := slices.IndexFunc(p.Images, func(o *picture) bool { return o.Hash == hash }); n >= 0 {
		i, status = p.Images[n], imageDuplicate
	} else if limit := s.tier().images; limit > 0 && len(p.Images) >= limit {
		return nil, imageLimit
	}
	next := *i
	next.Tags, next.Regions = slices.Clone(i.Tags), slices.Clone(i.Regions)
	for _, id := range u.tags {
		next.addTag(id, now)
	}
	for _, r := range u.regions {
		next.addRegion(r, now)
	}
	switch {
	case !metadataLimits[c.version].hold(u.metadata):
		return nil, imageLimit
	case len(next.Tags) > maxTagsPerImage:
		return nil, imageTagLimit
	case len(next.Regions) > maxRegionsPerImage:
		return nil, imageRegionLimit
	case p.mixesNegative(&next):
		return nil, imageNegativeMixed
	}
	if status == imageOK {
		p.Images = append(p.Images, i)
	}
	if status == imageOK || len(next.Tags) > len(i.Tags) || len(next.Regions) > len(i.Regions) {
		p.changed(now)
	}
	*i = next
	return i, status
}

// addTag reports whether the tag is new to the picture.
func (i *picture) addTag(id string, now time.Time) bool {
	if i.tagged(id) {
		return false
	}
	i.Tags = append(i.Tags, pictureTag{id, now})
	return true
}

// mixesNegative reports whether a picture has the negative tag and another one.
func (p *project) mixesNegative(i *picture) bool {
	negative := slices.ContainsFunc(i.Tags, func(t pictureTag) bool {
		known, err := p.tag(t.ID)
		return err == nil && known.Type == negativeTag
	})
	return negative && len(i.Tags) > 1
}

// entry is one image of a JSON batch.
type entry struct {
	Name, URL string
	Contents  []byte
	ID        string
	TagIDs    []string
	Regions   []regionInput
}

// entries reads a JSON batch. Tags and metadata of the whole batch are added to
// each image.
func (c *call) entries() ([]entry, map[string]string, error) {
	var batch struct {
		Images   []entry
		TagIDs   []string
		Metadata map[string]string
	}
	if err := c.decodeRequired(&batch); err != nil {
		return nil, nil, err
	}
	if err := checkBatch(len(batch.Images)); err != nil {
		return nil, nil, err
	}
	for n := range batch.Images {
		batch.Images[n].TagIDs = append(batch.Images[n].TagIDs, batch.TagIDs...)
	}
	for key, value := range batch.Metadata {
		limit := metadataLimits[c.version]
		if strings.TrimSpace(key) == "" || utf8.RuneCountInString(key) > limit.key {
			return nil, nil, badRequest("BadRequestImageMetadataKey", "A metadata key is empty or longer than %d characters", limit.key)
		}
		if value == "" || utf8.RuneCountInString(value) > limit.value {
			return nil, nil, badRequest("BadRequestImageMetadataValue", "The metadata value of %s is empty or longer than %d characters", key, limit.value)
		}
	}
	return batch.Images, batch.Metadata, nil
}

func (s *Server) createImagesFromFiles(c *call) (any, error) {
	entries, metadata, err := c.entries()
	if err != nil {
		return nil, err
	}
	var batch []upload
	for _, e := range entries {
		batch = append(batch, upload{source: e.Name, content: e.Contents, tags: e.TagIDs, regions: e.Regions, metadata: metadata})
	}
	return s.addImages(c, batch)
}

// createImagesFromURLs fetches from loopback addresses only.
func (s *Server) createImagesFromURLs(c *call) (any, error) {
	entries, metadata, err := c.entries()
	if err != nil {
		return nil, err
	}
	var batch []upload
	s.unlocked(func() {
		for _, e := range entries {
			u := upload{source: e.URL, tags: e.TagIDs, regions: e.Regions, metadata: metadata}
			if u.content, err = s.fetch(e.URL, maxPicture); err != nil {
				u.failed = imageBadSource
			}
			batch = append(batch, u)
		}
	})
	return s.addImages(c, batch)
}

func (s *Server) createImagesFromData(c *call) (any, error) {
	parts, err := c.parts("imageData")
	if err != nil {
		return nil, err
	}
	if err := checkBatch(len(parts)); err != nil {
		return nil, err
	}
	tags := c.list("tagIds")
	var batch []upload
	for _, p := range parts {
		batch = append(batch, upload{source: p.name, content: p.content, tags: tags})
	}
	return s.addImages(c, batch)
}
