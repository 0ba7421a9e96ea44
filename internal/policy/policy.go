// Package policy reads policy.json, the file in which a user says what
// Visionkeeper does. It holds the format, the JSON Schema (policy.schema.json)
// and the defaults. It decides nothing; reconcile.Plan does. Which policy counts,
// package inforce says. Start reading at Policy.
package policy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/remedy"
)

// Policy is a user's policy. Make one with Load or Parse, which fill in the
// defaults.
type Policy struct {
	Mode     Mode   `json:"mode"`
	Projects []Rule `json:"projects"`
}

// Mode is how far a policy's requests are carried out.
type Mode string

const (
	Act     Mode = "act"     // do what the policy asks
	Observe Mode = "observe" // archive only, and log what else would have been done
)

// Rule is what the policy asks for the projects that it names.
type Rule struct {
	// Project is a project's id or name, or "*" for every project.
	Project string `json:"project"`
	// Exports are the exports to ask for, as "Platform" or "Platform.Flavor", or All.
	// Read them with ExportsOf.
	Exports Words `json:"exports"`
	// Iterations are the iterations to export: Newest, Published, All.
	Iterations Words `json:"iterations"`
	// Rescue saves everything: every export of every iteration, which Exports and
	// Iterations then say, and the whole data set.
	Rescue bool `json:"rescue,omitempty"`
	// Predictions lets Rescue save stored predictions too: pictures that people had
	// classified.
	Predictions bool `json:"predictions,omitempty"`
	// Keep is how many iterations a project keeps, 1 to 20: of more, or of 20, the oldest is
	// deleted at Custom Vision once it is safe. 0 deletes none.
	Keep int `json:"keep,omitempty"`
	// Retrain is when to train, and how much that may cost. Nil never trains.
	Retrain *Retrain `json:"retrain,omitempty"`
	// Promote is which iteration is published. Nil never publishes.
	Promote *Promote `json:"promote,omitempty"`
	// Twin lets a person have compact twins made. Nil makes none.
	Twin *Twin `json:"twin,omitempty"`

	// OfTwin reports whether the project is itself a twin: of the rule for its original the
	// exports alone count for it.
	OfTwin bool `json:"-"`
}

// The words of Rule.Iterations. All also stands in Rule.Exports.
const (
	Newest    = "newest"    // the completed iteration trained last
	Published = "published" // every iteration that is published
	All       = "all"       // every completed iteration; every export that the domain offers
)

// Promote says when the newest iteration is published under a name: when it passes the
// gate.
type Promote struct {
	Name         string `json:"name"`
	PredictionID string `json:"predictionId"` // the prediction resource's id in Azure Resource Manager
	// Minimum is the least that each measure must be; 0 for no matter what.
	Minimum Measures `json:"minimum"`
	// PerTag lets Minimum and NotWorseBy hold for each tag too.
	PerTag bool `json:"perTag"` // true by default
	// NotWorseBy is by how much each measure may be less than that of the iteration that
	// has the name.
	NotWorseBy float64 `json:"notWorseBy"` // 0.02 by default
	Threshold  float64 `json:"threshold"`  // the probability at which is measured; 0.5 by default
	// HoldOut is where labelled pictures lie by which is measured: a container of the archive's
	// account, with a folder in it, or ./ and a folder below the app's. Where it is empty, the
	// figures are the service's own.
	HoldOut string `json:"holdOut,omitempty"`
}

// Measures are how well an iteration predicts, each between 0 and 1.
type Measures struct {
	Precision        float64 `json:"precision"`
	Recall           float64 `json:"recall"`
	AveragePrecision float64 `json:"averagePrecision"`
}

// UnmarshalJSON fills in the defaults.
func (p *Promote) UnmarshalJSON(data []byte) error {
	type plain Promote
	*p = Promote{PerTag: true, NotWorseBy: 0.02, Threshold: 0.5}
	return json.Unmarshal(data, (*plain)(p))
}

// InForce is the policy that counts at a moment.
type InForce struct {
	Policy
	From   string  // where the newest policy lies, for a person
	Set    bool    // it was set in the state container, not published
	Fault  error   // why that one isn't followed; nil if it is
	Doubts []error // what in it may not be meant so
}

