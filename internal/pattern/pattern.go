// Package pattern holds regular expressions back until they are needed: to compile all that
// the program has at its start takes longer than what else its packages do there, and most
// processes need few of them.
package pattern

import (
	"regexp"
	"sync"
)

// Of returns what compiles an expression when it is first called. It panics then if the
// expression isn't valid.
func Of(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
