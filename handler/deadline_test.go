package handler

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func rootWith(t *testing.T, hostJSON string) string {
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "host.json"), []byte(hostJSON), 0o600))
	return root
}

func TestDeadlineFromHostJSON(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hostJSON string
		want     time.Duration
	}{
		"less 30 s":        {`{"version":"2.0","functionTimeout":"00:10:00"}`, 9*time.Minute + 30*time.Second},
		"less a quarter":   {`{"functionTimeout":"00:00:20"}`, 15 * time.Second},
		"where both agree": {`{"functionTimeout":"00:02:00"}`, 90 * time.Second},
		"unlimited":        {`{"functionTimeout":"-1"}`, 29*time.Minute + 30*time.Second},
		"unlimited number": {`{"functionTimeout":-1}`, 29*time.Minute + 30*time.Second},
		"absent":           {`{"version":"2.0"}`, 4*time.Minute + 30*time.Second},
		"null":             {`{"functionTimeout":null}`, 4*time.Minute + 30*time.Second},
		"any letter case":  {`{"FunctionTimeout":"00:00:20"}`, 15 * time.Second},
		"a comma too many": {"\ufeff{\"functionTimeout\":\"00:00:20\",}", 15 * time.Second},
		"with comments":    {"{ // ours\n \"functionTimeout\": /* short */ \"00:00:20\" }", 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Deadline(env(), rootWith(t, c.hostJSON))
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestDeadlinePrefersTheSetting(t *testing.T) {
	t.Parallel()
	got, err := Deadline(env("AzureFunctionsJobHost__functionTimeout", "00:00:08"), rootWith(t, `{"functionTimeout":"00:10:00"}`))
	require.NoError(t, err)
	assert.Equal(t, 6*time.Second, got)
}

func TestDeadlineWithoutHostJSON(t *testing.T) {
	t.Parallel()
	got, err := Deadline(env(), t.TempDir())
	require.NoError(t, err)
	assert.Equal(t, 4*time.Minute+30*time.Second, got)
}

func TestDeadlineErrorsSayWhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ setting, hostJSON, want string }{
		"setting":       {"soon", `{}`, "AzureFunctionsJobHost__functionTimeout"},
		"below minimum": {"00:00:00.5", `{}`, "at least a second"},
		"host.json":     {"", `{"functionTimeout":"10m"}`, "host.json"},
		"true":          {"", `{"functionTimeout":true}`, "host.json"},
		"broken":        {"", `{"functionTimeout":`, "host.json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Deadline(env("AzureFunctionsJobHost__functionTimeout", c.setting), rootWith(t, c.hostJSON))
			assert.ErrorContains(t, err, c.want)
			assert.Equal(t, 4*time.Minute+30*time.Second, got, "the program can go on")
		})
	}
}
