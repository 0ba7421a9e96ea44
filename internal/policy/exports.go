package policy

import (
	"encoding/json"
	"slices"
	"strings"

	"visionkeeper/internal/dotnet"
)

// Known are the exports that exist, as "Platform" or "Platform.Flavor", in the
// letter case of the Training API. Sources: ExportPlatform and ExportFlavor of v3.3
// and v3.4-preview, the recorded list of domains (IVS), and public programs against
// the live service (the flavors that the description lacks).
var Known = []string{
	"CoreML", "CoreML.CoreMLFloat16",
	"DockerFile", "DockerFile.Linux", "DockerFile.Windows", "DockerFile.ARM",
	"IVS",
	"ONNX", "ONNX.ONNX10", "ONNX.ONNX12", "ONNX.ONNXFloat16",
	"OpenVino", "OpenVino.NoPostProcess",
	"TensorFlow", "TensorFlow.TensorFlowNormal", "TensorFlow.TensorFlowLite", "TensorFlow.TensorFlowLiteFloat16",
	"TensorFlow.TensorFlowSavedModel", "TensorFlow.TensorFlowJs",
	"VAIDK",
}

// notOfAll are the known exports that All leaves out. Of the first two another one
// is the same: a platform without a flavor is exported in the service's default
// flavor. The third is in no description of ExportIteration.
var notOfAll = []string{"DockerFile", "TensorFlow.TensorFlowNormal", "IVS"}

// Words is a list of words. Its JSON may also be one word alone, such as "all".
type Words []string

// UnmarshalJSON reads a list of strings or one string.
func (w *Words) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*w = Words{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(w))
}

// ExportsOf are the exports to ask for of an iteration that can be exported to the
// offered platforms. The service often says nothing of those (an empty exportableTo):
// then All is every known export, and the service refuses what it doesn't offer.
func (r Rule) ExportsOf(offered []string) []string {
	if !slices.Contains(r.Exports, All) {
		return r.Exports
	}
	var all []string
	for _, name := range Known {
		platform, _, _ := strings.Cut(name, ".")
		isOffered := len(offered) == 0 || slices.ContainsFunc(offered, func(o string) bool { return strings.EqualFold(o, platform) })
		if isOffered && !slices.Contains(notOfAll, name) {
			all = append(all, name)
		}
	}
	return all
}

// canonical writes the exports that a policy names in any letter case as Known has
// them. Whatever isn't a list of exports is left to the schema.
func canonical(policy *dotnet.Node) {
	each := func(n *dotnet.Node, key string, do func(*dotnet.Node)) {
		for _, m := range n.Members {
			if m.Key == key {
				for _, item := range m.Value.Items {
					do(item)
				}
			}
		}
	}
	each(policy, "projects", func(rule *dotnet.Node) {
		each(rule, "exports", func(export *dotnet.Node) {
			name, _ := export.Value.(string)
			if k := slices.IndexFunc(Known, func(k string) bool { return strings.EqualFold(k, name) }); k >= 0 {
				export.Value = Known[k]
			}
		})
	})
}
