package reconcile_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// judge watches what reaches the service and what stands in the archive, and
// knows nothing of how the app decides. Its findings are violations of a promise.
type judge struct {
	*scene
	violations []string

	trainings, exports, deletions int                         // that the service got from the app
	answered                      map[string]bool             // failures for which the app's training began
	depth                         map[string]int              // how many of the app's trainings led to an iteration
	began                         []time.Time                 // the app's trainings
	asked                         map[state.Scope][]time.Time // effects that may be in vain, under one policy and with what the app remembers
	latest                        state.Scope                 // of asked, while the service answers
	exporting                     map[string]time.Time        // exports underway, since when
	calm                          bool                        // the app hears every answer now, and can write it down
	lost                          int                         // how often what the app remembers was lost
	lostAt                        time.Time
	left                          string               // the newest iteration when a person gave the policy's name away
	freed                         bool                 // the app took the name from an iteration, and gave it to none yet
	named                         bool                 // what the app remembers holds the project's name
	ended                         map[string]time.Time // when failures were, as the app remembers
	overwrites                    bool                 // an export took another's place in the model container

	purse // what trainings cost, and what they are worth

	kept  map[string]blobInfo // the archive as last listed
	truth map[string]string   // hash of what the service made, by iteration and name
}

func newJudge(w *scene) *judge {
	return &judge{
		scene: w, answered: map[string]bool{}, depth: map[string]int{}, asked: map[state.Scope][]time.Time{},
		exporting: map[string]time.Time{}, ended: map[string]time.Time{}, purse: purse{saw: map[string]int{}}, kept: map[string]blobInfo{}, truth: map[string]string{},
	}
}

func (j *judge) find(format string, args ...any) {
	j.violations = append(j.violations, fmt.Sprintf(format, args...))
}

// rule is the policy's for the only project.
func (j *judge) rule() policy.Rule {
	r, _ := j.policy.For(j.project, j.name)
	return r
}

// outside reports whether the policy leaves the project alone: by its name, and where
// nobody can be asked for that, by the name that the app remembers.
func (j *judge) outside() bool {
	name := j.name
	if j.noAPI || j.vanished {
		name = j.Remembered(j.project).Name
	}
	_, ok := j.policy.For(j.project, name)
	return !ok
}

// effect tells a request that can't be undone.
func effect(req *http.Request) string {
	last := req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:]
	switch {
	case req.Method == http.MethodPost && (last == "train" || last == "export" || last == "publish"):
		return last
	case req.Method == http.MethodDelete && last == "publish":
		return "unpublish"
	}
	return ""
}

// before judges a request that arrives at the service.
func (j *judge) before(req *http.Request) {
	j.latest = state.Scope{}
	switch effect(req) {
	case "train":
		j.trainings++
		j.beforeTraining(req)
	case "export":
		j.exports++
		j.beforeExport(exportOf(req))
	case "publish":
		j.beforePublish(iterationOf(req), req.URL.Query().Get("overwrite") == "true")
	case "unpublish":
		if j.rule().Promote == nil {
			j.find("a name is freed though the policy never publishes")
		}
	}
	if effect(req) != "" && (j.policy.Mode != policy.Act || j.noAPI) {
		j.find("it acts though it may only observe: %s", req.URL.Path)
	}
	if _, ok := j.policy.For(j.project, j.name); effect(req) != "" && !ok {
		j.find("it acts on a project that the policy leaves alone: %s", req.URL.Path)
	}
}

