package emulator

import (
	"net/http"
	"net/url"
)

// Train starts a forced training as a person does in the service's portal,
// without an API request. It returns the iteration's id.
func (s *Server) Train(projectID string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.project(projectID)
	if err != nil {
		return "", err
	}
	i, err := s.train(p, trainRequest{Type: "Regular", Force: true}, s.state.Clock.now())
	if err != nil {
		return "", err
	}
	s.save()
	return i.ID, nil
}

// Export starts an export as a person does in the service's portal, without an
// API request. flavor may be empty.
func (s *Server) Export(projectID, iterationID, platform, flavor string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.project(projectID)
	if err != nil {
		return err
	}
	i, err := p.iteration(iterationID)
	if err != nil {
		return err
	}
	if _, err := s.export(p, i, platform, flavor, s.state.Clock.now()); err != nil {
		return err
	}
	s.save()
	return nil
}

// CreateProject creates a project as a person does in the service's portal, and
// returns its id. domainID and the storage URIs may be empty.
func (s *Server) CreateProject(name, domainID, containerURI, queueURI string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newProject(name, domainID, containerURI, queueURI)
}

func (s *Server) newProject(name, domainID, containerURI, queueURI string) (string, error) {
	query := url.Values{"name": {name}, "domainid": {domainID}, "exportmodelcontaineruri": {containerURI}, "notificationqueueuri": {queueURI}}
	created, err := s.createProject(&call{version: v34, query: query, header: http.Header{}, now: s.state.Clock.now()})
	if err != nil {
		return "", err
	}
	s.save()
	return created.(projectWire).ID, nil
}
