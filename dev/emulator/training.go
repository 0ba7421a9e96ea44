package emulator

import (
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"
)

// Limits of the service: https://learn.microsoft.com/azure/ai-services/custom-vision-service/limits-and-quotas
const (
	maxIterations      = 20
	minTags            = 2  // tags with pictures, for classification
	minImagesPerTag    = 5  // for classification
	minDetectionImages = 15 // per tag, for object detection
)

func (s *Server) trainProject(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	var body struct {
		SelectedTags        []string
		CustomBaseModelInfo *struct{ ProjectID, IterationID string }
	}
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	request := trainRequest{Type: "Regular"}
	if kind := c.query.Get("trainingtype"); strings.EqualFold(kind, "Advanced") {
		request.Type = "Advanced"
	} else if kind != "" && !strings.EqualFold(kind, "Regular") {
		return nil, badRequest("BadRequestInvalid", "The value '%s' is not valid for trainingType", kind)
	}
	if request.Budget, err = c.integer("reservedBudgetInHours", 0); err != nil {
		return nil, err
	}
	if request.Force, err = c.flag("forceTrain", false); err != nil {
		return nil, err
	}
	if address := c.query.Get("notificationemailaddress"); address != "" {
		if _, err := mail.ParseAddress(address); err != nil {
			return nil, badRequest("BadRequestInvalidEmailAddress", "The e-mail address %s is not valid", address)
		}
	}
	if request.Budget < 0 {
		return nil, badRequest("BadRequestInvalid", "reservedBudgetInHours is less than 0")
	}
	if request.Tags, err = canonicalIDs(body.SelectedTags); err != nil {
		return nil, err
	}
	for _, id := range request.Tags {
		if _, err := p.tag(id); err != nil {
			return nil, err
		}
	}
	if base := body.CustomBaseModelInfo; base != nil && c.version == v34 {
		if request.BaseProject, request.BaseIteration, err = s.baseModel(p, base.ProjectID, base.IterationID); err != nil {
			return nil, err
		}
	}
	i, err := s.train(p, request, c.now)
	if err != nil {
		return nil, err
	}
	return s.iterationWire(p, i, c), nil
}

// trainRequest holds the parameters of TrainProject.
type trainRequest struct {
	Type                       string
	Budget                     int
	Force                      bool
	Tags                       []string // empty means all
	BaseProject, BaseIteration string
}

// train turns the open workspace into a training and opens a new one. s.mu must
// be held.
func (s *Server) train(p *project, r trainRequest, now time.Time) (*iteration, error) {
	if err := s.checkTraining(p, r); err != nil {
		return nil, err
	}
	i := p.workspace()
	i.Status, i.LastModified, i.Revision = statusTraining, now, p.Revision
	i.TrainingType, i.Budget, i.SelectedTags = r.Type, r.Budget, r.Tags
	i.BaseProject, i.BaseIteration = r.BaseProject, r.BaseIteration
	p.Named++
	i.Name = fmt.Sprintf("Iteration %d", p.Named)
	i.Quality = s.quality
	p.snapshot(i)
	p.openWorkspace(now)
	p.LastModified = now

	j := job{Kind: jobTrain, Project: p.ID, Iteration: i.ID, Due: now.Add(s.options.TrainTime), Fail: s.faults.take(&s.faults.failTrainings)}
	if s.faults.take(&s.faults.stallTrainings) {
		j.Due = time.Time{}
	}
	s.schedule(j)
	return i, nil
}

func (s *Server) checkTraining(p *project, r trainRequest) error {
	closed := p.Iterations[:len(p.Iterations)-1]
	if p.Status == "Importing" && s.answer(TrainWhileImporting) == "refused" {
		return badRequest("BadRequestOperationNotSupported", "The project is being imported")
	}
	if slices.ContainsFunc(closed, func(i *iteration) bool { return i.Status == statusTraining }) {
		return badRequest("BadRequestTrainingAlreadyInProgress", "Training is already in progress")
	}
	if r.Type == "Advanced" {
		if !strings.HasPrefix(p.domain().name, "General") {
			return badRequest("BadRequestDomainNotSupportedForAdvancedTraining", "The domain %s has no advanced training", p.domain().name)
		}
		if slices.Contains(p.TargetExportPlatforms, "VAIDK") {
			return badRequest("BadRequestExportPlatformNotSupportedForAdvancedTraining", "VAIDK, which the project targets, has no advanced training")
		}
		if r.Budget < 1 {
			return badRequest("BadRequestReservedBudgetInHoursNotEnoughForAdvancedTraining", "Advanced training needs at least 1 reserved hour")
		}
	}
	if len(closed) >= maxIterations {
		return badRequest("BadRequestExceedIterationPerProjectLimit", "The project has %d iterations: delete one first", len(closed))
	}
	if !s.options.NoValidation {
		if err := s.checkPictures(p, r.Tags); err != nil {
			return err
		}
	}
	if !r.Force && s.unchanged(p, closed, r) {
		return badRequest("BadRequestTrainingNotNeeded", "Nothing changed since last training")
	}
	return nil
}

