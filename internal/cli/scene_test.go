package cli_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/pictures"
	"visionkeeper/dev/pictures/archived"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/state"
)

// domains that projects of the scripts are built on.
var domains = map[string]string{"compact": world.Compact, "general": world.General}

// scene is a world that the program is run against.
type scene struct {
	*world.World
	t     testing.TB
	ended chan struct{}
}

// newScene makes one, and sets the settings. The app's folder, which holds the
// policy, is root.
func newScene(t testing.TB, root string, setenv func(name, value string)) *scene {
	return newSceneAt(t, nil, root, setenv)
}

// newSceneAt makes one at the accounts that these connection strings lead to.
func newSceneAt(t testing.TB, connections func(account string) string, root string, setenv func(name, value string)) *scene {
	w := &scene{t: t, ended: make(chan struct{}), World: world.New(t, world.Options{
		Connections: connections, Emulator: emulator.Options{Bearer: true, ModelSize: 100_000},
	})}
	t.Cleanup(func() { close(w.ended) })
	require.NoError(t, os.WriteFile(filepath.Join(root, "policy.json"), []byte(`{"projects": [{"project": "*", "exports": ["ONNX", "TensorFlow"]}]}`), 0o644))
	setenv("FUNCTIONS_APP_ROOT_PATH", root)
	setenv("GORACE", "atexit_sleep_ms=0") // the race detector makes each program a second longer
	setenv("SWEEP_SCHEDULE", "0 */15 * * * *")
	for name, value := range w.Settings() {
		setenv(name, value)
	}
	return w
}

// project finds a project of the emulated service by its name.
func (w *scene) project(name string) string {
	list, err := w.Client.Projects(context.Background())
	require.NoError(w.t, err)
	for _, p := range list {
		if p.Name == name {
			return p.ID
		}
	}
	require.FailNow(w.t, "no project "+name)
	return ""
}

// newest is a project's last trained iteration.
func (w *scene) newest(project string) string {
	list, err := w.Client.Iterations(context.Background(), project)
	require.NoError(w.t, err)
	var newest customvision.Iteration
	for _, it := range list {
		if it.TrainedAt != nil && (newest.TrainedAt == nil || it.TrainedAt.After(*newest.TrainedAt)) {
			newest = it
		}
	}
	return newest.ID
}

// backups finds an export's packages in the archive, of all iterations.
func (w *scene) backups(export string) []archive.Backup {
	return slices.DeleteFunc(w.Backups("", ""), func(b archive.Backup) bool { return b.Key.String() != export })
}

// backup is the only one of an export.
func (w *scene) backup(export string) archive.Backup {
	list := w.backups(export)
	require.Len(w.t, list, 1)
	return list[0]
}

type sceneKey struct{}

