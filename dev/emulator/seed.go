package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The domains of seeded projects: with regions and without.
const (
	seedDetection      = "a27d5ca5-bb19-49d8-a70a-fec086c47f5b" // General (compact)
	seedClassification = "0732100f-1a38-4e49-a514-c9b44c697ab5" // General (compact)
)

// seeding is a picture of a seed. Regions name their tag in TagID.
type seeding struct {
	path    string
	tags    []string
	regions []regionInput
}

// seed makes a project of a folder of pictures or of a COCO file. s.mu must be
// held, or s not be in use yet.
func (s *Server) seed(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(filepath.Base(path), ".json")
	if slices.ContainsFunc(s.state.Projects, func(p *project) bool { return p.Name == name }) {
		return nil
	}
	read := readCOCO
	if info.IsDir() {
		read = readFolder
	}
	list, err := read(path)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("it holds no pictures")
	}
	domain := seedClassification
	if slices.ContainsFunc(list, func(i seeding) bool { return len(i.regions) > 0 }) {
		domain = seedDetection
	}
	id, err := s.newProject(name, domain, "", "")
	if err != nil {
		return err
	}
	p, err := s.project(id)
	if err == nil {
		err = s.sow(p, list)
	}
	if err != nil { // in full or not at all
		s.state.Projects = slices.DeleteFunc(s.state.Projects, func(o *project) bool { return o.ID == id })
	}
	return err
}

// sow adds a seed's tags and pictures to a project.
func (s *Server) sow(p *project, list []seeding) error {
	c := &call{version: v34, now: s.state.Clock.now()}
	ids := map[string]string{}
	id := func(name string) (string, error) {
		if ids[name] == "" {
			t := &tag{ID: newID(), Name: name, Type: regularTag}
			if err := s.checkTag(p, t); err != nil {
				return "", err
			}
			p.Tags = append(p.Tags, t)
			ids[name] = t.ID
		}
		return ids[name], nil
	}
	for _, i := range list {
		content, err := os.ReadFile(i.path)
		if err != nil {
			return err
		}
		u := upload{content: content, regions: i.regions}
		for _, name := range i.tags {
			tagID, err := id(name)
			if err != nil {
				return err
			}
			u.tags = append(u.tags, tagID)
		}
		for n := range u.regions {
			if u.regions[n].TagID, err = id(u.regions[n].TagID); err != nil {
				return err
			}
		}
		if err := p.checkRegions(u.regions); err != nil {
			return fmt.Errorf("%s: %w", i.path, err)
		}
		if _, status := s.addImage(p, u, c); status != imageOK && status != imageDuplicate {
			return fmt.Errorf("%s: the service would answer %s", i.path, status)
		}
	}
	if p.domain().kind == classification && !slices.ContainsFunc(p.Images, func(i *picture) bool { return len(i.Tags) > 1 }) {
		p.Classification = "Multiclass"
	}
	return nil
}

// readFolder lists the pictures of a folder. Those in a folder of it have its name as
// their tag. Other files are left out.
func readFolder(folder string) ([]seeding, error) {
	var list []seeding
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		if !e.IsDir() {
			if isPicture(path) {
				list = append(list, seeding{path: path})
			}
			continue
		}
		inner, err := os.ReadDir(path)
		if err != nil {
			return nil, err
		}
		for _, f := range inner {
			if picture := filepath.Join(path, f.Name()); isPicture(picture) {
				list = append(list, seeding{path: picture, tags: []string{e.Name()}})
			}
		}
	}
	return list, nil
}

func isPicture(path string) bool {
	content, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	_, _, ok := measure(content)
	return ok
}

// annotation is one of a COCO file.
type annotation struct {
	ImageID    int       `json:"image_id"`
	CategoryID int       `json:"category_id"`
	Box        []float64 `json:"bbox"`
}

// readCOCO lists the pictures of a COCO file, whose names are relative to its
// folder. A box is left, top, width and height, in pixels or, if no number of any box
// is more than 1, in parts of the picture. An annotation without one is a tag.
func readCOCO(path string) ([]seeding, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Images []struct {
			ID            int
			Width, Height float64
			FileName      string `json:"file_name"`
		}
		Annotations []annotation
		Categories  []struct {
			ID   int
			Name string
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("it is no COCO file: %w", err)
	}
	names := map[int]string{}
	for _, c := range file.Categories {
		names[c.ID] = c.Name
	}
	annotations, pixels := map[int][]annotation{}, false
	for _, a := range file.Annotations {
		pixels = pixels || slices.ContainsFunc(a.Box, func(side float64) bool { return side > 1 })
		annotations[a.ImageID] = append(annotations[a.ImageID], a)
	}
	var list []seeding
	for _, i := range file.Images {
		name := filepath.FromSlash(i.FileName)
		if !filepath.IsLocal(name) {
			return nil, fmt.Errorf("the picture %s is outside of the file's folder", i.FileName)
		}
		shown := seeding{path: filepath.Join(filepath.Dir(path), name)}
		for _, a := range annotations[i.ID] {
			if names[a.CategoryID] == "" {
				return nil, fmt.Errorf("an annotation of %s has the category %d, which isn't there", i.FileName, a.CategoryID)
			}
			if len(a.Box) != 4 {
				shown.tags = append(shown.tags, names[a.CategoryID])
				continue
			}
			width, height := i.Width, i.Height
			if !pixels {
				width, height = 1, 1
			}
			if width <= 0 || height <= 0 {
				return nil, fmt.Errorf("%s has no width and height, by which a box in pixels is to be read", i.FileName)
			}
			shown.regions = append(shown.regions, regionInput{TagID: names[a.CategoryID],
				Left: a.Box[0] / width, Top: a.Box[1] / height, Width: a.Box[2] / width, Height: a.Box[3] / height})
		}
		list = append(list, shown)
	}
	return list, nil
}
