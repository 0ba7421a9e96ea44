package emulator

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// defaultAugmentation is the augmentation of a new project, as recorded from the
// service.
var defaultAugmentation = map[string]bool{
	"rotation": true, "scaling": true, "translation": true, "horizontal flip": true,
	"equalize": true, "solarize": true, "padtosquare": true,
}

type projectWire struct {
	ID            string       `json:"id"`
	Name          string       `json:"name"`
	Description   *string      `json:"description"`
	Settings      settingsWire `json:"settings"`
	Created       wireTime     `json:"created"`
	LastModified  wireTime     `json:"lastModified"`
	ThumbnailURI  *string      `json:"thumbnailUri"`
	DRModeEnabled bool         `json:"drModeEnabled"`
	Status        string       `json:"status"`
}

type settingsWire struct {
	DomainID                string         `json:"domainId"`
	ClassificationType      *string        `json:"classificationType"`
	TargetExportPlatforms   []string       `json:"targetExportPlatforms"`
	UseNegativeSet          bool           `json:"useNegativeSet"`
	DetectionParameters     *string        `json:"detectionParameters"`
	ImageProcessingSettings processingWire `json:"imageProcessingSettings"`
	ExportModelContainerURI string         `json:"exportModelContainerUri,omitempty"`
	NotificationQueueURI    string         `json:"notificationQueueUri,omitempty"`
}

type processingWire struct {
	AugmentationMethods map[string]bool `json:"augmentationMethods"`
}

func (s *Server) projectWire(p *project, version string) projectWire {
	w := projectWire{
		ID: p.ID, Name: p.Name, Description: p.Description,
		Settings: settingsWire{
			DomainID:                p.DomainID,
			ClassificationType:      optional(p.Classification),
			TargetExportPlatforms:   append([]string{}, p.TargetExportPlatforms...),
			UseNegativeSet:          true,
			ImageProcessingSettings: processingWire{p.Augmentation},
		},
		Created: wireTime(p.Created), LastModified: wireTime(p.LastModified), Status: p.Status,
	}
	if len(p.Images) > 0 {
		w.ThumbnailURI = optional(s.imageURI(p, p.Images[0], "t"))
	}
	if s.keepsURIs(version) {
		w.Settings.ExportModelContainerURI, w.Settings.NotificationQueueURI = p.Container, p.Queue
	}
	return w
}

// keepsURIs reports whether this version of the API has the storage URIs.
func (s *Server) keepsURIs(version string) bool {
	switch s.answer(StorageURIs) {
	case "dropped":
		return false
	case "preview-only":
		return version == v34
	}
	return true
}

func (s *Server) getProjects(c *call) (any, error) {
	list := []projectWire{}
	for _, p := range s.state.Projects {
		list = append(list, s.projectWire(p, c.version))
	}
	return list, nil
}

func (s *Server) getProject(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	return s.projectWire(p, c.version), nil
}

// createProject reads the storage URIs from the query, as the storage-integration
// guide shows them, and from the body, as CreateProjectOptions of v3.4-preview
// has them.
func (s *Server) createProject(c *call) (any, error) {
	name, err := c.required("name")
	if err != nil {
		return nil, err
	}
	if limit := s.tier().projects; limit > 0 && len(s.state.Projects) >= limit {
		return nil, badRequest("BadRequestExceedProjectLimit", "The resource has %d projects", limit)
	}
	var options struct{ ExportModelContainerURI, NotificationQueueURI string }
	if err := c.decode(&options); err != nil {
		return nil, err
	}
	p := &project{
		ID: newID(), Name: name, Description: optional(c.query.Get("description")),
		DomainID: defaultDomain, Augmentation: maps.Clone(defaultAugmentation), Status: "Succeeded",
		Created: c.now, LastModified: c.now, Revision: 1,
	}
	if err := s.checkName(p, name); err != nil {
		return nil, err
	}
	if id := c.query.Get("domainid"); id != "" {
		if err := p.setDomain(id); err != nil {
			return nil, err
		}
	}
	if p.domain().kind == classification {
		p.Classification = "Multilabel"
	}
	if kind := c.query.Get("classificationtype"); kind != "" {
		if err := p.setClassification(kind); err != nil {
			return nil, err
		}
	}
	if err := p.setPlatforms(c.list("targetExportPlatforms")); err != nil {
		return nil, err
	}
	container, queue := options.ExportModelContainerURI, options.NotificationQueueURI
	if container == "" {
		container = c.query.Get("exportmodelcontaineruri")
	}
	if queue == "" {
		queue = c.query.Get("notificationqueueuri")
	}
	p.openWorkspace(c.now)
	if s.keepsURIs(c.version) {
		if err := s.connect(p.ID, container, queue); err != nil {
			return nil, err
		}
		p.Container, p.Queue = container, queue
	}
	s.state.Projects = append(s.state.Projects, p)
	return s.projectWire(p, c.version), nil
}

