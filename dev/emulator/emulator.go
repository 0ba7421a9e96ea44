// Package emulator is a local Azure Custom Vision: its Training API (v3.3 and
// v3.4-preview) with projects, tags, images, trainings, exports and the storage
// integration, which puts notifications on a queue and models into a container, and
// its Prediction API (v3.0 and v3.1).
//
// It is for development and tests and is never linked into the deployed program.
// It learns nothing from pictures. It has no field and no convenience that the
// real service lacks. Where the real service's behaviour isn't known, a Question
// chooses the answer. Start reading at Options and New, then at operations.
package emulator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"

	"visionkeeper/dev/guard"
	"visionkeeper/internal/storage"
)

// Server is one emulated Custom Vision training resource. It is an http.Handler
// and doesn't listen itself. It is safe for concurrent use.
type Server struct {
	options Options
	stop    context.CancelFunc
	ctx     context.Context
	loop    sync.WaitGroup
	wake    chan struct{}
	signer  *storage.Signer // of the service's own account; nil without one
	blobs   *service.Client // the service's own account
	models  *service.Client // the customer's account
	queues  *azqueue.ServiceClient

	work sync.Mutex // held by the one goroutine that performs jobs; taken before mu

	mu       sync.Mutex // guards everything below
	state    state
	answers  map[Question]string
	rules    []PredictionRule
	faults   faults
	quality  float64            // of the trainings to come; 0 goes by the pictures
	shown    map[string][]Label // what Show said, by the hash of the picture
	log      requestLog
	throttle throttle
	held     []Message // to be sent last first
	pictures pictureStore
	base     string // the server's address in the last request
}

// New starts an emulator. Close ends it. The error names a wrong option, a state
// file that can't be read, or an account that can't be opened.
func New(o Options) (*Server, error) {
	if o.Key == "" {
		return nil, errors.New("start the emulator: no key given: choose any text for the Training-Key")
	}
	if _, ok := tiers[o.Tier]; !ok {
		return nil, fmt.Errorf("start the emulator: there is no tier %q: choose F0 or S0, or leave it out", o.Tier)
	}
	s := &Server{
		options: o,
		wake:    make(chan struct{}, 1),
		answers: map[Question]string{},
		base:    strings.TrimRight(o.URL, "/"),
	}
	if s.options.ModelSize == 0 {
		s.options.ModelSize = defaultModelSize
	}
	if s.options.Logf == nil {
		s.options.Logf = func(string, ...any) {}
	}
	for q, value := range o.Answers {
		if err := s.Answer(q, value); err != nil {
			return nil, fmt.Errorf("start the emulator: %w", err)
		}
	}
	if err := s.openStorage(); err != nil {
		return nil, fmt.Errorf("start the emulator: %w", err)
	}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("start the emulator: %w", err)
	}
	if err := s.begin(); err != nil {
		return nil, fmt.Errorf("start the emulator: %w", err)
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.loop.Go(s.run)
	return s, nil
}

// begin sets the clock and makes the projects of Options.Seeds that aren't there.
func (s *Server) begin() error {
	if frozen := s.options.Frozen; !frozen.IsZero() {
		s.state.Clock.Frozen = &frozen
	}
	for _, path := range s.options.Seeds {
		if err := s.seed(path); err != nil {
			return fmt.Errorf("seed a project from %s: %w", path, err)
		}
	}
	return nil
}

// Reset forgets everything that has happened, a state file's content included, and
// begins as New does. Links that were handed out are no longer valid.
func (s *Server) Reset() error {
	s.work.Lock()
	defer s.work.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.answers, s.faults, s.log, s.throttle = state{Secret: newSecret()}, map[Question]string{}, faults{}, requestLog{}, throttle{}
	s.rules, s.held, s.pictures.memory = nil, nil, nil
	if s.pictures.dir != "" {
		if err := os.RemoveAll(s.pictures.dir); err != nil {
			return err
		}
	}
	maps.Copy(s.answers, s.options.Answers)
	defer s.save()
	return s.begin()
}

// errNotReady marks an account that doesn't answer.
var errNotReady = errors.New("not ready")

// Ready reports as an error what the emulator needs and can't reach: the storage
// accounts that it was given.
func (s *Server) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	for name, account := range map[string]*service.Client{"storage": s.models, "service storage": s.blobs} {
		if account == nil {
			continue
		}
		if _, err := account.GetProperties(ctx, nil); err != nil {
			return fmt.Errorf("%w: %w", errNotReady, storage.Explain("reach the blobs of the "+name, err))
		}
	}
	if s.queues != nil {
		if _, err := s.queues.GetServiceProperties(ctx, nil); err != nil {
			return fmt.Errorf("%w: %w", errNotReady, storage.Explain("reach the queues of the storage", err))
		}
	}
	return nil
}

// transport closes idle connections earlier than Azurite does. Azurite closes them
// after 5 s, and a request that it receives at that moment is lost.
var transport = func() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.IdleConnTimeout = 2 * time.Second
	return &http.Client{Transport: t}
}()

func (s *Server) openStorage() error {
	options := &azcore.ClientOptions{Transport: transport}
	options.Retry.MaxRetries = -1 // it isn't documented that the service tries again
	options.Telemetry.ApplicationID = "emulator"
	var err error
	if !s.options.Storage.IsZero() {
		if s.models, err = s.options.Storage.Blob(options); err != nil {
			return err
		}
		if s.queues, err = s.options.Storage.Queue(options); err != nil {
			return err
		}
	}
	if !s.options.ServiceStorage.IsZero() {
		if s.blobs, err = s.options.ServiceStorage.Blob(options); err != nil {
			return err
		}
		s.signer = storage.NewSigner(s.options.ServiceStorage, s.blobs)
	}
	return nil
}

// Close ends the emulator. Trainings and exports that still run are abandoned.
func (s *Server) Close() {
	s.stop()
	s.loop.Wait()
}

// ServeHTTP serves a page for people at /, both APIs below /customvision/,
// the control endpoints below /_control/ and the emulator's own blobs below /_blob/.
// It refuses what a page of another site may have sent.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := guard.Check(r, s.options.URL); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	if s.options.URL == "" {
		s.mu.Lock()
		s.base = baseURL(r)
		s.mu.Unlock()
	}
	switch {
	case r.URL.Path == "/":
		s.servePage(w, r)
	case strings.HasPrefix(r.URL.Path, controlPrefix):
		s.serveControl(w, r)
	case strings.HasPrefix(r.URL.Path, blobPrefix):
		s.serveBlob(w, r)
	default:
		s.serveAPI(w, r)
	}
}
