package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"visionkeeper/internal/nearest"
	"visionkeeper/internal/pattern"
)

// onlyVerbs refuses words that are no verb of a command that has verbs.
func onlyVerbs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var verbs []string
	for _, verb := range c.Commands() {
		if !verb.Hidden {
			verbs = append(verbs, verb.Name())
		}
	}
	return fmt.Errorf("there is no verb %q%s", args[0], suggestion(args[0], verbs))
}

// wordsOf refuses all but so many words behind a verb; what says which they are.
func wordsOf(least, most int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return fmt.Errorf("%s is missing", what)
		case len(args) > most:
			return fmt.Errorf("%q is one word too many: %s takes %s alone", args[most], c.Name(), what)
		}
		return nil
	}
}

// needProject refuses a verb without the project that it is for.
func needProject(project string) error {
	if project == "" {
		return errors.New("--project is missing: give it the name or id of a project")
	}
	return nil
}

// notTogether refuses a flag beside one that it excludes.
func notTogether(c *cobra.Command, flag string, others ...string) error {
	for _, other := range others {
		if c.Flags().Changed(flag) && c.Flags().Changed(other) {
			return fmt.Errorf("--%s and --%s exclude each other: leave one out", flag, other)
		}
	}
	return nil
}

// flagName is where the lines of a verb's flags name them.
var flagName = pattern.Of(`(?m)^ *(?:-\w, )?(--[a-z-]+)`)

// flagError names the flag that was probably meant.
func flagError(c *cobra.Command, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !unknown {
		return err
	}
	var flags []string
	for _, m := range flagName().FindAllStringSubmatch(c.Flags().FlagUsages(), -1) {
		flags = append(flags, m[1])
	}
	return fmt.Errorf("there is no flag --%s%s", name, suggestion("--"+name, flags))
}

// suggestion ends a sentence about a word that isn't one of a list: with the one that was
// probably meant, or with all.
func suggestion(word string, among []string) string {
	if meant := nearest.Of(word, among); meant != "" {
		return fmt.Sprintf(" (did you mean %s?)", meant)
	}
	return "; there are " + strings.Join(among, ", ")
}