// sceneCommands are what scripts can do besides the program.
var sceneCommands = map[string]func(*testscript.TestScript, bool, []string){
	"session": session,
	// project NAME compact|general [unconnected]
	"project": inScene(func(w *scene, args []string) {
		container, queue := w.Containers.Models.URL(), w.Queue.URL()
		if len(args) > 2 {
			container, queue = "", ""
		}
		_, err := w.Service.CreateProject(args[0], domains[args[1]], container, queue)
		require.NoError(w.t, err)
	}),
	// images PROJECT TAG N: somebody uploads pictures with a new tag
	"images": inScene(func(w *scene, args []string) {
		n, err := strconv.Atoi(args[2])
		require.NoError(w.t, err)
		project := w.project(args[0])
		first, err := w.Client.ImageCount(context.Background(), project, "", customvision.AllImages)
		require.NoError(w.t, err)
		w.AddPictures(project, first, n, w.Tag(project, args[1]))
	}),
	// spoil-saved PROJECT: somebody overwrites a picture in the archive
	"spoil-saved": inScene(func(w *scene, args []string) {
		prefix := "images/" + w.project(args[0]) + "/"
		page, err := w.Containers.Archive.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix}).NextPage(context.Background())
		require.NoError(w.t, err)
		_, err = w.Containers.Archive.NewBlockBlobClient(*page.Segment.BlobItems[0].Name).UploadBuffer(context.Background(), []byte("another"), nil)
		require.NoError(w.t, err)
	}),
	// train PROJECT
	"train": inScene(func(w *scene, args []string) {
		project := w.project(args[0])
		iteration, err := w.Service.Train(project)
		require.NoError(w.t, err)
		w.Eventually("the training ends", func() bool {
			it, err := w.Client.Iteration(context.Background(), project, iteration)
			return err == nil && it.Status != customvision.StatusTraining
		})
	}),
	// quality HOW-WELL: that the trainings to come predict, between 0 and 1
	"quality": inScene(func(w *scene, args []string) {
		quality, err := strconv.ParseFloat(args[0], 64)
		require.NoError(w.t, err)
		w.Service.SetQuality(quality)
	}),
	// holdout CONTAINER N TAG…: somebody puts pictures that show tags in turn into a container
	"holdout": inScene(func(w *scene, args []string) {
		n, err := strconv.Atoi(args[1])
		require.NoError(w.t, err)
		w.Names.HoldOut = args[0]
		w.HoldOutPictures(n, args[2:]...)
	}),
	// export PROJECT PLATFORM [FLAVOR]: of the newest iteration
	"export": inScene(func(w *scene, args []string) {
		project := w.project(args[0])
		iteration := w.newest(project)
		flavor := append(args, "")[2]
		require.NoError(w.t, w.Service.Export(project, iteration, args[1], flavor))
		w.Exported(project, iteration)
	}),
	// stall N: the next exports run on
	"stall": inScene(func(w *scene, args []string) {
		n, err := strconv.Atoi(args[0])
		require.NoError(w.t, err)
		w.Service.StallExports(n)
	}),
	// finish: whatever runs at the service ends
	"finish": inScene(func(w *scene, _ []string) { w.Service.FinishNow(emulator.Scope{}) }),
	// answer QUESTION ANSWER
	"answer": inScene(func(w *scene, args []string) {
		require.NoError(w.t, w.Service.Answer(emulator.Question(args[0]), args[1]))
	}),
	// condition PROJECT EXPORT CODE: an export of the newest iteration is done, and
	// couldn't be archived
	"condition": inScene(func(w *scene, args []string) {
		id := w.project(args[0])
		record, err := w.State.Load(context.Background(), id)
		require.NoError(w.t, err)
		c := state.Condition{
			Scope: state.Scope{Iteration: w.newest(id), Export: args[1]}, Code: state.Code(args[2]), Why: "the test says so",
			First: time.Now(), Last: time.Now(), Attempts: 1, Unproven: true,
		}
		if c.Code == state.Overwritten || c.Code == state.Damaged {
			c.On = state.Sight{Blobs: "the blob"}
		} else {
			c.Next = time.Now().Add(time.Hour)
		}
		require.NoError(w.t, w.State.Update(context.Background(), record, func(p *state.Project) error { p.Note(c); return nil }))
	}),
	// told PROJECT: the app has begun to tell a queue what happens
	"told": inScene(func(w *scene, args []string) {
		record, err := w.State.Load(context.Background(), w.project(args[0]))
		require.NoError(w.t, err)
		require.NoError(w.t, w.State.Update(context.Background(), record, func(p *state.Project) error {
			p.Events([]string{"queue"}, record.Seen)
			return nil
		}))
	}),
	// gave-up PROJECT: the destination of the project's first event didn't take it for a week
	"gave-up": inScene(func(w *scene, args []string) {
		record, err := w.State.Load(context.Background(), w.project(args[0]))
		require.NoError(w.t, err)
		require.NoError(w.t, w.State.Update(context.Background(), record, func(p *state.Project) error {
			p.Outbox.Events[0].GiveUp("queue")
			return nil
		}))
	}),
	// domain PROJECT compact|general: somebody changes it
	"domain": inScene(func(w *scene, args []string) {
		p, err := w.Client.Project(context.Background(), w.project(args[0]))
		require.NoError(w.t, err)
		p.Settings.DomainID = domains[args[1]]
		_, err = w.Client.UpdateProject(context.Background(), p.ID, p)
		require.NoError(w.t, err)
	}),
	// refuses OPERATION STATUS CODE: Custom Vision answers so, once
	"refuses": inScene(func(w *scene, args []string) {
		status, err := strconv.Atoi(args[1])
		require.NoError(w.t, err)
		require.NoError(w.t, w.Service.FaultCalls(args[0], 1, emulator.CallFault{Status: status, Code: args[2]}))
	}),
	// fail-import: the next import fails
	"fail-import": inScene(func(w *scene, _ []string) { w.Service.FailImports(1) }),
	// fail PROJECT: a training that fails
	"fail": inScene(func(w *scene, args []string) {
		w.Service.FailTrainings(1)
		_, err := w.Service.Train(w.project(args[0]))
		require.NoError(w.t, err)
		w.Eventually("the training fails", func() bool {
			list, err := w.Client.Iterations(context.Background(), w.project(args[0]))
			return err == nil && slices.ContainsFunc(list, func(it customvision.Iteration) bool { return it.Status == customvision.StatusFailed })
		})
	}),
	// swept ERROR: the app has made a sweep in which something couldn't be done
	"swept": inScene(func(w *scene, args []string) {
		require.NoError(w.t, w.State.SetHealth(context.Background(), state.Health{Ended: time.Now(), Projects: 3, Covered: 2, Failed: 1, Errors: args}))
	}),
	// policy TEXT: somebody writes one into the state container by hand
	"policy": inScene(func(w *scene, args []string) {
		require.NoError(w.t, w.State.SetPolicy(context.Background(), []byte(args[0])))
	}),
	// off: Custom Vision is gone
	"off": inScene(func(w *scene, _ []string) { w.Retire() }),
	// no-state: everything but the archive is lost
	"no-state": inScene(func(w *scene, _ []string) {
		_, err := w.Containers.State.Delete(context.Background(), nil)
		require.NoError(w.t, err)
	}),
	// damage EXPORT: somebody overwrites a package
	"damage": inScene(func(w *scene, args []string) {
		b := w.backup(args[0])
		client := w.Containers.Archive.NewBlockBlobClient(b.Blob)
		_, err := client.UploadBuffer(context.Background(), make([]byte, b.Size), nil)
		require.NoError(w.t, err)
	}),
	// lose EXPORT [proof]: a package, or its proof, is deleted
	"lose": inScene(func(w *scene, args []string) {
		b := w.backup(args[0])
		name := b.Blob
		if len(args) > 1 {
			name = b.Proof
		}
		_, err := w.Containers.Archive.NewBlobClient(name).Delete(context.Background(), nil)
		require.NoError(w.t, err)
	}),
	// forge EXPORT: somebody changes a proof
	"forge": inScene(func(w *scene, args []string) {
		client := w.Containers.Archive.NewBlockBlobClient(w.backup(args[0]).Proof)
		got, err := client.DownloadStream(context.Background(), nil)
		require.NoError(w.t, err)
		defer got.Body.Close()
		text, err := io.ReadAll(got.Body)
		require.NoError(w.t, err)
		_, err = client.UploadBuffer(context.Background(), bytes.Replace(text, []byte("Demo kitchen"), []byte("Demo kitten_"), 1), nil)
		require.NoError(w.t, err)
	}),
	// stray EXPORT: what lay in the model container as this export is another one
	"stray": inScene(func(w *scene, args []string) {
		b := w.backup("ONNX")
		key, err := archive.NewKey(b.Project, b.Iteration, args[0], "")
		require.NoError(w.t, err)
		source := archive.Source{Name: "stray", Open: func(ctx context.Context) (io.ReadCloser, error) {
			got, err := w.Containers.Archive.NewBlobClient(b.Blob).DownloadStream(ctx, nil)
			return got.Body, err
		}}
		id, err := w.Archive.Identify(context.Background(), source)
		require.NoError(w.t, err)
		copied, err := w.Archive.Copy(context.Background(), key, source, id)
		require.NoError(w.t, err)
		_, err = w.Archive.Verify(context.Background(), copied, archive.Facts{ProjectName: "Demo kitchen", IterationName: "Iteration 1"})
		require.NoError(w.t, err)
	}),
	// lay NAME TEXT: somebody writes a blob into the model container; ITERATION in its name
	// is the only project's newest, as Custom Vision names its exports
	"lay": inScene(func(w *scene, args []string) {
		name := args[0]
		if strings.Contains(name, "ITERATION") {
			list, err := w.Client.Projects(context.Background())
			require.NoError(w.t, err)
			name = strings.Replace(name, "ITERATION", list[0].ID+" - "+w.newest(list[0].ID), 1)
		}
		_, err := w.Containers.Models.NewBlockBlobClient(name).UploadBuffer(context.Background(), []byte(args[1]), nil)
		require.NoError(w.t, err)
	}),
	// steer-project: one whose name steers a terminal
	"steer-project": inScene(func(w *scene, _ []string) {
		_, err := w.Service.CreateProject("evil\x1b[2J\u202e", world.Compact, "", "")
		require.NoError(w.t, err)
	}),
	// by-id PROJECT FILE: a policy with a rule for its id, and one for its name
	"by-id": func(ts *testscript.TestScript, _ bool, args []string) {
		w := ts.Value(sceneKey{}).(*scene)
		text, err := json.Marshal(map[string]any{"projects": []map[string]any{{"project": args[0]}, {"project": w.project(args[0]), "exports": []string{"ONNX"}}}})
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o644))
	},
	// rest EXPORT: its packages, of all iterations, are moved to the Archive tier
	"rest": inScene(func(w *scene, args []string) {
		for _, b := range w.backups(args[0]) {
			client := w.Containers.Archive.NewBlobClient(b.Blob)
			_, err := client.SetTier(context.Background(), blob.AccessTierArchive, nil)
			require.NoError(w.t, err)
		}
	}),
	// archived NAME KIND [ITERATION]: the archive has the data set of a project, or as an
	// iteration saw it
	"archived": inScene(func(w *scene, args []string) {
		require.NoError(w.t, archivedSet(args...).Put(context.Background(), w.Containers.Archive))
	}),
	// archived-incomplete NAME KIND: a data set of which something is missing
	"archived-incomplete": inScene(func(w *scene, args []string) {
		set := archivedSet(args...)
		set.Proof.Verdict, set.Proof.Note = dataset.Incomplete, "1 image could not be read"
		require.NoError(w.t, set.Put(context.Background(), w.Containers.Archive))
	}),
	// damage-snapshot NAME KIND: its lines are others
	"damage-snapshot": inScene(func(w *scene, args []string) {
		set := archivedSet(args...)
		_, err := w.Containers.Archive.NewBlockBlobClient(set.Proof.Blob).UploadBuffer(context.Background(), append(set.Lines, '\n'), nil)
		require.NoError(w.t, err)
	}),
	// lose-picture NAME KIND N: the archive has the n-th picture of that set no more
	"lose-picture": inScene(func(w *scene, args []string) {
		_, err := w.picture(args).Delete(context.Background(), nil)
		require.NoError(w.t, err)
	}),
	// spoil-picture NAME KIND N: its bytes are others
	"spoil-picture": inScene(func(w *scene, args []string) {
		_, err := w.picture(args).UploadBuffer(context.Background(), []byte("spoilt"), nil)
		require.NoError(w.t, err)
	}),
	// rest-picture NAME KIND N: it rests in the Archive tier
	"rest-picture": inScene(func(w *scene, args []string) {
		_, err := w.picture(args).SetTier(context.Background(), blob.AccessTierArchive, nil)
		require.NoError(w.t, err)
	}),
	// letter TEXT REASON: the app has buried a message
	"letter": inScene(func(w *scene, args []string) {
		_, err := w.State.Bury(context.Background(), []byte(args[0]), args[1], time.Now().UTC())
		require.NoError(w.t, err)
	}),
	// bytes-letter HEX REASON: the same with any bytes
	"bytes-letter": inScene(func(w *scene, args []string) {
		raw, err := hex.DecodeString(args[0])
		require.NoError(w.t, err)
		_, err = w.State.Bury(context.Background(), raw, args[1], time.Now().UTC())
		require.NoError(w.t, err)
	}),
	// queued TEXT: takes the next message off the queue, which is this one exactly
	"queued": inScene(func(w *scene, args []string) {
		got, err := w.Queue.DequeueMessage(context.Background(), nil)
		require.NoError(w.t, err)
		require.Len(w.t, got.Messages, 1)
		require.Equal(w.t, args[0], *got.Messages[0].MessageText)
		_, err = w.Queue.DeleteMessage(context.Background(), *got.Messages[0].MessageID, *got.Messages[0].PopReceipt, nil)
		require.NoError(w.t, err)
	}),
	// mend QUESTION ANSWER: answers so as soon as the service has refused something
	"mend": inScene(func(w *scene, args []string) {
		w.once(http.StatusBadRequest, func() { w.Service.Answer(emulator.Question(args[0]), args[1]) })
	}),
	// app-takes-test PROJECT: the test message never shows on the queue, but the
	// running app notes that it came
	"app-takes-test": inScene(func(w *scene, args []string) {
		id := w.project(args[0])
		require.NoError(w.t, w.Service.FaultNotifications(1, emulator.Drop, 0))
		w.once(http.StatusOK, func() {
			record, err := w.State.Load(context.Background(), id)
			if err == nil {
				now := time.Now()
				err = w.State.Update(context.Background(), record, func(p *state.Project) error { p.ConnectionTest = &now; return nil })
			}
			assert.NoError(w.t, err)
		})
	}),
	// settings-file FILE: a local.settings.json with all settings
	"settings-file": func(ts *testscript.TestScript, _ bool, args []string) {
		values := map[string]string{}
		for _, name := range []string{
			"NOTIFICATION_QUEUE", "MODEL_CONTAINER", "ARCHIVE_CONTAINER", "STATE_CONTAINER",
			"AzureWebJobsStorage", "SWEEP_SCHEDULE", "CustomVisionStorage", "ArchiveStorage", "CUSTOMVISION_ENDPOINT", "CUSTOMVISION_KEY",
		} {
			values[name] = ts.Getenv(name)
		}
		text, err := json.Marshal(map[string]any{"IsEncrypted": false, "Values": values})
		ts.Check(err)
		ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[0])), 0o755))
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o600))
	},
	// settings-of PROJECT FILE: all that the service tells of it, but for the
	// storage URIs and the time of the last change
	"settings-of": func(ts *testscript.TestScript, _ bool, args []string) {
		w := ts.Value(sceneKey{}).(*scene)
		p, err := w.Client.Project(context.Background(), w.project(args[0]))
		ts.Check(err)
		p.Settings.NotificationQueueURI, p.Settings.ExportModelContainerURI, p.LastModified = "", "", time.Time{}
		text, err := json.MarshalIndent(p, "", "  ")
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o644))
	},
}

