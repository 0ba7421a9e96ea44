package reconcile

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

const (
	projectID = "0a6c3a5e-0b8e-4bb0-9b5e-0d6e7f8a9b0c"
	first     = "11111111-1111-4111-8111-111111111111"
	second    = "22222222-2222-4222-8222-222222222222"
	third     = "33333333-3333-4333-8333-333333333333"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// rules act by a policy for these exports of the newest and the published iterations.
func rules(exports ...string) Rules {
	return Rules{
		Rule: policy.Rule{Project: "*", Exports: exports, Iterations: []string{policy.Newest, policy.Published}},
		Mode: policy.Act, StuckAfter: 6 * time.Hour, Grace: 2 * time.Minute, SettledFor: 7 * 24 * time.Hour,
	}
}

// described is the record of an iteration of which nothing is left to learn.
func described() *state.Iteration {
	return &state.Iteration{Facts: json.RawMessage(`{"domained":true,"tagged":true,"performed":true}`), Exports: map[string]*state.Export{}}
}

// completed is a described iteration that was trained an hour ago on a compact domain.
func completed(exports ...customvision.Export) Observed {
	look := &Look{}
	for _, e := range exports {
		look.list(e)
	}
	return Observed{
		Now:        noon,
		Project:    state.Project{ID: projectID, Iterations: map[string]*state.Iteration{first: described()}},
		Iterations: []customvision.Iteration{trainedAt(first, noon.Add(-time.Hour))},
		Looks:      map[string]*Look{first: look},
	}
}

// list puts an export into a look at the first iteration.
func (l *Look) list(e customvision.Export) {
	key, err := archive.NewKey(projectID, first, e.Platform, e.Flavor)
	if err != nil {
		l.Unusable = append(l.Unusable, e)
		return
	}
	l.see(key, e)
}

// condition records a condition of an export, seen first so long ago and tried again
// in so long.
func (o Observed) condition(name string, code state.Code, since, next time.Duration) Observed {
	c := state.Condition{
		Scope: state.Scope{Iteration: first, Export: name}, Code: code, First: noon.Add(-since), Last: noon.Add(-since), Attempts: 1, Next: noon.Add(next),
		Unproven: code != state.ExportFailed && code != state.ExportRefused,
	}
	if code == state.Overwritten {
		c.On = sight(nil, customvision.Export{})
	}
	o.Project.Note(c)
	return o
}

// tried notes that the run has tried a step for an export.
func (o Observed) tried(kind ActionKind, name string) Observed {
	o.Tried = map[Step]bool{{Kind: kind, Scope: state.Scope{Iteration: first, Export: name}}: true}
	return o
}

func trainedAt(id string, at time.Time) customvision.Iteration {
	return customvision.Iteration{ID: id, Status: customvision.StatusCompleted, TrainedAt: &at, LastModified: at, Exportable: true}
}

// with remembers an export of the first iteration.
func (o Observed) with(name string, e state.Export) Observed {
	o.Project.Iterations[first].Exports[name] = &e
	return o
}

// kept puts copies of an export into the archive.
func (o Observed) kept(name string, verdicts ...archive.Verdict) Observed {
	platform, flavor := split(name)
	key, _ := archive.NewKey(projectID, first, platform, flavor)
	for _, verdict := range verdicts {
		o.Looks[first].Backups = append(o.Looks[first].Backups, archive.Backup{Key: key, Verdict: verdict, Origin: archive.Origin{Kind: archive.FromDownload}})
	}
	return o
}

func listed(name, status string) customvision.Export {
	platform, flavor := split(name)
	return customvision.Export{Platform: platform, Flavor: flavor, Status: status}
}

// steps are a plan without ids and reasons, such as "export ONNX".
func steps(plan []Action) []string {
	names := []string{}
	for _, a := range plan {
		name := string(a.Kind)
		if a.Export != "" {
			name += " " + a.Export
		}
		names = append(names, name)
	}
	return names
}

func TestPlanForOneIteration(t *testing.T) {
	t.Parallel()
	long := noon.Add(-24 * time.Hour)
	two := rules("ONNX", "ONNX.ONNXFloat16")
	for name, c := range map[string]struct {
		rules Rules
		seen  Observed
		want  []string
	}{
		"what isn't there is asked for":             {rules("ONNX", "CoreML"), completed(), []string{"export ONNX", "export CoreML"}},
		"what is being exported is waited for":      {rules("ONNX"), completed(listed("ONNX", "Exporting")), []string{"wait ONNX"}},
		"a status that isn't known is waited for":   {rules("ONNX"), completed(listed("ONNX", "Queued")), []string{"wait ONNX"}},
		"what is exported is archived":              {rules("ONNX"), completed(listed("ONNX", "Done")), []string{"backup ONNX"}},
		"what nobody asked for is archived too":     {rules(), completed(listed("VAIDK", "Done")), []string{"backup VAIDK"}},
		"letter case makes no other export":         {rules("onnx"), completed(listed("OnnX", "Done")), []string{"backup ONNX"}},
		"TensorFlowNormal is TensorFlow":            {rules("TensorFlow"), completed(listed("TensorFlow.TensorFlowNormal", "Done")).kept("TensorFlow", archive.Proven), []string{"settle"}},
		"proven is done":                            {rules("ONNX"), completed(listed("ONNX", "Done")).kept("ONNX", archive.Proven), []string{"settle"}},
		"intact is done":                            {rules("ONNX"), completed(listed("ONNX", "Done")).kept("ONNX", archive.Intact), []string{"settle"}},
		"a copy without proof is taken up again":    {rules("ONNX"), completed(listed("ONNX", "Done")).kept("ONNX", ""), []string{"backup ONNX"}},
		"a damaged copy is made again":              {rules("ONNX"), completed(listed("ONNX", "Done")).kept("ONNX", archive.Damaged, archive.Damaged), []string{"backup ONNX"}},
		"a good copy counts beside damaged ones":    {rules("ONNX"), completed(listed("ONNX", "Done")).kept("ONNX", archive.Damaged, archive.Proven), []string{"settle"}},
		"another's copy is none of this":            {rules("ONNX"), completed(listed("ONNX", "Done")).kept("ONNX.ONNX12", archive.Proven), []string{"backup ONNX"}},
		"an unidentified copy is looked at again":   {rules("ONNX"), completed(listed("ONNX", "Done")).kept("ONNX", archive.Unidentified), []string{"backup ONNX"}},
		"what can't be archived waits for its time": {rules("ONNX"), completed(listed("ONNX", "Done")).condition("ONNX", state.NoLink, time.Hour, time.Minute), []string{"settle"}},
		"and is tried again then":                   {rules("ONNX"), completed(listed("ONNX", "Done")).condition("ONNX", state.NoLink, time.Hour, 0), []string{"backup ONNX"}},
		"what is overwritten never is":              {rules("ONNX"), completed(listed("ONNX", "Done")).condition("ONNX", state.Overwritten, time.Hour, -time.Hour), []string{"settle"}},
		"an export that failed is postponed":        {rules("ONNX"), completed(listed("ONNX", "Failed")).with("ONNX", state.Export{Asked: long}), []string{"postpone ONNX", "settle"}},
		"and asked for again when its time comes":   {rules("ONNX"), completed(listed("ONNX", "Failed")).condition("ONNX", state.ExportFailed, time.Hour, 0), []string{"export ONNX"}},
		"not before":                                  {rules("ONNX"), completed(listed("ONNX", "Failed")).condition("ONNX", state.ExportFailed, time.Hour, time.Minute), []string{"settle"}},
		"a refusal waits for its time":                {rules("ONNX"), completed().condition("ONNX", state.ExportRefused, time.Hour, time.Minute), []string{"settle"}},
		"and passes then":                             {rules("ONNX"), completed().condition("ONNX", state.ExportRefused, time.Hour, 0), []string{"export ONNX"}},
		"of two entries with one key Done wins":       {rules("TensorFlow"), completed(listed("TensorFlow", "Failed"), listed("TensorFlow.TensorFlowNormal", "Done")), []string{"backup TensorFlow"}},
		"a failed one that nobody wants is left":      {rules(), completed(listed("ONNX", "Failed")), []string{"settle"}},
		"what never came is asked for again":          {rules("ONNX"), completed().with("ONNX", state.Export{Asked: long, Until: long}), []string{"export ONNX"}},
		"two flavors go one after the other":          {two, completed(), []string{"export ONNX", "wait ONNX.ONNXFloat16"}},
		"the second waits until the first is kept":    {two, completed(listed("ONNX", "Done")), []string{"backup ONNX", "wait ONNX.ONNXFloat16"}},
		"then it is asked for":                        {two, completed(listed("ONNX", "Done")).kept("ONNX", archive.Proven), []string{"export ONNX.ONNXFloat16"}},
		"not while there is hope for the first":       {two, completed(listed("ONNX", "Done")).condition("ONNX", state.NoLink, time.Hour, time.Hour), []string{"wait ONNX.ONNXFloat16"}},
		"when that lasts it is tried once more":       {two, completed(listed("ONNX", "Done")).condition("ONNX", state.NoLink, 6*time.Hour, time.Hour), []string{"backup ONNX"}},
		"and overwritten then":                        {two, completed(listed("ONNX", "Done")).condition("ONNX", state.NoLink, 6*time.Hour, time.Hour).tried(Backup, "ONNX"), []string{"export ONNX.ONNXFloat16"}},
		"not tried where the process died of it":      {two, completed(listed("ONNX", "Done")).condition("ONNX", state.Unfinished, 6*time.Hour, time.Hour), []string{"export ONNX.ONNXFloat16"}},
		"or when the first is overwritten":            {two, completed(listed("ONNX", "Done")).condition("ONNX", state.Overwritten, 0, 0), []string{"export ONNX.ONNXFloat16"}},
		"or when the first is refused":                {two, completed().condition("ONNX", state.ExportRefused, time.Hour, time.Hour), []string{"export ONNX.ONNXFloat16"}},
		"or when the first is stuck":                  {two, completed(listed("ONNX", "Exporting")).with("ONNX", state.Export{Asked: long}), []string{"postpone ONNX", "wait ONNX", "export ONNX.ONNXFloat16"}},
		"an export of unknown age isn't stuck":        {two, completed(listed("ONNX", "Exporting")).with("ONNX", state.Export{}), []string{"wait ONNX", "wait ONNX.ONNXFloat16"}},
		"an unfinished one holds beside a stuck one":  {rules("ONNX.ONNX12"), completed(listed("ONNX", "Exporting"), listed("ONNX.ONNX10", "Exporting")).with("ONNX.ONNX10", state.Export{Asked: long}), []string{"wait ONNX", "postpone ONNX.ONNX10", "wait ONNX.ONNX10", "wait ONNX.ONNX12"}},
		"what was refused and is accepted is said":    {rules("ONNX"), completed(listed("ONNX", "Exporting")).with("ONNX", state.Export{Asked: noon}).condition("ONNX", state.ExportRefused, time.Hour, time.Hour), []string{"postpone ONNX", "wait ONNX"}},
		"and when it failed after all":                {rules("ONNX"), completed(listed("ONNX", "Failed")).with("ONNX", state.Export{Asked: long}).condition("ONNX", state.ExportRefused, time.Hour, time.Hour), []string{"postpone ONNX", "settle"}},
		"a failed one that is refused stays refused":  {rules("ONNX"), completed(listed("ONNX", "Failed")).with("ONNX", state.Export{}).condition("ONNX", state.ExportRefused, time.Hour, time.Hour), []string{"settle"}},
		"one just asked for holds though not listed":  {rules("ONNX", "ONNX.ONNX12"), completed().with("ONNX.ONNX12", state.Export{Asked: noon}), []string{"wait ONNX", "wait ONNX.ONNX12"}},
		"an answer under way is waited for":           {rules("ONNX"), completed().with("ONNX", state.Export{Asked: long, Until: noon.Add(-time.Minute)}), []string{"wait ONNX"}},
		"also where it failed before":                 {rules("ONNX"), completed(listed("ONNX", "Failed")).with("ONNX", state.Export{Asked: long, Until: noon}), []string{"wait ONNX"}},
		"other platforms don't wait for each other":   {rules("CoreML"), completed(listed("ONNX", "Exporting")), []string{"wait ONNX", "export CoreML"}},
		"a name that no folder can hold is postponed": {rules("ONNX"), completed(listed("ONNX/..", "Done"), listed("ONNX", "Exporting")), []string{`postpone "ONNX/.."`, "wait ONNX"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.want, steps(Plan(c.rules, c.seen)))
		})
	}
}

