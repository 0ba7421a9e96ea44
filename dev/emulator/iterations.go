package emulator

import (
	"math/rand/v2"
	"slices"
	"strings"
)

type iterationWire struct {
	ID                        string    `json:"id"`
	Name                      string    `json:"name"`
	Status                    string    `json:"status"`
	Created                   wireTime  `json:"created"`
	LastModified              wireTime  `json:"lastModified"`
	TrainedAt                 *wireTime `json:"trainedAt,omitempty"`
	ProjectID                 string    `json:"projectId"`
	Exportable                bool      `json:"exportable"`
	ExportableTo              []string  `json:"exportableTo"` // null in recordings, even when exportable
	DomainID                  *string   `json:"domainId"`
	ClassificationType        *string   `json:"classificationType"`
	TrainingType              string    `json:"trainingType"`
	ReservedBudgetInHours     int       `json:"reservedBudgetInHours"`
	TrainingTimeInMinutes     int       `json:"trainingTimeInMinutes"`
	PublishName               *string   `json:"publishName"`
	OriginalPublishResourceID *string   `json:"originalPublishResourceId"`
	*previewIterationWire
}

// previewIterationWire holds the fields that only v3.4-preview has.
type previewIterationWire struct {
	CustomBaseModelInfo  *baseModelWire `json:"customBaseModelInfo"`
	TrainingErrorDetails *string        `json:"trainingErrorDetails"`
}

type baseModelWire struct {
	ProjectID   string `json:"projectId"`
	IterationID string `json:"iterationId"`
}

func (s *Server) iterationWire(p *project, i *iteration, c *call) iterationWire {
	w := iterationWire{
		ID: i.ID, Name: i.Name, Status: i.Status, ProjectID: p.ID,
		Created: wireTime(i.Created), LastModified: wireTime(i.LastModified),
		Exportable: i.exportable(), DomainID: optional(i.DomainID), ClassificationType: optional(i.Classification),
		TrainingType: i.TrainingType, ReservedBudgetInHours: i.Budget, TrainingTimeInMinutes: i.Minutes,
		PublishName: optional(i.PublishName), OriginalPublishResourceID: optional(i.PublishTarget),
	}
	if i.TrainedAt != nil {
		at := wireTime(*i.TrainedAt)
		w.TrainedAt = &at
	}
	if i.Status == statusTraining && c.now.After(i.LastModified.Add(s.options.TrainTime/2)) { // as recorded of a late poll
		w.DomainID, w.ClassificationType, w.TrainingTimeInMinutes = optional(p.DomainID), optional(p.Classification), s.trainingMinutes()
	}
	if c.version == v34 {
		w.previewIterationWire = &previewIterationWire{TrainingErrorDetails: optional(i.ErrorDetails)}
		if i.BaseIteration != "" {
			w.CustomBaseModelInfo = &baseModelWire{i.BaseProject, i.BaseIteration}
		}
	}
	return w
}

func (i *iteration) exportable() bool {
	d, _ := findDomain(i.DomainID)
	return i.Status == statusCompleted && d.exportable()
}

// lookup returns the project and the iteration that the path names.
func (s *Server) lookup(c *call) (*project, *iteration, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, nil, err
	}
	i, err := p.iteration(c.ids["iterationId"])
	return p, i, err
}

func (s *Server) getIterations(c *call) (any, error) {
	p, err := s.project(c.ids["projectId"])
	if err != nil {
		return nil, err
	}
	list := []iterationWire{}
	for _, i := range p.Iterations {
		if i.Status != statusNew || s.answer(NewIteration) == "listed" {
			list = append(list, s.iterationWire(p, i, c))
		}
	}
	switch s.answer(IterationOrder) {
	case "newest-first":
		slices.Reverse(list)
	case "shuffled":
		rand.Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
	}
	return list, nil
}

func (s *Server) getIteration(c *call) (any, error) {
	p, i, err := s.lookup(c)
	if err != nil {
		return nil, err
	}
	return s.iterationWire(p, i, c), nil
}

func (s *Server) updateIteration(c *call) (any, error) {
	p, i, err := s.lookup(c)
	if err != nil {
		return nil, err
	}
	var patch struct{ Name *string }
	if err := c.decodeRequired(&patch); err != nil {
		return nil, err
	}
	switch {
	case i.Status == statusNew:
		return nil, badRequest("BadRequestWorkspaceCannotBeModified", "The workspace can't be modified")
	case patch.Name == nil || strings.TrimSpace(*patch.Name) == "" || s.tooLong(*patch.Name):
		return nil, badRequest("BadRequestIterationName", "The iteration name is empty or too long")
	case slices.ContainsFunc(p.Iterations, func(o *iteration) bool { return o != i && o.Name == *patch.Name }):
		return nil, badRequest("BadRequestIterationNameNotUnique", "An iteration named %s exists", *patch.Name)
	}
	i.Name, i.LastModified = *patch.Name, c.now
	return s.iterationWire(p, i, c), nil
}

func (s *Server) deleteIteration(c *call) (any, error) {
	p, i, err := s.lookup(c)
	if err != nil {
		return nil, err
	}
	switch {
	case i.Status == statusNew:
		return nil, badRequest("BadRequestWorkspaceNotDeletable", "The workspace can't be deleted")
	case i.Status == statusTraining:
		return nil, badRequest("BadRequestOperationNotSupported", "An iteration can't be deleted while it trains")
	case i.PublishName != "":
		return nil, badRequest("BadRequestIterationIsPublished", "Iteration is already published as: %s", i.PublishName)
	}
	p.Iterations = slices.DeleteFunc(p.Iterations, func(o *iteration) bool { return o == i })
	s.state.Jobs = slices.DeleteFunc(s.state.Jobs, func(j job) bool { return j.Iteration == i.ID })
	return noContent, nil
}
