// Package overview gathers where everything stands: what the archive holds, what the
// state remembers, and, where it is asked, what Custom Vision has. The verb status, the
// page and the JSON of both show it in the same shape. It changes nothing. Start reading
// at Status, then Gatherer.
package overview

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// Retirement is when Custom Vision ends:
// https://learn.microsoft.com/azure/ai-services/custom-vision-service/migration-options
var Retirement = time.Date(2028, time.September, 25, 0, 0, 0, 0, time.UTC)

// DaysLeft is how many days are left until then.
func DaysLeft(now time.Time) int { return int(Retirement.Sub(now).Hours() / 24) }

// Status is where everything stands.
type Status struct {
	Projects []Project `json:"projects"`
	// Models counts the known trained iterations, Safe those of them that have a
	// proven or intact backup.
	Models int `json:"models"`
	Safe   int `json:"safe"`
	// Unproven counts the finished exports without a backup, whatever keeps them from one.
	Unproven int `json:"unproven"`
	// Complete reports whether everything could be seen that the settings name. If
	// not, Notes say what is missing.
	Complete bool `json:"complete"`
	// Mode is how far the policy is carried out; empty where that isn't known.
	Mode policy.Mode `json:"mode"`
	// Sweep is what the last sweep found; null where there was none, or where the state
	// can't be read.
	Sweep *Sweep `json:"sweep"`
	// Conditions are what can't be done now and is about no one project: a destination
	// doesn't take the app's own events.
	Conditions []Condition `json:"conditions"`
	// LastNotification is when the last message that led to a look was sent; null where
	// none is known.
	LastNotification *time.Time `json:"lastNotification"`
	Queue            *Queue     `json:"queue"`       // null where it can't be reached
	DeadLetters      *int       `json:"deadLetters"` // null where the state can't be read
	// Rescue says what is saved of each project of which more than models was ever saved.
	Rescue []state.Coverage `json:"rescue"`
	// RescueTotal sums up what all of them say; null where there is none.
	RescueTotal    *state.Total `json:"rescueTotal,omitempty"`
	RetirementDays int          `json:"retirementDays"`
	Notes          []string     `json:"notes"` // what isn't shown, why, and what to do

	// Asked reports whether Custom Vision answered for every project. If not, what is
	// trained and exported is what the last looks showed.
	Asked bool `json:"-"`

	view *state.View // nil where the state can't be read
}

// Project is one project.
type Project struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Domain is that of the newest model; empty where it isn't known.
	Domain string `json:"domain"`
	// Connected reports whether Custom Vision puts the project's notifications on the
	// app's queue; null where it wasn't asked.
	Connected  *bool   `json:"connected"`
	Iterations []Model `json:"iterations"` // the newest first
	// Trainings are underway, or failed after the newest model was trained.
	Trainings  []Training  `json:"trainings"`
	Conditions []Condition `json:"conditions"` // what can't be done now, the oldest first
	// Twin is the compact twin that a person asked for last; null where nobody did, and where
	// the state can't be read. TwinOf is the id of the project that this one is a twin of.
	Twin   *Twin  `json:"twin,omitempty"`
	TwinOf string `json:"twinOf,omitempty"`
}

// Twin is a compact twin of a project, which isn't the same model.
type Twin struct {
	Project       string    `json:"project"` // its id; empty where it isn't made yet
	Name          string    `json:"name"`
	Iteration     string    `json:"iteration"` // id of the model that can't be exported
	IterationName string    `json:"iterationName"`
	Asked         time.Time `json:"asked"`
	Open          bool      `json:"open"`   // there is something left to do
	Stage         string    `json:"stage"`  // how far it is, for a person
	Record        string    `json:"record"` // the document in the archive that says what it is; empty before
}

// Model is a trained iteration.
type Model struct {
	ID            string     `json:"id"`
	Name          string     `json:"name"`
	Newest        bool       `json:"newest"`
	TrainedAt     *time.Time `json:"trainedAt"`
	Published     bool       `json:"published"`
	PublishedName string     `json:"publishedName"`
	// Type is that of the classification, such as Multiclass; empty for object detection,
	// and where it isn't known.
	Type        string            `json:"classificationType"`
	Performance *Performance      `json:"performance"` // null where it isn't known
	Wanted      []string          `json:"wanted"`      // the exports that the policy asks for
	Exported    []string          `json:"exported"`    // as Custom Vision lists them, now or at the last look
	Exporting   []string          `json:"exporting"`
	Failed      []string          `json:"failed"` // exports that Custom Vision could not make
	Archived    []string          `json:"archived"`
	Proven      []string          `json:"proven"`   // of these, what is proven or intact
	Unproven    []string          `json:"unproven"` // exported, and not proven or intact in the archive
	Blocked     map[string]string `json:"blocked"`  // why by export; "" is the iteration itself
	Safe        bool              `json:"safe"`
	// Stuck reports whether it can never be exported, because its domain isn't compact.
	Stuck bool `json:"stuck,omitempty"`
	// Deleted is when the app saw that Custom Vision no longer had it, after it asked for its
	// deletion to make room; null where it didn't, and where the state can't be read.
	Deleted *time.Time `json:"deleted,omitempty"`

	// Backups are the copies in the archive; only where one project is shown.
	Backups []Backup `json:"backups,omitempty"`

	backups []archive.Backup
	facts   archive.Facts
}

