package reconcile_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"pgregory.net/rapid"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
)

// forDays is a count of faults that nothing uses up: they last until they are taken
// back.
const forDays = 1_000_000

// effects are the operations that a history lets the service refuse.
var effects = []string{"ExportIteration", "TrainProject", "PublishIteration", "UnpublishIteration"}

// troubles are events that pass: what they make impossible is to be had later.
func (h *history) troubles() []event {
	return []event{
		{"links die", 2, h.killLinks},
		{"links come back", 1, h.reviveLinks},
		{"the exporter fails", 1, func() { h.Service.FailExports(forDays) }},
		{"the exporter is mended", 1, func() { h.Service.FailExports(0) }},
		{"the service refuses", 2, h.refuse},
		{"the service accepts", 1, h.accept},
		{"rename the project", 2, h.renameProject},
		{"rename an iteration", 1, h.renameIteration},
		{"archive tier", 1, h.rest},
		{"rehydrate", 1, h.rehydrate},
		{"a rival overwrites", 1, h.overwrite},
	}
}

// killLinks lets the service hand out links that have expired, or none for a look
// or for days.
func (h *history) killLinks() {
	if pick(h.t, "dead", []bool{true, false}) {
		h.Service.ExpireLinks(forDays)
		return
	}
	h.Service.OmitLinks(pick(h.t, "looks", []int{1, 1, 2, forDays}))
}

func (h *history) reviveLinks() {
	h.Service.ExpireLinks(0)
	h.Service.OmitLinks(0)
}

// refuse lets the service refuse what can't be undone: a few times, or for days.
func (h *history) refuse() {
	f := pick(h.t, "refusal", []emulator.CallFault{
		{Status: 400, Code: "BadRequestExportWhileTraining"}, {Status: 400, Code: "BadRequestExceededQuota"},
		{Status: 400, Code: "BadRequestTrainingAlreadyInProgress"}, {Status: 400, Code: "BadRequestInvalidPublishName"}, {Status: 403, Code: "BadRequestCustomerManagedKeyRevoked"},
		{Status: 503}, {Status: 429},
	})
	h.must(h.Service.FaultCalls(pick(h.t, "operation", effects), pick(h.t, "calls", []int{1, 3, forDays}), f))
	h.t.Logf("    %+v", f)
}

func (h *history) accept() {
	for _, operation := range effects {
		h.must(h.Service.FaultCalls(operation, 0, emulator.CallFault{}))
	}
}

// endTroubles takes back all that lasts.
func (h *history) endTroubles() {
	h.Service.FailTrainings(0)
	h.Service.FailExports(0)
	h.Service.StallExports(0)
	h.reviveLinks()
	h.accept()
}

// renameProject gives the project a name that some policies don't name, or its first.
func (h *history) renameProject() {
	if h.vanished {
		return
	}
	name := pick(h.t, "name", []string{firstName, "others"})
	p, err := h.person.Project(h.ctx, h.project)
	h.must(err)
	p.Name = name
	_, err = h.person.UpdateProject(h.ctx, h.project, p)
	h.must(err)
	h.name = name
	h.t.Logf("    %s", name)
}

// renameIteration renames one that was trained, also in vain: that changes when it
// was modified last.
func (h *history) renameIteration() {
	its := slices.DeleteFunc(h.iterations(), func(it emulator.IterationView) bool { return it.Status == "New" })
	if len(its) == 0 {
		return
	}
	it := pick(h.t, "iteration", its)
	h.renamed++
	body := strings.NewReader(fmt.Sprintf(`{"name": "renamed %d"}`, h.renamed))
	req, err := http.NewRequestWithContext(h.ctx, http.MethodPatch, h.API+"/customvision/v3.3/training/projects/"+h.project+"/iterations/"+it.ID, body)
	h.must(err)
	req.Header.Set("Training-Key", world.Key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	h.must(err)
	resp.Body.Close()
	h.t.Logf("    %s, %s: %s", it.ID, it.Status, resp.Status)
}

// rest moves a blob of the model container to the Archive tier, where it can't be read.
func (h *history) rest() {
	if names := h.held(); len(names) > 0 {
		name := pick(h.t, "blob", names)
		h.setTier(name, blob.AccessTierArchive)
		h.t.Logf("    %s", name)
	}
}

// rehydrate brings all of them back.
func (h *history) rehydrate() {
	for _, name := range h.held() {
		h.setTier(name, blob.AccessTierHot)
	}
}

func (h *history) setTier(name string, tier blob.AccessTier) {
	_, err := h.Containers.Models.NewBlobClient(name).SetTier(h.ctx, tier, nil)
	h.must(err)
}

// held are the names in the model container, in an order that the seed alone decides.
func (h *history) held() []string {
	var names []string
	at := map[string]string{}
	its := h.iterations()
	for name := range h.list(h.Containers.Models) {
		_, iteration, platform, err := customvision.ParseBlobName(name)
		if err != nil {
			continue
		}
		// Ids are by chance, the order of trainings isn't.
		n := slices.IndexFunc(its, func(it emulator.IterationView) bool { return it.ID == iteration })
		at[name] = fmt.Sprintf("%03d %s", n+1, platform)
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(at[a], at[b]) })
	return names
}

// overwrite exports another flavor of a platform that is exported already, at once:
// in the model container it takes the other's place.
func (h *history) overwrite() {
	rivals := map[string][]string{"ONNX": {"ONNX.ONNXFloat16", "ONNX.ONNX12", "ONNX"}, "TensorFlow": {"TensorFlow.TensorFlowLite", "TensorFlow"}}
	for _, it := range h.completed() {
		for _, e := range it.Exports {
			for _, name := range rivals[e.Platform] {
				if e.Status != "Done" || h.Service.Export(h.project, it.ID, platformOf(name), flavorOf(name)) != nil {
					continue
				}
				h.judge.overwrites = true
				h.judge.exporting[it.ID+" "+canonical(name)] = h.Service.Now()
				h.Service.FinishNow(emulator.Scope{Iteration: it.ID, Platform: e.Platform})
				h.t.Logf("    %s takes the place of %s of %s", name, nameOfExport(e), it.ID)
				return
			}
		}
	}
}

// short lets a job's time be up at a request that is drawn, which is carried out or
// not. Deadlines go by the real clock: the request waits for the end. The budget is
// such that what comes before doesn't take as long.
func (h *history) short(work job) job {
	cut, late := rapid.IntRange(0, 40).Draw(h.t, "cut at"), rapid.Bool().Draw(h.t, "late")
	return func(ctx context.Context, m *machine) {
		limited, cancel := context.WithTimeout(ctx, 300*time.Millisecond+time.Duration(cut)*50*time.Millisecond)
		defer cancel()
		l := &limit{late: late, ends: limited.Done()}
		l.left.Store(int64(cut))
		m.limit.Store(l)
		work(limited, m)
		for _, project := range []string{h.project, zeroID} {
			m.await(ctx, project) // a run goes on past its callers, to write what it learnt
		}
		m.limit.Store(nil)
	}
}
