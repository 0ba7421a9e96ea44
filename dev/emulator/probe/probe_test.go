package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"visionkeeper/dev/emulator"
	"visionkeeper/internal/customvision"
)

const (
	key           = "the-training-key"
	compactDomain = "0732100f-1a38-4e49-a514-c9b44c697ab5"
	somewhere     = "https://a.blob.core.windows.net/models"
)

// resource is an emulated resource that is probed.
type resource struct {
	t *testing.T
	*emulator.Server
	url   string
	notes []string
}

// start makes a resource with these answers. wrap may stand before the emulator.
func start(t *testing.T, answers map[emulator.Question]string, change func(*emulator.Options), wrap func(http.Handler) http.Handler) *resource {
	t.Helper()
	o := emulator.Options{Key: key, Answers: answers, ModelSize: 4096, Logf: t.Logf}
	if change != nil {
		change(&o)
	}
	server, err := emulator.New(o)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	var handler http.Handler = server
	if wrap != nil {
		handler = wrap(server)
	}
	web := httptest.NewServer(handler)
	t.Cleanup(web.Close)
	return &resource{t: t, Server: server, url: web.URL}
}

func noValidation(o *emulator.Options) { o.NoValidation = true }

// used has a project with three trained iterations, the last of which has exports.
func (r *resource) used(container string) {
	r.t.Helper()
	project, err := r.CreateProject("used", compactDomain, container, "")
	require.NoError(r.t, err)
	var last string
	for range 3 {
		last, err = r.Train(project)
		require.NoError(r.t, err)
		r.Advance(time.Minute)
	}
	for _, of := range [][2]string{{"TensorFlow", ""}, {"ONNX", "ONNX10"}, {"CoreML", ""}} {
		require.NoError(r.t, r.Export(project, last, of[0], of[1]))
		r.FinishNow(emulator.Scope{})
	}
}

func (r *resource) probe(ctx context.Context) ([]Finding, error) {
	r.t.Helper()
	p, err := New(Options{Endpoint: r.url + "/", Key: key, Limit: rate.NewLimiter(rate.Inf, 1), Notef: func(format string, args ...any) {
		r.notes = append(r.notes, fmt.Sprintf(format, args...))
	}})
	require.NoError(r.t, err)
	p.pause = 10 * time.Millisecond
	return p.Run(ctx)
}

// names of the projects that are there.
func (r *resource) names() (names []string) {
	for _, p := range r.View().Projects {
		names = append(names, p.Name)
	}
	return names
}

// answered are the answers that were found.
func answered(findings []Finding) map[emulator.Question]string {
	found := map[emulator.Question]string{}
	for _, f := range findings {
		if f.Answer != "" {
			found[f.Question] = f.Answer
		}
	}
	return found
}

func TestEveryQuestionIsAskedOrHasAReason(t *testing.T) {
	t.Parallel()
	var known, listed []emulator.Question
	for _, k := range emulator.Questions() {
		known = append(known, k.Question)
	}
	for _, a := range asks {
		listed = append(listed, a.question)
		assert.NotEqual(t, a.ask == nil, a.harm == "", a.question)
	}
	assert.ElementsMatch(t, known, listed)
}

// assumed are the answers of an emulator that was told none, as the probe sees them:
// without the storage account that addresses are in, it keeps any.
func assumed() map[emulator.Question]string {
	return map[emulator.Question]string{
		emulator.StorageURIs: "kept", emulator.PatchURIs: "sets", emulator.PatchWithoutURIs: "kept", emulator.PatchEmptyURIs: "cleared",
		emulator.ImportedURIs: "dropped", emulator.NewIteration: "hidden", emulator.ValidationCode: "specific",
		emulator.ProjectNames: "any", emulator.NameLength: "any", emulator.SubscriptionKey: "refused",
	}
}