func TestAnIterationIsDescribedBeforeAnythingIsArchived(t *testing.T) {
	t.Parallel()
	o := completed(listed("ONNX", "Done"))
	o.Project.Iterations = nil
	assert.Equal(t, []string{"describe", "backup ONNX"}, steps(Plan(rules("ONNX"), o)))
}

func TestWhatFailedIsNotPlannedAgainInTheSameRunAndKeepsOpen(t *testing.T) {
	t.Parallel()
	o := completed(listed("ONNX", "Done"))
	plan := Plan(rules("ONNX"), o)
	o.Tried = map[Step]bool{plan[0].Step: true}
	assert.Empty(t, Plan(rules("ONNX"), o), "neither again nor settled")
}

func TestACopyFromTheContainerThatNobodyCouldIdentifyIsMadeAgain(t *testing.T) {
	t.Parallel()
	o := completed(listed("ONNX", "Done")).kept("ONNX", archive.Unidentified)
	o.Looks[first].Backups[0].Origin.Kind = archive.FromContainer
	assert.Equal(t, []string{"backup ONNX"}, steps(Plan(rules("ONNX"), o)), "from the export's own link, which is sure")
}

func TestAnIterationThatCannotBeExportedIsBlockedOnceAndSettled(t *testing.T) {
	t.Parallel()
	o := completed()
	o.Iterations[0].Exportable = false
	plan := Plan(rules("ONNX"), o)
	assert.Equal(t, []string{"postpone", "settle"}, steps(plan))
	assert.Contains(t, plan[0].Why, "cannot be exported, because its domain is not a compact one")

	note(&o.Project, plan[0].Scope, false, fault{code: plan[0].Code, why: plan[0].Why}, false, "", noon)
	assert.Equal(t, []string{"settle"}, steps(Plan(rules("ONNX"), o)), "said once")
	assert.Equal(t, []string{"settle"}, steps(Plan(rules(), o)), "nothing to say where no exports are wanted")
}

