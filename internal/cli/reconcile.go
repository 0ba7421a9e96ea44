package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"visionkeeper/internal/app"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/policy/inforce"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

type reconcileResult struct {
	Projects []reconciled `json:"projects"`
	// NotBegun are the projects that an interruption left out.
	NotBegun []string `json:"notBegun"`
	// Exports counts the exports in the model container; null where a project was named.
	Exports *int `json:"exports"`
	// GivenUp are the finished exports and blobs that could not be archived, by cause,
	// the most frequent first.
	GivenUp []givenUp `json:"givenUp"`
	// Misnamed are blobs of the model container that look like exports and are not named
	// as Custom Vision names them, so nothing archives them.
	Misnamed []string `json:"misnamed"`
	Warnings []string `json:"warnings"`
}

// givenUp counts what could not be archived for one cause.
type givenUp struct {
	Code  state.Code `json:"code"`
	Count int        `json:"count"`
}

type reconciled struct {
	ID      string            `json:"id"`
	Name    string            `json:"name"`
	Outside bool              `json:"outsidePolicy"`
	Done    []overview.Action `json:"done"`
	Waiting []overview.Action `json:"waiting"`
	// Conditions are what can't be done now.
	Conditions []overview.Condition `json:"conditions"`
	Problems   []problem            `json:"problems"`
}

// selection is the project and the iteration that a person names; empty is all.
type selection struct{ project, iteration string }

func (s *selection) flags(c *cobra.Command) {
	c.Flags().StringVar(&s.project, "project", "", "`name` or id of a project; default all")
	c.Flags().StringVar(&s.iteration, "iteration", "", "`name` or id of an iteration, latest, or published; default all")
}

func (p *program) reconcileCommand() *cobra.Command {
	var s selection
	var wait bool
	c := p.verb("reconcile", "Do now what the policy asks", `
Looks at every project, archives finished exports, asks for the exports that the
policy wants, and trains, publishes and deletes iterations to make room as it
says: the same that notifications and the timer lead to. Ctrl-C lets the project under way be finished and begins no
other; a second Ctrl-C ends at once, and the next run looks before it acts.

The exit code is 3 if exports could not be archived.`,
		func(ctx context.Context, _ []string) error { return p.reconcile(ctx, s, wait) })
	s.flags(c)
	c.Flags().BoolVar(&wait, "wait", false, "go on until Custom Vision has nothing under way any more")
	return c
}

