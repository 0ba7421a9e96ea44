package emulator

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// state is all data of the emulated service.
type state struct {
	Clock    clock
	Secret   []byte // signs the links that the emulator serves itself
	Projects []*project
	Jobs     []job
	Messages []Message
}

// Statuses of an iteration. The contract doesn't list them; these were recorded.
const (
	statusNew       = "New"
	statusTraining  = "Training"
	statusCompleted = "Completed"
	statusFailed    = "Failed"
)

// Statuses of an export.
const (
	exportExporting = "Exporting"
	exportDone      = "Done"
	exportFailed    = "Failed"
)

type project struct {
	ID, Name              string
	Description           *string
	DomainID              string
	Classification        string // "" for object detection
	TargetExportPlatforms []string
	Augmentation          map[string]bool
	Container, Queue      string // the storage URIs; "" if not set
	Created, LastModified time.Time
	Status                string
	Revision              int // increases with every change that a training could learn from
	Named                 int // number of iterations with a default name
	Tags                  []*tag
	Images                []*picture
	Predictions           []stored
	Iterations            []*iteration // oldest first; the last is the open workspace
}

type tag struct {
	ID, Name    string
	Description *string
	Type        string
	ImageCount  int // only in an iteration's snapshot
}

type picture struct {
	ID            string
	Created       time.Time
	Width, Height int
	Hash          string // SHA-256 of its bytes
	Tags          []pictureTag
	Regions       []region
	Metadata      map[string]string
}

type pictureTag struct {
	ID      string
	Created time.Time
}

type region struct {
	ID, TagID                string
	Created                  time.Time
	Left, Top, Width, Height float64
}

type iteration struct {
	ID, Name, Status           string
	Created, LastModified      time.Time
	TrainedAt                  *time.Time
	DomainID, Classification   string // "" until trained
	TrainingType               string
	Budget, Minutes            int
	PublishName, PublishTarget string
	ErrorDetails               string
	BaseProject, BaseIteration string
	SelectedTags               []string
	Revision                   int
	Quality                    float64    // what SetQuality said; 0 goes by the pictures
	Tags                       []*tag     // as trained
	Images                     []*picture // as trained
	Exports                    []*export
}

type export struct {
	Platform string
	Flavor   *string // nil if none was asked for
	Status   string
	Exported time.Time // when the package was made
	Packages int       // number of packages made of it
}

// workspace returns the open iteration, which the next training uses.
func (p *project) workspace() *iteration { return p.Iterations[len(p.Iterations)-1] }

func (p *project) openWorkspace(now time.Time) {
	p.Iterations = append(p.Iterations, &iteration{ID: newID(), Status: statusNew, Created: now, LastModified: now, TrainingType: "Regular"})
}

// changed records a change that a training could learn from.
func (p *project) changed(now time.Time) {
	p.Revision++
	p.LastModified = now
}

func (s *Server) project(id string) (*project, error) {
	for _, p := range s.state.Projects {
		if p.ID == id {
			return p, nil
		}
	}
	return nil, notFound("NotFoundProject", "No project found with id %s", id)
}

func (p *project) iteration(id string) (*iteration, error) {
	for _, i := range p.Iterations {
		if i.ID == id {
			return i, nil
		}
	}
	return nil, notFound("NotFoundIteration", "No iteration found with id %s", id)
}

func (p *project) tag(id string) (*tag, error) {
	if i := slices.IndexFunc(p.Tags, func(t *tag) bool { return t.ID == id }); i >= 0 {
		return p.Tags[i], nil
	}
	return nil, notFound("NotFoundTag", "No tag found with id %s", id)
}

// newID returns a random GUID, lower case with hyphens like the service's.
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func newSecret() []byte {
	secret := make([]byte, 32)
	rand.Read(secret)
	return secret
}

// guid matches a GUID with or without hyphens, in any letter case.
var guid = regexp.MustCompile(`(?i)^([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})$`)

// canonicalID returns a GUID in lower case with hyphens. ok is false for other
// text.
func canonicalID(text string) (id string, ok bool) {
	m := guid.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	return strings.ToLower(strings.Join(m[1:], "-")), true
}
