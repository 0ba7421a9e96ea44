package functions_test

import (
	"encoding/base64"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/twin"
)

// outcomes is what each fault of each operation comes to. The faults spoil one
// request, the first of its kind or the one whose number stands behind it, but for
// "always", which answers 500 to that one and to all that follow in the first run.
// A story's name stands before its colon; see storyOf for the others.
//
//	ok      made good within the run, or by the sweep after it
//	again   the run fails, the message comes again, the next run does the rest
//	block   postponed, with the reason and the next try in the state
//	bury    kept as a dead letter with the reason; the sweep does the work
//	later   the message stays in the poison queue, hidden until its time is up
//	-       not applicable: these answers have no hash, or no body
const outcomes = `
                           429    wait   500    503    reset  slow   cut    short  flip   head   401    404    409    412    lost   always
GetProject                 ok     ok     ok     ok     ok     ok     ok     again  -      -      again  again  again  again  ok     again
GetIterations              ok     ok     ok     ok     ok     ok     ok     again  -      -      again  again  again  again  ok     again
GetExports                 ok     ok     ok     ok     ok     ok     ok     again  -      -      again  again  again  again  ok     again
GetTags                    ok     ok     ok     ok     ok     ok     ok     again  -      -      again  ok     ok     ok     ok     again
GetDomain                  ok     ok     ok     ok     ok     ok     ok     again  -      -      again  ok     ok     ok     ok     again
GetIterationPerformance    ok     ok     ok     ok     ok     ok     ok     again  -      -      again  ok     ok     ok     ok     again
state GET                  ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     again  ok     again  again  ok     again
state PUT                  ok     ok     ok     ok     ok     ok     ok     ok     -      -      again  again  ok     ok     ok     again
archive list               ok     ok     ok     ok     ok     again  ok     again  -      -      again  again  again  again  ok     again
source GET                 ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     again
copy                       ok     ok     ok     ok     ok     again  ok     ok     -      -      ok     ok     ok     ok     ok     again
archive GET                ok     ok     ok     ok     ok     again  ok     again  again  again  again  again  again  again  ok     again
proof PUT                  ok     ok     ok     ok     ok     again  ok     ok     -      -      again  again  again  again  ok     again
proof GET                  ok     ok     ok     ok     ok     again  ok     again  again  again  again  again  again  again  ok     again
download: source GET       ok     ok     ok     ok     ok     again  ok     ok     ok     ok     again  block  again  again  ok     again
download: copy             ok     ok     ok     ok     ok     again  ok     ok     -      -      ok     ok     ok     ok     ok     again
pair: copy 2               ok     ok     ok     ok     ok     again  ok     ok     -      -      ok     ok     ok     ok     ok     again
pair: proof PUT 2          ok     ok     ok     ok     ok     again  ok     ok     -      -      again  again  again  again  ok     again
blocklist GET              ok     ok     ok     ok     ok     again  ok     ok     -      -      ok     ok     ok     ok     ok     again
block PUT                  ok     ok     ok     ok     ok     again  ok     ok     -      -      ok     ok     ok     ok     ok     again
block PUT 2                ok     ok     ok     ok     ok     again  ok     ok     -      -      ok     ok     ok     ok     ok     again
blocklist PUT              ok     ok     ok     ok     ok     again  ok     ok     -      -      ok     ok     ok     ok     ok     again
blocks: archive list 2     ok     ok     ok     ok     ok     again  ok     again  -      -      again  again  again  again  ok     again
GetArtifact                ok     ok     ok     ok     ok     again  again  again  ok     ok     again  again  again  again  ok     again
artifact: GetArtifact 2    ok     ok     ok     ok     ok     again  again  again  again  again  again  again  again  again  ok     again
archive PUT                ok     ok     ok     ok     ok     again  ok     ok     -      -      again  again  again  again  ok     again
ExportIteration            ok     ok     again  again  again  again  again  again  -      -      again  block  block  block  again  again
export: state GET          ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     again  ok     again  again  ok     again
export: state PUT          ok     ok     ok     ok     ok     ok     ok     ok     -      -      again  again  ok     ok     ok     again
export: state PUT 2        ok     ok     ok     ok     ok     ok     ok     ok     -      -      again  again  ok     ok     ok     again
TrainProject               ok     ok     again  again  again  again  again  again  -      -      again  block  block  block  again  again
retrain: state GET         ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     again  ok     again  again  ok     again
retrain: state PUT         ok     ok     ok     ok     ok     ok     ok     ok     -      -      again  again  ok     ok     ok     again
retrain: state PUT 2       ok     ok     ok     ok     ok     ok     ok     ok     -      -      again  again  ok     ok     ok     again
GetImageCount              ok     ok     ok     ok     ok     ok     ok     again  -      -      again  block  block  block  ok     again
worth: GetImageCount 2     ok     ok     ok     ok     ok     ok     ok     again  -      -      again  block  block  block  ok     again
worth: TrainProject        ok     ok     again  again  again  again  again  again  -      -      again  block  block  block  again  again
worth: state PUT           ok     ok     ok     ok     ok     ok     ok     ok     -      -      again  again  ok     ok     ok     again
DeleteIteration            ok     ok     again  again  again  again  again  ok     -      -      again  block  block  block  again  again
GetIteration               ok     ok     ok     ok     ok     ok     ok     again  -      -      again  again  again  again  ok     again
room: archive list 2       ok     ok     ok     ok     ok     again  ok     again  -      -      again  again  again  again  ok     again
archive HEAD               ok     ok     ok     ok     ok     again  again  block  -      -      again  block  again  again  ok     again
room: proof GET            ok     ok     ok     ok     ok     again  ok     block  block  block  again  block  again  again  ok     again
tombstone PUT              ok     ok     ok     ok     ok     again  ok     ok     -      -      again  again  again  again  ok     again
tombstone GET              ok     ok     ok     ok     ok     again  ok     again  again  again  again  again  again  again  ok     again
room: tombstone PUT 2      ok     ok     ok     ok     ok     again  ok     ok     -      -      again  again  again  again  ok     again
room: state PUT            ok     ok     ok     ok     ok     ok     ok     ok     -      -      again  again  ok     ok     ok     again
room: state PUT 2          ok     ok     ok     ok     ok     ok     ok     ok     -      -      again  again  ok     ok     ok     again
PublishIteration           ok     ok     again  again  again  again  again  again  -      -      again  block  block  block  again  again
promote: PublishIteration 2  ok     ok     again  again  again  again  again  again  -      -      again  block  block  block  again  again
UnpublishIteration         ok     ok     again  again  again  ok     ok     ok     -      -      again  block  block  block  ok     again
promote: GetIterationPerformance 2  ok     ok     ok     ok     ok     ok     ok     again  -      -      again  block  block  block  ok     again
promote: state PUT         ok     ok     ok     ok     ok     ok     ok     ok     -      -      again  again  ok     ok     ok     again
promote: state PUT 2       ok     ok     ok     ok     ok     ok     ok     ok     -      -      again  again  ok     ok     ok     again
ExportProject              ok     ok     ok     ok     ok     ok     ok     again  -      -      again  block  block  block  ok     again
ImportProject              ok     ok     again  again  again  again  again  again  -      -      again  block  block  block  again  again
UpdateProject              ok     ok     ok     ok     ok     again  again  again  -      -      again  block  block  block  ok     again
GetDomains                 ok     ok     ok     ok     ok     ok     ok     again  -      -      again  again  again  again  ok     again
twin: GetProject           ok     ok     ok     ok     ok     ok     ok     again  -      -      again  again  again  again  ok     again
twin: GetIterations        ok     ok     ok     ok     ok     ok     ok     again  -      -      again  again  again  again  ok     again
twin: TrainProject         ok     ok     again  again  again  again  again  again  -      -      again  block  block  block  again  again
twin: state PUT            ok     ok     ok     ok     ok     ok     ok     ok     -      -      again  again  ok     ok     ok     again
twin: state PUT 2          ok     ok     ok     ok     ok     ok     ok     ok     -      -      again  again  ok     ok     ok     again
twin: state PUT 3          ok     ok     ok     ok     ok     ok     ok     ok     -      -      again  again  ok     ok     ok     again
untwin: GetIteration       ok     ok     ok     ok     ok     ok     ok     again  -      -      again  again  again  again  ok     again
untwin: GetIterationPerformance  ok     ok     ok     ok     ok     ok     ok     again  -      -      again  block  block  block  ok     again
twin PUT                   ok     ok     ok     ok     ok     ok     ok     ok     -      -      again  again  again  again  ok     again
twin GET                   ok     ok     ok     ok     ok     again  ok     again  again  again  again  again  again  again  ok     again
DeleteProject              ok     ok     again  again  again  again  again  ok     -      -      again  block  block  block  again  again
untwin: state PUT 3        ok     ok     ok     ok     ok     ok     ok     ok     -      -      again  again  ok     ok     ok     again
QuickTestImage             ok     ok     again  again  again  again  again  again  -      -      again  block  block  block  again  again
held: QuickTestImage 2     ok     ok     again  again  again  ok     again  again  -      -      again  block  block  block  again  again
hold-out list              ok     ok     ok     ok     ok     again  ok     again  -      -      again  ok     again  again  ok     again
hold-out GET               ok     ok     ok     ok     ok     again  ok     again  again  again  again  again  again  again  ok     again
hold-out GET 3             ok     ok     ok     ok     ok     ok     ok     again  again  again  again  again  again  again  ok     again
held: GetTags 2            ok     ok     ok     ok     ok     again  ok     again  -      -      again  again  again  again  ok     again
held: state PUT            ok     ok     ok     ok     ok     ok     ok     ok     -      -      again  again  ok     ok     ok     again
held: state PUT 2          ok     ok     ok     ok     ok     again  ok     ok     -      -      again  again  ok     ok     ok     again
GetProjects                ok     ok     ok     ok     ok     ok     ok     again  -      -      again  again  again  again  ok     again
model list                 ok     ok     ok     ok     ok     ok     ok     again  -      -      again  again  again  again  ok     again
state list                 ok     ok     ok     ok     ok     ok     ok     again  -      -      again  again  again  again  ok     again
health GET                 ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     again  ok     again  again  ok     again
sweep: health GET 2        ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     again  ok     again  again  ok     again
health PUT                 ok     ok     ok     ok     ok     ok     ok     ok     -      -      again  again  ok     ok     ok     again
poison receive             ok     ok     ok     ok     ok     later  later  later  -      -      again  again  again  again  later  again
sweep: poison receive 2    ok     ok     ok     ok     ok     ok     ok     again  -      -      again  again  again  again  ok     again
poison delete              ok     ok     ok     ok     ok     ok     ok     ok     -      -      later  later  later  later  ok     later
dead letter PUT            ok     ok     ok     ok     ok     ok     ok     ok     -      -      later  later  later  later  ok     later
dead letter GET            ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     later  later  later  later  ok     later
buried: dead letter PUT 2  ok     ok     ok     ok     ok     ok     ok     ok     -      -      later  later  ok     ok     ok     later
event POST                 ok     ok     ok     ok     ok     ok     ok     ok     -      -      ok     ok     ok     ok     ok     ok
told: event POST 2         ok     ok     ok     ok     ok     ok     ok     ok     -      -      ok     ok     ok     ok     ok     ok
told: state GET 2          ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     ok
told: state PUT 2          ok     ok     ok     ok     ok     ok     ok     ok     -      -      ok     ok     ok     ok     ok     ok
told: state PUT 3          ok     ok     ok     ok     ok     ok     ok     ok     -      -      ok     ok     ok     ok     ok     ok
told: proof GET            ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     ok
collect: source GET        ok     ok     ok     ok     ok     ok     ok     ok     ok     ok     again  ok     again  again  ok     again
collect: archive GET       ok     ok     ok     ok     ok     again  ok     again  again  again  again  again  again  again  ok     again
collect: proof PUT         ok     ok     ok     ok     ok     again  ok     ok     -      -      again  again  again  again  ok     again
collect: state PUT         ok     ok     ok     ok     ok     ok     ok     ok     -      -      again  again  ok     ok     ok     again
`