// Backup is one copy in the archive.
type Backup struct {
	Export   string          `json:"export"`
	Blob     string          `json:"blob"`    // in the archive container; empty where it is gone
	Verdict  archive.Verdict `json:"verdict"` // empty while it has no proof
	Size     int64           `json:"size"`    // bytes
	Archived time.Time       `json:"archivedAt"`
	// The rest is the proof's, and empty where there is none that can be read.
	SHA256   string     `json:"sha256"`
	Verified *time.Time `json:"verifiedAt"`
	Note     string     `json:"note"` // why this verdict
}

// Performance is how well a model did in its own test, from 0 to 1. What isn't known is
// null.
type Performance struct {
	Precision        *float64 `json:"precision"`
	Recall           *float64 `json:"recall"`
	AveragePrecision *float64 `json:"averagePrecision"` // mean over the tags
}

// Training is one that is underway or failed.
type Training struct {
	ID     string    `json:"id"`
	Name   string    `json:"name"`
	Status string    `json:"status"` // as Custom Vision has it, such as Training or Failed
	Last   time.Time `json:"lastModified"`
}

// Sweep is what health.json says of the last sweep.
type Sweep struct {
	Ended    time.Time  `json:"ended"`
	Round    *time.Time `json:"round"` // when everything was last looked at; null before that
	Projects int        `json:"projects"`
	Covered  int        `json:"covered"`
	Warnings []string   `json:"warnings"`
	Errors   []string   `json:"errors"`
	// Conditions are those that no project's state has: of the list of projects, and of
	// projects with an id that nothing can be stored under.
	Conditions []Condition `json:"conditions"`
}

// Queue is how many messages wait.
type Queue struct {
	Messages int `json:"messages"`
	Poison   int `json:"poison"`
}

func twinOf(t *state.Twin) *Twin {
	if t == nil {
		return nil
	}
	return &Twin{t.Project, t.Name, t.Iteration, t.IterationName, t.Asked, t.Open(), t.Stage(), t.Record}
}

// Says is how far it is, in a sentence about the project.
func (t Twin) Says() string {
	return "a compact twin of " + t.IterationName + ", which is not the same model, " + strings.TrimRight(t.Stage, ".")
}

// Trained is when a model was trained; zero where that isn't known.
func (m Model) Trained() time.Time {
	if m.TrainedAt == nil {
		return time.Time{}
	}
	return *m.TrainedAt
}

// Only leaves one project in the status.
func (s *Status) Only(p Project) {
	s.Projects, s.Models, s.Safe, s.Unproven = []Project{p}, 0, 0, 0
	s.count()
}

// count sums up over all projects.
func (s *Status) count() {
	for _, project := range s.Projects {
		for _, m := range project.Iterations {
			s.Models++
			s.Unproven += len(m.Unproven)
			if m.Safe {
				s.Safe++
			}
		}
	}
}

// Doubtful are the exports of which the archive has or had a copy, and none that counts as a
// backup, beside those that are Unproven: the service doesn't list them as done.
func (m Model) Doubtful() []string {
	var list []string
	for _, b := range m.backups {
		if export := b.Key.String(); !slices.Contains(m.Proven, export) && !slices.Contains(m.Unproven, export) {
			list = append(list, export)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Tags are a model's labels and how well it did on each, as far as that is known.
func (m Model) Tags() []Tag {
	var p customvision.Performance
	if m.facts.Performance != nil {
		_ = json.Unmarshal(m.facts.Performance, &p)
	}
	var tags []Tag
	for _, t := range m.facts.Tags {
		tag := Tag{Name: t.Name, Images: t.ImageCount}
		for _, of := range p.PerTag {
			if of.ID == t.ID {
				tag.Performance = Performance{of.Precision, of.Recall, of.AveragePrecision}
			}
		}
		tags = append(tags, tag)
	}
	slices.SortFunc(tags, func(a, b Tag) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return tags
}

// Tag is one label of a model.
type Tag struct {
	Name   string
	Images int
	Performance
}
