package emulator

import (
	"net/http"
	"strings"
)

// API versions served below /customvision/.
const (
	v33 = "v3.3"
	v34 = "v3.4-preview"
)

// operation is one operation of the Training API, by its operationId.
type operation struct {
	name, method, path string
	handle             func(*Server, *call) (any, error)
}

// route finds the operation for a path below …/training/. Fixed segments match
// without regard to case, empty ones don't count.
func route(method, path string) (op *operation, ids map[string]string, pathKnown bool) {
	segments := splitPath(path)
	for i := range operations {
		ids, ok := match(splitPath(operations[i].path), segments)
		if !ok {
			continue
		}
		pathKnown = true
		if operations[i].method == method {
			return &operations[i], ids, true
		}
	}
	return nil, nil, pathKnown
}

// match compares a path with a template, whose {names} match GUIDs only: so
// projects/import is never taken for a project.
func match(template, segments []string) (ids map[string]string, ok bool) {
	if len(template) != len(segments) {
		return nil, false
	}
	ids = map[string]string{}
	for i, want := range template {
		if name, isID := strings.CutPrefix(want, "{"); isID {
			id, ok := canonicalID(segments[i])
			if !ok {
				return nil, false
			}
			ids[strings.TrimSuffix(name, "}")] = id
			continue
		}
		if !strings.EqualFold(want, segments[i]) {
			return nil, false
		}
	}
	return ids, true
}

func splitPath(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// apiPath cuts /customvision/{version}/training/ from a path.
func apiPath(path string) (version, rest string, ok bool) {
	segments := splitPath(path)
	if len(segments) < 3 || !strings.EqualFold(segments[0], "customvision") || !strings.EqualFold(segments[2], "training") {
		return "", "", false
	}
	for _, known := range []string{v33, v34} {
		if strings.EqualFold(segments[1], known) {
			return known, strings.Join(segments[3:], "/"), true
		}
	}
	return "", "", false
}

var operations []operation

func init() { // not an initialiser: the handlers refer back to the table
	operations = []operation{
		{"GetDomains", http.MethodGet, "domains", (*Server).getDomains},
		{"GetDomain", http.MethodGet, "domains/{domainId}", (*Server).getDomain},
		{"GetProjects", http.MethodGet, "projects", (*Server).getProjects},
		{"CreateProject", http.MethodPost, "projects", (*Server).createProject},
		{"GetProject", http.MethodGet, "projects/{projectId}", (*Server).getProject},
		{"UpdateProject", http.MethodPatch, "projects/{projectId}", (*Server).updateProject},
		{"DeleteProject", http.MethodDelete, "projects/{projectId}", (*Server).deleteProject},
		{"GetArtifact", http.MethodGet, "projects/{projectId}/artifacts", (*Server).getArtifact},
		{"GetTags", http.MethodGet, "projects/{projectId}/tags", (*Server).getTags},
		{"CreateTag", http.MethodPost, "projects/{projectId}/tags", (*Server).createTag},
		{"GetImageCount", http.MethodGet, "projects/{projectId}/images/count", (*Server).getImageCount},
		{"GetTaggedImageCount", http.MethodGet, "projects/{projectId}/images/tagged/count", (*Server).getTaggedImageCount},
		{"GetUntaggedImageCount", http.MethodGet, "projects/{projectId}/images/untagged/count", (*Server).getUntaggedImageCount},
		{"CreateImagesFromFiles", http.MethodPost, "projects/{projectId}/images/files", (*Server).createImagesFromFiles},
		{"TrainProject", http.MethodPost, "projects/{projectId}/train", (*Server).trainProject},
		{"GetIterations", http.MethodGet, "projects/{projectId}/iterations", (*Server).getIterations},
		{"GetIteration", http.MethodGet, "projects/{projectId}/iterations/{iterationId}", (*Server).getIteration},
		{"UpdateIteration", http.MethodPatch, "projects/{projectId}/iterations/{iterationId}", (*Server).updateIteration},
		{"DeleteIteration", http.MethodDelete, "projects/{projectId}/iterations/{iterationId}", (*Server).deleteIteration},
		{"GetIterationPerformance", http.MethodGet, "projects/{projectId}/iterations/{iterationId}/performance", (*Server).getIterationPerformance},
		{"ExportIteration", http.MethodPost, "projects/{projectId}/iterations/{iterationId}/export", (*Server).exportIteration},
		{"GetExports", http.MethodGet, "projects/{projectId}/iterations/{iterationId}/export", (*Server).getExports},
		{"PublishIteration", http.MethodPost, "projects/{projectId}/iterations/{iterationId}/publish", (*Server).publishIteration},
		{"UnpublishIteration", http.MethodDelete, "projects/{projectId}/iterations/{iterationId}/publish", (*Server).unpublishIteration},
	}
}
