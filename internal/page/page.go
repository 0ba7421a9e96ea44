// Package page is a small web site that shows where everything stands: an overview, a
// page for each project, the dead letters and a timeline, and beside each the same as
// JSON. It is made of templates that are linked into the program, and works without
// JavaScript. Start reading at Site.
package page

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
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

//go:embed templates
var files embed.FS

var (
	style   = read("templates/style.css")
	refresh = read("templates/refresh.js")
	// pages are read when the first is asked for: most processes never serve one.
	pages = sync.OnceValue(func() *template.Template {
		return template.Must(template.New("").Funcs(functions).ParseFS(files, "templates/*.html"))
	})

	// contentPolicy lets a page load nothing from anywhere, and run nothing but the script
	// that is in it. The icon is in the page too.
	contentPolicy = "default-src 'none'; style-src " + hashOf(style) + "; script-src " + hashOf(refresh) +
		"; img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

func read(name string) string {
	text, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}

// hashOf is how a policy names a text that may stand in a page.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
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
	header.Set("Content-Security-Policy", contentPolicy)
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

// To is the address of a page below the overview, with the host's key where links need it.
func (v *visit) To(path string) string {
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

// frame is what every page has.
type frame struct {
	*visit
	Title  string
	Here   string // the entry of the navigation
	JSON   string // where the same is as JSON
	Buried int    // how many dead letters there are, as far as that is known
	Style  template.CSS
	Script template.JS
}

func (v *visit) frame(title, here, json string, letters *int) frame {
	buried := 0
	if letters != nil {
		buried = *letters
	}
	return frame{visit: v, Title: title, Here: here, JSON: json, Buried: buried, Style: template.CSS(style), Script: template.JS(refresh)}
}

// show renders a page.
func (v *visit) show(status int, name string, page any) {
	var body bytes.Buffer
	if err := pages().ExecuteTemplate(&body, name, page); err != nil {
		panic(err) // a template that doesn't fit its page
	}
	v.answer(status, "text/html; charset=utf-8", body.Bytes())
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

// problemPage says why there is nothing to see.
type problemPage struct {
	frame
	Why, Do string
}

func (v *visit) problem(status int, title, why string) {
	title, why = v.Clean(title), v.Clean(why)
	if strings.HasSuffix(v.r.URL.Path, ".json") {
		v.tell(status, struct {
			Error string `json:"error"`
		}{title + ": " + why})
		return
	}
	v.show(status, "problem.html", problemPage{frame: v.frame(title, "", "", nil), Why: why})
}

func (v *visit) notFound(title string) {
	v.problem(http.StatusNotFound, title, "The overview has what there is")
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

func (v *visit) overview() {
	if status, ok := v.gather(); ok {
		v.show(http.StatusOK, "overview.html", v.newOverview(status))
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

// find is a project that was gathered, by its id.
func find(status overview.Status, id string) (overview.Project, bool) {
	for _, p := range status.Projects {
		if p.ID == id {
			return p, true
		}
	}
	return overview.Project{}, false
}

func (v *visit) project(id string, asJSON bool) {
	status, ok := v.gather()
	if !ok {
		return
	}
	p, ok := find(status, id)
	if !ok {
		v.notFound("There is no such project")
		return
	}
	p, err := v.Gatherer.WithBackups(v.r.Context(), p)
	if err != nil {
		v.problem(http.StatusServiceUnavailable, "The archive can't be read", overview.Why(err))
		return
	}
	v.cleanProject(p)
	if asJSON {
		status.Only(p)
		v.tell(http.StatusOK, status)
		return
	}
	v.show(http.StatusOK, "project.html", v.newProject(status, p, v.planOf(p)))
}

// planLine is a plan, or why there is none.
type planLine struct {
	overview.Plan
	Problems []planProblem `json:"problems"`
}

type planProblem struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// planResult has the form of the verb plan's JSON.
type planResult struct {
	Mode     policy.Mode `json:"mode"`
	Projects []planLine  `json:"projects"`
	Warnings []string    `json:"warnings"`
}

func (v *visit) planJSON(id string) {
	status, ok := v.gather()
	if !ok {
		return
	}
	p, ok := find(status, id)
	if !ok {
		v.notFound("There is no such project")
		return
	}
	v.tell(http.StatusOK, planResult{Mode: status.Mode, Projects: []planLine{v.planOf(p)}, Warnings: []string{}})
}

// planPatience is how long a page waits for a plan, which asks Custom Vision; plansKeep
// how long a plan is shown again.
const (
	planPatience = 5 * time.Second
	plansKeep    = 30 * time.Second
)

// plans are those that were made a moment ago, by project.
type plans struct {
	mu   sync.Mutex
	made map[string]madePlan
}

type madePlan struct {
	at   time.Time
	line planLine
}

// planOf is what a run over a project would do now.
func (v *visit) planOf(p overview.Project) planLine {
	now := v.Now()
	if line, ok := v.plans.get(p.ID, now); ok {
		return line
	}
	ctx, cancel := context.WithTimeout(v.r.Context(), planPatience)
	defer cancel()
	list, report, err := v.Plan(ctx, p.ID)
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("Custom Vision didn't answer within " + planPatience.String())
	}
	line := planLine{overview.NewPlan(p.ID, p.Name, list, report), []planProblem{}}
	if err != nil {
		line.Problems = append(line.Problems, planProblem{What: "Could not make a plan for the project", Why: v.Clean(overview.Why(err))})
	}
	v.cleanConditions(line.Conditions)
	for _, actions := range [][]overview.Action{line.Planned, line.Waiting} {
		for i := range actions {
			actions[i].Why = v.Clean(actions[i].Why)
		}
	}
	if v.r.Context().Err() == nil { // else it says nothing of the project
		v.plans.put(p.ID, madePlan{now, line})
	}
	return line
}

func (p *plans) get(project string, now time.Time) (planLine, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	made, ok := p.made[project]
	return made.line, ok && now.Sub(made.at) < plansKeep
}

// mostPlans bounds what is kept.
const mostPlans = 200

func (p *plans) put(project string, made madePlan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made == nil || len(p.made) >= mostPlans {
		p.made = map[string]madePlan{}
	}
	p.made[project] = made
}

func (v *visit) timeline(asJSON bool) {
	status, ok := v.gather()
	if !ok {
		return
	}
	t := status.Timeline("")
	for i := range t.Events {
		t.Events[i].Text = v.Clean(t.Events[i].Text)
	}
	if asJSON {
		v.tell(http.StatusOK, t)
		return
	}
	v.show(http.StatusOK, "timeline.html", v.newTimeline(status, t))
}