func (j *judge) beforeTraining(req *http.Request) {
	its, retrain := j.iterations(), j.rule().Retrain
	if retrain == nil {
		j.find("a training is asked for though the policy never trains")
		return
	}
	month := 0
	for _, at := range j.began {
		if at.After(j.lostAt) && at.After(j.Service.Now().Add(-30*24*time.Hour)) {
			month++
		}
	}
	if month >= retrain.PerMonth {
		j.find("training %d of a month, at most %d are allowed", month+1, retrain.PerMonth)
	}
	j.afford(req, retrain)
	why := j.failure(its, retrain)
	if j.answering = why == "" && (!j.isWorthIt(its, retrain) || j.isAnnounced(state.FailureOf(its[0].ID))); j.answering {
		j.often(state.Scope{Iteration: its[0].ID})
		return
	}
	j.often(state.Scope{Fact: state.FactTraining})
	if !j.isWorthIt(its, retrain) {
		j.find("a training is asked for: %s, and nothing else makes it worth it", why)
	}
}

// isAnnounced reports whether the training that is asked for is to be one for a cause.
func (j *judge) isAnnounced(cause state.Cause) bool {
	trainings := j.Remembered(j.project).Trainings
	return len(trainings) > 0 && trainings[len(trainings)-1].Cause == cause
}

// failure is why a training is no answer to a failure; empty where it may be one.
func (j *judge) failure(its []emulator.IterationView, retrain *policy.Retrain) string {
	if len(its) == 0 || its[0].Status != "Failed" {
		return "none failed last"
	}
	switch cause := its[0].ID; {
	case j.answered[cause]:
		return fmt.Sprintf("failure %s is answered", cause)
	case !j.ended[cause].IsZero() && j.Service.Now().Sub(j.ended[cause]) > time.Duration(retrain.Within):
		return fmt.Sprintf("failure %s was at %s, %s ago", cause, j.ended[cause], j.Service.Now().Sub(j.ended[cause]))
	case j.depth[cause] >= retrain.AfterFailure:
		return fmt.Sprintf("failure %s is the end of a chain of %d trainings", cause, j.depth[cause])
	}
	return ""
}

// beforePublish judges a name that is given to an iteration, or, where the iteration lost it
// to the app itself, given back.
func (j *judge) beforePublish(to string, over bool) {
	holder := j.holder()
	switch {
	case j.rule().Promote == nil && !j.freed:
		j.find("%s is published though the policy never publishes", to)
	case to == j.left && holder != to:
		j.find("%s is published though a person decided when it was the newest", to)
	case over && holder == "":
		j.find("%s is to take over a name that no iteration has", to)
	}
	if over {
		j.often(state.Scope{Iteration: to, Fact: state.FactPromotion})
	}
}

// holder is the iteration that has the policy's name.
func (j *judge) holder() string {
	for _, it := range j.iterations() {
		if it.PublishName == "production" {
			return it.ID
		}
	}
	return ""
}

// decided takes in that a person gave the policy's name away. Where the app looks at nothing
// or takes the name itself just then, it can't know.
func (j *judge) decided() {
	known := j.Remembered(j.project).Promotion
	j.freed = false
	switch {
	case known == nil || known.Move != nil:
	case known.Holder == j.holder():
		j.left = ""
	default:
		j.left = j.newest()
	}
}

// newest is the iteration that was trained last; of two that ended at once, the one that
// the app takes.
func (j *judge) newest() string {
	id, at := "", time.Time{}
	for _, it := range j.iterations() {
		if it.Status != "Completed" || it.TrainedAt == nil {
			continue
		}
		if it.TrainedAt.After(at) || it.TrainedAt.Equal(at) && it.ID > id {
			id, at = it.ID, *it.TrainedAt
		}
	}
	return id
}

// often finds a thing that is asked for again and again without pauses that grow.
func (j *judge) often(s state.Scope) {
	now := j.Service.Now()
	j.asked[s], j.latest = append(j.asked[s], now), s
	if n := len(j.asked[s]); n > 4 && now.Sub(j.asked[s][n-5]) < time.Hour {
		j.find("%+v is asked for five times in an hour: %v", s, j.asked[s])
	}
}

