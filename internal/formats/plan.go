package formats

import (
	"cmp"
	"io"
	"maps"
	"slices"
	"strings"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
)

// plan is what is decided before anything is written.
type plan struct {
	record  Record
	split   Split
	classes map[string]int // their index by the tag's id
	total   int            // images in the snapshot
	frame   frame          // of pictures that say nothing themselves
}

// picture is an image of the snapshot as forms write it.
type picture struct {
	id            string
	file          *dataset.File
	raw           []byte // the service's JSON, without links
	width, height int    // pixels, as it is displayed
	part          string
	classes       []int // by index, each once
	negative      bool  // it has the negative tag
	boxes         []box
	name          string // of its file, below its folder; known once the bytes are there
	path          string // of its file, below the data set's folder
}

// look reads the snapshot once.
func look(lines io.ReadSeeker, r Request) (*plan, error) {
	p := &plan{split: r.Split, classes: map[string]int{}}
	p.record = Record{
		Format: r.Format, Version: r.Version, Missing: []Missing{}, Notes: []string{},
		Project:  Named{r.Proof.Project, r.Proof.ProjectName},
		Snapshot: Snapshot{r.Proof.Snapshot, r.Proof.Blob, r.Proof.SHA256, r.Proof.Verdict},
	}
	if r.Proof.Of != dataset.Workspace {
		p.record.Iteration = &Named{r.Proof.Of, r.Proof.IterationName}
	}
	if r.Split.Train > 0 {
		p.record.Split = &r.Split
	}
	for _, name := range r.Split.parts() {
		p.record.Parts = append(p.record.Parts, Part{Name: name})
	}
	s := survey{tags: map[string]customvision.Tag{}, domains: map[string]string{}}
	if err := s.read(lines, r.Proof.Of, r.Proof.Verdict); err != nil {
		return nil, err
	}
	p.total = s.images
	p.record.Boxes = s.frames
	p.frame = displayed
	if s.frames.Stored > s.frames.Displayed {
		p.frame = stored
	}
	p.record.Task = s.task()
	p.classify(s)
	return p, nil
}

// classify decides which tags are classes. A negative tag is one only where each picture
// needs a class: a model of one class for a picture has to have one for "none of them".
func (p *plan) classify(s survey) {
	var tags []customvision.Tag
	for _, id := range slices.Sorted(maps.Keys(s.tags)) {
		t := s.tags[id]
		if t.Type != negativeTag {
			tags = append(tags, t)
			continue
		}
		p.record.Negative = &Negative{Name: t.Name, TagID: t.ID}
		if p.record.Task == SingleLabel && (p.record.Format == ImageFolder || p.record.Format == AutoML) {
			p.record.Negative.Class = true
			tags = append(tags, t)
		}
	}
	p.record.Classes = classesOf(tags)
	for _, c := range p.record.Classes {
		p.classes[c.TagID] = c.Index
	}
}

// picture is what a line of an image comes to.
func (p *plan) picture(l dataset.Line) (*picture, error) {
	i, err := l.Image()
	if err != nil {
		return nil, err
	}
	pic := &picture{id: i.ID, file: l.Original, raw: l.Data, width: i.Width, height: i.Height}
	var f dataset.File
	if l.Original != nil {
		f = *l.Original
		pic.part = p.split.part(f.SHA256)
	}
	switch {
	case f.Width == 0: // of a kind that can't be measured: what the service says
	case f.Orientation >= 5:
		pic.width, pic.height = f.Height, f.Width
	default:
		pic.width, pic.height = f.Width, f.Height
	}
	for _, t := range i.Tags {
		if p.record.Negative != nil && t.TagID == p.record.Negative.TagID {
			pic.negative = true
		}
		if class, ok := p.classes[t.TagID]; ok {
			pic.classes = append(pic.classes, class)
		}
	}
	slices.Sort(pic.classes)
	pic.classes = slices.Compact(pic.classes)
	drawn := frameOf(i, f)
	if drawn == silent {
		drawn = p.frame
	}
	for _, r := range i.Regions {
		class, ok := p.classes[r.TagID]
		if !ok { // a box around nothing in particular
			continue
		}
		b := box{class: class, region: r.RegionID, left: r.Left, top: r.Top, width: r.Width, height: r.Height}
		if drawn == stored {
			b = b.displayed(f.Orientation)
		}
		pic.boxes = append(pic.boxes, b.inside())
	}
	return pic, nil
}

// survey is what the first reading of a snapshot finds.
type survey struct {
	tags    map[string]customvision.Tag // by id, those too that only images have
	domains map[string]string           // their types by id
	domain  string                      // the project's, or the iteration's
	labels  string                      // its classification type
	images  int
	regions int
	several bool // an image has several tags
	frames  Frames
}

// read counts. Of is the iteration that the snapshot is of.
func (s *survey) read(lines io.ReadSeeker, of string, verdict dataset.Verdict) error {
	for l, err := range again(lines, verdict) {
		if err != nil {
			return err
		}
		switch l.Kind {
		case dataset.KindProject:
			project, err := l.Project()
			if err != nil {
				return err
			}
			s.domain = cmp.Or(s.domain, customvision.Canonical(project.Settings.DomainID))
			if project.Settings.ClassificationType != nil {
				s.labels = cmp.Or(s.labels, *project.Settings.ClassificationType)
			}
		case dataset.KindIteration:
			if it, err := l.IterationData(); err == nil && strings.EqualFold(it.ID, of) {
				s.domain, s.labels = cmp.Or(customvision.Canonical(it.DomainID), s.domain), cmp.Or(it.ClassificationType, s.labels)
			}
		case dataset.KindDomain:
			if d, err := l.Domain(); err == nil {
				s.domains[d.ID] = d.Type
			}
		case dataset.KindTag:
			t, err := l.Tag()
			if err != nil {
				return err
			}
			s.tags[t.ID] = t
		case dataset.KindImage:
			i, err := l.Image()
			if err != nil {
				return err
			}
			s.image(i, l.Original)
		}
	}
	return nil
}

func (s *survey) image(i customvision.Image, f *dataset.File) {
	s.images++
	s.regions += len(i.Regions)
	s.several = s.several || len(i.Tags) > 1
	for _, t := range i.Tags {
		s.know(t.TagID, t.TagName)
	}
	for _, r := range i.Regions {
		s.know(r.TagID, r.TagName)
	}
	if f == nil {
		return
	}
	switch frameOf(i, *f) {
	case displayed:
		s.frames.Displayed++
	case stored:
		s.frames.Stored++
	case silent:
		s.frames.Assumed++
	}
}

// know notes a tag that the list of tags may lack, as one that was deleted meanwhile.
func (s *survey) know(id, name string) {
	if _, ok := s.tags[id]; !ok {
		s.tags[id] = customvision.Tag{ID: id, Name: cmp.Or(name, id), Type: "Regular"}
	}
}

// task goes by the domain, and without one by what there is. A project whose type is
// Multiclass may hold images with several tags from before it was.
func (s *survey) task() string {
	switch {
	case s.domains[s.domain] == "ObjectDetection", s.domains[s.domain] == "" && (s.regions > 0 || s.labels == ""):
		return Detection
	case s.labels == "Multiclass" && !s.several:
		return SingleLabel
	}
	return MultiLabel
}
