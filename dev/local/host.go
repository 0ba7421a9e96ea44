package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"time"

	"visionkeeper/dev/funchost"
)

// host is what runs the app: funchost or Core Tools.
type host interface {
	url() string
	ended() <-chan error // receives the error if the host ends by itself
	close()
}

// startHost starts the app in root with its local.settings.json. kind is the host.
func startHost(ctx context.Context, kind, root string, port int, out io.Writer) (host, error) {
	switch kind {
	case "funchost":
		h, err := funchost.Start(context.WithoutCancel(ctx), funchost.Options{
			Root: root, Port: port, Settings: root + "/local.settings.json", Output: out,
		})
		if err != nil {
			return nil, err
		}
		if h.Pid() == 0 {
			h.Close()
			return nil, errors.New("the app's program can't be started: the line above says why; make build makes it anew")
		}
		s := &standIn{h, make(chan error, 1)}
		go func() { s.end <- h.Wait() }()
		return s, nil
	case "func":
		return startCoreTools(root, port, out)
	}
	return nil, checkHost(kind)
}

// checkHost is an error if there is no such host on this machine.
func checkHost(kind string) error {
	switch kind {
	case "funchost":
		return nil
	case "func":
		if _, err := exec.LookPath("func"); err != nil {
			return errors.New("func (Azure Functions Core Tools) is not installed: leave out HOST=func to run under funchost, or see https://learn.microsoft.com/azure/azure-functions/functions-run-local")
		}
		return nil
	}
	return fmt.Errorf("there is no host %q: HOST is funchost or func", kind)
}

// standIn is funchost, in this process.
type standIn struct {
	*funchost.Host
	end chan error
}

func (s *standIn) url() string         { return s.URL() }
func (s *standIn) ended() <-chan error { return s.end }
func (s *standIn) close()              { s.Close() }

// coreTools is Azure Functions Core Tools. It has a process group of its own, so
// that a Ctrl-C reaches it only through close.
type coreTools struct {
	cmd  *exec.Cmd
	port int
	end  chan error
	done chan struct{}
}

func startCoreTools(root string, port int, out io.Writer) (host, error) {
	path, err := exec.LookPath("func")
	if err != nil {
		return nil, err
	}
	if port == 0 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		port = listener.Addr().(*net.TCPAddr).Port
		listener.Close()
	}
	t := &coreTools{cmd: exec.Command(path, "start", "--port", strconv.Itoa(port)), port: port, end: make(chan error, 1), done: make(chan struct{})}
	t.cmd.Dir, t.cmd.Stdout, t.cmd.Stderr = root, out, out
	ownProcessGroup(t.cmd)
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		t.end <- t.cmd.Wait()
		close(t.done)
	}()
	return t, nil
}

func (t *coreTools) url() string         { return fmt.Sprintf("http://127.0.0.1:%d", t.port) }
func (t *coreTools) ended() <-chan error { return t.end }

// close interrupts it as Ctrl-C would, and kills it after 10 s.
func (t *coreTools) close() {
	interruptGroup(t.cmd)
	select {
	case <-t.done:
	case <-time.After(10 * time.Second):
	}
	killGroup(t.cmd)
}
