package page

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"visionkeeper/internal/overview"
	"visionkeeper/internal/policy"
)

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