// faults by their name in the table.
var faults = map[string]world.Fault{
	"429": world.Refuse(429), "wait": world.Throttle(time.Second), "500": world.Refuse(500), "503": world.Refuse(503), "always": world.Refuse(500),
	"401": world.Refuse(401), "404": world.Refuse(404), "409": world.Refuse(409), "412": world.Refuse(412),
	"reset": world.Break, "lost": world.Lose, "slow": world.Slow, "cut": world.Cut, "short": world.Short, "flip": world.Flip, "head": flippedHead,
}

// story leads the app to an operation.
type story struct {
	setting setting
	begin   func(*app) customvision.Notification // before the faults
	meets   func(*app, string)                   // hears of every operation, before it is done
	sweeps  bool                                 // its first run is a sweep, not a message
	after   int                                  // sweeps after the first run; two where it is 0
	open    bool                                 // no completed iteration is there to be settled
	cut     bool                                 // what is slow may be cut by the deadline, and that is no failure
}

const (
	onnx      = `{"projects":[{"project":"*","exports":["ONNX"]}]}`
	kept      = `{"projects":[{"project":"*","exports":["ONNX"],"keep":1}]}`
	promoted  = `{"projects":[{"project":"*","promote":{"name":"production","predictionId":"/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/a","perTag":false,"notWorseBy":1}}]}`
	doubled   = `{"projects":[{"project":"*","exports":["ONNX"],"twin":{}}]}`
	heldOut   = `{"projects":[{"project":"*","promote":{"name":"production","predictionId":"/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/a","holdOut":"HOLDOUT"}}]}`
	retrained = `{"projects":[{"project":"*","retrain":{"afterFailure":1}}]}`
	worthIt   = `{"projects":[{"project":"*","retrain":{"onImages":1,"monthlyBudgetHours":4}}]}`
)