// projectPatch is the body of UpdateProject. A member that is missing changes
// nothing.
type projectPatch struct {
	Name        *string        `json:"name"`
	Description maybe[*string] `json:"description"`
	Settings    *settingsPatch `json:"settings"`
}

type settingsPatch struct {
	DomainID                *string         `json:"domainId"`
	ClassificationType      *string         `json:"classificationType"`
	TargetExportPlatforms   []string        `json:"targetExportPlatforms"`
	ImageProcessingSettings *processingWire `json:"imageProcessingSettings"`
	ExportModelContainerURI maybe[*string]  `json:"exportModelContainerUri"`
	NotificationQueueURI    maybe[*string]  `json:"notificationQueueUri"`
}

func (s *Server) updateProject(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	var patch projectPatch
	if err := c.decodeFilled(&patch); err != nil {
		return nil, err
	}
	next, container, queue, err := s.patched(p, &patch, c.version)
	if err == nil {
		err = s.connect(p.ID, container, queue)
	}
	if err != nil {
		return nil, err
	}
	if p, err = s.project(p.ID); err != nil { // during the test it may have been deleted
		return nil, err
	}
	if next, _, _, err = s.patched(p, &patch, c.version); err != nil { // or changed
		return nil, err
	}
	p.Name, p.Description = next.Name, next.Description
	p.Container, p.Queue = next.Container, next.Queue
	if p.DomainID != next.DomainID || p.Classification != next.Classification || !maps.Equal(p.Augmentation, next.Augmentation) {
		p.Revision++
	}
	p.DomainID, p.Classification, p.Augmentation = next.DomainID, next.Classification, next.Augmentation
	p.TargetExportPlatforms, p.LastModified = next.TargetExportPlatforms, c.now
	return s.projectWire(p, c.version), nil
}

// patched returns a project as a patch makes it, in full or not at all, and the
// storage URIs that must be tested before.
func (s *Server) patched(p *project, patch *projectPatch, version string) (next project, container, queue string, err error) {
	next = *p
	if patch.Name != nil {
		if err := s.checkName(p, *patch.Name); err != nil {
			return next, "", "", err
		}
		next.Name = *patch.Name
	}
	if patch.Description.Set {
		next.Description = patch.Description.Value
	}
	if patch.Settings == nil {
		return next, "", "", nil
	}
	if err := patchSettings(&next, patch.Settings); err != nil {
		return next, "", "", err
	}
	container, queue = s.patchURIs(p, &next, patch.Settings, version)
	return next, container, queue, nil
}

// patchSettings changes all settings but the storage URIs.
func patchSettings(next *project, patch *settingsPatch) error {
	if patch.DomainID != nil && *patch.DomainID != "" {
		kind := next.domain().kind
		if err := next.setDomain(*patch.DomainID); err != nil {
			return err
		}
		if next.domain().kind != kind {
			return badRequest("BadRequestProjectUnsupportedDomainTypeChange", "A project can't change between classification and object detection")
		}
	}
	if patch.ClassificationType != nil {
		if err := next.setClassification(*patch.ClassificationType); err != nil {
			return err
		}
	}
	if patch.TargetExportPlatforms != nil {
		if err := next.setPlatforms(patch.TargetExportPlatforms); err != nil {
			return err
		}
	}
	if patch.ImageProcessingSettings != nil {
		for method := range patch.ImageProcessingSettings.AugmentationMethods {
			if _, ok := defaultAugmentation[method]; !ok {
				return badRequest("BadRequestProjectImagePreprocessingSettings", "The augmentation method %s is not known", method)
			}
		}
		next.Augmentation = patch.ImageProcessingSettings.AugmentationMethods
	}
	return nil
}

