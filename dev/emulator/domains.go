package emulator

import "slices"

// domain is a kind of model. Sources: GetDomains of v3.4-preview as recorded in
// the Azure SDK for .NET's tests, the v3.3 example, and Microsoft's "Select a
// domain for a Custom Vision project".
type domain struct {
	id, name, kind string
	platforms      []string // empty if the model can't be exported
	megabytes      int      // estimated size of the exported model
}

// Kinds of domains.
const (
	classification  = "Classification"
	objectDetection = "ObjectDetection"
)

// defaultDomain is General, the domain of a project that names none. Its models
// can't be exported.
const defaultDomain = "ee85a74c-405e-4adc-bb47-ffa8ca0c9f31"

var (
	classificationPlatforms = []string{"VAIDK", "CoreML", "DockerFile", "ONNX", "OpenVino", "TensorFlow"}
	detectionPlatforms      = []string{"CoreML", "DockerFile", "ONNX", "TensorFlow"}
	detectionS1Platforms    = []string{"VAIDK", "CoreML", "DockerFile", "ONNX", "OpenVino", "TensorFlow", "IVS"}
)

var domains = []domain{
	{defaultDomain, "General", classification, nil, 0},
	{"a8e3c40f-fb4a-466f-832a-5e457ae4a344", "General [A1]", classification, nil, 0},
	{"2e37d7fb-3a54-486a-b4d6-cfc369af0018", "General [A2]", classification, nil, 0},
	{"c151d5b5-dd07-472a-acc8-15d29dea8518", "Food", classification, nil, 0},
	{"ca455789-012d-4b50-9fec-5bb63841c793", "Landmarks", classification, nil, 0},
	{"b30a91ae-e3c1-4f73-a81e-c270bff27c39", "Retail", classification, nil, 0},
	{"45badf75-3591-4f26-a705-45678d3e9f5f", "Adult", classification, nil, 0},
	{"0732100f-1a38-4e49-a514-c9b44c697ab5", "General (compact)", classification, classificationPlatforms, 5},
	{"a1db07ca-a19a-4830-bae8-e004a42dc863", "General (compact) [S1]", classification, classificationPlatforms, 43},
	{"8882951b-82cd-4c32-970b-d5f8cb8bf6d7", "Food (compact)", classification, classificationPlatforms, 5},
	{"b5cfd229-2ac7-4b2b-8d0a-2b0661344894", "Landmarks (compact)", classification, classificationPlatforms, 5},
	{"6b4faeda-8396-481b-9f8b-177b9fa3097f", "Retail (compact)", classification, classificationPlatforms, 5},
	{"da2e3a8a-40a5-4171-82f4-58522f70fbc1", "General", objectDetection, nil, 0},
	{"9c616dff-2e7d-ea11-af59-1866da359ce6", "General [A1]", objectDetection, nil, 0},
	{"1d8ffafe-ec40-4fb2-8f90-72b3b6cecea4", "Logo", objectDetection, nil, 0},
	{"3780a898-81c3-4516-81ae-3a139614e1f3", "Products on Shelves", objectDetection, nil, 0},
	{"a27d5ca5-bb19-49d8-a70a-fec086c47f5b", "General (compact)", objectDetection, detectionPlatforms, 42},
	{"7ec2ac80-887b-48a6-8df9-8b1357765430", "General (compact) [S1]", objectDetection, detectionS1Platforms, 13},
}

func (d domain) exportable() bool { return len(d.platforms) > 0 }

func findDomain(id string) (domain, bool) {
	i := slices.IndexFunc(domains, func(d domain) bool { return d.id == id })
	if i < 0 {
		return domain{}, false
	}
	return domains[i], true
}

// domain returns the project's domain, which is always a known one.
func (p *project) domain() domain {
	d, _ := findDomain(p.DomainID)
	return d
}

type domainWire struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Type       string `json:"type"`
	Exportable bool   `json:"exportable"`
	Enabled    bool   `json:"enabled"`
	*previewDomainWire
}

// previewDomainWire holds the fields that only v3.4-preview has.
type previewDomainWire struct {
	ExportablePlatforms []string              `json:"exportablePlatforms"`
	ModelInformation    *modelInformationWire `json:"modelInformation"` // nil if the model can't be exported
}

type modelInformationWire struct {
	EstimatedModelSizeInMegabytes int    `json:"estimatedModelSizeInMegabytes"`
	Description                   string `json:"description"`
}

func (d domain) wire(version string) domainWire {
	w := domainWire{ID: d.id, Name: d.name, Type: d.kind, Exportable: d.exportable(), Enabled: true}
	if version == v34 {
		w.previewDomainWire = &previewDomainWire{ExportablePlatforms: append([]string{}, d.platforms...)}
		if d.exportable() {
			w.ModelInformation = &modelInformationWire{EstimatedModelSizeInMegabytes: d.megabytes}
		}
	}
	return w
}

func (s *Server) getDomains(c *call) (any, error) {
	list := []domainWire{}
	for _, d := range domains {
		list = append(list, d.wire(c.version))
	}
	return list, nil
}

func (s *Server) getDomain(c *call) (any, error) {
	d, ok := findDomain(c.ids["domainId"])
	if !ok {
		return nil, notFound("NotFoundDomain", "No domain found with id %s", c.ids["domainId"])
	}
	return d.wire(c.version), nil
}