// exported is a project whose export a person has made.
func exported(w *app) customvision.Notification {
	it := w.train()
	w.export(it)
	return customvision.Notification{Kind: customvision.KindExport, ProjectID: w.project, IterationID: it,
		ExportStatus: customvision.NotifiedExportCompleted, ModelURI: w.Containers.Models.URL()}
}

// exportedTwice is one with exports of two platforms.
func exportedTwice(w *app) customvision.Notification {
	n := exported(w)
	require.NoError(w.t, w.Service.Export(w.project, n.IterationID, "TensorFlow", ""))
	w.Service.Advance(world.ExportTime)
	return n
}

func trained(w *app) customvision.Notification {
	return customvision.Notification{Kind: customvision.KindTraining, ProjectID: w.project, IterationID: w.train(), TrainingStatus: customvision.NotifiedTrainingCompleted}
}

// twinned is a project whose model can't be exported, and of which a person wants a twin.
func twinned(w *app) customvision.Notification {
	p, err := w.Client.Project(w.t.Context(), w.project)
	require.NoError(w.t, err)
	p.Settings.DomainID = world.General
	p, err = w.Client.UpdateProject(w.t.Context(), w.project, p)
	require.NoError(w.t, err)
	w.Service.Advance(time.Minute)
	w.train()
	w.Service.Advance(time.Minute)
	maker := &twin.Maker{Options: w.options}
	takes, err := maker.Takes(w.t.Context(), p)
	require.NoError(w.t, err)
	require.NoError(w.t, maker.Begin(w.t.Context(), p, takes))
	return customvision.Notification{}
}

