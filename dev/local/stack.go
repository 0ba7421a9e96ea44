package main

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/emulator"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
	"visionkeeper/internal/storage"
)

// generalCompact is the domain General (compact), whose models can be exported.
const generalCompact = "0732100f-1a38-4e49-a514-c9b44c697ab5"

// exampleFile has the settings that people start with: the names of queue and
// containers, and the emulated service's Training-Key, which is no secret.
const exampleFile = "local.settings.json.example"

// eventsQueue is the queue on which others are told what happens.
const eventsQueue = "events"

// The usual ports. If one is taken, a free one is used.
const (
	blobPort, queuePort = 10000, 10001
	servicePort         = 5599
	hostPort            = 7071
)

//go:embed policy.json
var demoPolicy []byte

// stack is all parts of a local run.
type stack struct {
	dir      string // holds the app and its settings, removed at the end
	settings map[string]string
	azurite  *azurite.Server
	service  *customVision
	host     host
	hostURL  atomic.Pointer[string] // nil until the host runs
	narrator *narrator

	client  *customvision.Client
	archive *archive.Archive
	state   *state.Store
	queue   *azqueue.QueueClient
	events  *azqueue.QueueClient // on which others are told what happens
	models  string               // the model container's URL

	closers []func()
}

// customVision is the emulated Custom Vision and its address.
type customVision struct {
	*emulator.Server
	url string
}

// start starts everything and returns while the app is still starting. On an
// error nothing is left running, and no file.
func start(ctx context.Context, app, program, hostKind string, verbose bool) (*stack, error) {
	s := &stack{narrator: &narrator{verbose: verbose}}
	if err := s.start(ctx, app, program, hostKind); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *stack) start(ctx context.Context, app, program, hostKind string) (err error) {
	if err := checkHost(hostKind); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "visionkeeper-"); err != nil {
		return err
	}
	s.onClose(func() { os.RemoveAll(s.dir) })
	if err := os.CopyFS(s.path(""), os.DirFS(app)); err != nil {
		return fmt.Errorf("take the app from %s: %w (run it by make run or make demo)", app, err)
	}

	if err := s.readExample(); err != nil {
		return err
	}
	tell("Starting Azurite …")
	if err := s.startAzurite(ctx); err != nil {
		return err
	}
	if err := s.openStorage(ctx); err != nil {
		return err
	}
	tell("Starting the Custom Vision emulator …")
	if err := s.startService(); err != nil {
		return err
	}
	tell("Starting the app under %s …", hostKind)
	if err := s.writeSettings(program); err != nil {
		return err
	}
	if s.host, err = onUsual(hostPort, func(port int) (host, error) {
		return startHost(ctx, hostKind, s.path(""), port, s.narrator)
	}); err != nil {
		return err
	}
	s.onClose(s.host.close)
	s.hostURL.Store(new(s.host.url()))
	return nil
}

// startAzurite starts Azurite. A Ctrl-C ends it while it starts; later it is ended last.
func (s *stack) startAzurite(ctx context.Context) (err error) {
	starting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.onClose(cancel)
	started := context.AfterFunc(ctx, cancel)
	defer started()
	if s.azurite, err = onUsual(blobPort, func(port int) (*azurite.Server, error) {
		o := azurite.Options{BlobPort: port}
		if port != 0 {
			o.QueuePort = free(queuePort)
		}
		return azurite.Start(starting, o)
	}); err != nil {
		return err
	}
	s.onClose(s.azurite.Close)
	return nil
}

func (s *stack) onClose(f func()) { s.closers = append(s.closers, f) }

// close ends everything in the reverse order of its start.
func (s *stack) close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
	s.closers = nil
}

func (s *stack) path(name string) string { return filepath.Join(s.dir, "app", name) }

// openStorage opens the three accounts and creates what a person would create in
// Azure: the queue and the containers.
func (s *stack) openStorage(ctx context.Context) error {
	customer, err := storage.ParseConnectionString(s.azurite.ConnectionString(azurite.Customer))
	if err != nil {
		return err
	}
	archives, err := storage.ParseConnectionString(s.azurite.ConnectionString(azurite.Archive))
	if err != nil {
		return err
	}
	queues, err := customer.Queue(nil)
	if err != nil {
		return err
	}
	s.queue = queues.NewQueueClient(s.settings["NOTIFICATION_QUEUE"])
	if _, err := s.queue.Create(ctx, nil); err != nil {
		return storage.Explain("create the queue", err)
	}
	if queues, err = archives.Queue(nil); err != nil {
		return err
	}
	s.events = queues.NewQueueClient(eventsQueue)
	if _, err := s.events.Create(ctx, nil); err != nil {
		return storage.Explain("create the queue of events", err)
	}
	models, err := customer.Blob(nil)
	if err != nil {
		return err
	}
	archiveBlobs, err := archives.Blob(nil)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		in   *service.Client
		name string
	}{{models, s.settings["MODEL_CONTAINER"]}, {archiveBlobs, s.settings["ARCHIVE_CONTAINER"]}, {archiveBlobs, s.settings["STATE_CONTAINER"]}} {
		if _, err := c.in.CreateContainer(ctx, c.name, nil); err != nil {
			return storage.Explain("create the container "+c.name, err)
		}
	}
	s.models = models.NewContainerClient(s.settings["MODEL_CONTAINER"]).URL()
	s.archive = archive.Open(archiveBlobs, s.settings["ARCHIVE_CONTAINER"], archive.Options{})
	s.state = state.Open(archiveBlobs, s.settings["STATE_CONTAINER"])
	return nil
}

