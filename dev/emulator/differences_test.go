package emulator

import (
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// difference is something in which the live service differs from its official
// description. TestEveryOperation shows that each is needed.
type difference struct {
	at       string   // a definition and its member
	versions []string // of the API; nil means both
	change   string
	source   string
}

// Changes that a difference makes to a member. Any other one is the values that an
// enumeration has besides, separated by commas.
const (
	absent   = "may be absent"
	null     = "may be null"
	zoneless = "time without a zone"
	added    = "exists"
)

// Sources. A recording is one in the tests of the official SDK for .NET,
// https://github.com/Azure/azure-sdk-for-net, in
// sdk/cognitiveservices/Vision.CustomVision.Training/tests/SessionRecords/TrainingTests.
const (
	guide  = "https://learn.microsoft.com/azure/ai-services/custom-vision-service/storage-integration"
	flavor = "https://github.com/shonohs/cvsutils"
)

var differences = []difference{
	{"Iteration.trainedAt", nil, absent, "recording TrainAndPublishProject, v3.4-preview: while it trains"},
	{"Iteration.publishName", nil, null, "recording GetIterations, v3.4-preview"},
	{"Iteration.originalPublishResourceId", nil, null, "recording GetIterations, v3.4-preview"},
	{"ProjectSettings.detectionParameters", nil, null, "recording ProjectRetrieval, v3.4-preview"},
	{"ProjectSettings.exportModelContainerUri", []string{v34}, absent, "recording ProjectRetrieval, v3.4-preview"},
	{"ProjectSettings.notificationQueueUri", []string{v34}, absent, "recording ProjectRetrieval, v3.4-preview"},
	{"ProjectSettings.exportModelContainerUri", []string{v33}, added, guide},
	{"ProjectSettings.notificationQueueUri", []string{v33}, added, guide},

	{"Image.created", nil, zoneless, "recordings GetArtifacts, v3.3, and ImageTagManipulation, v3.4-preview"},
	{"Image.tags", nil, absent, "recording ImageTagManipulation, v3.4-preview: an untagged image"},
	{"Image.regions", nil, absent, "recordings GetArtifacts, v3.3, and ImageTagManipulation, v3.4-preview"},
	{"Image.metadata", nil, absent, "recordings GetArtifacts, v3.3, and ImageTagManipulation, v3.4-preview"},
	{"ImageTag.created", nil, zoneless, "recordings GetArtifacts, v3.3, and ImageTagManipulation, v3.4-preview"},
	{"ImageTag.tagName", nil, null, "recording CreateImageFromUrl, v3.4-preview: in the answer that creates the image"},
	{"ImageRegion.created", nil, zoneless, "recording RegionManipulation, v3.1"},
	{"ImageRegionCreateResult.created", nil, zoneless, "recording RegionManipulation, v3.1"},
	{"ImageRegionCreateResult.tagName", nil, null, "recording RegionManipulation, v3.1"},
	{"ImageMetadataUpdateEntry.metadata", nil, absent, "the official example of UpdateImageMetadata, v3.3: the answer 207"},
	{"ImagePerformance.created", nil, zoneless, "recording GetIterationPerformance, v3.4-preview"},
	{"ImagePerformance.regions", nil, absent, "as Image.regions"},

	{"Prediction.boundingBox", nil, absent, "recording QueryPredictionResults, v3.2: a classification"},
	{"Prediction.tagType", []string{v33}, absent, "recording QueryPredictionResults, v3.2"},
	{"PredictionQueryToken.continuation", nil, null, "recording QueryPredictionResults, v3.2"},
	{"PredictionQueryToken.application", nil, null, "recording QueryPredictionResults, v3.2"},

	{"Domain.exportablePlatforms", []string{v34}, "IVS", "recording DomainsApiTests, v3.4-preview"},
	{"Export.flavor", nil, "CoreMLFloat16,TensorFlowSavedModel,TensorFlowLiteFloat16,TensorFlowJs,ONNXFloat16,NoPostProcess", flavor},
	{"Export.platform", []string{v33}, "OpenVino", "https://github.com/shonohs/cvsutils exports to it with v3.3"},
	{"CustomVisionError.code", []string{v33}, "BadRequestInvalidUri", "v3.4-preview has it; " + guide},
}

// apply changes the schemas of a version's definitions.
func (d difference) apply(version string, definitions map[string]any) {
	if d.versions != nil && !slices.Contains(d.versions, version) {
		return
	}
	name, member, _ := strings.Cut(d.at, ".")
	definition := definitions[name].(map[string]any)
	members := definition["properties"].(map[string]any)
	switch d.change {
	case absent:
		definition["required"] = slices.DeleteFunc(slices.Clone(definition["required"].([]string)), func(m string) bool { return m == member })
	case null:
		members[member] = nullable(members[member], true)
	case zoneless:
		members[member] = map[string]any{"type": "string", "format": zoneless}
	case added:
		members[member] = map[string]any{"type": "string"}
	default:
		extend(members[member], strings.Split(d.change, ","))
	}
}

// explains reports whether the difference allows what broke a plain description.
func (d difference) explains(broken *jsonschema.ValidationError) bool {
	name, member, _ := strings.Cut(d.at, ".")
	_, at, _ := strings.Cut(broken.SchemaURL, "#/answered/")
	ofMember := strings.HasPrefix(at+"/", name+"/properties/"+member+"/")
	switch k := broken.ErrorKind.(type) {
	case *kind.Required:
		return d.change == absent && at == name && slices.Contains(k.Missing, member)
	case *kind.AdditionalProperties:
		return d.change == added && at == name && slices.Contains(k.Properties, member)
	case *kind.Type:
		return d.change == null && ofMember && k.Got == "null"
	case *kind.Format:
		return d.change == zoneless && ofMember
	case *kind.Enum:
		return ofMember && slices.Contains(strings.Split(d.change, ","), fmt.Sprint(k.Got))
	}
	return false
}

// extend adds values to the enumeration inside of a schema.
func extend(v any, values []string) {
	switch s := v.(type) {
	case []any:
		for _, item := range s {
			extend(item, values)
		}
	case map[string]any:
		if known, ok := s["enum"].([]any); ok {
			known = slices.Clone(known) // it is the description's
			for _, value := range values {
				known = append(known, value)
			}
			s["enum"] = known
		}
		for _, inner := range s {
			extend(inner, values)
		}
	}
}