// TestEveryAnswerIsFound probes emulators with each answer to each question that is
// asked, and wants that answer and the assumed ones to the others.
func TestEveryAnswerIsFound(t *testing.T) {
	t.Parallel()
	needURIs, needPackages := []emulator.Question{emulator.PatchWithoutURIs, emulator.PatchEmptyURIs, emulator.ImportedURIs},
		[]emulator.Question{emulator.CoreMLPackage, emulator.ManifestFlavor}
	unseen := map[string][]emulator.Question{
		"storage-uris=dropped":    append([]emulator.Question{emulator.PatchURIs}, needURIs...),
		"patch-uris=ignored":      needURIs,
		"connection-test=refused": needURIs,     // as a service that tests addresses
		"download-uri=container":  needPackages, // a link without a signature
	}
	ofExisting := map[emulator.Question]string{
		emulator.IterationOrder: "oldest-first", emulator.DownloadURI: "service", emulator.ArtifactsOnV33: "given",
		emulator.CoreMLPackage: "zip", emulator.ManifestFlavor: "as-asked",
	}
	for _, k := range emulator.Questions() {
		asked := slices.ContainsFunc(asks, func(a ask) bool { return a.question == k.Question && a.ask != nil })
		if !asked && k.Question != emulator.ConnectionTest {
			continue
		}
		for _, answer := range k.Answers {
			t.Run(fmt.Sprintf("%s=%s", k.Question, answer), func(t *testing.T) {
				t.Parallel()
				change, want := func(*emulator.Options) {}, assumed()
				_, existing := ofExisting[k.Question]
				if existing {
					change = noValidation // its trainings have no pictures
				}
				r := start(t, map[emulator.Question]string{k.Question: answer}, change, nil)
				if existing {
					r.used(somewhere)
					for q, a := range ofExisting {
						want[q] = a
					}
					delete(want, emulator.ValidationCode)
				}
				if asked {
					want[k.Question] = answer
				}
				for _, q := range unseen[fmt.Sprintf("%s=%s", k.Question, answer)] {
					delete(want, q)
				}
				before := r.View()
				findings, err := r.probe(t.Context())
				require.NoError(t, err)
				assert.Equal(t, want, answered(findings))
				assert.Len(t, findings, len(emulator.Questions()))
				for _, f := range findings {
					assert.NotEqual(t, f.Answer == "", f.Why == "", f.Question)
				}
				if answer != "shuffled" {
					assert.Equal(t, asJSON(t, before.Projects), asJSON(t, r.View().Projects), "what was there")
				}
				r.onlyOwnChanged()
			})
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

// onlyOwnChanged checks that all requests but reads were about projects that the probe
// made, two at a time at most, and that it names each.
func (r *resource) onlyOwnChanged() {
	r.t.Helper()
	own, most, now := map[string]bool{}, 0, 0
	for _, note := range r.notes {
		_, id, ok := strings.Cut(strings.TrimSuffix(note, ")."), " (")
		require.True(r.t, ok, note)
		own[id] = true
		if strings.HasPrefix(note, "Made") {
			now++
		} else {
			now--
		}
		most = max(most, now)
	}
	assert.Zero(r.t, now, "all are deleted")
	assert.LessOrEqual(r.t, most, 2)
	for _, request := range r.Requests() {
		switch {
		case request.Method == http.MethodGet, request.Operation == "CreateProject", request.Operation == "ImportProject":
		default:
			id, _, _ := strings.Cut(strings.SplitAfter(request.Path, "/projects/")[1], "/")
			assert.True(r.t, own[id], "%s %s", request.Method, request.Path)
			assert.Contains(r.t, []string{"UpdateProject", "DeleteProject", "CreateTag", "TrainProject"}, request.Operation)
		}
	}
}

func TestReadmeNamesTheQuestionsThatAreAsked(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(text), "### Ask the real service")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n## ")
	for _, a := range asks {
		assert.Equal(t, a.ask != nil, strings.Contains(section, "`"+string(a.question)+"`"), a.question)
	}
}

// TestServiceWithoutThePreview probes one that has neither the storage addresses nor
// v3.4-preview, where they may be.
func TestServiceWithoutThePreview(t *testing.T) {
	t.Parallel()
	r := start(t, map[emulator.Question]string{emulator.StorageURIs: "dropped"}, nil, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, v34) {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	findings, err := r.probe(t.Context())
	require.NoError(t, err)
	want := assumed()
	for _, q := range []emulator.Question{emulator.StorageURIs, emulator.PatchURIs, emulator.PatchWithoutURIs, emulator.PatchEmptyURIs, emulator.ImportedURIs} {
		delete(want, q)
	}
	assert.Equal(t, want, answered(findings))
	assert.Contains(t, findings[0].Why, "v3.4-preview makes no project")
	r.onlyOwnChanged()
	assert.Empty(t, r.names())
}

// TestServiceThatKeepsOneAddress has a form that none of the answers describes.
func TestServiceThatKeepsOneAddress(t *testing.T) {
	t.Parallel()
	r := start(t, nil, nil, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			q.Del("notificationQueueUri")
			r.URL.RawQuery = q.Encode()
			next.ServeHTTP(w, r)
		})
	})
	findings, err := r.probe(t.Context())
	require.NoError(t, err)
	assert.Contains(t, findings[0].Why, "no answer is right")
	assert.NotContains(t, answered(findings), emulator.StorageURIs)
	assert.Contains(t, answered(findings), emulator.NameLength)
	assert.Empty(t, r.names())
}

func TestLinksWithoutAContainerDecideNothing(t *testing.T) {
	t.Parallel()
	r := start(t, nil, noValidation, nil)
	r.used("")
	findings, err := r.probe(t.Context())
	require.NoError(t, err)
	assert.NotContains(t, answered(findings), emulator.DownloadURI)
}