func (s *stack) startService() error {
	customer, err := storage.ParseConnectionString(s.azurite.ConnectionString(azurite.Customer))
	if err != nil {
		return err
	}
	own, err := storage.ParseConnectionString(s.azurite.ConnectionString(azurite.Service))
	if err != nil {
		return err
	}
	server, err := emulator.New(emulator.Options{
		Key: s.key(), TrainTime: 2 * time.Second, ExportTime: time.Second, NoValidation: true,
		Storage: customer, ServiceStorage: own, App: s.made, AppPage: s.page,
	})
	if err != nil {
		return err
	}
	s.onClose(server.Close)
	listener, err := onUsual(servicePort, func(port int) (net.Listener, error) {
		return net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	})
	if err != nil {
		return err
	}
	web := &http.Server{Handler: server, ReadHeaderTimeout: 10 * time.Second}
	go web.Serve(listener)
	s.onClose(func() { web.Close() })
	s.service = &customVision{Server: server, url: "http://" + listener.Addr().String()}
	s.client, err = customvision.NewClientWithKey(s.service.url, s.key(), nil)
	return err
}

// page is the address of the app's page; empty until the host runs.
func (s *stack) page() string {
	if s.hostURL.Load() == nil {
		return ""
	}
	return *s.hostURL.Load() + "/api/status"
}

// made is what the app made of a project's exports, as the archive shows it.
func (s *stack) made(ctx context.Context, project string) map[string]map[string]string {
	backups, err := s.archive.Backups(ctx, project, "")
	if err != nil {
		return nil
	}
	made := map[string]map[string]string{}
	for _, b := range backups {
		if made[b.Iteration] == nil {
			made[b.Iteration] = map[string]string{}
		}
		if known := made[b.Iteration][b.Key.String()]; known == "" || b.Verdict.Counts() {
			made[b.Iteration][b.Key.String()] = cmp.Or(string(b.Verdict), "being read")
		}
	}
	return made
}

// readExample reads the settings that people start with.
func (s *stack) readExample() error {
	text, err := os.ReadFile(exampleFile)
	if err != nil {
		return fmt.Errorf("%w (run it by make run or make demo)", err)
	}
	var file struct{ Values map[string]string }
	if err := json.Unmarshal(text, &file); err != nil {
		return fmt.Errorf("%s: %w", exampleFile, err)
	}
	s.settings = file.Values
	return nil
}

func (s *stack) key() string { return s.settings["CUSTOMVISION_KEY"] }

// writeSettings writes the local.settings.json that a person would write, with
// the archive in an account of its own.
func (s *stack) writeSettings(program string) error {
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("the app's program can't be started: %w: make build makes it", err)
	}
	maps.Copy(s.settings, map[string]string{
		"AzureWebJobsStorage":   s.azurite.ConnectionString(azurite.Customer),
		"SWEEP_SCHEDULE":        "0 */5 * * * *",
		"CUSTOMVISION_ENDPOINT": s.service.url,
		"CustomVisionStorage":   s.azurite.ConnectionString(azurite.Customer),
		"ArchiveStorage":        s.azurite.ConnectionString(azurite.Archive),
		"EVENTS_QUEUE":          eventsQueue,

		"AzureFunctionsJobHost__customHandler__description__defaultExecutablePath": program,
		// The queue is polled more often than in a deployed app.
		"AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:01",
		"AzureFunctionsJobHost__extensions__queues__visibilityTimeout":  "00:00:05",
	})
	settings, err := json.MarshalIndent(map[string]any{"IsEncrypted": false, "Values": s.settings}, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(s.path("local.settings.json"), settings, 0o600),
		os.WriteFile(s.path("policy.json"), demoPolicy, 0o644),
	)
}

// connect creates a project with queue and container by the call that the
// storage-integration guide shows. It waits until the app has seen Custom
// Vision's test message.
func (s *stack) connect(ctx context.Context, name string) (customvision.Project, error) {
	p, err := s.client.CreateProject(ctx, customvision.CreateProjectOptions{
		Name: name, DomainID: generalCompact, ExportModelContainerURI: s.models, NotificationQueueURI: s.queue.URL(),
	})
	if err != nil {
		return p, err
	}
	if p.Settings.NotificationQueueURI == "" || p.Settings.ExportModelContainerURI == "" {
		return p, errors.New("connect the project: the service did not keep the storage URIs")
	}
	return p, s.until(ctx, "the app sees Custom Vision's test message", func() (bool, error) {
		record, err := s.state.Load(ctx, p.ID)
		return err == nil && record.ConnectionTest != nil, err
	})
}

// patience is the longest wait for one step.
const patience = time.Minute

// until waits for a condition, at most for patience.
func (s *stack) until(ctx context.Context, what string, condition func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("after %s this had not come about: %s", patience, what))
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := condition(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case err := <-s.host.ended():
			return fmt.Errorf("the Functions host ended by itself: %w", err)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// onUsual starts something on its usual port, or on a free one if that is taken, also by
// somebody who starts at the same time.
func onUsual[T any](port int, start func(port int) (T, error)) (T, error) {
	if port = free(port); port != 0 {
		started, err := start(port)
		if err == nil || !strings.Contains(err.Error(), "address already in use") {
			return started, err
		}
	}
	return start(0)
}

// free returns the port if nothing listens there, and otherwise 0, which stands
// for any free port.
func free(port int) int {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return 0
	}
	listener.Close()
	return port
}
