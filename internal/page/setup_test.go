package page_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/leak"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/page"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/redact"
	"visionkeeper/internal/state"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(func() int { return azuritetest.Run(m) })) }

const base = "/api/status"

// secret must never be in a page.
const secret = "a-key-that-nobody-may-see"

// site is the page in a world: all its requests to storage go over line.
type site struct {
	*world.World
	*page.Site
	t    testing.TB
	line *world.Interceptor
	now  time.Time
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{World: world.New(t, world.Options{Still: true}), t: t, line: world.NewInterceptor(t), now: time.Now()}
	o := azcore.ClientOptions{Transport: s.line}
	o.Retry.RetryDelay = time.Millisecond
	queues := s.Customer.Queues(&o)
	now := func() time.Time { return s.now }
	states := state.Open(s.Archives.Blobs(&o), s.Names.State)
	s.Site = &page.Site{
		Base: base,
		Gatherer: overview.New(overview.Sources{
			Archive: archive.Open(s.Archives.Blobs(&o), s.Names.Archive, archive.Options{}),
			State:   states, Queues: queues, Queue: s.Names.Queue, Now: now,
		}),
		Plan: func(context.Context, string) ([]reconcile.Action, reconcile.Report, error) {
			return nil, reconcile.Report{}, errors.New("there is no service in this test")
		},
		Mode:    func(context.Context) (policy.Mode, error) { return policy.Act, nil },
		Actions: true, Letters: states, Queues: queues, Queue: s.Names.Queue,
		Clean: redact.Remover(secret), Version: "test", Now: now,
	}
	return s
}

// answer is what a browser gets.
type answer struct {
	*http.Response
	body string
}

// ask sends a request as the handler passes it on.
func (s *site) ask(method, target string, header ...string) answer {
	s.t.Helper()
	r := httptest.NewRequest(method, "http://app.example"+target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	require.NoError(s.t, err)
	return answer{w.Result(), string(body)}
}

// see gets a page, which must be there.
func (s *site) see(target string) string {
	s.t.Helper()
	a := s.ask(http.MethodGet, target)
	require.Equal(s.t, http.StatusOK, a.StatusCode, a.body)
	return a.body
}

// remember writes a project's state.
func (s *site) remember(id string, change func(*state.Project)) {
	s.t.Helper()
	record, err := s.State.Load(s.t.Context(), id)
	require.NoError(s.t, err)
	require.NoError(s.t, s.State.Update(s.t.Context(), record, func(p *state.Project) error { change(p); return nil }))
}

// trained adds a trained iteration with an export that is done, and its facts.
func trained(p *state.Project, id, name string, at time.Time, ap float64) {
	facts, _ := json.Marshal(archive.Facts{
		ProjectName: p.Name, IterationName: name, TrainedAt: &at, Domain: archive.Domain{Name: "General (compact)"}, ClassificationType: "Multiclass",
		Tags:        []archive.Tag{{ID: "t", Name: "cup", ImageCount: 7}},
		Performance: json.RawMessage(fmt.Sprintf(`{"threshold":0.5,"precision":0.9,"recall":0.8,"averagePrecision":%g,"perTagPerformance":[{"id":"t","name":"cup","precision":0.7,"recall":0.6,"averagePrecision":0.5}]}`, ap)),
	})
	p.Iteration(id).Facts = facts
	if p.Shown == nil {
		p.Shown = map[string]*state.Shown{}
	}
	p.Shown[id] = &state.Shown{Name: name, Status: "Completed", Trained: at, Changed: at, Exports: map[string]string{"ONNX": "Done"}}
}

// newID is a new GUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// fill writes projects with trained iterations, of which the first, which is published, and
// the last ones are archived, so many together. The archive's blobs are bare names, which
// is all that a listing shows.
func (s *site) fill(projects, iterations, archived int) {
	s.t.Helper()
	ctx := s.t.Context()
	var group errgroup.Group
	group.SetLimit(32)
	for n := range projects {
		id := newID()
		record := &state.Record{Project: state.Project{ID: id, Name: fmt.Sprintf("Project %03d", n)}}
		var ids []string
		for range iterations {
			ids = append(ids, newID())
		}
		group.Go(func() error {
			return s.State.Update(ctx, record, func(p *state.Project) error {
				for i, it := range ids {
					trained(p, it, fmt.Sprintf("Iteration %d", i+1), time.Date(2026, 1, 1+i, 0, 0, 0, 0, time.UTC), 0.5+float64(i)/50)
				}
				for _, it := range ids[1 : iterations-archived+1] {
					p.Shown[it].Exports = nil
				}
				p.Shown[ids[0]].Published = "live"
				return nil
			})
		})
		for _, it := range append(ids[iterations-archived+1:], ids[0]) {
			stem := fmt.Sprintf("%s/%s/ONNX/%032x", id, it, n)
			for _, name := range []string{stem + ".zip", stem + ".proven.json"} {
				group.Go(func() error {
					_, err := s.Containers.Archive.NewBlockBlobClient(name).UploadBuffer(ctx, []byte("{}"), nil)
					return err
				})
			}
		}
	}
	require.NoError(s.t, group.Wait())
	require.NoError(s.t, s.State.SetPolicyInForce(ctx, state.PolicyInForce{From: "policy.json", Since: s.now, Policy: `{"projects":[{"project":"*","exports":["ONNX"]}]}`}))
	require.NoError(s.t, s.State.SetHealth(ctx, state.Health{Ended: s.now, Round: s.now, Projects: projects, Covered: projects}))
}

// requests are what a page sends to storage, by line.
func (s *site) requests(do func()) []string {
	var list []string
	for _, r := range s.line.During(do) {
		list = append(list, strings.TrimSpace(r.String()))
	}
	return list
}