// unchanged reports whether the last training had the same tags and pictures.
func (s *Server) unchanged(p *project, closed []*iteration, r trainRequest) bool {
	for _, i := range slices.Backward(closed) {
		if i.Status == statusFailed && s.answer(TrainAfterFailure) == "allowed" {
			return false
		}
		return i.Revision == p.Revision && i.TrainingType == r.Type && slices.Equal(i.SelectedTags, r.Tags)
	}
	return false
}

// checkPictures applies the documented minimum numbers of tags and pictures.
func (s *Server) checkPictures(p *project, selected []string) error {
	code, least := "BadRequestMultiLabelClassificationTrainingValidationFailed", minImagesPerTag
	switch {
	case p.domain().kind == objectDetection:
		code, least = "BadRequestDetectionTrainingValidationFailed", minDetectionImages
	case p.Classification == "Multiclass":
		code = "BadRequestMultiClassClassificationTrainingValidationFailed"
	}
	if s.answer(ValidationCode) == "general" {
		code = "BadRequestTrainingValidationFailed"
	}
	if p.Classification == "Multiclass" && slices.ContainsFunc(p.Images, func(i *picture) bool { return len(i.Tags) > 1 }) {
		return badRequest(code, "An image has several tags, though the project is multiclass")
	}
	tags := 0
	for _, t := range p.Tags {
		if len(selected) > 0 && !slices.Contains(selected, t.ID) {
			continue
		}
		if t.Type == negativeTag {
			if p.domain().kind == objectDetection {
				return badRequest("BadRequestDetectionTrainingNotAllowNegativeTag", "Object detection knows no negative tag")
			}
			continue
		}
		tags++
		if p.count(t.ID) < least {
			return badRequest(code, "Not enough images per tag for training")
		}
	}
	if tags == 0 || (p.domain().kind == classification && tags < minTags) {
		return badRequest(code, "Not enough images for training")
	}
	return nil
}

// baseModel checks customBaseModelInfo of v3.4-preview.
func (s *Server) baseModel(p *project, projectID, iterationID string) (string, string, error) {
	ids, err := canonicalIDs([]string{projectID, iterationID})
	if err != nil {
		return "", "", err
	}
	base, err := s.project(ids[0])
	if err != nil {
		return "", "", err
	}
	i, err := base.iteration(ids[1])
	if err != nil {
		return "", "", err
	}
	if i.Status != statusCompleted {
		return "", "", badRequest("BadRequestCustomBaseModelIterationStatusNotCompleted", "The base iteration is not completed")
	}
	if i.DomainID != p.DomainID {
		return "", "", badRequest("BadRequestCustomBaseModelDomainNotCompatible", "The base iteration has another domain")
	}
	return ids[0], ids[1], nil
}

// trainingMinutes is how long a training takes, as an iteration tells it.
func (s *Server) trainingMinutes() int { return max(1, int(s.options.TrainTime/time.Minute)) }

// finishTraining ends a training and sends the message.
func (s *Server) finishTraining(j job) {
	p, err := s.project(j.Project)
	if err != nil {
		return
	}
	status := "TrainingCompleted"
	if j.Fail {
		status = "TrainingFailed"
	}
	announce := func() {
		s.notify(p, "Training", contentWire{ProjectID: p.ID, IterationID: j.Iteration, TrainingStatus: status})
	}
	if s.announceFirst(&j, announce) {
		return
	}
	i, err := p.iteration(j.Iteration)
	if err != nil {
		return
	}
	i.LastModified, i.DomainID, i.Classification = j.Due, p.DomainID, p.Classification
	if j.Fail {
		i.Status, i.ErrorDetails = statusFailed, "The training failed because the emulator was told to fail it"
	} else {
		at := j.Due
		i.Status, i.TrainedAt = statusCompleted, &at
		i.Minutes = s.trainingMinutes()
	}
	if !j.Announced {
		announce()
	}
}
