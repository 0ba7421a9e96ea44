// Package leak tells tests what they leave behind: goroutines that still run
// once all tests of a package have ended. For tests only. Start reading at Run.
package leak

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"runtime/pprof"
	"strings"
	"time"
)

// patience is how long what ends by itself may take to end.
const patience = time.Minute

// Run runs tests (as m.Run, or azuritetest.Run with m) and gives the code for
// os.Exit: theirs, or 1 where they passed and left goroutines running. Idle
// connections of the standard library don't count: nothing waits for them. Where
// each goroutine was started is printed.
func Run(run func() int) int {
	before := goroutines()
	if code := run(); code != 0 {
		return code
	}
	var left []string
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if left = beyond(before, goroutines()); len(left) == 0 {
			return 0
		}
		if time.Now().After(end) {
			break
		}
	}
	fmt.Fprintf(os.Stderr, "%d goroutines are left behind:\n\n%s\n", len(left), strings.Join(left, "\n\n"))
	return 1
}

var header = regexp.MustCompile(`^goroutine (\d+) `)

// goroutines are the stacks of all goroutines, by their number.
func goroutines() map[string]string {
	var b bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&b, 2)
	found := map[string]string{}
	for stack := range strings.SplitSeq(strings.TrimSpace(b.String()), "\n\n") {
		if m := header.FindStringSubmatch(stack); m != nil {
			found[m[1]] = stack
		}
	}
	return found
}

// beyond are the goroutines that weren't there before and aren't somebody else's.
func beyond(before, now map[string]string) []string {
	var left []string
	for number, stack := range now {
		if _, ok := before[number]; !ok && !idle(stack) {
			left = append(left, stack)
		}
	}
	return left
}

// idle tells a goroutine that keeps a connection open for the next request of
// net/http, or that the runtime or the testing package has for itself.
func idle(stack string) bool {
	for _, owner := range []string{
		"net/http.(*persistConn).readLoop", "net/http.(*persistConn).writeLoop",
		"testing.(*M).", "testing.runFuzz", "os/signal.loop", "os/signal.signal_recv", "runtime/pprof.",
	} {
		if strings.Contains(stack, owner) {
			return true
		}
	}
	return false
}