func TestADomainThatDoesNotOfferAPlatformIsSaid(t *testing.T) {
	t.Parallel()
	o := completed()
	o.Iterations[0].ExportableTo = []string{"CoreML", "tensorflow"}
	plan := Plan(rules("ONNX", "TensorFlow"), o)
	assert.Equal(t, []string{"postpone ONNX", "export TensorFlow"}, steps(plan))
	assert.Contains(t, plan[0].Why, "its domain offers only CoreML, tensorflow")

	o.Iterations[0].ExportableTo = []string{}
	assert.Equal(t, []string{"export ONNX", "export TensorFlow"}, steps(Plan(rules("ONNX", "TensorFlow"), o)), "an empty list tells nothing")
}

func TestObserveArchivesAndSettlesThoughExportsAreWanted(t *testing.T) {
	t.Parallel()
	r := rules("ONNX", "ONNX.ONNX12")
	r.Mode = policy.Observe
	plan := Plan(r, completed(listed("CoreML", "Done")))
	assert.Equal(t, []string{"backup CoreML", "export ONNX", "export ONNX.ONNX12"}, steps(plan))
	plan = Plan(r, completed(listed("CoreML", "Done")).kept("CoreML", archive.Proven))
	assert.Equal(t, []string{"export ONNX", "export ONNX.ONNX12", "settle"}, steps(plan))
}

