package functions_test

import (
	"cmp"
	"net/http"
	"regexp"
	"strings"

	"visionkeeper/dev/world"
)

var callPaths = []struct {
	method, name string
	path         *regexp.Regexp
}{
	{"GET", "GetProjects", regexp.MustCompile(`/projects$`)},
	{"GET", "GetProject", regexp.MustCompile(`/projects/[^/]+$`)},
	{"PATCH", "UpdateProject", regexp.MustCompile(`/projects/[^/]+$`)},
	{"DELETE", "DeleteProject", regexp.MustCompile(`/projects/[^/]+$`)},
	{"GET", "ExportProject", regexp.MustCompile(`/projects/[^/]+/export$`)},
	{"POST", "ImportProject", regexp.MustCompile(`/projects/import$`)},
	{"GET", "GetDomains", regexp.MustCompile(`/domains$`)},
	{"POST", "TrainProject", regexp.MustCompile(`/train$`)},
	{"GET", "GetIteration", regexp.MustCompile(`/iterations/[^/]+$`)},
	{"POST", "PublishIteration", regexp.MustCompile(`/publish$`)},
	{"DELETE", "UnpublishIteration", regexp.MustCompile(`/publish$`)},
	{"DELETE", "DeleteIteration", regexp.MustCompile(`/iterations/[^/]+$`)},
	{"GET", "GetIterations", regexp.MustCompile(`/iterations$`)},
	{"GET", "GetExports", regexp.MustCompile(`/export$`)},
	{"POST", "ExportIteration", regexp.MustCompile(`/export$`)},
	{"GET", "GetIterationPerformance", regexp.MustCompile(`/performance$`)},
	{"POST", "QuickTestImage", regexp.MustCompile(`/quicktest/image$`)},
	{"GET", "GetTags", regexp.MustCompile(`/tags$`)},
	{"GET", "GetImageCount", regexp.MustCompile(`/images/count$`)},
	{"GET", "GetDomain", regexp.MustCompile(`/domains/[^/]+$`)},
	{"GET", "GetArtifact", regexp.MustCompile(`/artifacts$`)},
}

// operation names a request for the table of outcomes. There, what a download link
// leads to is another operation than the same request to the model container.
func (w *app) operation(req *http.Request) string {
	operation := w.plainOperation(req)
	link := cmp.Or(req.Header.Get("x-ms-copy-source"), req.URL.Path)
	if (operation == "source GET" || operation == "copy") && !strings.Contains(link, "/"+w.Names.Models+"/") {
		return "download: " + operation
	}
	return operation
}

func (w *app) plainOperation(req *http.Request) string {
	path, comp := req.URL.Path, req.URL.Query().Get("comp")
	in := func(container string) bool { return strings.Contains(path+"/", "/"+container+"/") }
	file := path[strings.LastIndex(path, "/")+1:]
	switch {
	case "http://"+req.URL.Host == w.API:
		for _, c := range callPaths {
			if c.method == req.Method && c.path.MatchString(path) {
				return c.name
			}
		}
	case in(w.Names.Events):
		return "event " + req.Method
	case in(w.Names.Queue + "-poison"):
		return map[string]string{"GET": "poison receive", "DELETE": "poison delete"}[req.Method]
	case in(w.Names.State):
		switch {
		case strings.Contains(path, "/dead-letters/"):
			return "dead letter " + req.Method
		case file == "health.json":
			return "health " + req.Method
		case comp == "list":
			return "state list"
		}
		return "state " + req.Method
	case in(w.Names.HoldOut) && comp == "list":
		return "hold-out list"
	case in(w.Names.HoldOut):
		return "hold-out " + req.Method
	case comp == "list" && in(w.Names.Models):
		return "model list"
	case comp == "list":
		return "archive list"
	case !in(w.Names.Archive):
		return "source GET"
	case comp == "blocklist" || comp == "block":
		return comp + " " + req.Method
	case strings.HasPrefix(file, "twin-"):
		return "twin " + req.Method
	case strings.HasPrefix(file, "deletion-"):
		return "tombstone " + req.Method
	case strings.HasSuffix(file, ".json"):
		return "proof " + req.Method
	case world.Copies(req):
		return "copy"
	}
	return "archive " + req.Method
}

// is matches an operation's requests; a download link's count as the model
// container's.
func (w *app) is(operation string) func(*http.Request) bool {
	return func(req *http.Request) bool { return w.plainOperation(req) == operation }
}

// spoil lets a Fault deal with one operation's requests, and all others pass.
func (w *app) spoil(operation string, f world.Fault) { w.line.Use(world.On(w.is(operation), f)) }