// twinnedAndExported is one whose twin is only to be archived and deleted.
func twinnedAndExported(w *app) customvision.Notification {
	n := twinned(w)
	for range 2 {
		require.NoError(w.t, w.sweep(w.t.Context()))
		w.Service.Advance(world.TrainTime)
	}
	return n
}

// twinnedAndWritten is one of which the document is in the archive, and the state doesn't
// know that.
func twinnedAndWritten(w *app) customvision.Notification {
	n := twinnedAndExported(w)
	record, err := w.State.Load(w.t.Context(), w.project)
	require.NoError(w.t, err)
	t := record.Twin
	require.NoError(w.t, w.Archive.PutTwin(w.t.Context(), archive.Twin{
		ID: archive.TwinID(t.Asked, t.Token), Original: archive.Trained{Project: w.project, Iteration: t.Iteration},
	}))
	return n
}

// noNotification is a message that can only become a dead letter.
var noNotification = base64.StdEncoding.EncodeToString([]byte("no notification"))

// exportedAndPoisoned leaves a poison message to the sweep, besides the export.
func exportedAndPoisoned(w *app) customvision.Notification {
	_, err := w.Poison.EnqueueMessage(w.t.Context(), noNotification, nil)
	require.NoError(w.t, err)
	return exported(w)
}

// proven proves what the archive holds before the app does, as another process
// may that archives the same.
func proven(w *app, operation string) {
	if operation != "proof PUT" {
		return
	}
	list, err := w.Archive.Backups(w.t.Context(), "", "")
	assert.NoError(w.t, err)
	for _, b := range list {
		_, err := w.Archive.Verify(w.t.Context(), b, archive.Facts{})
		assert.NoError(w.t, err)
	}
}

func relative() emulator.Options {
	return emulator.Options{Answers: map[emulator.Question]string{emulator.DownloadURI: "relative"}}
}

// inside lets an export's link lead to its blob in the model container.
func inside() emulator.Options {
	return emulator.Options{Answers: map[emulator.Question]string{emulator.DownloadURI: "container"}}
}

