package emulator

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"time"
)

// View is what the emulator's page shows.
type View struct {
	Now       time.Time      `json:"now"`
	Frozen    bool           `json:"frozen"`
	Projects  []ProjectView  `json:"projects"`
	Messages  []Message      `json:"messages"` // the last 50, newest first, without signatures
	Requests  []Request      `json:"requests"` // the last 50, newest first
	Pending   Pending        `json:"pending"`
	Domains   []DomainView   `json:"domains"`
	Questions []QuestionView `json:"questions"`
	// NewQueue and NewContainer are what a new project is connected to, unless a person
	// says otherwise: as the newest that is connected, else by the app's usual names.
	NewQueue     string `json:"newQueue"`
	NewContainer string `json:"newContainer"`
	AppPage      string `json:"appPage"` // the address of the app's own page; empty for none
}

// Pending is the faults that were ordered and haven't happened yet.
type Pending struct {
	FailTrainings  int `json:"failTrainings"`
	FailExports    int `json:"failExports"`
	FailImports    int `json:"failImports"`
	StallTrainings int `json:"stallTrainings"`
	StallExports   int `json:"stallExports"`
	ExpiredLinks   int `json:"expiredLinks"`
	OmittedLinks   int `json:"omittedLinks"`
	Notifications  int `json:"notifications"`
	Calls          int `json:"calls"`
}

// DomainView is a domain that a new project can use.
type DomainView struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Type      string   `json:"type"`
	Platforms []string `json:"platforms"`
}

// QuestionView is a question and the answer in force.
type QuestionView struct {
	Question Question `json:"question"`
	Ask      string   `json:"ask"`
	Answers  []string `json:"answers"`
	Answer   string   `json:"answer"`
}

// ProjectView is one project as the page shows it.
type ProjectView struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Status     string          `json:"status"`
	Domain     string          `json:"domain"`
	Platforms  []string        `json:"platforms"`
	Container  string          `json:"container"`
	Queue      string          `json:"queue"`
	Tags       int             `json:"tags"`
	Images     int             `json:"images"`
	Iterations []IterationView `json:"iterations"` // newest first, without the workspace
}

// IterationView is one iteration and its exports.
type IterationView struct {
	ID          string       `json:"id"`
	Name        string       `json:"name"`
	Status      string       `json:"status"`
	TrainedAt   *time.Time   `json:"trainedAt"`
	PublishName string       `json:"publishName"`
	Exportable  bool         `json:"exportable"`
	Exports     []ExportView `json:"exports"`
}

// ExportView is one export.
type ExportView struct {
	Platform string `json:"platform"`
	Flavor   string `json:"flavor"`
	Status   string `json:"status"`
	App      string `json:"app"` // what the app made of it; empty where that isn't known
}

// signature matches a link's signature, which the page must not show.
var signature = regexp.MustCompile(`([?&]sig=)[^&"]*`)

// shown is how many messages and requests the page lists.
const shown = 50

// View returns what the page shows.
func (s *Server) View() View {
	v := s.view()
	if s.options.AppPage != nil {
		v.AppPage = s.options.AppPage()
	}
	if s.options.App == nil {
		return v
	}
	ctx, cancel := context.WithTimeout(s.ctx, storageTimeout)
	defer cancel()
	for _, p := range v.Projects {
		made := s.options.App(ctx, p.ID)
		for _, i := range p.Iterations {
			for n, e := range i.Exports {
				name := e.Platform
				if e.Flavor != "" {
					name += "." + e.Flavor
				}
				i.Exports[n].App = made[i.ID][name]
			}
		}
	}
	return v
}

// view is what the emulator alone knows.
func (s *Server) view() View {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := View{
		Now: s.state.Clock.now(), Frozen: s.state.Clock.Frozen != nil,
		Projects: []ProjectView{}, Messages: newest(s.state.Messages), Requests: newest(s.log.last),
		Pending: Pending{
			FailTrainings: s.faults.failTrainings, FailExports: s.faults.failExports, FailImports: s.faults.failImports,
			StallTrainings: s.faults.stallTrainings, StallExports: s.faults.stallExports, ExpiredLinks: s.faults.expiredLinks, OmittedLinks: s.faults.omittedLinks,
		},
	}
	for _, f := range s.faults.messages {
		v.Pending.Notifications += f.left
	}
	for _, f := range s.faults.calls {
		v.Pending.Calls += f.left
	}
	for n := range v.Messages {
		v.Messages[n].Text = signature.ReplaceAllString(v.Messages[n].Text, "${1}redacted")
	}
	for _, d := range domains {
		v.Domains = append(v.Domains, DomainView{d.id, d.name, d.kind, append([]string{}, d.platforms...)})
	}
	for _, q := range questions {
		v.Questions = append(v.Questions, QuestionView{q.Question, q.Ask, q.Answers, s.answer(q.Question)})
	}
	if s.queues != nil {
		v.NewQueue = s.options.Storage.QueueURL + "/customvision-notifications"
	}
	if s.models != nil {
		v.NewContainer = s.options.Storage.BlobURL + "/models"
	}
	for _, p := range s.state.Projects {
		v.Projects = append(v.Projects, p.view())
		v.NewQueue, v.NewContainer = cmp.Or(p.Queue, v.NewQueue), cmp.Or(p.Container, v.NewContainer)
	}
	return v
}

func (p *project) view() ProjectView {
	d := p.domain()
	v := ProjectView{
		ID: p.ID, Name: p.Name, Status: p.Status, Domain: d.name + ", " + d.kind, Platforms: append([]string{}, d.platforms...),
		Container: p.Container, Queue: p.Queue, Tags: len(p.Tags), Images: len(p.Images), Iterations: []IterationView{},
	}
	for _, i := range slices.Backward(p.Iterations) {
		if i.Status == statusNew {
			continue
		}
		w := IterationView{ID: i.ID, Name: i.Name, Status: i.Status, TrainedAt: i.TrainedAt, PublishName: i.PublishName, Exportable: i.exportable(), Exports: []ExportView{}}
		for _, e := range i.Exports {
			w.Exports = append(w.Exports, ExportView{Platform: e.Platform, Flavor: e.flavor(), Status: e.Status})
		}
		v.Iterations = append(v.Iterations, w)
	}
	return v
}

func newest[T any](list []T) []T {
	last := slices.Clone(list[max(0, len(list)-shown):])
	slices.Reverse(last)
	return append([]T{}, last...)
}
