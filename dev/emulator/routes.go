package emulator

import (
	"net/http"
	"strings"
)

// Versions of the Training API and of the Prediction API.
const (
	v33 = "v3.3"
	v34 = "v3.4-preview"

	predictionV30 = "v3.0"
	predictionV31 = "v3.1"
)

// api is one of the service's two APIs, below /customvision/{version}/{name}/.
type api struct {
	name       string
	versions   []string
	keyHeader  string
	operations []apiOperation
}

// apiOperation is one operation, by its operationId.
type apiOperation struct {
	name, method, path string
	handle             func(*Server, *call) (any, error)
}

// route finds the operation for a path below …/{version}/{name}/. Fixed segments
// match in any letter case. Empty segments are ignored.
func (a api) route(method, path string) (op *apiOperation, ids map[string]string, pathKnown bool) {
	segments := splitPath(path)
	for i := range a.operations {
		ids, ok := match(splitPath(a.operations[i].path), segments)
		if !ok {
			continue
		}
		pathKnown = true
		if a.operations[i].method == method {
			return &a.operations[i], ids, true
		}
	}
	return nil, nil, pathKnown
}

// match compares a path with a template. A {name} matches GUIDs only, so
// projects/import is never taken for a project; {publishedName} matches any text.
func match(template, segments []string) (ids map[string]string, ok bool) {
	if len(template) != len(segments) {
		return nil, false
	}
	ids = map[string]string{}
	for i, want := range template {
		if name, isID := strings.CutPrefix(want, "{"); isID {
			name = strings.TrimSuffix(name, "}")
			id, ok := canonicalID(segments[i])
			if name == publishedName {
				id, ok = segments[i], true
			}
			if !ok {
				return nil, false
			}
			ids[name] = id
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

// apiPath finds the API of a path and removes /customvision/{version}/{name}/.
func apiPath(path string) (of api, version, rest string, ok bool) {
	segments := splitPath(path)
	if len(segments) < 3 || !strings.EqualFold(segments[0], "customvision") {
		return api{}, "", "", false
	}
	for _, a := range apis {
		for _, known := range a.versions {
			if strings.EqualFold(segments[1], known) && strings.EqualFold(segments[2], a.name) {
				return a, known, strings.Join(segments[3:], "/"), true
			}
		}
	}
	return api{}, "", "", false
}

// publishedName is the segment of a path that isn't an id.
const publishedName = "publishedName"

var (
	apis []api
	// operations are those of the Training API, predictionOperations the other's.
	operations, predictionOperations []apiOperation
)

func init() { // a variable initialiser would be a cycle: the handlers use the table
	defer func() {
		apis = []api{
			{"training", []string{v33, v34}, "Training-Key", operations},
			{"prediction", []string{predictionV30, predictionV31}, "Prediction-Key", predictionOperations},
		}
	}()
	predictionOperations = []apiOperation{
		{"ClassifyImage", http.MethodPost, "{projectId}/classify/iterations/{publishedName}/image", predictSent(classification, true)},
		{"ClassifyImageWithNoStore", http.MethodPost, "{projectId}/classify/iterations/{publishedName}/image/nostore", predictSent(classification, false)},
		{"ClassifyImageUrl", http.MethodPost, "{projectId}/classify/iterations/{publishedName}/url", predictLinked(classification, true)},
		{"ClassifyImageUrlWithNoStore", http.MethodPost, "{projectId}/classify/iterations/{publishedName}/url/nostore", predictLinked(classification, false)},
		{"DetectImage", http.MethodPost, "{projectId}/detect/iterations/{publishedName}/image", predictSent(objectDetection, true)},
		{"DetectImageWithNoStore", http.MethodPost, "{projectId}/detect/iterations/{publishedName}/image/nostore", predictSent(objectDetection, false)},
		{"DetectImageUrl", http.MethodPost, "{projectId}/detect/iterations/{publishedName}/url", predictLinked(objectDetection, true)},
		{"DetectImageUrlWithNoStore", http.MethodPost, "{projectId}/detect/iterations/{publishedName}/url/nostore", predictLinked(objectDetection, false)},
	}
	operations = []apiOperation{
		{"GetDomains", http.MethodGet, "domains", (*Server).getDomains},
		{"GetDomain", http.MethodGet, "domains/{domainId}", (*Server).getDomain},
		{"GetProjects", http.MethodGet, "projects", (*Server).getProjects},
		{"CreateProject", http.MethodPost, "projects", (*Server).createProject},
		{"GetProject", http.MethodGet, "projects/{projectId}", (*Server).getProject},
		{"UpdateProject", http.MethodPatch, "projects/{projectId}", (*Server).updateProject},
		{"DeleteProject", http.MethodDelete, "projects/{projectId}", (*Server).deleteProject},
		{"ExportProject", http.MethodGet, "projects/{projectId}/export", (*Server).exportProject},
		{"ImportProject", http.MethodPost, "projects/import", (*Server).importProject},
		{"GetArtifact", http.MethodGet, "projects/{projectId}/artifacts", (*Server).getArtifact},
		{"GetTags", http.MethodGet, "projects/{projectId}/tags", (*Server).getTags},
		{"CreateTag", http.MethodPost, "projects/{projectId}/tags", (*Server).createTag},
		{"GetTag", http.MethodGet, "projects/{projectId}/tags/{tagId}", (*Server).getTag},
		{"UpdateTag", http.MethodPatch, "projects/{projectId}/tags/{tagId}", (*Server).updateTag},
		{"DeleteTag", http.MethodDelete, "projects/{projectId}/tags/{tagId}", (*Server).deleteTag},
		{"GetImages", http.MethodGet, "projects/{projectId}/images", (*Server).getImages},
		{"CreateImagesFromData", http.MethodPost, "projects/{projectId}/images", (*Server).createImagesFromData},
		{"DeleteImages", http.MethodDelete, "projects/{projectId}/images", (*Server).deleteImages},
		{"CreateImagesFromFiles", http.MethodPost, "projects/{projectId}/images/files", (*Server).createImagesFromFiles},
		{"CreateImagesFromUrls", http.MethodPost, "projects/{projectId}/images/urls", (*Server).createImagesFromURLs},
		{"GetImagesByIds", http.MethodGet, "projects/{projectId}/images/id", (*Server).getImagesByIDs},
		{"GetImageCount", http.MethodGet, "projects/{projectId}/images/count", (*Server).getImageCount},
		{"GetTaggedImages", http.MethodGet, "projects/{projectId}/images/tagged", (*Server).getTaggedImages},
		{"GetTaggedImageCount", http.MethodGet, "projects/{projectId}/images/tagged/count", (*Server).getTaggedImageCount},
		{"GetUntaggedImages", http.MethodGet, "projects/{projectId}/images/untagged", (*Server).getUntaggedImages},
		{"GetUntaggedImageCount", http.MethodGet, "projects/{projectId}/images/untagged/count", (*Server).getUntaggedImageCount},
		{"CreateImageTags", http.MethodPost, "projects/{projectId}/images/tags", (*Server).createImageTags},
		{"DeleteImageTags", http.MethodDelete, "projects/{projectId}/images/tags", (*Server).deleteImageTags},
		{"CreateImageRegions", http.MethodPost, "projects/{projectId}/images/regions", (*Server).createImageRegions},
		{"DeleteImageRegions", http.MethodDelete, "projects/{projectId}/images/regions", (*Server).deleteImageRegions},
		{"UpdateImageMetadata", http.MethodPost, "projects/{projectId}/images/metadata", (*Server).updateImageMetadata},
		{"CreateImagesFromPredictions", http.MethodPost, "projects/{projectId}/images/predictions", (*Server).createImagesFromPredictions},
		{"QuerySuggestedImages", http.MethodPost, "projects/{projectId}/images/suggested", (*Server).notServed},
		{"QuerySuggestedImageCount", http.MethodPost, "projects/{projectId}/images/suggested/count", (*Server).notServed},
		{"GetImageRegionProposals", http.MethodPost, "projects/{projectId}/images/{imageId}/regionproposals", (*Server).notServed},
		{"SuggestTagsAndRegions", http.MethodPost, "projects/{projectId}/tagsandregions/suggestions", (*Server).notServed},
		{"QuickTestImage", http.MethodPost, "projects/{projectId}/quicktest/image", (*Server).quickTestImage},
		{"QuickTestImageUrl", http.MethodPost, "projects/{projectId}/quicktest/url", (*Server).quickTestImageURL},
		{"QueryPredictions", http.MethodPost, "projects/{projectId}/predictions/query", (*Server).queryPredictions},
		{"DeletePrediction", http.MethodDelete, "projects/{projectId}/predictions", (*Server).deletePrediction},
		{"TrainProject", http.MethodPost, "projects/{projectId}/train", (*Server).trainProject},
		{"GetIterations", http.MethodGet, "projects/{projectId}/iterations", (*Server).getIterations},
		{"GetIteration", http.MethodGet, "projects/{projectId}/iterations/{iterationId}", (*Server).getIteration},
		{"UpdateIteration", http.MethodPatch, "projects/{projectId}/iterations/{iterationId}", (*Server).updateIteration},
		{"DeleteIteration", http.MethodDelete, "projects/{projectId}/iterations/{iterationId}", (*Server).deleteIteration},
		{"GetIterationPerformance", http.MethodGet, "projects/{projectId}/iterations/{iterationId}/performance", (*Server).getIterationPerformance},
		{"GetImagePerformances", http.MethodGet, "projects/{projectId}/iterations/{iterationId}/performance/images", (*Server).getImagePerformances},
		{"GetImagePerformanceCount", http.MethodGet, "projects/{projectId}/iterations/{iterationId}/performance/images/count", (*Server).getImagePerformanceCount},
		{"ExportIteration", http.MethodPost, "projects/{projectId}/iterations/{iterationId}/export", (*Server).exportIteration},
		{"GetExports", http.MethodGet, "projects/{projectId}/iterations/{iterationId}/export", (*Server).getExports},
		{"PublishIteration", http.MethodPost, "projects/{projectId}/iterations/{iterationId}/publish", (*Server).publishIteration},
		{"UnpublishIteration", http.MethodDelete, "projects/{projectId}/iterations/{iterationId}/publish", (*Server).unpublishIteration},
	}
}
