package cli_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/emulator"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
	"visionkeeper/internal/storage"
)

// key is the emulated service's Training-Key: a secret that must never be printed.
const key = "0123456789abcdef-the-training-key"

// domains that projects of the scripts are built on: General (compact) and General.
var domains = map[string]string{
	"compact": "0732100f-1a38-4e49-a514-c9b44c697ab5",
	"general": "ee85a74c-405e-4adc-bb47-ffa8ca0c9f31",
}

// world is what the program is run against: an emulated Custom Vision, and queue
// and containers of its own in the real Azurite.
type world struct {
	t        testing.TB
	service  *emulator.Server
	api      *httptest.Server
	client   *customvision.Client
	archive  *archive.Archive
	state    *state.Store
	queue    *azqueue.QueueClient
	names    map[string]string // queue and containers by setting
	models   *service.Client
	archives *service.Client
	ended    chan struct{}
}

// newWorld makes one, creates queue and containers, and sets the settings. The
// app's folder, which holds the policy, is root.
func newWorld(t testing.TB, root string, setenv func(name, value string)) *world {
	return newWorldAt(t, azuritetest.Start(t).ConnectionString, root, setenv)
}

// newWorldAt makes one at the accounts that these connection strings lead to.
func newWorldAt(t testing.TB, connection func(account string) string, root string, setenv func(name, value string)) *world {
	customer, archives := account(t, connection(azurite.Customer)), account(t, connection(azurite.Archive))
	w := &world{t: t, ended: make(chan struct{}), names: map[string]string{
		"NOTIFICATION_QUEUE": azuritetest.Name("notifications"), "MODEL_CONTAINER": azuritetest.Name("models"),
		"ARCHIVE_CONTAINER": azuritetest.Name("archive"), "STATE_CONTAINER": azuritetest.Name("state"),
	}}
	t.Cleanup(func() { close(w.ended) })
	var err error
	w.service, err = emulator.New(emulator.Options{
		Key: key, Bearer: true, NoValidation: true, ModelSize: 100_000, Storage: customer, ServiceStorage: account(t, connection(azurite.Service)),
	})
	require.NoError(t, err)
	t.Cleanup(w.service.Close)
	w.api = httptest.NewServer(w.service)
	t.Cleanup(w.api.Close)
	w.client, err = customvision.NewClientWithKey(w.api.URL, key, &customvision.ClientOptions{RatePerSecond: -1})
	require.NoError(t, err)

	queues, err := customer.Queue(nil)
	require.NoError(t, err)
	w.queue = queues.NewQueueClient(w.names["NOTIFICATION_QUEUE"])
	w.models, err = customer.Blob(nil)
	require.NoError(t, err)
	w.archives, err = archives.Blob(nil)
	require.NoError(t, err)
	w.archive = archive.Open(w.archives, w.names["ARCHIVE_CONTAINER"], archive.Options{})
	w.state = state.Open(w.archives, w.names["STATE_CONTAINER"])
	_, err = w.queue.Create(context.Background(), nil)
	require.NoError(t, err)
	for client, settings := range map[*service.Client][]string{w.models: {"MODEL_CONTAINER"}, w.archives: {"ARCHIVE_CONTAINER", "STATE_CONTAINER"}} {
		for _, setting := range settings {
			_, err := client.CreateContainer(context.Background(), w.names[setting], nil)
			require.NoError(t, err)
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(root, "policy.json"), []byte(`{"projects": [{"project": "*", "exports": ["ONNX", "TensorFlow"]}]}`), 0o644))
	setenv("FUNCTIONS_APP_ROOT_PATH", root)
	setenv("GORACE", "atexit_sleep_ms=0") // the race detector makes each program a second longer
	for name, value := range w.names {
		setenv(name, value)
	}
	for name, value := range map[string]string{
		"AzureWebJobsStorage":        connection(azurite.Archive),
		"SWEEP_SCHEDULE":             "0 */15 * * * *",
		"CustomVisionStorage":        connection(azurite.Customer),
		"ArchiveStorage":             connection(azurite.Archive),
		"CUSTOMVISION_ENDPOINT":      w.api.URL,
		"CUSTOMVISION_KEY":           key,
		"VISIONKEEPER_LOOK_INTERVAL": "100ms",
	} {
		setenv(name, value)
	}
	return w
}

func account(t testing.TB, connection string) storage.Account {
	a, err := storage.ParseConnectionString(connection)
	require.NoError(t, err)
	return a
}