// Warnings say what the app doesn't do because of the policy, and why.
func (i InForce) Warnings() []string {
	if i.Fault == nil {
		var texts []string
		for _, d := range i.Doubts {
			texts = append(texts, d.Error())
		}
		return texts
	}
	why, do := remedy.Of(i.Fault)
	return []string{"no exports are asked for and nothing is retrained, finished exports are archived all the same: " + why + ": " + do}
}

// Now is the policy itself: one that never changes.
func (p Policy) Now(context.Context) (InForce, error) { return InForce{Policy: p}, nil }

// ArchiveOnly is the policy in force while no policy was ever read that is right. It
// archives every export of every project and does nothing else.
var ArchiveOnly = Policy{Mode: Observe, Projects: []Rule{{Project: "*", Iterations: []string{Newest, Published}}}}

// ReadFile reads a policy file, unchecked.
func ReadFile(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, remedy.New("write one, or copy the policy.json that came with the program", "there is no policy at %s", path)
	}
	if err != nil {
		return nil, remedy.New("see that it is a file that may be read", "the policy can't be read: %w", err)
	}
	return data, nil
}

// mend is what to do about a policy with a fault.
const mend = "mend it; policy.schema.json describes every key"

// Parse reads a policy, written as people write JSON (see dotnet.JSON), checks it
// against the schema, and fills in the defaults. The error names every fault with its
// line, its column, and its place in the document.
func Parse(data []byte) (Policy, error) {
	tree, err := dotnet.ParseJSON(data)
	if err != nil {
		return Policy{}, fmt.Errorf("the policy is not JSON: %w", err)
	}
	canonical(tree)
	if faults := policySchema().check(tree); len(faults) > 0 {
		return Policy{}, remedy.New(mend, "the policy does not follow its schema: %s", strings.Join(faults, "; "))
	}
	p := Policy{Mode: Act}
	if err := json.Unmarshal(dotnet.JSON(data), &p); err != nil {
		return Policy{}, remedy.New(mend, "the policy can't be read: %w", err)
	}
	for i := range p.Projects {
		p.Projects[i].fillDefaults()
	}
	if circle := p.circle(); circle != "" {
		return Policy{}, remedy.New("take one of these rules' after out", "the policy's trainings cause one another in a circle: %s", circle)
	}
	return p, nil
}

func (r *Rule) fillDefaults() {
	if r.Rescue {
		r.Exports, r.Iterations = Words{All}, Words{All}
	}
	if len(r.Iterations) == 0 {
		r.Iterations = []string{Newest, Published}
	}
	if r.Retrain != nil {
		r.Retrain.fillDefaults()
	}
	if r.Twin != nil && r.Twin.BudgetHours == 0 {
		r.Twin.BudgetHours = 1
	}
}

// For returns the first rule that names the project, by id or by name in any
// letter case. ok is false if there is none: then the policy asks for nothing,
// backups included. For a twin, which TwinName has named, that is the rule for its original,
// of which only the exports are left: they are what a twin is made for.
func (p Policy) For(projectID, projectName string) (Rule, bool) {
	named := func(rule string) bool { return strings.EqualFold(rule, projectName) }
	of, twin := ParseTwin(projectName)
	if twin {
		projectID, named = of.Project, of.named
	}
	i := slices.IndexFunc(p.Projects, func(r Rule) bool {
		return r.Project == "*" || strings.EqualFold(r.Project, projectID) || named(r.Project)
	})
	switch {
	case i < 0:
		return Rule{}, false
	case twin:
		return p.Projects[i].ofTwin(), true
	}
	return p.Projects[i], true
}

// Rescues reports whether a rule wants data sets saved.
func (p Policy) Rescues() bool {
	return slices.ContainsFunc(p.Projects, func(r Rule) bool { return r.Rescue })
}

// Twins reports whether a rule lets compact twins be made.
func (p Policy) Twins() bool {
	return slices.ContainsFunc(p.Projects, func(r Rule) bool { return r.Twin != nil })
}

// Hash returns a short hash of the rule. An iteration that was settled under
// another hash is looked at again.
func (r Rule) Hash() string {
	data, _ := json.Marshal(r) // strings and numbers can't fail
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}
