// Package figures prints what tests counted. go test prints nothing for tests that
// pass, so `make test` names a file in FIGURES and prints that file at the end. It
// is for tests only.
package figures

import (
	"fmt"
	"os"
	"testing"
)

// Print logs a line. If FIGURES names a file, Print also appends the line to it,
// with the test's name.
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