// archivedSet is a data set by the name of its project, what its models do, and the
// iteration that saw it.
func archivedSet(args ...string) archived.Set {
	set := pictures.New(1, pictures.Kind(args[1]), 40, "Fork", "Knife", "Spoon")
	set.Name = args[0]
	if len(args) < 3 {
		return archived.New(set, nil)
	}
	set.Images = set.Images[:20] // there were fewer then
	return archived.New(set, &pictures.Iteration{ID: "0a1b2c3d-0000-4000-8000-000000000001", Name: args[2]})
}

// picture is the blob of the n-th picture of a set.
func (w *scene) picture(args []string) *blockblob.Client {
	n, err := strconv.Atoi(args[2])
	require.NoError(w.t, err)
	set := archivedSet(args[:2]...)
	return w.Containers.Archive.NewBlockBlobClient(dataset.ImageBlob(set.Project, archived.File(set.Images[n]).SHA256))
}

// once calls do as soon as the service has answered an update or a creation so.
func (w *scene) once(status int, do func()) {
	before := len(w.Service.Requests())
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-w.ended:
				return
			}
			for _, r := range w.Service.Requests()[before:] {
				if r.Status == status && (r.Method == http.MethodPatch || r.Method == http.MethodPost) {
					do()
					return
				}
			}
		}
	}()
}

// inScene makes a script command of what is done to the world.
func inScene(do func(*scene, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) { do(ts.Value(sceneKey{}).(*scene), args) }
}