func TestWhichIterationsAreExported(t *testing.T) {
	t.Parallel()
	published := trainedAt(second, noon.Add(-2*time.Hour))
	published.PublishName = "production"
	failed := customvision.Iteration{ID: "f", Status: customvision.StatusFailed, LastModified: noon}
	all := []customvision.Iteration{trainedAt(first, noon.Add(-time.Hour)), published, trainedAt(third, noon.Add(-3*time.Hour)), failed}
	// In the order of their creation, which is not that of the list and tells nothing.
	all[0].Created, all[1].Created, all[2].Created = noon.Add(-9*time.Hour), noon.Add(-8*time.Hour), noon.Add(-7*time.Hour)
	for name, c := range map[string]struct {
		which []string
		want  []string
	}{
		"newest":               {[]string{policy.Newest}, []string{first}},
		"published":            {[]string{policy.Published}, []string{second}},
		"newest and published": {[]string{policy.Newest, policy.Published}, []string{first, second}},
		"all":                  {[]string{policy.All}, []string{first, second, third}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rules("ONNX")
			r.Iterations = c.which
			for turn := range len(all) { // position never matters
				iterations := append(append([]customvision.Iteration{}, all[turn:]...), all[:turn]...)
				o := Observed{Now: noon, Project: state.Project{ID: projectID}, Iterations: iterations,
					Looks: map[string]*Look{first: {}, second: {}, third: {}}}
				var asked []string
				for _, a := range Plan(r, o) {
					if a.Kind == Export {
						asked = append(asked, a.Iteration)
					}
				}
				assert.ElementsMatch(t, c.want, asked)
			}
		})
	}
}

