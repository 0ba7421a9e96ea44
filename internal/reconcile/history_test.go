package reconcile_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"pgregory.net/rapid"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/messages"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// history is a world in which things happen by chance.
type history struct {
	*scene
	t        *rapid.T
	machines []*machine
	mailbox  []letter
	read     int // of the service's messages

	weather        []fate // what may become of the next requests
	burst          int
	struck         fate
	current, turns int // the machine that goes on, and for how many requests
	deaths, faults int

	// What the person or the weather did after which less can be asked for.
	renamed   int // how often an iteration was renamed
	disturbed bool
	met       bool // the app knew the project before anything happened
}

// letter is a message on the queue.
type letter struct {
	text  string
	sent  time.Time
	tries int
}

var policies = []string{
	`{"projects": [{"project": "*", "exports": ["ONNX", "ONNX.ONNXFloat16", "TensorFlow"], "retrain": {"afterFailure": 1}}]}`,
	`{"projects": [{"project": "*", "exports": ["TensorFlow.TensorFlowLite"], "iterations": ["all"], "retrain": {"afterFailure": 2, "perMonth": 3}}]}`,
	`{"projects": [{"project": "*", "exports": ["CoreML", "ONNX"], "iterations": ["published"], "retrain": {"afterFailure": 2, "perMonth": 1, "force": true}, "promote": ` + promote + `, "notWorseBy": 1}}]}`,
	`{"projects": [{"project": "*", "exports": ["ONNX", "DockerFile"], "retrain": {"afterFailure": 1}}]}`,
	`{"projects": [{"project": "*", "exports": ["ONNX"], "retrain": {"afterFailure": 1, "onImages": 2, "olderThan": "6h", "type": "advanced", "budgetHours": 2, "monthlyBudgetHours": 5}}]}`,
	`{"projects": [{"project": "*", "retrain": {"onImages": 1, "perMonth": 100, "monthlyBudgetHours": 3, "force": true}}]}`,
	`{"projects": [{"project": "*", "exports": ["ONNX", "TensorFlow"], "keep": 2, "retrain": {"afterFailure": 1}, "promote": ` + promote + `, "notWorseBy": 1}}]}`,
	`{"projects": [{"project": "*", "exports": ["ONNX"], "iterations": ["all"], "keep": 1, "promote": ` + promote + `, "notWorseBy": 1}}]}`,
	`{"projects": [{"project": "parts"}]}`,
	`{"projects": [{"project": "parts", "exports": ["ONNX", "TensorFlow"], "iterations": ["all"], "retrain": {"afterFailure": 2}}]}`,
	`{"mode": "observe", "projects": [{"project": "*", "exports": ["ONNX"], "retrain": {"afterFailure": 1}, "promote": ` + promote + `}}]}`,
	`{"projects": [{"project": "*", "exports": ["ONNX"], "iterations": ["published"], "retrain": {"afterFailure": 1}, "promote": ` + promote + `, "minimum": {"precision": 0.8}}}]}`,
	`{"projects": [{"project": "*", "exports": ["CoreML"], "promote": ` + promote + `, "notWorseBy": 1}}]}`,
	`{"projects": [{"project": "*", "exports": ["ONNX"], "iterations": ["published"], "promote": ` + promote + `, "notWorseBy": 1, "holdOut": "a-set"}}]}`,
}

// promote begins what the policies say of publishing.
const promote = `{"name": "production", "predictionId": "` + prediction + `", "perTag": false`

// asked are the questions whose answers a history draws.
var asked = []emulator.Question{
	emulator.DownloadURI, emulator.SecondFlavor, emulator.RepeatAfterFailure, emulator.ManifestFlavor, emulator.BlobNames,
	emulator.MessageTiming, emulator.TrainAfterFailure, emulator.IterationOrder, emulator.NewIteration, emulator.FailedModelURI,
	emulator.PublishOverwrite,
}

