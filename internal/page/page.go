// Package page is a small web site that shows where everything stands: an overview, a
// page for each project, the dead letters and a timeline, and beside each the same as
// JSON. It works without JavaScript. A file has each page, and layout.go what stands around
// it. Start reading at Site.
package page

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/rs/zerolog"

	"visionkeeper/internal/overview"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

// Site serves the pages. Its parts are set before the first request.
type Site struct {
	// Base is the path of the overview, without a slash at its end, such as /api/status.
	Base string
	// Gatherer looks. It has no Custom Vision: a page must not wait for it, nor use up the
	// calls that the app needs.
	Gatherer *overview.Gatherer
	// Plan says what a run over a project would do now.
	Plan func(ctx context.Context, project string) ([]reconcile.Action, reconcile.Report, error)
	// Mode is how far the policy is carried out now.
	Mode func(ctx context.Context) (policy.Mode, error)
	// Actions reports whether dead letters may be replayed and dropped here. The policy's
	// mode observe forbids it too.
	Actions bool
	// Letters, Queues and Queue are where dead letters lie, and where they are replayed to.
	Letters *state.Store
	Queues  *azqueue.ServiceClient
	Queue   string
	// Clean removes secrets from a text.
	Clean func(string) string
	// Emulator is the address of the emulated Custom Vision's page; empty in production.
	Emulator string
	// Version is the program's.
	Version string
	Now     func() time.Time

	plans plans
}

// sameOrigin refuses what a page of another site sends.
var sameOrigin = http.NewCrossOriginProtection()

// visit is one request.
type visit struct {
	*Site
	w http.ResponseWriter
	r *http.Request
	// code is the host's key where the request has it in its address: then links need it
	// too. It is never logged.
	code string
}

// ServeHTTP answers a request whose path is Base or below it.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", contentPolicy())
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin") // the address may hold the host's key
	header.Set("Cache-Control", "private, no-cache")
	v := &visit{Site: s, w: w, r: r, code: r.URL.Query().Get("code")}
	path := strings.Split(strings.Trim(r.URL.Path[min(len(s.Base), len(r.URL.Path)):], "/"), "/")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		v.get(path)
	case http.MethodPost:
		v.post(path)
	default:
		header.Set("Allow", "GET, HEAD, POST")
		v.problem(http.StatusMethodNotAllowed, "This can't be done here", "Use GET to look, and POST to act")
	}
}

func (v *visit) get(path []string) {
	last := path[len(path)-1]
	name, asJSON := strings.CutSuffix(last, ".json")
	switch {
	case len(path) == 1 && last == "":
		v.overview()
	case len(path) == 1 && last == "status.json":
		v.statusJSON()
	case len(path) == 1 && name == "dead-letters":
		v.letters(asJSON)
	case len(path) == 1 && name == "timeline":
		v.timeline(asJSON)
	case len(path) == 2 && path[0] == "projects":
		v.project(name, asJSON)
	case len(path) == 3 && path[0] == "projects" && last == "plan.json":
		v.planJSON(path[1])
	case len(path) > 1 && path[0] == "backups":
		v.download(strings.Join(path[1:], "/"))
	default:
		v.notFound("There is no such page")
	}
}

// to is the address of a page below the overview, with the host's key where links need it.
func (v *visit) to(path string) string {
	return v.address(path, url.Values{})
}

func (v *visit) address(path string, query url.Values) string {
	if v.code != "" {
		query.Set("code", v.code)
	}
	at := v.Base
	if path != "" {
		at += "/" + (&url.URL{Path: path}).EscapedPath()
	}
	if len(query) > 0 {
		at += "?" + query.Encode()
	}
	return at
}

// tell answers in JSON.
func (v *visit) tell(status int, said any) {
	body, err := json.MarshalIndent(said, "", "  ")
	if err != nil {
		panic(err) // it has nothing that can't be written
	}
	v.answer(status, "application/json", append(body, '\n'))
}

// answer answers, or says that nothing has changed.
func (v *visit) answer(status int, kind string, body []byte) {
	header := v.w.Header()
	header.Set("Content-Type", kind)
	if status == http.StatusOK {
		sum := sha256.Sum256(body)
		etag := `"` + hex.EncodeToString(sum[:16]) + `"`
		header.Set("ETag", etag)
		for known := range strings.SplitSeq(v.r.Header.Get("If-None-Match"), ",") {
			if strings.TrimPrefix(strings.TrimSpace(known), "W/") == etag {
				v.w.WriteHeader(http.StatusNotModified)
				return
			}
		}
	}
	v.w.WriteHeader(status)
	_, _ = v.w.Write(body)
}

// gather looks, and answers itself where that fails.
func (v *visit) gather() (overview.Status, bool) {
	status, err := v.Gatherer.Gather(v.r.Context())
	if err != nil {
		zerolog.Ctx(v.r.Context()).Error().Err(err).Msg("the page can't be shown")
		v.problem(http.StatusServiceUnavailable, "The archive can't be read", overview.Why(err))
		return status, false
	}
	v.clean(&status)
	return status, true
}

// clean removes what could be a secret in texts that others wrote, but for those of the
// projects, which may be very many.
func (v *visit) clean(s *overview.Status) {
	for i := range s.Notes {
		s.Notes[i] = v.Clean(s.Notes[i])
	}
	v.cleanConditions(s.Conditions)
	if s.Sweep != nil {
		for _, list := range [][]string{s.Sweep.Warnings, s.Sweep.Errors} {
			for i := range list {
				list[i] = v.Clean(list[i])
			}
		}
		v.cleanConditions(s.Sweep.Conditions)
	}
	for i := range s.Rescue {
		s.Rescue[i].Missing = slices.Clone(s.Rescue[i].Missing) // the state that was read stays as it is
		for n, text := range s.Rescue[i].Missing {
			s.Rescue[i].Missing[n] = v.Clean(text)
		}
	}
}

// cleanProject does the same for all texts of a project.
func (v *visit) cleanProject(p overview.Project) {
	v.cleanConditions(p.Conditions)
	for _, m := range p.Iterations {
		for export, why := range m.Blocked {
			m.Blocked[export] = v.Clean(why)
		}
		for i := range m.Backups {
			m.Backups[i].Note = v.Clean(m.Backups[i].Note)
		}
	}
}

func (v *visit) cleanConditions(list []overview.Condition) {
	for i := range list {
		list[i].Why = v.Clean(list[i].Why)
	}
}

func (v *visit) statusJSON() {
	if status, ok := v.gather(); ok {
		for _, p := range status.Projects {
			v.cleanProject(p)
		}
		v.tell(http.StatusOK, status)
	}
}
