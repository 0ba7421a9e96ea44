package inforce

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/world"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

func TestMain(m *testing.M) { os.Exit(azuritetest.Run(m)) }

const (
	onnx   = `{"projects":[{"project":"*","exports":["ONNX"]}]}`
	coreML = `{"projects":[{"project":"Kitchen","exports":["CoreML"]}]}`
	broken = `{"projects":[{"project":"*","export":["ONNX"]}]}`
)

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// site is an app's folder and its state container.
type site struct {
	*world.World
	t     *testing.T
	store *state.Store
	clock *clock
	path  string
}

func newSite(t *testing.T, published string) *site {
	s := &site{World: world.New(t, world.Options{Still: true}), t: t, clock: &clock{time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}}
	s.store = state.Open(s.Archives.Blobs(&azcore.ClientOptions{}), s.Names.State)
	s.path = filepath.Join(t.TempDir(), "policy.json")
	s.publish(published)
	return s
}

func (s *site) publish(text string) { require.NoError(s.t, os.WriteFile(s.path, []byte(text), 0o644)) }
func (s *site) set(text string)     { require.NoError(s.t, s.store.SetPolicy(s.t.Context(), []byte(text))) }

// app is a process of the app; a person's command records nothing.
func (s *site) app() *Source {
	return &Source{Published: s.path, Store: s.store, Records: true, Clock: s.clock}
}

func (s *site) command() *Source {
	return &Source{Published: s.path, Store: s.store, Clock: s.clock}
}

func (s *site) now(source *Source) policy.InForce {
	s.t.Helper()
	now, err := source.Now(s.t.Context())
	require.NoError(s.t, err)
	return now
}

func exports(p policy.InForce) []string { return p.Projects[0].Exports }

func TestTheSetPolicyCountsBeforeThePublishedOne(t *testing.T) {
	t.Parallel()
	s := newSite(t, onnx)
	app := s.app()
	assert.Equal(t, []string{"ONNX"}, exports(s.now(app)))
	assert.False(t, s.now(app).Set)

	s.set(coreML)
	s.clock.now = s.clock.now.Add(time.Minute)
	assert.Equal(t, []string{"CoreML"}, exports(s.now(app)), "within a minute, in a running process")
	assert.True(t, s.now(app).Set)
	assert.Equal(t, []string{"CoreML"}, exports(s.now(s.command())), "a person's command goes by the same")

	_, err := s.store.ResetPolicy(t.Context())
	require.NoError(t, err)
	s.clock.now = s.clock.now.Add(time.Minute)
	assert.Equal(t, []string{"ONNX"}, exports(s.now(app)))
}

func TestABrokenPolicyLeavesTheLastGoodOneForArchiving(t *testing.T) {
	t.Parallel()
	for name, breaks := range map[string]func(*site){
		"set":        func(s *site) { s.set(broken) },
		"set, empty": func(s *site) { s.set("") },
		"published":  func(s *site) { s.publish(broken) },
		"taken away": func(s *site) { require.NoError(s.t, os.Remove(s.path)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, coreML)
			app := s.app()
			s.now(app)
			breaks(s)
			s.clock.now = s.clock.now.Add(time.Minute)
			for process, source := range map[string]*Source{"running": app, "started since": s.app(), "a command": s.command()} {
				now := s.now(source)
				assert.Equal(t, policy.Observe, now.Mode, process)
				assert.Equal(t, "Kitchen", now.Projects[0].Project, process)
				require.Error(t, now.Fault, process)
				assert.Len(t, now.Warnings(), 1, process)
			}
			s.set(onnx)
			s.clock.now = s.clock.now.Add(time.Minute)
			assert.Equal(t, policy.Act, s.now(app).Mode, "mended")
			assert.Empty(t, s.now(app).Warnings())
		})
	}
}

func TestWithoutAnyGoodPolicyEverythingIsArchived(t *testing.T) {
	t.Parallel()
	s := newSite(t, broken)
	assert.Equal(t, policy.ArchiveOnly, s.now(s.app()).Policy)
}

func TestEveryChangeIsLoggedOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, onnx)
	var log bytes.Buffer
	ctx := zerolog.New(&log).WithContext(t.Context())
	look := func(source *Source) string {
		log.Reset()
		s.clock.now = s.clock.now.Add(time.Minute)
		_, err := source.Now(ctx)
		require.NoError(t, err)
		return log.String()
	}
	app := s.app()
	assert.Contains(t, look(app), "the policy is read for the first time")
	assert.Empty(t, look(app))
	s.set(coreML)
	changed := look(app)
	assert.Contains(t, changed, `new rule for \"Kitchen\": exports CoreML`)
	assert.Contains(t, changed, `no rule for \"*\" any more`)
	assert.Empty(t, look(app))
	assert.Empty(t, look(s.app()), "another process")

	_, err := s.store.ResetPolicy(ctx)
	require.NoError(t, err)
	assert.Contains(t, look(s.app()), `new rule for \"*\"`, "a change while no process ran")
}

func TestACommandSaysThatTheAppFollowsAnotherPolicy(t *testing.T) {
	t.Parallel()
	s := newSite(t, onnx)
	assert.Empty(t, s.now(s.command()).Doubts, "the app was never started")
	s.now(s.app())
	assert.Empty(t, s.now(s.command()).Doubts)
	s.publish(coreML)
	doubts := s.now(s.command()).Doubts
	require.Len(t, doubts, 1)
	assert.ErrorContains(t, doubts[0], "visionkeeper policy set "+s.path)
}

// An outage must not leave a decision to a policy that may be outdated.
func TestAnOutageIsAnErrorOnceThePolicyIsOld(t *testing.T) {
	t.Parallel()
	s := newSite(t, onnx)
	line := world.NewInterceptor(t)
	o := azcore.ClientOptions{Transport: line}
	o.Retry.MaxRetries = -1
	s.store = state.Open(s.Archives.Blobs(&o), s.Names.State)
	app := s.app()
	s.now(app)
	line.While(world.Refuse(http.StatusServiceUnavailable), func() {
		s.now(app)
		s.clock.now = s.clock.now.Add(time.Minute)
		_, err := app.Now(context.WithoutCancel(t.Context()))
		assert.Error(t, err)
	})
	s.now(app)
}
