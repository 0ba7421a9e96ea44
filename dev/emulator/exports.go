package emulator

import (
	"slices"
	"strings"
	"time"
)

// platforms are the export platforms of both API versions and of the live service.
var platforms = []string{"CoreML", "TensorFlow", "DockerFile", "ONNX", "VAIDK", "OpenVino", "IVS"}

// flavors are the flavors that the contract lists, by platform.
var flavors = map[string][]string{
	"DockerFile": {"Linux", "Windows", "ARM"},
	"TensorFlow": {"TensorFlowNormal", "TensorFlowLite"},
	"ONNX":       {"ONNX10", "ONNX12"},
}

// unlistedFlavors are flavors that the live service accepts and the contract
// doesn't list, by platform: https://github.com/shonohs/cvsutils.
var unlistedFlavors = map[string][]string{
	"CoreML":     {"CoreMLFloat16"},
	"TensorFlow": {"TensorFlowSavedModel", "TensorFlowLiteFloat16", "TensorFlowJs"},
	"ONNX":       {"ONNXFloat16"},
	"OpenVino":   {"NoPostProcess"},
}

func canonicalPlatform(name string) (string, bool) { return fold(platforms, name) }

func fold(known []string, name string) (string, bool) {
	i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, name) })
	if i < 0 {
		return name, false
	}
	return known[i], true
}

type exportWire struct {
	Platform              string  `json:"platform"`
	Status                string  `json:"status"`
	DownloadURI           *string `json:"downloadUri"`
	Flavor                *string `json:"flavor"`
	NewerVersionAvailable bool    `json:"newerVersionAvailable"`
}

func (s *Server) exportWire(p *project, i *iteration, e *export) (exportWire, error) {
	w := exportWire{Platform: e.Platform, Status: e.Status, Flavor: e.Flavor, NewerVersionAvailable: s.outdated(e)}
	if e.Status == exportDone && !s.faults.take(&s.faults.omittedLinks) {
		uri, err := s.downloadURI(p, i, e)
		if err != nil {
			return w, err
		}
		w.DownloadURI = &uri
	}
	return w, nil
}

// outdated reports whether a newer version of the package is available.
func (s *Server) outdated(e *export) bool {
	return e.Status == exportDone && e.Packages == 1 && s.answer(NewerVersion) == "once"
}

func (s *Server) getExports(c *call) (any, error) {
	p, i, err := s.lookup(c)
	if err != nil {
		return nil, err
	}
	list := []exportWire{}
	for _, e := range i.Exports {
		w, err := s.exportWire(p, i, e)
		if err != nil {
			return nil, err
		}
		list = append(list, w)
	}
	return list, nil
}

func (s *Server) exportIteration(c *call) (any, error) {
	p, i, err := s.lookup(c)
	if err != nil {
		return nil, err
	}
	platform, err := c.required("platform")
	if err != nil {
		return nil, err
	}
	e, err := s.export(p, i, platform, c.query.Get("flavor"), c.now)
	if err != nil {
		return nil, err
	}
	return s.exportWire(p, i, e)
}

// find returns the export of a platform and flavor, in any letter case.
func (i *iteration) find(platform, flavor string) *export {
	for _, e := range i.Exports {
		if e.Platform == platform && strings.EqualFold(e.flavor(), flavor) {
			return e
		}
	}
	return nil
}

// flavor returns the export's flavor, or "" if none was asked for.
func (e *export) flavor() string {
	if e.Flavor == nil {
		return ""
	}
	return *e.Flavor
}