var stories = map[string]story{
	"backup":   {setting: setting{policy: onnx, container: true}, begin: exported},
	"told":     {setting: setting{policy: onnx, container: true, told: true}, begin: exported},
	"first":    {setting: setting{policy: onnx, container: true, unknown: true}, begin: exported},
	"pair":     {setting: setting{policy: onnx, container: true}, begin: exportedTwice},
	"raced":    {setting: setting{policy: onnx, container: true}, begin: exported, meets: proven},
	"download": {setting: setting{policy: onnx}, begin: exported},
	"blocks":   {setting: setting{policy: onnx, container: true, archive: archive.Options{SyncCopyLimit: 1, BlockSize: 12_000}}, begin: exported},
	"artifact": {setting: setting{policy: onnx, emulator: relative()}, begin: exported},
	"export":   {setting: setting{policy: onnx, container: true}, begin: trained},
	"retrain": {setting: setting{policy: retrained}, open: true, begin: func(w *app) customvision.Notification {
		w.Service.FailTrainings(1)
		return trained(w)
	}},
	"worth": {setting: setting{policy: worthIt}, sweeps: true, begin: func(w *app) customvision.Notification {
		n := trained(w)
		w.AddPictures(w.project, 0, 1, w.Tag(w.project, "cup"))
		return n
	}},
	"room": {setting: setting{policy: kept, container: true}, sweeps: true, begin: func(w *app) customvision.Notification {
		require.NoError(w.t, w.tell(w.t.Context(), exported(w)))
		n := exported(w)
		require.NoError(w.t, w.tell(w.t.Context(), n))
		return n
	}},
	// The name has to be freed: the service doesn't let it be taken over.
	"promote": {setting: setting{policy: promoted, emulator: emulator.Options{Answers: map[emulator.Question]string{emulator.PublishOverwrite: "fails"}}}, begin: func(w *app) customvision.Notification {
		require.NoError(w.t, w.tell(w.t.Context(), trained(w)))
		return trained(w)
	}},
	"twin":   {setting: setting{policy: doubled}, sweeps: true, open: true, after: 5, begin: twinned},
	"untwin": {setting: setting{policy: doubled}, sweeps: true, open: true, after: 3, begin: twinnedAndExported},
	"retwin": {setting: setting{policy: doubled}, sweeps: true, open: true, after: 3, begin: twinnedAndWritten},
	// The pictures are asked after the sweep's own work.
	"held": {setting: setting{policy: heldOut}, sweeps: true, cut: true, begin: func(w *app) customvision.Notification {
		w.Tag(w.project, "cup")
		w.HoldOutPictures(2, "cup")
		w.PutHoldOut("cup/metadata.jsonl", []byte(`{"file_name":"000.png","labels":["cup"]}`+"\n"+`{"file_name":"001.png","labels":["cup"]}`))
		w.Service.SetQuality(1)
		trained(w)
		require.NoError(w.t, w.sweep(w.t.Context()))
		return trained(w)
	}},
	"sweep": {setting: setting{policy: onnx, container: true}, sweeps: true, begin: exportedAndPoisoned},
	"buried": {setting: setting{policy: onnx, container: true}, sweeps: true, begin: func(w *app) customvision.Notification {
		_, err := w.State.Bury(w.t.Context(), []byte(noNotification), "it came before", w.Service.Now())
		require.NoError(w.t, err)
		return exportedAndPoisoned(w)
	}},
	"collect": {setting: setting{policy: onnx, container: true}, sweeps: true, open: true, begin: func(w *app) customvision.Notification {
		n := exported(w)
		require.NoError(w.t, w.Client.DeleteIteration(w.t.Context(), w.project, n.IterationID))
		return n
	}},
}

// storyOf is the story in which an operation occurs, where the table names none
// and it isn't "backup".
var storyOf = map[string]string{
	"GetProject": "first", "proof GET": "raced", "event POST": "told",
	"blocklist GET": "blocks", "block PUT": "blocks", "blocklist PUT": "blocks",
	"GetArtifact": "artifact", "archive PUT": "artifact",
	"ExportIteration": "export", "TrainProject": "retrain",
	"GetImageCount": "worth", "DeleteIteration": "room", "GetIteration": "room", "archive HEAD": "room", "tombstone PUT": "room", "tombstone GET": "room",
	"ExportProject": "twin", "ImportProject": "twin", "UpdateProject": "twin", "GetDomains": "twin", "DeleteProject": "untwin", "twin PUT": "untwin", "twin GET": "retwin",
	"QuickTestImage": "held", "hold-out list": "held", "hold-out GET": "held",
	"PublishIteration": "promote", "UnpublishIteration": "promote",
	"GetProjects": "sweep", "model list": "sweep", "state list": "sweep", "health GET": "sweep", "health PUT": "sweep",
	"poison receive": "sweep", "poison delete": "sweep", "dead letter PUT": "sweep", "dead letter GET": "buried",
}