// patchURIs changes the storage URIs, and returns those that must be tested.
func (s *Server) patchURIs(p, next *project, patch *settingsPatch, version string) (container, queue string) {
	if !s.keepsURIs(version) || s.answer(PatchURIs) == "ignored" {
		return "", ""
	}
	next.Container = s.patchedURI(p.Container, patch.ExportModelContainerURI)
	next.Queue = s.patchedURI(p.Queue, patch.NotificationQueueURI)
	container, queue = next.Container, next.Queue
	if s.answer(UnchangedURI) == "silent" {
		if container == p.Container {
			container = ""
		}
		if queue == p.Queue {
			queue = ""
		}
	} else { // a URI that the body doesn't have is not tested again
		if !patch.ExportModelContainerURI.Set {
			container = ""
		}
		if !patch.NotificationQueueURI.Set {
			queue = ""
		}
	}
	return container, queue
}

// patchedURI returns a storage URI after a PATCH.
func (s *Server) patchedURI(old string, patch maybe[*string]) string {
	switch {
	case !patch.Set:
		if s.answer(PatchWithoutURIs) == "cleared" {
			return ""
		}
		return old
	case patch.Value == nil || *patch.Value == "":
		if s.answer(PatchEmptyURIs) == "kept" {
			return old
		}
		return ""
	}
	return *patch.Value
}

func (s *Server) deleteProject(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	published := slices.ContainsFunc(p.Iterations, func(i *iteration) bool { return i.PublishName != "" })
	if published && s.answer(DeletePublished) == "refused" {
		return nil, badRequest("BadRequestIterationIsPublished", "An iteration of the project is published")
	}
	s.state.Projects = slices.DeleteFunc(s.state.Projects, func(q *project) bool { return q == p })
	s.state.Jobs = slices.DeleteFunc(s.state.Jobs, func(j job) bool { return j.Project == p.ID && j.Kind != jobSend })
	return noContent, nil
}

func (s *Server) checkName(p *project, name string) error {
	if strings.TrimSpace(name) == "" || s.tooLong(name) {
		return badRequest("BadRequestProjectName", "The project name is empty or too long")
	}
	if s.answer(ProjectNames) == "unique" && slices.ContainsFunc(s.state.Projects, func(q *project) bool { return q.ID != p.ID && q.Name == name }) {
		return badRequest("BadRequestProjectNameNotUnique", "A project named %s exists", name)
	}
	return nil
}

// maxName is how many characters a name has at most, where names are limited.
const maxName = 128

func (s *Server) tooLong(name string) bool {
	return s.answer(NameLength) == "limited" && utf8.RuneCountInString(name) > maxName
}

func (p *project) setDomain(text string) error {
	id, ok := canonicalID(text)
	if ok {
		_, ok = findDomain(id)
	}
	if !ok {
		return badRequest("BadRequestProjectUnknownDomain", "The domain %s is not known", text)
	}
	p.DomainID = id
	return nil
}

func (p *project) setClassification(kind string) error {
	for _, known := range []string{"Multiclass", "Multilabel"} {
		if strings.EqualFold(kind, known) && p.domain().kind == classification {
			p.Classification = known
			return nil
		}
	}
	return badRequest("BadRequestProjectUnknownClassification", "The classification type %s is not known for this domain", kind)
}

func (p *project) setPlatforms(names []string) error {
	p.TargetExportPlatforms = nil
	for _, name := range names {
		platform, ok := canonicalPlatform(name)
		if !ok || !slices.Contains(p.domain().platforms, platform) {
			return badRequest("BadRequestProjectUnsupportedExportPlatform", "The platform %s is not supported by the domain", name)
		}
		p.TargetExportPlatforms = append(p.TargetExportPlatforms, platform)
	}
	return nil
}
