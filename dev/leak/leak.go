// Package leak finds goroutines that still run after all tests of a package have
// ended. It is for tests only. Start reading at Run.
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

// Run runs tests (m.Run, or azuritetest.Run with m) and returns the exit code for
// os.Exit. The code is 1 if the tests passed but left goroutines running, and it
// prints where each was started. Idle connections of the standard library don't
// count, because nothing waits for them.
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

// goroutines returns the stacks of all goroutines by their number.
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

// beyond returns the stacks of goroutines that started since before and aren't
// idle.
func beyond(before, now map[string]string) []string {
	var left []string
	for number, stack := range now {
		if _, ok := before[number]; !ok && !idle(stack) {
			left = append(left, stack)
		}
	}
	return left
}

// idle reports whether a goroutine keeps a connection of net/http open for the
// next request, or belongs to the runtime or the testing package.
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
