package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// programs are the handlers that are compared: the command line of each.
type programs struct{ visionkeeper, ours, bare, node, python []string }

// build builds those that are to be built.
func build(ctx context.Context, folder string) (programs, error) {
	p := programs{node: []string{"node", "dev/bench/others/handler.mjs"}, python: []string{"python3", "dev/bench/others/handler.py"}}
	for name, to := range map[string]*[]string{".": &p.visionkeeper, "./dev/bench/ours": &p.ours, "./dev/bench/bare": &p.bare} {
		file := filepath.Join(folder, "program-"+filepath.Base(name))
		*to = []string{file}
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return p, fmt.Errorf("build %s: %w: %s", name, err, out)
		}
	}
	return p, nil
}

func contests(p programs, folder string) []contest {
	invocation := func(connections, each int, of func(invoked) float64) []competitor {
		serving := func(command []string) func(ctx context.Context) (float64, error) {
			return func(ctx context.Context) (float64, error) {
				i, err := invocations(ctx, command, connections, each)
				return of(i), err
			}
		}
		return []competitor{{"package handler", serving(p.ours)}, {"bare net/http", serving(p.bare)}, {"Node.js", serving(p.node)}, {"Python", serving(p.python)}}
	}
	starting := func(of func(started) float64) []competitor {
		begun := func(command []string) func(ctx context.Context) (float64, error) {
			return func(ctx context.Context) (float64, error) {
				var s started
				_, err := serve(ctx, command, func(_ string, begun started) error { s = begun; return nil })
				return of(s), err
			}
		}
		return []competitor{{"visionkeeper", begun(p.visionkeeper)}, {"bare net/http", begun(p.bare)}, {"Node.js", begun(p.node)}, {"Python", begun(p.python)}}
	}
	size := func(command []string) func(context.Context) (float64, error) {
		return func(context.Context) (float64, error) {
			info, err := os.Stat(command[0])
			if err != nil {
				return 0, err
			}
			return float64(info.Size()) / 1e6, nil
		}
	}
	all := []contest{
		{"invocation-1", "One invocation, over 1 connection", "µs", invocation(1, 5000, func(i invoked) float64 { return i.wall })},
		{"invocation-64", "One invocation, over 64 connections", "µs", invocation(64, 200, func(i invoked) float64 { return i.wall })},
		{"invocation-1-cpu", "The handler's processor time for one invocation, over 1 connection", "µs", invocation(1, 5000, func(i invoked) float64 { return i.cpu })},
		{"invocation-64-cpu", "The handler's processor time for one invocation, over 64 connections", "µs", invocation(64, 200, func(i invoked) float64 { return i.cpu })},
		{"start", "From the start to the first probe that is answered", "ms", starting(func(s started) float64 { return s.ms })},
		{"memory", "Memory after the first probe", "MiB", starting(func(s started) float64 { return s.mib })},
		{"size", "Size of the program", "MB", []competitor{{"visionkeeper", size(p.visionkeeper)}, {"bare net/http", size(p.bare)}}},
	}
	for _, megabytes := range []int{5, 64, 300} {
		p := newParcel(folder, megabytes)
		all = append(all,
			contest{fmt.Sprintf("copy-%d", megabytes), fmt.Sprintf("Copying a package of %d MiB", megabytes), "ms",
				[]competitor{{"visionkeeper", p.from((*shelf).copying)}, {"Node.js", p.from((*shelf).streaming)}}},
			contest{fmt.Sprintf("proof-%d", megabytes), fmt.Sprintf("Reading a copy of %d MiB back and proving it", megabytes), "ms",
				[]competitor{{"visionkeeper", p.from((*shelf).proving)}, {"curl, sha256sum and unzip -tq", p.from((*shelf).checking)}}})
	}
	return all
}

// started is what a process took to answer its first probe.
type started struct{ ms, mib float64 }

// serve runs a handler, waits until it answers the probe, calls f with its address and what
// that took, and ends it. cpu is the processor's time that the process took in all.
func serve(ctx context.Context, command []string, f func(address string, s started) error) (cpu time.Duration, err error) {
	port, err := freePort()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	settings, err := exampleSettings()
	if err != nil {
		return 0, err
	}
	cmd.Env = append(append(os.Environ(), settings...), "FUNCTIONS_CUSTOMHANDLER_PORT="+port)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
		cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}()
	address := "http://127.0.0.1:" + port
	for {
		resp, err := http.Get(address)
		if err == nil {
			resp.Body.Close()
			break
		}
		if time.Since(began) > 30*time.Second || ctx.Err() != nil {
			return 0, fmt.Errorf("it answers no probe: %w: %s", err, complaints.String())
		}
		time.Sleep(100 * time.Microsecond)
	}
	ms := float64(time.Since(began).Microseconds()) / 1000
	mib, err := resident(cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	return 0, f(address, started{ms, mib})
}

// exampleSettings are those of a run on this machine. Nothing has to listen there before the
// first invocation.
func exampleSettings() (list []string, err error) {
	data, err := os.ReadFile("local.settings.json.example")
	if err != nil {
		return nil, err
	}
	var file struct{ Values map[string]string }
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	for name, value := range file.Values {
		list = append(list, name+"="+value)
	}
	return list, nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// resident is a process's resident memory, by Linux.
func resident(pid int) (mib float64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib / 1024, err
		}
	}
	return 0, errors.New("the system doesn't say how much memory the process has")
}

// envelope is a queue message as the host sends it.
//
//go:embed envelope.json
var envelope string

// invoked is what one invocation took, in microseconds: of time, and of the processor's time
// in the handler's process alone, its start included.
type invoked struct{ wall, cpu float64 }

// invocations measures many, and divides by their number.
func invocations(ctx context.Context, command []string, connections, each int) (i invoked, err error) {
	if !json.Valid([]byte(envelope)) {
		return i, errors.New("envelope.json is no JSON")
	}
	warming := each/10 + 1
	cpu, err := serve(ctx, command, func(address string, _ started) error {
		if err := send(ctx, address, connections, warming); err != nil {
			return err
		}
		began := time.Now()
		err := send(ctx, address, connections, each)
		i.wall = float64(time.Since(began).Microseconds()) / float64(connections*each)
		return err
	})
	i.cpu = float64(cpu.Microseconds()) / float64(connections*(warming+each))
	return i, err
}

// send sends as many invocations over each of some connections.
func send(ctx context.Context, address string, connections, each int) error {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	failures := make([]error, connections)
	var senders sync.WaitGroup
	for n := range connections {
		senders.Go(func() {
			for range each {
				if failures[n] = invoke(ctx, client, address); failures[n] != nil {
					return
				}
			}
		})
	}
	senders.Wait()
	return errors.Join(failures...)
}

func invoke(ctx context.Context, client *http.Client, address string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/notifications", strings.NewReader(envelope))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("X-Azure-Functions-HostVersion", "4.1052.200.0")
	r.Header.Set("X-Azure-Functions-InvocationId", "11111111-2222-3333-4444-555555555555")
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || string(answer) != "{}") {
		err = fmt.Errorf("it answers %d: %s", resp.StatusCode, answer)
	}
	return err
}
