package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"visionkeeper/internal/app"
	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/policy/inforce"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/remedy"
	"visionkeeper/internal/settings"
)

type policyResult struct {
	From     string        `json:"from"` // where the newest policy lies
	Set      bool          `json:"set"`  // it was set in the state container, not published
	Mode     policy.Mode   `json:"mode"`
	Rules    []policy.Rule `json:"rules"`
	Warnings []string      `json:"warnings"`
	// Followed is when the app began to follow it; null if it doesn't yet.
	Followed *time.Time `json:"followed"`
}

type policyChange struct {
	Policy  string   `json:"policy"` // where it lies
	Changes []string `json:"changes"`
	// Warnings say what in it may not be meant so.
	Warnings []string `json:"warnings"`
}

func (p *program) policyCommand() *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "Show, check or change the policy", Long: `Show, check or change the policy.

The policy that counts is the policy.json in the state container if there is one,
else the one that was published. A change takes effect within a minute, without
publishing.`, Args: onlyVerbs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	show := p.verb("show", "Show the policy that counts", "And where it lies, and since when the app follows it.", func(ctx context.Context, _ []string) error {
		return failedTo("show the policy", p.showPolicy(ctx))
	})
	check := p.verb("check [FILE]", "Check a policy file", `
Looks at FILE, else at the app's policy.json. No setting is needed. With the app's
settings it also finds two rules for one project, by its id and by its name. The
exit code is 3 if anything is wrong.`, func(ctx context.Context, args []string) error {
		return failedTo("check the policy", p.checkPolicy(ctx, args))
	})
	check.Args = wordsOf(0, 1, "one file")
	set := p.verb("set FILE", "Put a policy into the state container", `
From then on it counts instead of the published one. A policy with a fault is
refused. The exit code is 3 if it has something that may not be meant so, such as
a rule that is never reached.`, func(ctx context.Context, args []string) error {
		return failedTo("set the policy", p.setPolicy(ctx, args[0]))
	})
	set.Args = wordsOf(1, 1, "the file with the policy")
	reset := p.verb("reset", "Let the published policy count again", "Deletes the policy.json in the state container. The exit code is as with set.", func(ctx context.Context, _ []string) error {
		return failedTo("reset the policy", p.resetPolicy(ctx))
	})
	c.AddCommand(show, check, set, reset)
	return c
}

// inForce finds the policy that counts.
func (p *program) inForce(ctx context.Context, s settings.Settings) (policy.InForce, error) {
	c, err := p.environment()
	if err != nil {
		return policy.InForce{}, err
	}
	_, store, err := app.OpenArchive(s, p.version)
	if err != nil {
		return policy.InForce{}, err
	}
	source := &inforce.Source{Published: p.publishedPolicy(c), Store: store, Clock: reconcile.SystemClock{}}
	return source.Now(ctx)
}

// publishedPolicy is the path of the policy in the app's folder.
func (p *program) publishedPolicy(c *dotnet.Configuration) string {
	return filepath.Join(p.appRoot(c), app.PolicyName)
}