func newHistory(t *rapid.T, azure *azurite.Server) *history {
	answers := map[emulator.Question]string{}
	for _, known := range emulator.Questions() {
		if slices.Contains(asked, known.Question) {
			answers[known.Question] = pick(t, string(known.Question), known.Answers)
		}
	}
	h := &history{t: t, scene: newScene(t, azure, answers, drawPolicy(t))}
	h.noAPI = pick(t, "no endpoint", []bool{false, false, false, false, false, false, true})
	if h.met = pick(t, "known before", []bool{true, true, true, false}); h.met { // else the first message makes it known
		m := h.newMachine("first")
		h.must(m.reconciler.ConnectionTested(h.ctx, h.project))
	}
	h.restart()
	return h
}

// pick draws one of a list, each as likely: rapid itself prefers the first.
func pick[T any](t *rapid.T, label string, list []T) T {
	i := rapid.Custom(func(t *rapid.T) int {
		n := 0
		for range 10 {
			n *= 2
			if rapid.Bool().Draw(t, "") {
				n++
			}
		}
		return n * len(list) / 1024
	}).Draw(t, label)
	return list[i]
}

func drawPolicy(t *rapid.T) policy.Policy {
	p, err := policy.Parse([]byte(pick(t, "policy", policies)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// restart puts machines in the place of those there were.
func (h *history) restart() {
	h.machines = []*machine{h.newMachine("A"), h.newMachine("B")}
}

// event is something that may happen, and how often.
type event struct {
	name string
	odds int
	do   func()
}

// live lets things happen.
func (h *history) live() {
	events := append([]event{
		{"train", 4, h.train},
		{"tag", 2, h.tag},
		{"time", 5, h.pass},
		{"run", 12, h.run},
		{"portal export", 3, h.portalExport},
		{"publish", 1, h.publish},
		{"take the name", 3, h.takeName},
		{"free the name", 1, h.freeName},
		{"delete", 1, h.delete},
		{"delete the project", 1, h.deleteProject},
		{"fail exports", 1, func() { h.Service.FailExports(rapid.IntRange(1, 2).Draw(h.t, "exports")) }},
		{"stall an export", 1, func() { h.Service.StallExports(1); h.judge.overwrites = true }},
		{"finish", 1, func() { h.Service.FinishNow(emulator.Scope{}) }},
		{"forge", 1, h.forge},
		{"foreign blob", 1, h.foreignBlob},
		{"lose state", 2, h.loseState},
		{"new policy", 1, func() {
			h.policy = drawPolicy(h.t)
			h.placeHoldOut()
			h.judge.asked = map[state.Scope][]time.Time{}
			h.restart()
		}},
	}, h.troubles()...)
	var odds []int
	for i, e := range events {
		odds = append(odds, slices.Repeat([]int{i}, e.odds)...)
	}
	h.train()
	for range pick(h.t, "events", []int{40, 30, 20, 10}) {
		e := events[pick(h.t, "event", odds)]
		h.t.Logf("%s %s", h.Service.Now().Format("02 15:04:05"), e.name)
		e.do()
	}
}

// train trains in the portal, unless that runs already.
func (h *history) train() {
	if h.vanished {
		return
	}
	h.advance(time.Second) // no two trainings begin at once
	h.Service.FailTrainings(pick(h.t, "failures", []int{0, 0, 1, 1, 2, 3}))
	h.Service.SetQuality(pick(h.t, "quality", []float64{0.9, 0.95, 0.9, 0.5}))
	id, err := h.Service.Train(h.project)
	h.t.Logf("    %s %v", id, err)
	if err == nil {
		h.judge.pay(id, false, int(world.TrainTime/time.Minute))
	}
}

// tag uploads pictures with a tag.
func (h *history) tag() {
	if h.vanished {
		return
	}
	h.judge.addPictures(rapid.IntRange(1, 2).Draw(h.t, "pictures"))
}

// pass lets time go by.
func (h *history) pass() {
	d := pick(h.t, "time", []time.Duration{time.Second, world.ExportTime, world.TrainTime, world.TrainTime, 10 * time.Minute, 10 * time.Minute, time.Hour, 7 * time.Hour, 25 * time.Hour, 8 * 24 * time.Hour})
	h.advance(d)
}

func (h *history) advance(d time.Duration) {
	h.Service.Advance(d)
	h.fetch()
}

// fetch reads the queue: of what the service sent some is lost, some comes twice.
func (h *history) fetch() {
	all := h.Service.Messages()
	for _, m := range all[h.read:] {
		for range pick(h.t, "copies", []int{1, 1, 1, 1, 0, 0, 2}) {
			h.mailbox = append(h.mailbox, letter{text: m.Text, sent: m.Time})
		}
	}
	h.read = len(all)
}

func (h *history) portalExport() {
	its := h.completed()
	if len(its) == 0 {
		return
	}
	it := pick(h.t, "iteration", its)
	for range rapid.IntRange(1, 2).Draw(h.t, "exports") {
		name := pick(h.t, "export", []string{"ONNX", "ONNX.ONNX12", "ONNX.ONNXFloat16", "TensorFlow.TensorFlowLite", "TensorFlow.TensorFlowJs", "CoreML", "VAIDK"})
		err := h.Service.Export(h.project, it.ID, platformOf(name), flavorOf(name))
		h.t.Logf("    %s %s %v", it.ID, name, err)
		if err == nil {
			h.judge.exporting[it.ID+" "+canonical(name)] = h.Service.Now()
			h.judge.overwrites = h.judge.overwrites || slices.ContainsFunc(it.Exports, func(e emulator.ExportView) bool { return samePlatform(name, e) })
			h.judge.overwrites = h.judge.overwrites || strings.HasPrefix(name, "ONNX") || strings.HasPrefix(name, "TensorFlow")
		}
	}
}

const prediction = "/subscriptions/x/resourceGroups/x/providers/Microsoft.CognitiveServices/accounts/x"

func (h *history) publish() {
	if its := h.completed(); len(its) > 0 {
		it := pick(h.t, "iteration", its)
		err := h.Client.Publish(h.ctx, h.project, it.ID, "name-"+it.ID, prediction, false)
		h.t.Logf("    %s %v", it.ID, err)
	}
}

// takeName publishes an iteration under the policy's name, whichever has it.
func (h *history) takeName() {
	its := h.completed()
	if len(its) == 0 {
		return
	}
	it := pick(h.t, "iteration", its)
	if it.PublishName == "production" {
		return
	}
	if holder := h.judge.holder(); holder != "" {
		h.t.Logf("    %s loses it: %v", holder, h.Client.Unpublish(h.ctx, h.project, holder))
	}
	err := h.Client.Publish(h.ctx, h.project, it.ID, "production", prediction, false)
	h.judge.decided()
	h.t.Logf("    %s %v", it.ID, err)
}

func (h *history) freeName() {
	if holder := h.judge.holder(); holder != "" {
		h.t.Logf("    %s loses it: %v", holder, h.Client.Unpublish(h.ctx, h.project, holder))
		h.judge.decided()
	}
}

// delete deletes an iteration: not what came of a training whose answer was lost
// before the app has found it, since then it isn't to be known that it was there.
func (h *history) delete() {
	remembered := h.Remembered(h.project)
	var its []emulator.IterationView
	for _, it := range h.iterations() {
		known := h.judge.depth[it.ID] == 0
		for _, t := range remembered.Trainings {
			known = known || t.Result == it.ID
		}
		if known && it.Status != "Training" {
			its = append(its, it)
		}
	}
	if len(its) > 0 {
		it := pick(h.t, "iteration", its)
		h.t.Logf("    %s %v", it.ID, h.person.DeleteIteration(h.ctx, h.project, it.ID))
	}
}

// deleteProject deletes the project, in few of the histories: what it left in the
// model container is all there is then.
func (h *history) deleteProject() {
	if h.vanished || rapid.Bool().Draw(h.t, "rather not") {
		return
	}
	h.judge.learnTruth()
	h.must(h.person.DeleteProject(h.ctx, h.project))
	h.vanished = true
}

// forge puts a message onto the queue that the service never sent.
func (h *history) forge() {
	project, iteration := h.project, zeroID
	if its := h.iterations(); len(its) > 0 && pick(h.t, "known iteration", []bool{true, true, true, false}) {
		iteration = pick(h.t, "iteration", its).ID
	}
	if pick(h.t, "unknown project", []bool{false, false, false, true}) {
		project = zeroID
	}
	h.mailbox = append(h.mailbox, letter{text: pick(h.t, "forged", []string{
		"{", "eyJ", `{"version":"1.0","type":"ConnectionTest","Content":{"projectId":"` + project + `"}}`,
		fmt.Sprintf(`{"version":"1.0","type":"Training","Content":{"projectId":"%s","iterationId":"%s","trainingStatus":"TrainingFailed"}}`, project, iteration),
		fmt.Sprintf(`{"version":"1.0","type":"Export","Content":{"projectId":"%s","iterationId":"%s","exportStatus":"ExportCompleted","modelUri":"http://169.254.169.254/metadata"}}`, project, iteration),
		fmt.Sprintf(`{"version":"1.0","type":"Export","Content":{"projectId":"%s","iterationId":"%s","exportStatus":"ExportCompleted","modelUri":"%s/%s"}}`, project, iteration, h.Containers.Models.URL(),
			strings.ReplaceAll(customvision.BlobName(project, iteration, "ONNX"), " ", "%20")),
	})})
}

// foreignBlob puts something into the model container that the service didn't:
// under a name of its own, perhaps in an export's place.
func (h *history) foreignBlob() {
	iteration := "11111111-1111-4111-8111-111111111111"
	if its := h.iterations(); len(its) > 0 && rapid.Bool().Draw(h.t, "known iteration") {
		iteration = pick(h.t, "iteration", its).ID
	}
	content := make([]byte, 100)
	rand.Read(content)
	if rapid.Bool().Draw(h.t, "begins as a zip") {
		copy(content, "PK\x03\x04")
	}
	name := customvision.BlobName(h.project, iteration, pick(h.t, "platform", []string{"ONNX", "CoreML", "TensorFlow"}))
	_, err := h.Containers.Models.NewBlockBlobClient(name).Upload(h.ctx, streaming.NopCloser(bytes.NewReader(content)), nil)
	if bloberror.HasCode(err, bloberror.BlobArchived) {
		return // what rests can't be overwritten
	}
	h.must(err)
	h.judge.overwrites = true
	h.t.Logf("    %s", name)
}

// loseState deletes what the app remembers, or breaks it.
func (h *history) loseState() {
	if h.Remembered(h.project).Revision == "" {
		return
	}
	blob := h.Containers.State.NewBlockBlobClient("projects/" + h.project + ".json")
	var err error
	if rapid.Bool().Draw(h.t, "broken") {
		_, err = blob.Upload(h.ctx, streaming.NopCloser(strings.NewReader(`{"id": "`)), nil)
	} else {
		_, err = blob.Delete(h.ctx, nil)
	}
	h.must(err)
	h.judge.lost++
	h.judge.named, h.judge.ended = false, map[string]time.Time{}
	h.judge.asked = map[state.Scope][]time.Time{} // the pauses are forgotten too
	h.judge.lostAt = h.Service.Now()
}

// weathers are what may befall a request, seldom, or as often as not one that
// can't be undone.
var weathers = map[string][]fate{
	"calm":    nil,
	"deadly":  {killBefore, killAfter},
	"stormy":  {throttled, failed, cut, loseAnswer, loseAnswer},
	"hostile": {failed, cut, loseAnswer, loseAnswer, killBefore, killAfter},
}

// run lets one machine work or two at once, in some weather.
func (h *history) run() {
	weather := pick(h.t, "weather", []string{"calm", "calm", "deadly", "stormy", "hostile", "short"})
	h.weather, h.burst, h.turns, h.judge.calm = weathers[weather], 0, 0, weather == "calm"
	jobs := map[*machine]job{}
	var order []*machine
	var carried []*[]letter
	for i := range pick(h.t, "machines", []int{1, 2}) {
		m := h.machines[i]
		order = append(order, m)
		if len(h.mailbox) == 0 || pick(h.t, "sweeps", []bool{true, false, false}) {
			h.t.Logf("    %s sweeps, %s", m.name, weather)
			jobs[m] = func(ctx context.Context, m *machine) { m.sweep(ctx) }
		} else {
			mine := h.take()
			carried = append(carried, mine)
			h.t.Logf("    %s gets %d messages, %s", m.name, len(*mine), weather)
			jobs[m] = func(ctx context.Context, m *machine) { *mine = deliver(ctx, m, *mine) }
		}
		if weather == "short" {
			jobs[m] = h.short(jobs[m])
		}
	}
	h.together(h, jobs, order)
	for _, back := range carried {
		h.mailbox = append(h.mailbox, *back...)
	}
	for i, m := range h.machines {
		if m.line.Dead() {
			h.deaths++
			h.machines[i] = h.newMachine(m.name)
		}
	}
	h.disturbed = h.disturbed || weather != "calm"
	h.fetch()
	h.judge.look()
}

// take takes up to three messages from the queue, in any order.
func (h *history) take() *[]letter {
	var mine []letter
	for range min(len(h.mailbox), rapid.IntRange(1, 3).Draw(h.t, "messages")) {
		i := rapid.IntRange(0, len(h.mailbox)-1).Draw(h.t, "message")
		mine = append(mine, h.mailbox[i])
		h.mailbox = slices.Delete(h.mailbox, i, i+1)
	}
	return &mine
}

const mostTries = 5

// deliver is the host: what fails goes back to the queue, and comes five times at most.
func deliver(ctx context.Context, m *machine, letters []letter) (back []letter) {
	for _, l := range letters {
		l.tries++
		if err := m.messages.Deal(ctx, messages.Message{Raw: []byte(l.text), Inserted: l.sent, Last: l.tries == mostTries}); err != nil && l.tries < mostTries {
			back = append(back, l)
		}
	}
	return back
}

// who draws which machine goes on, and for how long the other stands still: often
// when it is about to ask for what can't be undone.
func (h *history) who(waiting []string) int {
	if len(waiting) == 1 {
		return 0
	}
	next := waiting[h.current]
	switch {
	case irrevocable(next) && rapid.Bool().Draw(h.t, "hold"):
		h.current, h.turns = 1-h.current, 16
	case h.turns == 0:
		h.turns = pick(h.t, "turns", []int{1, 1, 2, 4, 8, 16})
		h.current = rapid.IntRange(0, 1).Draw(h.t, "who")
	}
	h.turns--
	return h.current
}

// irrevocable tells a request that asks for a training or an export.
func irrevocable(what string) bool {
	return strings.Contains(what, " POST ") && (strings.HasSuffix(what, "/train") || strings.HasSuffix(what, "/export")) ||
		strings.Contains(what, " DELETE ") && strings.Contains(what, "/iterations/")
}

// fate draws what becomes of a request. What fails may fail so often that
// repeating it doesn't help.
func (h *history) fate(what string) fate {
	if h.burst > 0 {
		h.burst--
		return h.struck
	}
	if len(h.weather) == 0 {
		return pass
	}
	luck := 40
	if irrevocable(what) {
		luck = len(h.weather)
	}
	f := pick(h.t, "fate", append(slices.Repeat([]fate{pass}, luck), h.weather...))
	if f != pass {
		h.faults++
	}
	if f == throttled || f == failed || f == cut {
		h.struck, h.burst = f, pick(h.t, "more of it", []int{0, 4})
	}
	return f
}