func (j *judge) beforeExport(iteration, name string) {
	id := iteration + " " + name
	j.often(state.Scope{Iteration: iteration, Export: name})
	for _, it := range j.iterations() {
		for _, e := range it.Exports {
			if it.ID != iteration || !samePlatform(name, e) {
				continue
			}
			other := nameOfExport(e)
			underway := e.Status == "Exporting" && j.Service.Now().Sub(j.exporting[iteration+" "+other]) < stuckAfter
			switch {
			case other == name && e.Status != "Failed":
				j.find("export %s is asked for though it is %s", id, e.Status)
			case other != name && underway:
				j.find("export %s is asked for though %s is underway", id, other)
			case other != name && e.Status == "Done" && !j.secured(iteration, other):
				j.find("export %s is asked for though %s isn't archived: it will overwrite its blob", id, other)
			case other != name && e.Status == "Done" && !j.archived(iteration, other):
				j.overwrites = true
			}
		}
	}
}

// wanted tells whether the policy asks for exports of the iteration.
func (j *judge) wanted(it emulator.IterationView) bool {
	which := j.rule().Iterations
	return slices.Contains(which, policy.All) ||
		slices.Contains(which, policy.Published) && it.PublishName != "" ||
		slices.Contains(which, policy.Newest) && it.ID == j.newest()
}

// beforeDeletion judges that the app deletes an iteration: nothing is lost by it.
func (j *judge) beforeDeletion(iteration string) {
	j.deletions++
	its, keep := j.iterations(), j.rule().Keep
	at := slices.IndexFunc(its, func(it emulator.IterationView) bool { return it.ID == iteration })
	if at < 0 {
		return
	}
	completed := slices.IndexFunc(its, func(it emulator.IterationView) bool { return it.Status == "Completed" })
	switch lost := j.Unsaved(j.project, iteration); {
	case keep == 0 || j.policy.Mode != policy.Act:
		j.find("iteration %s is deleted though the policy deletes none", iteration)
	case len(its) <= keep && len(its) < mostAtATime:
		j.find("iteration %s is deleted though there are only %d", iteration, len(its))
	case at == completed || its[at].PublishName != "":
		j.find("iteration %s is deleted, the newest or published as %q", iteration, its[at].PublishName)
	case len(lost) > 0:
		j.find("iteration %s is deleted, and with it %v", iteration, lost)
	}
}

// after takes in what the service answered.
func (j *judge) after(req *http.Request, status int) {
	ok := status < 300
	if tries := j.asked[j.latest]; status == http.StatusTooManyRequests && len(tries) > 0 { // that was no try
		j.asked[j.latest] = tries[:len(tries)-1]
	}
	switch effect(req) {
	case "train":
		its := j.iterations()
		if !ok {
			return
		}
		if j.answering {
			cause := its[1].ID
			j.answered[cause] = true
			j.depth[its[0].ID] = j.depth[cause] + 1
		}
		delete(j.asked, j.latest) // the next one is for another cause
		j.pay(its[0].ID, true, priceOf(req))
		j.began = append(j.began, j.Service.Now())
	case "export":
		if iteration, name := exportOf(req); ok {
			j.exporting[iteration+" "+name] = j.Service.Now()
		}
	case "publish":
		j.freed = j.freed && !ok
	case "unpublish":
		j.freed = j.freed || ok
	}
}

// written judges a request to storage: nothing may change a blob of the archive,
// whether or not anybody would see it later.
func (j *judge) written(req *http.Request) {
	inArchive := strings.Contains(req.URL.Path, "/"+j.Names.Archive+"/")
	if inArchive && req.Method != http.MethodGet && req.Method != http.MethodHead && req.Header.Get("If-None-Match") != "*" {
		j.find("%s %s may change what is archived", req.Method, req.URL.Path)
	}
}

// exportOf is the iteration and the name of the export that a request asks for.
func exportOf(req *http.Request) (iteration, name string) {
	iteration = iterationOf(req)
	name = req.URL.Query().Get("platform")
	if flavor := req.URL.Query().Get("flavor"); flavor != "" {
		name += "." + flavor
	}
	return iteration, canonical(name)
}

