package funchost

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// app is a script root under construction, whose handler is this test binary.
type app struct {
	t        testing.TB
	root     string
	host     map[string]any
	options  Options
	output   *lockedBuffer
	finished chan Invocation
	seenPath string
}

func newApp(t testing.TB) *app {
	t.Helper()
	root := t.TempDir()
	a := &app{t: t, root: root, output: &lockedBuffer{}, finished: make(chan Invocation, 1000), seenPath: filepath.Join(t.TempDir(), "seen")}
	executable, err := os.Executable()
	require.NoError(t, err)
	a.host = map[string]any{
		"version":         "2.0",
		"extensionBundle": map[string]any{"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"},
		"customHandler":   map[string]any{"description": map[string]any{"defaultExecutablePath": executable}},
	}
	a.options = Options{Root: root, Output: a.output, Env: []string{"TEST_HANDLER=serve", "TEST_SEEN=" + a.seenPath},
		OnInvocation: func(i Invocation) { a.finished <- i }}
	return a
}

func (a *app) env(pairs ...string) { a.options.Env = append(a.options.Env, pairs...) }

// set puts a value at a colon-separated path of host.json.
func (a *app) set(path string, value any) {
	node := a.host
	keys := strings.Split(path, ":")
	for _, key := range keys[:len(keys)-1] {
		if node[key] == nil {
			node[key] = map[string]any{}
		}
		node = node[key].(map[string]any)
	}
	node[keys[len(keys)-1]] = value
}

func (a *app) function(name, functionJSON string) {
	a.t.Helper()
	require.NoError(a.t, os.MkdirAll(filepath.Join(a.root, name), 0o700))
	require.NoError(a.t, os.WriteFile(filepath.Join(a.root, name, "function.json"), []byte(functionJSON), 0o600))
}

// queue adds a function on a queue, with further binding properties.
func (a *app) queue(name, queue, more string) {
	a.function(name, fmt.Sprintf(`{"bindings":[{"type":"queueTrigger","direction":"in","name":"msg","queueName":%q%s}]}`, queue, more))
}

func (a *app) timer(name, schedule, more string) {
	a.function(name, fmt.Sprintf(`{"bindings":[{"type":"timerTrigger","direction":"in","name":"timer","schedule":%q%s}]}`, schedule, more))
}

// start runs the host until the test ends.
func (a *app) start() *Host {
	a.t.Helper()
	host, err := a.tryStart()
	require.NoError(a.t, err)
	return host
}

// write writes host.json and completes the options.
func (a *app) write() {
	a.t.Helper()
	text, err := json.Marshal(a.host)
	require.NoError(a.t, err)
	require.NoError(a.t, os.WriteFile(filepath.Join(a.root, "host.json"), text, 0o600))
	if a.options.timing.drain == 0 {
		a.options.timing.drain = 100 * time.Millisecond
	}
}

func (a *app) tryStart() (*Host, error) {
	a.t.Helper()
	a.write()
	host, err := Start(context.Background(), a.options)
	if err == nil {
		a.t.Cleanup(func() {
			host.Close()
			if a.t.Failed() {
				a.t.Log(a.output.String())
			}
		})
	}
	return host, err
}

// invocation waits for the next finished one.
func (a *app) invocation() Invocation {
	a.t.Helper()
	select {
	case i := <-a.finished:
		return i
	case <-time.After(patience):
		a.t.Fatalf("no invocation ended within %s\n%s", patience, a.output)
		return Invocation{}
	}
}

// seen lists what the handler got so far.
func (a *app) seen() []seen {
	text, _ := os.ReadFile(a.seenPath)
	var list []seen
	for line := range bytes.Lines(text) {
		var s seen
		if json.Unmarshal(line, &s) == nil {
			list = append(list, s)
		}
	}
	return list
}

// runs counts how often the handler was asked to run a function.
func (a *app) runs(name string) int {
	n := 0
	for _, s := range a.seen() {
		if s.Path == "/"+name {
			n++
		}
	}
	return n
}

// release lets functions called hold… answer.
func (a *app) release() {
	require.NoError(a.t, os.WriteFile(a.seenPath+".release", nil, 0o600))
}

// logged waits for a text in the output.
func (a *app) logged(text string) {
	a.t.Helper()
	eventually(a.t, func() bool { return strings.Contains(a.output.String(), text) }, "no line with "+text)
}

// patience bounds every wait; it is only ever reached by a failure.
const patience = 2 * time.Minute

func eventually(t testing.TB, condition func() bool, message string) {
	t.Helper()
	require.Eventually(t, condition, patience, 10*time.Millisecond, message)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
