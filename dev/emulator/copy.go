package emulator

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

type projectExportWire struct {
	IterationCount        int    `json:"iterationCount"`
	ImageCount            int    `json:"imageCount"`
	TagCount              int    `json:"tagCount"`
	RegionCount           int    `json:"regionCount"`
	EstimatedImportTimeMS int    `json:"estimatedImportTimeInMS"`
	Token                 string `json:"token"`
}

// tokenLife is how long an import token is valid, as measured: 24 hours.
const tokenLife = 24 * time.Hour

// maxImport is the size limit of an imported project in bytes.
const maxImport = 1 << 30

// projectCopy is the document that an import token leads to. The service's own
// form isn't known.
type projectCopy struct {
	Project  *project
	Pictures map[string][]byte // by hash
}

// exportPath returns the path of a project's copy in the service's storage.
func exportPath(p *project) string { return "prjexp-" + compact(p.ID) + "/project-export-info" }

// exportProject answers with a token, which is a signed link, as recorded.
func (s *Server) exportProject(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	w := projectExportWire{
		IterationCount: len(p.Iterations) - 1, ImageCount: len(p.Images), TagCount: len(p.Tags), // the workspace's
		EstimatedImportTimeMS: int(s.options.ImportTime / time.Millisecond),
		Token:                 s.selfLink(exportPath(p), tokenLife),
	}
	for _, i := range p.Iterations {
		w.TagCount += len(i.Tags)
	}
	for _, i := range p.Images {
		w.RegionCount += len(i.Regions)
	}
	return w, nil
}

// projectCopy returns the encoded copy of a project.
func (s *Server) projectCopy(p *project) ([]byte, error) {
	copied := projectCopy{Project: p, Pictures: map[string][]byte{}}
	for _, i := range p.trainingPictures() {
		content, err := s.pictures.get(i.Hash)
		if err != nil {
			return nil, err
		}
		copied.Pictures[i.Hash] = content
	}
	return json.Marshal(copied)
}

// importProject imports a project by a token from an emulator on this machine.
func (s *Server) importProject(c *call) (any, error) {
	token, err := c.required("token")
	if err != nil {
		return nil, err
	}
	invalid := badRequest("BadRequestInvalidImportToken", "The import token is not valid")
	if u, err := url.Parse(token); err != nil || !strings.HasPrefix(u.Path, blobPrefix+"prjexp-") {
		return nil, invalid
	}
	var content []byte
	s.unlocked(func() { content, err = s.fetch(token, maxImport) })
	var copied projectCopy
	if err != nil || json.Unmarshal(content, &copied) != nil || !copied.Project.whole() {
		return nil, invalid
	}
	hashes := map[string]bool{}
	for _, content := range copied.Pictures {
		hash, err := s.pictures.put(content)
		if err != nil {
			return nil, err
		}
		hashes[hash] = true
	}
	p := s.adopt(copied.Project, c.now)
	for _, i := range p.trainingPictures() {
		if !hashes[i.Hash] { // the hash becomes a file name, so it must be one
			i.Hash = ""
		}
	}
	if name := c.query.Get("name"); name != "" {
		p.Name = name
	}
	if slices.ContainsFunc(s.state.Projects, func(q *project) bool { return q.Name == p.Name }) {
		p.Name += " (1)"
	}
	s.state.Projects = append(s.state.Projects, p)
	answer := s.projectWire(p, c.version)
	done := job{Kind: jobImport, Project: p.ID, Due: c.now.Add(s.options.ImportTime), Fail: s.faults.take(&s.faults.failImports)}
	if s.options.ImportTime > 0 {
		s.schedule(done)
	} else {
		s.finishImport(done)
	}
	return answer, nil
}

// whole reports whether a copied project has all that each project has: anything on
// this machine may have written it.
func (p *project) whole() bool {
	if p == nil || len(p.Iterations) == 0 || slices.Contains(p.Iterations, nil) || p.workspace().Status != statusNew {
		return false
	}
	tags := slices.Clone(p.Tags)
	for _, i := range p.Iterations {
		tags = append(tags, i.Tags...)
	}
	return !slices.Contains(tags, nil) && !slices.Contains(p.trainingPictures(), nil)
}

// adopt makes a copied project belong to this resource. The project, its tags and
// its iterations get new ids, and the time of the import is when an iteration was
// created and changed last; when it was trained stays. Nothing of the project is
// published, exported or running.
func (s *Server) adopt(p *project, now time.Time) *project {
	p.ID, p.Created, p.LastModified, p.Status = newID(), now, now, "Importing"
	if p.Description == nil {
		p.Description = new(string) // as recorded
	}
	if s.answer(ImportedURIs) == "dropped" {
		p.Container, p.Queue = "", ""
	}
	p.Iterations = slices.DeleteFunc(p.Iterations, func(i *iteration) bool { return i.Status == statusTraining })
	for _, i := range p.Iterations {
		i.ID, i.PublishName, i.PublishTarget, i.Exports = newID(), "", "", nil
		i.Created, i.LastModified = now, now
	}
	p.Predictions = nil
	p.renewTags()
	return p
}

// renewTags gives each tag a new id, the same one wherever the old one stands.
func (p *project) renewTags() {
	renewed := map[string]string{}
	renew := func(id *string) {
		if renewed[*id] == "" {
			renewed[*id] = newID()
		}
		*id = renewed[*id]
	}
	lists := [][]*tag{p.Tags}
	for _, i := range p.Iterations {
		lists = append(lists, i.Tags)
		for n := range i.SelectedTags {
			renew(&i.SelectedTags[n])
		}
	}
	for _, t := range slices.Concat(lists...) {
		renew(&t.ID)
	}
	for _, i := range p.trainingPictures() {
		for n := range i.Tags {
			renew(&i.Tags[n].ID)
		}
		for n := range i.Regions {
			renew(&i.Regions[n].TagID)
		}
	}
}

func (s *Server) finishImport(j job) {
	p, err := s.project(j.Project)
	if err != nil {
		return
	}
	p.Status, p.LastModified = "Succeeded", j.Due
	if j.Fail { // the service gives no reason, as users report
		p.Status = "Failed"
	}
}

// getArtifact answers with a blob of the service's storage, named by its relative
// path.
func (s *Server) getArtifact(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	path, err := c.required("path")
	if err != nil {
		return nil, err
	}
	path = strings.TrimPrefix(path, "/")
	container, _, _ := strings.Cut(path, "/")
	refused := c.version == v33 && strings.HasPrefix(path, "m-") && s.answer(ArtifactsOnV33) == "refused"
	readable := container == "m-"+compact(p.ID) || container == "i-"+compact(p.ID) || strings.HasPrefix(path, predictionFolder+"/"+p.ID+"/")
	if !readable || refused {
		return nil, badRequest("BadRequestInvalidArtifactUri", "The path can't be read")
	}
	var content []byte
	read := s.ownBlob(path)
	s.unlocked(func() { content, err = read() })
	if err != nil {
		return nil, err
	}
	if content == nil {
		return nil, badRequest("BadRequestInvalidArtifactUri", "There is nothing at this path")
	}
	return reply{status: http.StatusOK, kind: "application/octet-stream", body: content}, nil
}