func iterationOf(req *http.Request) string {
	parts := strings.Split(req.URL.Path, "/")
	return parts[len(parts)-2]
}

// canonical is an export's name as the archive has it.
func canonical(name string) string {
	platform, flavor, _ := strings.Cut(name, ".")
	key, err := archive.NewKey(zeroID, zeroID, platform, flavor)
	if err != nil {
		return name
	}
	return key.String()
}

const zeroID = "00000000-0000-0000-0000-000000000000"

func nameOfExport(e emulator.ExportView) string {
	if e.Flavor == "" {
		return canonical(e.Platform)
	}
	return canonical(e.Platform + "." + e.Flavor)
}

func samePlatform(name string, e emulator.ExportView) bool {
	platform, _, _ := strings.Cut(name, ".")
	return strings.EqualFold(platform, e.Platform)
}

func (j *judge) archived(iteration, name string) bool {
	return slices.ContainsFunc(j.Backups(j.project, ""), func(b archive.Backup) bool {
		return b.Iteration == iteration && b.Key.String() == name && b.Verdict.Counts()
	})
}

// secured reports whether an export is archived, never can be, or couldn't for so
// long that its platform is free.
func (j *judge) secured(iteration, name string) bool {
	c := j.condition(iteration, name)
	return j.archived(iteration, name) || c.Final() || c.Code != "" && j.Service.Now().Sub(c.First) >= stuckAfter
}

// condition is that of an export; the zero value where it has none.
func (j *judge) condition(iteration, name string) state.Condition {
	remembered := j.Remembered(j.project)
	if c := remembered.Condition(state.Scope{Iteration: iteration, Export: name}); c != nil {
		return *c
	}
	return state.Condition{}
}

// look holds the archive against its past and against what the service made, and
// fails the test if anything was found so far.
func (j *judge) look() {
	j.t.Helper()
	now := j.list(j.Containers.Archive)
	for name, before := range j.kept {
		if now[name] != before {
			j.find("archived blob %s was %v and is %v", name, before, now[name])
		}
	}
	if len(now) > len(j.kept) {
		j.learnTruth()
		for _, b := range j.Backups(j.project, "") {
			if _, judged := j.kept[b.Proof]; b.Verdict.Counts() && !judged && !j.genuine(b) {
				j.find("%s counts, but it is not what the service exported", b.Blob)
			}
		}
	}
	j.kept = now
	j.remember()
	if len(j.violations) > 0 {
		j.t.Fatalf("%s", strings.Join(j.violations, "\n"))
	}
}

// remember takes in what the app remembers of the project's name, of what it asked for and
// of its failures: none becomes younger.
func (j *judge) remember() {
	remembered := j.Remembered(j.project)
	j.named = j.named || remembered.Name != ""
	for s := range j.asked {
		wanted := s.Export == "" || slices.ContainsFunc(j.completed(), func(it emulator.IterationView) bool { return it.ID == s.Iteration && j.wanted(it) })
		if (j.outside() || !wanted) && remembered.Condition(s) == nil {
			delete(j.asked, s) // the pauses are forgotten
		}
	}
	for id, it := range remembered.Iterations {
		switch before, known := j.ended[id]; {
		case it.Ended.IsZero():
		case !known:
			j.ended[id] = it.Ended
		case it.Ended.After(before):
			j.find("failure %s was at %s and is remembered as of %s", id, before, it.Ended)
		}
	}
}

// learnTruth reads the packages that the service made, from its own storage.
func (j *judge) learnTruth() {
	for name, b := range j.list(j.packages) {
		iteration, export, _ := strings.Cut(strings.TrimSuffix(name, ".zip"), ".")
		key, err := archive.NewKey(j.project, iteration, platformOf(export), flavorOf(export))
		j.must(err)
		j.truth[key.Iteration+" "+key.String()] = j.hash(j.packages, name, b.etag)
	}
}

