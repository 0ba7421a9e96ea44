// Package policy reads the file in which a user says what Visionkeeper does: its
// format, its JSON Schema (policy.schema.json) and its defaults. It decides
// nothing; reconcile.Plan does. Start reading at Policy.
package policy

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"visionkeeper/internal/remedy"
)

// Policy is a user's policy.
type Policy struct {
	Mode     Mode   `json:"mode"`
	Projects []Rule `json:"projects"`
}

// Mode tells whether a policy acts.
type Mode string

const (
	Act     Mode = "act"     // do what the policy asks
	Observe Mode = "observe" // archive only, and say what would have been done
)

// Rule is what the policy asks for the projects it names.
type Rule struct {
	// Project is a project's id or name, or "*" for every project.
	Project string `json:"project"`
	// Exports to ask for, as "Platform" or "Platform.Flavor".
	Exports []string `json:"exports"`
	// Iterations that are exported: Newest, Published, All.
	Iterations []string `json:"iterations"`
	// Retrain after a failed training; nil never trains.
	Retrain *Retrain `json:"retrain,omitempty"`
}

// The iterations a rule can ask to export.
const (
	Newest    = "newest"    // the completed iteration trained last
	Published = "published" // every iteration with a publish name
	All       = "all"       // every completed iteration
)

// Retrain says how often a failed training is tried again.
type Retrain struct {
	AfterFailure int      `json:"afterFailure"` // times along one chain of failures, 1 to 5
	Within       Duration `json:"within"`       // older failures are left alone
	PerMonth     int      `json:"perMonth"`     // ceiling of trainings in 30 days
	Force        bool     `json:"force"`        // train though nothing changed
}

// Duration is a time.Duration written as in "24h".
type Duration time.Duration

// UnmarshalJSON reads "24h".
func (d *Duration) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	parsed, err := time.ParseDuration(s)
	*d = Duration(parsed)
	return err
}

// MarshalJSON writes "24h0m0s".
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(d).String())
}

// ArchiveOnly is the policy in force when the user's can't be read: every export
// of every project is archived, and nothing else is done.
var ArchiveOnly = Policy{Mode: Observe, Projects: []Rule{{Project: "*", Iterations: []string{Newest, Published}}}}

// Load reads and checks the policy file. The error says what is wrong and where.
func Load(path string) (Policy, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Policy{}, remedy.New("write one, or copy the policy.json that came with the program", "there is no policy at %s", path)
	}
	if err != nil {
		return Policy{}, fmt.Errorf("read the policy: %w", err)
	}
	p, err := Parse(data)
	if err != nil {
		return Policy{}, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// Parse reads a policy, checks it against the schema and fills in the defaults.
func Parse(data []byte) (Policy, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return Policy{}, fmt.Errorf("the policy is not JSON: %w", err)
	}
	if err := schema().Validate(document); err != nil {
		return Policy{}, errors.New("the policy does not follow its schema: " + explain(err))
	}
	p := Policy{Mode: Act}
	if err := json.Unmarshal(data, &p); err != nil {
		return Policy{}, fmt.Errorf("the policy can't be read: %w", err)
	}
	for i := range p.Projects {
		p.Projects[i].fillDefaults()
	}
	return p, nil
}

func (r *Rule) fillDefaults() {
	if len(r.Iterations) == 0 {
		r.Iterations = []string{Newest, Published}
	}
	if r.Retrain != nil {
		if r.Retrain.Within == 0 {
			r.Retrain.Within = Duration(24 * time.Hour)
		}
		if r.Retrain.PerMonth == 0 {
			r.Retrain.PerMonth = 10
		}
	}
}

// For is the first rule that names the project, by id or name without regard to
// case. False means that the policy leaves the project alone.
func (p Policy) For(projectID, projectName string) (Rule, bool) {
	i := slices.IndexFunc(p.Projects, func(r Rule) bool {
		return r.Project == "*" || strings.EqualFold(r.Project, projectID) || strings.EqualFold(r.Project, projectName)
	})
	if i < 0 {
		return Rule{}, false
	}
	return p.Projects[i], true
}

// Hash is the rule's fingerprint: what was settled under another is looked at again.
func (r Rule) Hash() string {
	data, _ := json.Marshal(r) // strings and numbers can't fail
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

//go:embed policy.schema.json
var schemaJSON []byte

var schema = sync.OnceValue(func() *jsonschema.Schema {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaJSON))
	if err != nil {
		panic("policy.schema.json: " + err.Error())
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("visionkeeper:policy", document); err != nil {
		panic("policy.schema.json: " + err.Error())
	}
	return c.MustCompile("visionkeeper:policy")
})

// explain puts the validator's findings, each naming its place, on one line. The
// first line of its report names only the schema.
func explain(err error) string {
	lines := strings.Split(err.Error(), "\n")[1:]
	for i := range lines {
		lines[i] = strings.TrimLeft(lines[i], " -")
	}
	return strings.Join(lines, "; ")
}