func TestOfTwoTrainedAtOnceTheSameIsAlwaysTheNewest(t *testing.T) {
	t.Parallel()
	a, b := trainedAt(first, noon), trainedAt(second, noon)
	assert.Equal(t, newest([]customvision.Iteration{a, b}), newest([]customvision.Iteration{b, a}))
}

// What can't be dated may be the newest if it was changed later: then nobody is.
func TestABadDateMakesNoOtherTheNewest(t *testing.T) {
	t.Parallel()
	undated := customvision.Iteration{ID: third, Status: customvision.StatusCompleted}
	changed := func(at time.Time) customvision.Iteration {
		it := undated
		it.LastModified = at
		return it
	}
	all := []customvision.Iteration{trainedAt(first, noon.Add(-time.Hour)), trainedAt(second, noon)}
	assert.Empty(t, newest(append(all, changed(noon.Add(time.Minute)))))
	assert.Empty(t, newest(append(all, undated)), "no date at all")
	assert.Equal(t, second, newest(append(all, changed(noon.Add(-time.Minute)))), "it was trained before")
	assert.Empty(t, newest([]customvision.Iteration{changed(noon)}))
}

func TestASettledIterationIsOpenedAgain(t *testing.T) {
	t.Parallel()
	r := rules("ONNX")
	other := rules("ONNX", "CoreML")
	observe := r
	observe.Mode = policy.Observe
	published := r // which it isn't
	published.Iterations = []string{policy.Published}
	for name, c := range map[string]struct {
		rules   Rules
		settled state.Settled
		want    bool // still settled
	}{
		"settled":                     {r, state.Settled{At: noon.Add(-3 * 24 * time.Hour), Rule: r.hash(), Wanted: true}, true},
		"after a week":                {r, state.Settled{At: noon.Add(-7 * 24 * time.Hour), Rule: r.hash(), Wanted: true}, false},
		"by another rule":             {r, state.Settled{At: noon, Rule: other.hash(), Wanted: true}, false},
		"by another mode":             {r, state.Settled{At: noon, Rule: observe.hash(), Wanted: true}, false},
		"no longer wanted":            {published, state.Settled{At: noon, Rule: published.hash(), Wanted: true}, true},
		"when it is the newest again": {r, state.Settled{At: noon, Rule: r.hash(), Wanted: false}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := completed()
			o.Project.Iterations[first].Settled = &c.settled
			assert.Equal(t, c.want, settled(c.rules, o, o.Iterations[0]))
		})
	}
}

func TestATrainingIsWaitedFor(t *testing.T) {
	t.Parallel()
	o := Observed{Now: noon, Iterations: []customvision.Iteration{{ID: first, Status: customvision.StatusTraining}, {ID: second, Status: customvision.StatusNew}}}
	assert.Equal(t, []string{"wait"}, steps(Plan(rules("ONNX"), o)))
}

func split(name string) (platform, flavor string) {
	platform, flavor, _ = strings.Cut(name, ".")
	return platform, flavor
}
