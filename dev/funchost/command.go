package funchost

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// command is the command that starts the handler (customHandler.description).
type command struct {
	path string
	args []string
	dir  string
}

// readCommand finds the executable as WorkerDescription.cs does. If the file is
// in the worker directory, its path is joined to that. Otherwise the name is
// looked up in PATH.
func readCommand(root string, c configuration, app *settings) (command, error) {
	const section = "customHandler:description:"
	executable := app.expand(c.text(section + "defaultExecutablePath"))
	if executable == "" {
		return command{}, errors.New("host.json: customHandler.description.defaultExecutablePath is missing: name the handler's executable")
	}
	below := func(base, path string) string {
		if path == "" || filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(base, path)
	}
	existing := func(base, path string) string {
		if joined := below(base, path); isFile(joined) {
			return joined
		}
		return path
	}
	workerDir := root
	if dir := c.text(section + "workerDirectory"); dir != "" {
		workerDir = below(root, dir)
	}
	cmd := command{path: existing(workerDir, executable), dir: root}
	if dir := c.text(section + "workingDirectory"); dir != "" {
		cmd.dir = below(root, dir)
	}
	arguments := c.list(section + "arguments")
	if script := app.expand(c.text(section + "defaultWorkerPath")); script != "" {
		arguments = append(arguments, `"`+existing(workerDir, script)+`"`)
	}
	arguments = append(arguments, c.list(section+"workerArguments")...)
	cmd.args = splitArguments(app.expand(strings.Join(arguments, " ")))
	return cmd, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// splitArguments splits a command line as .NET's Process does. The host joins the
// arguments with spaces and without quotes, so an argument with a space is split
// unless host.json quotes it.
func splitArguments(line string) []string {
	var args []string
	var current strings.Builder
	started, quoted := false, false
	for i := 0; i < len(line); i++ {
		switch ch := line[i]; {
		case ch == '\\' && i+1 < len(line) && line[i+1] == '"':
			i++
			current.WriteByte('"')
			started = true
		case ch == '"':
			quoted, started = !quoted, true
		case (ch == ' ' || ch == '\t') && !quoted:
			if started {
				args = append(args, current.String())
				current.Reset()
			}
			started = false
		default:
			current.WriteByte(ch)
			started = true
		}
	}
	if started {
		args = append(args, current.String())
	}
	return args
}
