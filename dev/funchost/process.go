package funchost

import (
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
	"time"
)

// killWait is how long the host waits for the end of a process that it killed.
const killWait = time.Second

// process is one process of the handler.
type process struct {
	cmd     *exec.Cmd
	console *console
	exited  chan struct{} // closed when it has ended; code is valid then
	code    int           // exit code; 128 + the signal's number after a signal, as in .NET

	condemned chan struct{} // receives when the host wants it replaced
}

// startProcess starts the handler with the settings' environment and the
// variables that name its port (HttpWorkerProcess.cs).
func startProcess(c command, root string, port int, app *settings, out *console) (*process, error) {
	id, number := newGUID(), strconv.Itoa(port)
	cmd := exec.Command(c.path, c.args...)
	cmd.Dir = c.dir
	cmd.Env = append(app.environment(),
		"FUNCTIONS_CUSTOMHANDLER_PORT="+number,
		"FUNCTIONS_HTTPWORKER_PORT="+number,
		"FUNCTIONS_CUSTOMHANDLER_WORKER_ID="+id,
		"FUNCTIONS_HTTPWORKER_ID="+id,
		"FUNCTIONS_APP_ROOT_PATH="+root,
	)
	// After the handler's end a child of it may still hold the pipes open.
	cmd.WaitDelay = killWait
	dieWithParent(cmd)
	stdout, stderr := &lineWriter{emit: out.stdout}, &lineWriter{emit: out.stderr}
	cmd.Stdout, cmd.Stderr = stdout, stderr

	p := &process{cmd: cmd, console: out, exited: make(chan struct{}), condemned: make(chan struct{}, 1)}
	started := make(chan error)
	go func() {
		// The kernel sends the parent-death signal when the thread that forked ends,
		// so that thread waits for the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		cmd.Wait()
		stdout.Close()
		stderr.Close()
		p.code = exitCode(cmd.ProcessState)
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("failed to start Worker Channel. Process fileName: %s: %w", c.path, err)
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// kill ends the process by SIGKILL. The host never sends another signal.
func (p *process) kill() {
	p.cmd.Process.Kill()
	select {
	case <-p.exited:
	case <-time.After(2 * killWait):
	}
}

// condemn asks the supervisor to kill and replace it.
func (p *process) condemn() {
	select {
	case p.condemned <- struct{}{}:
	default:
	}
}