// TestFreeResourceHasRoom probes a resource of the free tier, which has two projects.
func TestFreeResourceHasRoom(t *testing.T) {
	t.Parallel()
	free := func(o *emulator.Options) { o.Tier = "F0"; o.NoValidation = true }
	r := start(t, nil, free, nil)
	findings, err := r.probe(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "any", answered(findings)[emulator.ProjectNames])

	r = start(t, map[emulator.Question]string{emulator.StorageURIs: "preview-only"}, free, nil)
	r.used(somewhere)
	findings, err = r.probe(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "preview-only", answered(findings)[emulator.StorageURIs])
	assert.NotContains(t, answered(findings), emulator.ProjectNames, "there is no room for a second project")
	assert.Equal(t, []string{"used"}, r.names())

	_, err = r.CreateProject("another", "", "", "")
	require.NoError(t, err)
	_, err = r.probe(t.Context())
	require.ErrorContains(t, err, "BadRequestExceedProjectLimit")
	assert.Equal(t, []string{"used", "another"}, r.names())
}

// TestNothingIsLeftWhereverItStops ends the probe at each of its requests.
func TestNothingIsLeftWhereverItStops(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		seen := 0
		r := start(t, nil, nil, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
				mu.Lock()
				if seen++; seen == n {
					cancel()
				}
				mu.Unlock()
				next.ServeHTTP(w, request)
			})
		})
		_, err := r.probe(ctx)
		assert.Empty(t, r.names(), "request %d", n)
		mu.Lock()
		ended := seen < n
		mu.Unlock()
		cancel()
		if ended {
			assert.NoError(t, err)
			assert.Greater(t, n, 30)
			return
		}
		if err != nil { // else it was the last of the deletions
			require.ErrorIs(t, err, context.Canceled)
		}
	}
}

func TestLostAnswerLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"CreateProject", "ImportProject", "DeleteProject"} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			r := start(t, nil, nil, nil)
			require.NoError(t, r.FaultCalls(operation, 1, emulator.CallFault{LoseAnswer: true}))
			_, err := r.probe(t.Context())
			if operation == "CreateProject" {
				assert.ErrorContains(t, err, "make a project for the probe")
			} else {
				assert.NoError(t, err)
			}
			assert.Empty(t, r.names())
		})
	}
}

func TestWhatIsLeftIsSaid(t *testing.T) {
	t.Parallel()
	r := start(t, nil, nil, nil)
	require.NoError(t, r.FaultCalls("DeleteProject", 100, emulator.CallFault{Status: 400, Code: "BadRequest"}))
	_, err := r.probe(t.Context())
	require.Error(t, err)
	left := r.View().Projects
	require.NotEmpty(t, left)
	for _, p := range left {
		assert.Contains(t, err.Error(), p.Name+" ("+p.ID+"), which the probe made, is left")
	}
	assert.Contains(t, err.Error(), "customvision.ai")
}

func TestWrongKeyMakesNothing(t *testing.T) {
	t.Parallel()
	r := start(t, nil, nil, nil)
	p, err := New(Options{Endpoint: r.url, Key: "wrong", Limit: rate.NewLimiter(rate.Inf, 1)})
	require.NoError(t, err)
	_, err = p.Run(t.Context())
	var e *customvision.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, 401, e.Status)
	assert.Len(t, r.Requests(), 1)
}

func TestEndpointAndKeyAreChecked(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{}, {Endpoint: "http://example.com", Key: "k"}, {Endpoint: "https://k@example.com", Key: "k"},
		{Endpoint: "https://example.com/?key=k", Key: "k"}, {Endpoint: "https://example.com"},
	} {
		_, err := New(o)
		assert.Error(t, err, o.Endpoint)
	}
}

// TestKeyIsNeverShown probes a service that repeats the key in all that it says, and
// one that leads elsewhere.
func TestKeyIsNeverShown(t *testing.T) {
	t.Parallel()
	var leaked bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { leaked = leaked || r.Header.Get("Training-Key") != "" }))
	t.Cleanup(elsewhere.Close)
	for name, answer := range map[string]http.HandlerFunc{
		"refusals": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"code":"Code%s","message":"key %s"}`, key, key)
		},
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil, nil, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPatch || strings.HasSuffix(r.URL.Path, "/tags") || strings.HasSuffix(r.URL.Path, "/export") || strings.HasSuffix(r.URL.Path, "/train") {
						answer(w, r)
						return
					}
					next.ServeHTTP(w, r)
				})
			})
			findings, err := r.probe(t.Context())
			require.NoError(t, err)
			assert.NotContains(t, fmt.Sprint(findings, r.notes), key)
		})
	}
	assert.False(t, leaked)
}