// reconciler opens all that reconciling needs, and finds the projects that were
// asked for: none if there is no endpoint.
func (p *program) reconciler(ctx context.Context, s selection) (*reconcile.Reconciler, []customvision.Project, []string, error) {
	set, c, err := p.settings()
	if err != nil {
		return nil, nil, nil, err
	}
	r, calls, warnings, err := app.NewReconciler(set, p.version, &inforce.Source{Published: p.publishedPolicy(c)})
	if err != nil {
		return nil, nil, nil, err
	}
	p.atEnd = append(p.atEnd, calls.Release)
	if s.iteration != "" && s.project == "" {
		return nil, nil, nil, errWhichProject
	}
	inForce, err := r.Policy.Now(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	warnings = append(warnings, inForce.Warnings()...)
	if r.Service == nil {
		return r, nil, warnings, nil
	}
	projects, err := findProjects(ctx, r.Service, s.project)
	return r, projects, warnings, err
}

var errWhichProject = problem{What: "Could not find the iteration", Why: "Its name alone does not say which project it is of", Do: "Give --project too"}

func (p *program) reconcile(ctx context.Context, s selection, wait bool) error {
	r, projects, warnings, err := p.reconciler(ctx, s)
	if err != nil {
		return failedTo("reconcile", err)
	}
	for _, w := range warnings {
		p.out.warn("%s.", p.out.yellow(sentence(w)))
	}
	if r.Service == nil {
		return p.reconcileContainer(ctx, r, s, warnings)
	}
	result := newReconcileResult(warnings)
	failed := false
	for i, project := range projects {
		if ctx.Err() != nil {
			result.NotBegun = append(result.NotBegun, project.Name)
			continue
		}
		p.out.progress(i, len(projects), project.Name)
		done := p.reconcileProject(ctx, r, project, s.iteration, wait)
		failed = failed || len(done.Problems) > 0
		result.Projects = append(result.Projects, done)
	}
	result.giveUp()
	if s.project == "" && ctx.Err() == nil {
		if err := result.survey(ctx, r); err != nil {
			return failedTo("look for misnamed exports", err)
		}
	}
	if err := p.out.result(result, func() { p.sayReconciled(result) }); err != nil {
		return err
	}
	if err := p.broken(ctx, result.NotBegun, failed); err != nil {
		return err
	}
	return result.code()
}

// broken is the exit code of a run over projects that was interrupted, or of which one
// failed; nil where neither is so.
func (p *program) broken(ctx context.Context, notBegun []string, failed bool) error {
	switch {
	case ctx.Err() != nil:
		p.out.warn("Interrupted. Not begun: %s.", orNone(notBegun))
		return exitCode(exitInterrupted)
	case failed:
		return exitCode(exitFailed)
	}
	return nil
}

func newReconcileResult(warnings []string) reconcileResult {
	return reconcileResult{Projects: []reconciled{}, NotBegun: []string{}, GivenUp: []givenUp{}, Misnamed: []string{}, Warnings: append([]string{}, warnings...)}
}

// giveUp counts what could not be archived, by cause.
func (r *reconcileResult) giveUp() {
	number := map[state.Code]int{}
	for _, project := range r.Projects {
		for _, c := range project.Conditions {
			if c.Unproven || c.Blob != "" {
				number[c.Code]++
			}
		}
	}
	for code, n := range number {
		r.GivenUp = append(r.GivenUp, givenUp{code, n})
	}
	slices.SortFunc(r.GivenUp, func(a, b givenUp) int { return cmp.Or(b.Count-a.Count, cmp.Compare(a.Code, b.Code)) })
}

// survey looks at the names of all that lies in the model container.
func (r *reconcileResult) survey(ctx context.Context, by *reconcile.Reconciler) error {
	exports, misnamed, err := by.Models.Survey(ctx)
	if err == nil {
		r.Exports, r.Misnamed = &exports, append(r.Misnamed, misnamed...)
	}
	return err
}

// code is the exit code where nothing failed.
func (r reconcileResult) code() error {
	if len(r.GivenUp) > 0 {
		return exitCode(exitFound)
	}
	return nil
}

func newReconciled(id, name string) reconciled {
	return reconciled{ID: id, Name: name, Done: []overview.Action{}, Waiting: []overview.Action{}, Conditions: []overview.Condition{}, Problems: []problem{}}
}

// reconcileProject reconciles one project to its end. An interruption takes effect
// between two runs only, so that no run is cut off.
func (p *program) reconcileProject(ctx context.Context, r *reconcile.Reconciler, project customvision.Project, iteration string, wait bool) reconciled {
	result := newReconciled(project.ID, project.Name)
	fail := func(err error) reconciled {
		result.Problems = explain(failedTo(fmt.Sprintf("reconcile the project %q", project.Name), err))
		return result
	}
	req := reconcile.Request{Key: reconcile.Key{Project: project.ID}, Known: &project, Patient: true}
	if iteration != "" {
		id, err := findIteration(ctx, r.Service, project, iteration)
		if err != nil {
			return fail(err)
		}
		req.Iteration = id
	}
	cancelNotice := context.AfterFunc(ctx, func() {
		p.stopSignals()
		p.out.warn("Finishing the project %q; Ctrl-C again ends at once.", project.Name)
	})
	defer cancelNotice()
	for {
		report, err := r.Reconcile(p.logged(context.WithoutCancel(ctx)), req)
		req.Known = nil // by the next run it may have another name
		result.Outside = report.Outside
		result.Done = append(result.Done, overview.Actions(report.Done, report)...)
		result.Waiting, result.Conditions = overview.Actions(report.Waiting, report), overview.Conditions(report.Conditions, overview.Named(report.Iterations))
		if err := errors.Join(err, report.Err("")); err != nil {
			return fail(err)
		}
		if !wait || len(report.Waiting) == 0 || ctx.Err() != nil {
			return result
		}
	}
}

// reconcileContainer is for the app without an endpoint.
func (p *program) reconcileContainer(ctx context.Context, r *reconcile.Reconciler, s selection, warnings []string) error {
	result := newReconcileResult(warnings)
	ctx = p.logged(ctx)
	if s.project != "" {
		id, err := customvision.ParseID(s.project)
		if err != nil {
			return problem{What: "Could not find the project " + s.project, Why: "Without CUSTOMVISION_ENDPOINT only ids are known", Do: "Name it by its id"}
		}
		report, err := r.Reconcile(ctx, reconcile.Request{Key: reconcile.Key{Project: id}})
		if err := errors.Join(err, report.Err("")); err != nil {
			return failedTo("archive the model container's blobs", err)
		}
		one := newReconciled(id, "")
		one.Done, one.Conditions = overview.Actions(report.Done, report), overview.Conditions(report.Conditions, overview.Named(nil))
		result.Projects = append(result.Projects, one)
		result.giveUp()
		if err := p.out.result(result, func() { p.sayReconciled(result) }); err != nil {
			return err
		}
		return result.code()
	}
	swept, err := r.Sweep(ctx, reconcile.Before{})
	if err == nil {
		err = result.survey(ctx, r)
	}
	if err != nil {
		return failedTo("archive the model container's blobs", err)
	}
	byProject := map[string][]state.Condition{}
	for _, c := range swept.Conditions {
		byProject[c.Project] = append(byProject[c.Project], c.Condition)
	}
	for _, id := range slices.Sorted(maps.Keys(byProject)) {
		one := newReconciled(id, "")
		one.Conditions = overview.Conditions(byProject[id], overview.Named(nil))
		result.Projects = append(result.Projects, one)
	}
	result.giveUp()
	if err := p.out.result(result, func() { p.sayContainer(result, swept.Covered) }); err != nil {
		return err
	}
	return result.code()
}

// firstConditions say the conditions of all projects, as many as one alone may have. The
// name of a blob has the ids of its project and its iteration, so they aren't said again.
func firstConditions(projects []reconciled) []string {
	var texts []string
	for _, one := range projects {
		for _, c := range one.Conditions {
			project := one.ID
			if c.Blob != "" {
				project, c.Iteration, c.Why = "", "", strings.TrimPrefix(c.Why, "copy "+c.Blob+": ")
			}
			texts = append(texts, conditionTexts(project, append(one.Conditions[:0:0], c))...)
		}
	}
	if more := len(texts) - mostConditions; more > 0 {
		texts = append(texts[:mostConditions], "Blocked: "+count(more, "thing")+" more; --json lists all.")
	}
	return texts
}

// sayContainer says what became of all that lies in the model container.
func (p *program) sayContainer(r reconcileResult, projects int) {
	for _, text := range firstConditions(r.Projects) {
		p.out.say("%s", p.out.yellow(text))
	}
	if len(r.GivenUp) == 0 {
		p.out.say("All that lies in the model container is in the archive: %s of %s.", count(*r.Exports, "export"), count(projects, "project"))
	} else {
		p.out.say("The model container holds %s of %s.", count(*r.Exports, "export"), count(projects, "project"))
	}
	p.sayGivenUp(r)
}

// sayGivenUp says how many exports could not be archived and why, and which blobs
// nobody takes for exports.
func (p *program) sayGivenUp(r reconcileResult) {
	n := 0
	var causes []string
	for _, g := range r.GivenUp {
		n += g.Count
		cause := string(g.Code)
		if known, ok := causeWords[g.Code]; ok {
			cause = known
		}
		causes = append(causes, fmt.Sprintf("%d %s", g.Count, cause))
	}
	if n > 0 {
		p.out.sayWrapped(p.out.yellow, fmt.Sprintf("%s could not be archived: %s.", sentence(count(n, "export")), strings.Join(causes, ", ")), 0)
	}
	if len(r.Misnamed) > 0 {
		const most = 3
		shown := `"` + strings.Join(r.Misnamed[:min(len(r.Misnamed), most)], `", "`) + `"`
		if more := len(r.Misnamed) - most; more > 0 {
			shown += fmt.Sprintf(" and %d more", more)
		}
		p.out.say("%s", p.out.yellow("Not archived, because Custom Vision does not name its exports so: "+shown+"."))
	}
}

// causeWords say why exports could not be archived.
var causeWords = map[state.Code]string{
	state.Unavailable: "could not be read now",
	state.NoLink:      "without a way to the bytes",
	state.LinkRefused: "with a link to a place where the app does not go",
	state.Resting:     "resting in the Archive tier",
	state.TooLarge:    "too large",
	state.TooCostly:   "would take too long to read",
	state.Unfinished:  "begun when the program ended",
	state.Copied:      "copied, and not proven yet",
	state.Ambiguous:   "with bytes that nothing shows to be theirs",
	state.BadName:     "with a name that nothing can be stored under",
	state.Overwritten: "overwritten by another export",
	state.Damaged:     "damaged where Custom Vision wrote it",
}

// logged is a context whose log goes to the person, if they want it.
func (p *program) logged(ctx context.Context) context.Context {
	if !p.verbose {
		return ctx
	}
	log := zerolog.New(zerolog.ConsoleWriter{Out: p.out.stderr, NoColor: true}).With().Timestamp().Logger()
	return log.WithContext(ctx)
}

func (p *program) sayReconciled(result reconcileResult) {
	rows := [][]string{{"", "PROJECT", "ITERATION", "EXPORT", "WHY"}}
	for _, r := range result.Projects {
		rows = append(rows, p.rows(r.Name, r.Done, wasDone)...)
		rows = append(rows, p.rows(r.Name, r.Waiting, wasDone)...)
	}
	if len(rows) > 1 {
		p.out.table(rows)
	}
	for _, r := range result.Projects {
		p.out.problems(r.Problems, p.verbose)
	}
	postponed := 0
	for _, r := range result.Projects {
		put := slices.DeleteFunc(slices.Clone(r.Conditions), func(c overview.Condition) bool { return r.said(c) })
		p.out.sayConditions(r.Name, put)
		postponed += len(put)
	}
	if len(rows) == 1 && len(result.NotBegun) == 0 && postponed == 0 {
		p.out.say("Nothing to do: all is as the policy wants it.")
	}
	p.sayGivenUp(result)
}

// said reports whether the table shows the condition: this run put it off.
func (r reconciled) said(c overview.Condition) bool {
	return slices.ContainsFunc(r.Done, func(a overview.Action) bool {
		return a.Kind == reconcile.Postpone && a.Iteration == c.Iteration && a.Export == c.Export && a.Blob == c.Blob
	})
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