// genuine tells that a backup has the very bytes that the service made of that
// export. A service that calls the default by its name is as right. One that names
// no flavor leaves nothing to tell two flavors by once the iteration is deleted, or
// where the service isn't asked: then one of them counts as the default.
func (j *judge) genuine(b archive.Backup) bool {
	hash := j.hash(j.Containers.Archive, b.Blob, b.ETag)
	untold := j.noAPI || !slices.ContainsFunc(j.iterations(), func(it emulator.IterationView) bool { return it.ID == b.Iteration })
	for id, made := range j.truth {
		iteration, name, _ := strings.Cut(id, " ")
		if made != hash || iteration != b.Iteration || platformOf(name) != b.Platform {
			continue
		}
		switch naming := j.answers[emulator.ManifestFlavor]; {
		case flavorOf(name) == b.Flavor, naming == "named" && flavorOf(name) == "", naming == "null" && untold && b.Flavor == "":
			return true
		}
	}
	return false
}

// purse is what a judge knows of what trainings cost, and of what makes one worth it.
type purse struct {
	paid      []payment
	saw       map[string]int // how many tagged images each training saw
	tagged    int            // images, now
	answering bool           // the training that is asked for answers a failure
}

// payment is a training that began, whoever began it.
type payment struct {
	iteration string
	app       bool // began it
	at        time.Time
	minutes   int
}

// priceOf is what a training that is asked for costs at most, in minutes.
func priceOf(req *http.Request) int {
	if req.URL.Query().Get("trainingType") != "Advanced" {
		return int(world.TrainTime / time.Minute)
	}
	hours, _ := strconv.Atoi(req.URL.Query().Get("reservedBudgetInHours"))
	return 60 * hours
}

// pay notes that a training began.
func (j *judge) pay(iteration string, app bool, minutes int) {
	j.paid = append(j.paid, payment{iteration, app, j.Service.Now(), minutes})
	j.saw[iteration] = j.tagged
}

// afford finds a training that may cost more than is left of the month's hours. What was
// paid before the app's memory was lost, or by a person, it can't know if it is deleted.
func (j *judge) afford(req *http.Request, retrain *policy.Retrain) {
	if retrain.MonthlyBudgetHours == 0 {
		return
	}
	sum, its := priceOf(req), j.iterations()
	for _, p := range j.paid {
		listed := slices.ContainsFunc(its, func(it emulator.IterationView) bool { return it.ID == p.iteration })
		if p.at.After(j.Service.Now().Add(-30*24*time.Hour)) && (listed || p.app && p.at.After(j.lostAt)) {
			sum += p.minutes
		}
	}
	if sum > 60*retrain.MonthlyBudgetHours {
		j.find("a training brings a month's trainings to %d minutes, at most %d hours are allowed", sum, retrain.MonthlyBudgetHours)
	}
}

// isWorthIt reports whether a training is worth it by what the last one saw, and when it
// was. One that was deleted since may have been later.
func (j *judge) isWorthIt(its []emulator.IterationView, retrain *policy.Retrain) bool {
	if len(its) == 0 {
		return retrain.OnImages > 0 && j.tagged >= retrain.OnImages
	}
	last := its[0]
	if last.Status == "Training" {
		return false
	}
	if retrain.OnImages > 0 && j.tagged-j.saw[last.ID] >= retrain.OnImages {
		return true
	}
	began := slices.IndexFunc(j.paid, func(p payment) bool { return p.iteration == last.ID })
	return retrain.OlderThan > 0 && began >= 0 && j.Service.Now().Sub(j.paid[began].at) > time.Duration(retrain.OlderThan)
}

func platformOf(name string) string { p, _, _ := strings.Cut(name, "."); return p }
func flavorOf(name string) string   { _, f, _ := strings.Cut(name, "."); return f }