// export starts an export. s.mu must be held.
func (s *Server) export(p *project, i *iteration, name, flavor string, now time.Time) (*export, error) {
	platform, ok := canonicalPlatform(name)
	if !ok {
		return nil, badRequest("BadRequestInvalid", "The value '%s' is not valid for platform", name)
	}
	known := flavors[platform]
	if s.answer(UnlistedFlavors) == "accepted" {
		known = slices.Concat(known, unlistedFlavors[platform])
	}
	flavor, ok = fold(known, flavor)
	d, _ := findDomain(i.DomainID)
	switch {
	case i.Status == statusTraining:
		return nil, badRequest("BadRequestExportWhileTraining", "The iteration is being trained")
	case i.Status != statusCompleted:
		return nil, badRequest("BadRequestIterationIsNotTrained", "The iteration is not trained")
	case !d.exportable():
		return nil, badRequest("BadRequestExportValidationFailed", "Models of the domain %s can't be exported: train on a compact domain", d.name)
	case !slices.Contains(d.platforms, platform):
		return nil, badRequest("BadRequestExportValidationFailed", "Models of the domain %s can't be exported to %s", d.name, platform)
	case platform == "VAIDK" && !slices.Contains(p.TargetExportPlatforms, platform):
		return nil, badRequest("BadRequestExportValidationFailed", "VAIDK must be among the project's targetExportPlatforms")
	case flavor != "" && !ok:
		return nil, badRequest("BadRequestInvalid", "The value '%s' is not valid for a flavor of %s", flavor, platform)
	}
	e := i.find(platform, flavor)
	repeat := e != nil && (s.outdated(e) || e.Status == exportFailed && s.answer(RepeatAfterFailure) == "allowed")
	other := slices.ContainsFunc(i.Exports, func(o *export) bool { return o != e && o.Platform == platform })
	if e != nil && !repeat || e == nil && other && s.answer(SecondFlavor) == "refused" {
		return nil, badRequest("BadRequestExportAlreadyInProgress", "%s is already queued for export", i.ID)
	}
	if e == nil {
		e = &export{Platform: platform, Flavor: optional(flavor)}
		i.Exports = append(i.Exports, e)
	}
	e.Status = exportExporting
	j := job{
		Kind: jobExport, Project: p.ID, Iteration: i.ID, Platform: platform, Flavor: e.Flavor,
		Due:  now.Add(s.options.ExportTime),
		Fail: s.faults.take(&s.faults.failExports) || other && s.answer(SecondFlavor) == "fails",
	}
	if s.faults.take(&s.faults.stallExports) {
		j.Due = time.Time{}
	}
	s.schedule(j)
	return e, nil
}

// finishExport makes the package, stores it, and sends the message.
func (s *Server) finishExport(j job) {
	find := func() (*project, *iteration, *export) {
		p, err := s.project(j.Project)
		if err != nil {
			return nil, nil, nil
		}
		i, err := p.iteration(j.Iteration)
		if err != nil {
			return nil, nil, nil
		}
		flavor := ""
		if j.Flavor != nil {
			flavor = *j.Flavor
		}
		return p, i, i.find(j.Platform, flavor)
	}
	p, i, e := find()
	if e == nil {
		return
	}
	if !j.Fail && !j.Announced {
		e.Exported = j.Due
		e.Packages++
		if err := s.storePackage(p, i, e); err != nil {
			s.options.Logf("export %s of iteration %s failed: %v", e.Platform, i.ID, err)
			j.Fail = true
		}
		if p, i, e = find(); e == nil || s.ctx.Err() != nil { // deleted meanwhile, or cut short
			return
		}
	}
	announce := func() {
		c := contentWire{ProjectID: p.ID, IterationID: i.ID, ExportStatus: "ExportFailed"}
		switch {
		case !j.Fail:
			c.ExportStatus, c.ModelURI = "ExportCompleted", mustJSON(s.modelURI(p, i, e))
		case s.answer(FailedModelURI) == "null":
			c.ModelURI = mustJSON(nil)
		case s.answer(FailedModelURI) == "empty":
			c.ModelURI = mustJSON("")
		}
		s.notify(p, "Export", c)
	}
	if s.announceFirst(&j, announce) {
		return
	}
	if _, _, e = find(); e == nil {
		return
	}
	e.Status = exportDone
	if j.Fail {
		e.Status = exportFailed
	}
	if !j.Announced {
		announce()
	}
}