// project finds a project of the emulated service by its name.
func (w *world) project(name string) string {
	list, err := w.client.Projects(context.Background())
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
func (w *world) newest(project string) string {
	list, err := w.client.Iterations(context.Background(), project)
	require.NoError(w.t, err)
	var newest customvision.Iteration
	for _, it := range list {
		if it.TrainedAt != nil && (newest.TrainedAt == nil || it.TrainedAt.After(*newest.TrainedAt)) {
			newest = it
		}
	}
	return newest.ID
}

// eventually waits for a condition.
func (w *world) eventually(what string, condition func() bool) {
	require.Eventually(w.t, condition, 2*time.Minute, 20*time.Millisecond, what)
}

// backups finds an export's packages in the archive, of all iterations.
func (w *world) backups(export string) []archive.Backup {
	list, err := w.archive.Backups(context.Background(), "", "")
	require.NoError(w.t, err)
	return slices.DeleteFunc(list, func(b archive.Backup) bool { return b.Key.String() != export })
}

// backup is the only one of an export.
func (w *world) backup(export string) archive.Backup {
	list := w.backups(export)
	require.Len(w.t, list, 1)
	return list[0]
}

type worldKey struct{}

// worldCommands are what scripts can do besides the program.
var worldCommands = map[string]func(*testscript.TestScript, bool, []string){
	"session": session,
	// project NAME compact|general [unconnected]
	"project": inWorld(func(w *world, args []string) {
		container, queue := w.models.NewContainerClient(w.names["MODEL_CONTAINER"]).URL(), w.queue.URL()
		if len(args) > 2 {
			container, queue = "", ""
		}
		_, err := w.service.CreateProject(args[0], domains[args[1]], container, queue)
		require.NoError(w.t, err)
	}),
	// train PROJECT
	"train": inWorld(func(w *world, args []string) {
		project := w.project(args[0])
		iteration, err := w.service.Train(project)
		require.NoError(w.t, err)
		w.eventually("the training ends", func() bool {
			it, err := w.client.Iteration(context.Background(), project, iteration)
			return err == nil && it.Status != customvision.StatusTraining
		})
	}),
	// export PROJECT PLATFORM [FLAVOR]: of the newest iteration
	"export": inWorld(func(w *world, args []string) {
		project := w.project(args[0])
		iteration := w.newest(project)
		flavor := append(args, "")[2]
		require.NoError(w.t, w.service.Export(project, iteration, args[1], flavor))
		w.eventually("the export ends", func() bool {
			list, err := w.client.Exports(context.Background(), project, iteration)
			if err != nil {
				return false
			}
			for _, e := range list {
				if e.Status == customvision.ExportExporting {
					return false
				}
			}
			return true
		})
	}),
	// answer QUESTION ANSWER
	"answer": inWorld(func(w *world, args []string) {
		require.NoError(w.t, w.service.Answer(emulator.Question(args[0]), args[1]))
	}),
	// off: Custom Vision is gone
	"off": inWorld(func(w *world, _ []string) { w.api.Close() }),
	// no-state: everything but the archive is lost
	"no-state": inWorld(func(w *world, _ []string) {
		_, err := w.archives.NewContainerClient(w.names["STATE_CONTAINER"]).Delete(context.Background(), nil)
		require.NoError(w.t, err)
	}),
	// damage EXPORT: somebody overwrites a package
	"damage": inWorld(func(w *world, args []string) {
		b := w.backup(args[0])
		client := w.archives.NewContainerClient(w.names["ARCHIVE_CONTAINER"]).NewBlockBlobClient(b.Blob)
		_, err := client.UploadBuffer(context.Background(), make([]byte, b.Size), nil)
		require.NoError(w.t, err)
	}),
	// lose EXPORT [proof]: a package, or its proof, is deleted
	"lose": inWorld(func(w *world, args []string) {
		b := w.backup(args[0])
		name := b.Blob
		if len(args) > 1 {
			name = b.Proof
		}
		_, err := w.archives.NewContainerClient(w.names["ARCHIVE_CONTAINER"]).NewBlobClient(name).Delete(context.Background(), nil)
		require.NoError(w.t, err)
	}),
	// forge EXPORT: somebody changes a proof
	"forge": inWorld(func(w *world, args []string) {
		client := w.archives.NewContainerClient(w.names["ARCHIVE_CONTAINER"]).NewBlockBlobClient(w.backup(args[0]).Proof)
		got, err := client.DownloadStream(context.Background(), nil)
		require.NoError(w.t, err)
		defer got.Body.Close()
		text, err := io.ReadAll(got.Body)
		require.NoError(w.t, err)
		_, err = client.UploadBuffer(context.Background(), bytes.Replace(text, []byte("Demo kitchen"), []byte("Demo kitten_"), 1), nil)
		require.NoError(w.t, err)
	}),
	// stray EXPORT: what lay in the model container as this export is another one
	"stray": inWorld(func(w *world, args []string) {
		b := w.backup("ONNX")
		key, err := archive.NewKey(b.Project, b.Iteration, args[0], "")
		require.NoError(w.t, err)
		source := archive.Source{Name: "stray", Open: func(ctx context.Context) (io.ReadCloser, error) {
			got, err := w.archives.NewContainerClient(w.names["ARCHIVE_CONTAINER"]).NewBlobClient(b.Blob).DownloadStream(ctx, nil)
			return got.Body, err
		}}
		id, err := w.archive.Identify(context.Background(), source)
		require.NoError(w.t, err)
		copied, err := w.archive.Copy(context.Background(), key, source, id)
		require.NoError(w.t, err)
		_, err = w.archive.Verify(context.Background(), copied, archive.Facts{ProjectName: "Demo kitchen", IterationName: "Iteration 1"})
		require.NoError(w.t, err)
	}),
	// rest EXPORT: its packages, of all iterations, are moved to the Archive tier
	"rest": inWorld(func(w *world, args []string) {
		for _, b := range w.backups(args[0]) {
			client := w.archives.NewContainerClient(w.names["ARCHIVE_CONTAINER"]).NewBlobClient(b.Blob)
			_, err := client.SetTier(context.Background(), blob.AccessTierArchive, nil)
			require.NoError(w.t, err)
		}
	}),
	// letter TEXT REASON: the app has buried a message
	"letter": inWorld(func(w *world, args []string) {
		_, err := w.state.Bury(context.Background(), []byte(args[0]), args[1], time.Now().UTC())
		require.NoError(w.t, err)
	}),
	// bytes-letter HEX REASON: the same with any bytes
	"bytes-letter": inWorld(func(w *world, args []string) {
		raw, err := hex.DecodeString(args[0])
		require.NoError(w.t, err)
		_, err = w.state.Bury(context.Background(), raw, args[1], time.Now().UTC())
		require.NoError(w.t, err)
	}),
	// queued TEXT: takes the next message off the queue, which is this one exactly
	"queued": inWorld(func(w *world, args []string) {
		got, err := w.queue.DequeueMessage(context.Background(), nil)
		require.NoError(w.t, err)
		require.Len(w.t, got.Messages, 1)
		require.Equal(w.t, args[0], *got.Messages[0].MessageText)
		_, err = w.queue.DeleteMessage(context.Background(), *got.Messages[0].MessageID, *got.Messages[0].PopReceipt, nil)
		require.NoError(w.t, err)
	}),
	// mend QUESTION ANSWER: answers so as soon as the service has refused something
	"mend": inWorld(func(w *world, args []string) {
		w.once(http.StatusBadRequest, func() { w.service.Answer(emulator.Question(args[0]), args[1]) })
	}),
	// app-takes-test PROJECT: the test message never shows on the queue, but the
	// running app notes that it came
	"app-takes-test": inWorld(func(w *world, args []string) {
		id := w.project(args[0])
		require.NoError(w.t, w.service.FaultNotifications(1, emulator.Drop, 0))
		w.once(http.StatusOK, func() {
			record, err := w.state.Load(context.Background(), id)
			if err == nil {
				now := time.Now()
				err = w.state.Update(context.Background(), record, func(p *state.Project) error { p.ConnectionTest = &now; return nil })
			}
			assert.NoError(w.t, err)
		})
	}),
	// settings-file FILE: a local.settings.json with all settings
	"settings-file": func(ts *testscript.TestScript, _ bool, args []string) {
		values := map[string]string{}
		for _, name := range append(slices.Collect(maps.Keys(ts.Value(worldKey{}).(*world).names)),
			"AzureWebJobsStorage", "SWEEP_SCHEDULE", "CustomVisionStorage", "ArchiveStorage", "CUSTOMVISION_ENDPOINT", "CUSTOMVISION_KEY") {
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
		w := ts.Value(worldKey{}).(*world)
		p, err := w.client.Project(context.Background(), w.project(args[0]))
		ts.Check(err)
		p.Settings.NotificationQueueURI, p.Settings.ExportModelContainerURI, p.LastModified = "", "", time.Time{}
		text, err := json.MarshalIndent(p, "", "  ")
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o644))
	},
}

// once calls do as soon as the service has answered an update or a creation so.
func (w *world) once(status int, do func()) {
	before := len(w.service.Requests())
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-w.ended:
				return
			}
			for _, r := range w.service.Requests()[before:] {
				if r.Status == status && (r.Method == http.MethodPatch || r.Method == http.MethodPost) {
					do()
					return
				}
			}
		}
	}()
}

// inWorld makes a script command of what is done to the world.
func inWorld(do func(*world, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) { do(ts.Value(worldKey{}).(*world), args) }
}
