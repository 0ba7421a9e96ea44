// Package figures tells what a test counted. go test keeps quiet about tests that
// pass, so `make test` names a file in FIGURES and prints it at the end. For tests
// only.
package figures

import (
	"fmt"
	"os"
	"testing"
)

// Print logs a line, and adds it with the test's name to the file that FIGURES
// names, if it does.
func Print(t testing.TB, format string, args ...any) {
	t.Helper()
	line := fmt.Sprintf(format, args...)
	t.Log(line)
	path := os.Getenv("FIGURES")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = fmt.Fprintf(f, "%s: %s\n", t.Name(), line)
		f.Close()
	}
	if err != nil {
		t.Errorf("the figure can't be noted: %v", err)
	}
}