// near is a path as a person in the working folder would write it.
func near(path string) string {
	working, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(working, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

func (p *program) showPolicy(ctx context.Context) error {
	v, err := p.openVault()
	if err != nil {
		return err
	}
	now, err := p.inForce(ctx, v.settings)
	if err != nil {
		return err
	}
	recorded, err := v.state.PolicyInForce(ctx)
	if err != nil {
		return err
	}
	result := policyResult{From: now.From, Set: now.Set, Mode: now.Mode, Rules: now.Projects, Warnings: append([]string{}, now.Warnings()...)}
	if old, err := policy.Parse([]byte(recorded.Policy)); err == nil && now.Fault == nil && len(policy.Changes(old, now.Policy)) == 0 {
		result.Followed = &recorded.Since
	}
	return p.out.result(result, func() { p.sayPolicy(result, now.Fault != nil) })
}

func (p *program) sayPolicy(r policyResult, faulty bool) {
	for _, w := range r.Warnings {
		p.out.warn("%s.", p.out.yellow(sentence(w)))
	}
	if faulty {
		p.out.say("Until it is mended, these rules count, for archiving alone:\n")
	} else {
		p.out.say("%s, mode %s\n", near(r.From), r.Mode)
	}
	rows := [][]string{{"PROJECT", "WHAT THE RULE ASKS FOR"}}
	for _, rule := range r.Rules {
		rows = append(rows, []string{rule.Project, rule.String()})
	}
	p.out.table(rows)
	switch {
	case faulty:
	case r.Followed != nil:
		p.out.say("\nThe app follows it since %s.", r.Followed.UTC().Format("2006-01-02 15:04 UTC"))
	default:
		p.out.say("\nThe app does not follow it yet. It reads a policy before it acts, at the next message or sweep.")
	}
}

func (p *program) checkPolicy(ctx context.Context, args []string) error {
	var path string
	if len(args) > 0 {
		path = args[0]
	} else {
		c, err := p.environment()
		if err != nil {
			return err
		}
		path = near(p.publishedPolicy(c))
	}
	data, err := policy.ReadFile(path)
	if err != nil {
		return err
	}
	result := checkResult{OK: true, Checks: []checked{}}
	rules, fault := policy.Parse(data)
	for _, err := range append(p.doubts(ctx, data, rules), fault) {
		if err != nil {
			why, do := remedy.Of(err)
			result.OK = false
			result.Checks = append(result.Checks, checked{Name: path, Text: why, Do: do})
		}
	}
	if fault == nil {
		result.Checks = append(result.Checks, checked{Name: path, OK: true, Text: "mode " + string(rules.Mode) + ", " + count(len(rules.Projects), "rule")})
	}
	if err := p.out.result(result, func() { p.sayChecked(result) }); err != nil || result.OK {
		return err
	}
	return exitCode(exitFound)
}

// doubts are those about a policy, and about rules that name one project by its id and
// by its name, as far as names are known: as Custom Vision lists them, else as the
// archive has them.
func (p *program) doubts(ctx context.Context, data []byte, rules policy.Policy) []error {
	return append(policy.Doubts(data), policy.DoubledRules(rules, p.knownNames(ctx))...)
}

// knownNames are the projects' names by their ids. What can't be asked is left out.
func (p *program) knownNames(ctx context.Context) map[string]string {
	names := map[string]string{}
	if s, _, err := p.settings(); err == nil {
		if service, err := app.OpenService(s, app.FewRetries()); err == nil && service != nil {
			projects, err := findProjects(ctx, service, "")
			for _, project := range projects {
				names[project.ID] = project.Name
			}
			if err == nil {
				return names
			}
		}
	}
	if v, err := p.openVault(); err == nil {
		models, _ := v.archive.Inventory(ctx)
		for _, m := range models {
			names[m.Project] = m.ProjectName
		}
	}
	return names
}

func (p *program) setPolicy(ctx context.Context, path string) error {
	data, err := policy.ReadFile(path)
	if err != nil {
		return err
	}
	rules, err := policy.Parse(data)
	if err != nil {
		return err
	}
	v, err := p.openVault()
	if err != nil {
		return err
	}
	before, err := p.inForce(ctx, v.settings)
	if err != nil {
		return err
	}
	if err := v.state.SetPolicy(ctx, data); err != nil {
		return err
	}
	result := policyChange{Policy: v.state.PolicyPlace(), Changes: append([]string{}, policy.Changes(before.Policy, rules)...), Warnings: []string{}}
	for _, doubt := range p.doubts(ctx, data, rules) {
		result.Warnings = append(result.Warnings, doubt.Error())
	}
	return p.policyChanged(result, path+" is now "+result.Policy+", and counts within a minute.")
}

func (p *program) resetPolicy(ctx context.Context) error {
	v, err := p.openVault()
	if err != nil {
		return err
	}
	before, err := p.inForce(ctx, v.settings)
	if err != nil {
		return err
	}
	was, err := v.state.ResetPolicy(ctx)
	if err != nil {
		return err
	}
	after, err := p.inForce(ctx, v.settings)
	if err != nil {
		return err
	}
	result := policyChange{Policy: after.From, Changes: append([]string{}, policy.Changes(before.Policy, after.Policy)...), Warnings: append([]string{}, after.Warnings()...)}
	done := "The published policy counts again within a minute."
	if !was {
		done = fmt.Sprintf("There was no %s: the published policy counts already.", v.state.PolicyPlace())
	}
	return p.policyChanged(result, done)
}

// policyChanged prints a change, and what in the policy may not be meant so.
func (p *program) policyChanged(r policyChange, done string) error {
	err := p.out.result(r, func() {
		for _, w := range r.Warnings {
			p.out.warn("%s.", p.out.yellow(sentence(w)))
		}
		p.out.say("%s", p.out.green(done))
		for _, c := range r.Changes {
			p.out.say("  %s", c)
		}
		if len(r.Changes) == 0 {
			p.out.say("  It asks for the same as before.")
		}
	})
	if err != nil || len(r.Warnings) == 0 {
		return err
	}
	return exitCode(exitFound)
}
