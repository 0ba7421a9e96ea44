package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
)

const probeKey = "the-training-key"

// probed is a resource to probe. each is called with each request to the Training API.
func probed(t *testing.T, o emulator.Options, each func(*http.Request)) (*emulator.Server, string) {
	t.Helper()
	o.Key = probeKey
	server, err := emulator.New(o)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if each != nil {
			each(r)
		}
		server.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	return server, web.URL
}

// TestProbePrintsOptionsOfTheEmulator gives what the probe prints to an emulator, of
// which a second probe prints the same.
func TestProbePrintsOptionsOfTheEmulator(t *testing.T) {
	t.Parallel()
	other := map[emulator.Question]string{
		emulator.PatchEmptyURIs: "kept", emulator.ImportedURIs: "kept", emulator.NameLength: "limited", emulator.SubscriptionKey: "accepted",
	}
	_, url := probed(t, emulator.Options{Answers: other}, nil)
	var out, notes bytes.Buffer
	require.NoError(t, runProbe(t.Context(), []string{"-endpoint", url, "-key", probeKey}, strings.NewReader("yes\n"), &out, &notes))
	for q, answer := range other {
		assert.Contains(t, out.String(), "-answer "+string(q)+"="+answer+"\n")
	}
	assert.Contains(t, notes.String(), "No answer to message-encoding: it takes a queue")
	assert.NotContains(t, out.String()+notes.String(), probeKey)

	s, err := parse(append([]string{"-key", probeKey}, strings.Fields(out.String())...))
	require.NoError(t, err)
	_, url = probed(t, s.Options, nil)
	var again bytes.Buffer
	require.NoError(t, runProbe(t.Context(), []string{"-endpoint", url, "-key", probeKey, "-yes"}, nil, &again, &notes))
	assert.Equal(t, out.String(), again.String())
}

func TestProbeAsksFirst(t *testing.T) {
	t.Parallel()
	server, url := probed(t, emulator.Options{}, nil)
	for _, answer := range []string{"no\n", "\n", "", "yesterday\n"} {
		var out, notes bytes.Buffer
		err := runProbe(t.Context(), []string{"-endpoint", url, "-key", probeKey}, strings.NewReader(answer), &out, &notes)
		require.ErrorContains(t, err, "nothing was done")
		assert.Contains(t, notes.String(), "The probe asks "+url)
		assert.Contains(t, notes.String(), "Go on?")
		assert.Empty(t, out.String())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	silent, _, err := os.Pipe()
	require.NoError(t, err)
	defer silent.Close()
	require.ErrorContains(t, runProbe(ctx, []string{"-endpoint", url, "-key", probeKey}, silent, &bytes.Buffer{}, &bytes.Buffer{}), "nothing was done")
	assert.Empty(t, server.Requests())
}

func TestProbeRefusesWrongArguments(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-endpoint", "https://example.com"}, {"-key", probeKey},
		{"-endpoint", "https://example.com", "-key=", probeKey},
		{"-endpoint", "https://example.com", "-key" + probeKey},
		{"-endpoint", "http://example.com", "-key", probeKey},
		{"-endpoint", "https://" + probeKey + "@example.com", "-key", probeKey},
	} {
		var out, notes bytes.Buffer
		err := run(t.Context(), append([]string{"probe"}, args...))
		require.Error(t, err)
		require.EqualError(t, runProbe(t.Context(), args, strings.NewReader("yes\n"), &out, &notes), err.Error())
		assert.NotContains(t, out.String()+notes.String()+err.Error(), probeKey)
	}
	assert.ErrorIs(t, runProbe(t.Context(), []string{"-h"}, nil, &bytes.Buffer{}, &bytes.Buffer{}), flag.ErrHelp)
}

// TestInterruptedProbeLeavesNothing sends Ctrl-C to the program amid its calls.
func TestInterruptedProbeLeavesNothing(t *testing.T) {
	t.Parallel()
	amid := make(chan struct{})
	var once sync.Once
	server, url := probed(t, emulator.Options{}, func(r *http.Request) {
		if r.Method == http.MethodPatch {
			io.Copy(io.Discard, r.Body) // only then is a hang-up noticed
			once.Do(func() { close(amid) })
			<-r.Context().Done()
		}
	})
	cmd := exec.CommandContext(t.Context(), build(t), "probe", "-endpoint", url, "-key", probeKey, "-yes")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	require.NoError(t, cmd.Start())
	<-amid
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	assert.Equal(t, 1, cmd.ProcessState.ExitCode())
	assert.Contains(t, output.String(), "the probe was stopped before its end")
	assert.Contains(t, output.String(), "Deleted the project visionkeeper-probe-")
	assert.NotContains(t, output.String(), probeKey)
	assert.Empty(t, server.View().Projects)
}

func TestReadmeTellsEveryFlagOfTheProbe(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	new(probeSettings).flags().VisitAll(func(f *flag.Flag) {
		assert.Regexp(t, "emulator probe .*-"+f.Name+`\b|`+"`-"+f.Name+"`", string(text))
	})
}
