package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/figures"
	"visionkeeper/dev/world"
)

// functionFolders are the folders in which the host finds a function.
func functionFolders(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*/function.json")
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		names = append(names, filepath.Dir(file))
	}
	return names
}

func TestEveryFunctionHasAFolderForTheHostAndAPackage(t *testing.T) {
	t.Parallel()
	var packages []string
	folders, err := os.ReadDir("functions")
	require.NoError(t, err)
	for _, f := range folders {
		if f.IsDir() {
			packages = append(packages, f.Name())
		}
	}
	names := functionFolders(t)
	require.NotEmpty(t, names)
	assert.Equal(t, packages, names)
	for _, name := range names {
		assert.Equal(t, []string{"function.json"}, filesBelow(t, name), "the host's folder holds nothing else")
	}
}

func TestTheProgramAnswersForEveryFunction(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	program := exec.Command(executable)
	program.Env = append(os.Environ(), fmt.Sprintf("FUNCTIONS_CUSTOMHANDLER_PORT=%d", port), "FUNCTIONS_APP_ROOT_PATH="+filepath.Dir(filepath.Dir(executable)),
		"CustomVisionStorage="+azuritetest.Start(t).ConnectionString(azurite.Customer), "NOTIFICATION_QUEUE=notifications")
	require.NoError(t, program.Start())
	t.Cleanup(func() {
		program.Process.Kill()
		program.Wait()
	})
	url := fmt.Sprintf("http://127.0.0.1:%d/", port)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	world.Eventually(t, "the program listens", func() bool {
		resp, err := client.Get(url)
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	})
	status := func(method, path string) int {
		req, err := http.NewRequest(method, url+path, strings.NewReader(`{}`))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Azure-Functions-HostVersion", "4.1052.200.0")
		req.Header.Set("X-Azure-Functions-InvocationId", "11111111-2222-3333-4444-555555555555")
		resp, err := client.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		return resp.StatusCode
	}
	assert.Equal(t, http.StatusNotFound, status(http.MethodPost, "another"))
	for _, name := range functionFolders(t) {
		text, err := os.ReadFile(filepath.Join(name, "function.json"))
		require.NoError(t, err)
		if strings.Contains(string(text), "httpTrigger") { // forwarded, with the path that the client asked for
			assert.NotEqual(t, http.StatusNotFound, status(http.MethodGet, "api/"+name), name)
			continue
		}
		assert.Contains(t, []int{http.StatusOK, http.StatusInternalServerError}, status(http.MethodPost, name), name)
	}
}

func TestTheProgramHoldsNothingOfDevelopment(t *testing.T) {
	t.Parallel()
	linked := func(program string) (own []string) {
		out, err := exec.Command("go", "list", "-deps", program).Output()
		require.NoError(t, err)
		for _, name := range strings.Fields(string(out)) {
			if rest, ok := strings.CutPrefix(name, "visionkeeper/"); ok {
				own = append(own, rest)
			}
		}
		return own
	}
	assert.Contains(t, linked("./dev/local"), "dev/emulator")
	assert.Contains(t, linked("."), "internal/reconcile")
	for _, name := range linked(".") {
		assert.NotRegexp(t, "^(dev|e2e)/", name)
	}
}

// TestWhatThePackagesAllocateBeforeMain counts what every start pays, whatever it is for. An
// expression, a template or a table that is made when it is first needed isn't among it.
func TestWhatThePackagesAllocateBeforeMain(t *testing.T) {
	t.Parallel()
	program := exec.Command(executable, "version")
	program.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	var trace strings.Builder
	program.Stderr = &trace
	require.NoError(t, program.Run())
	packages, allocations := 0, 0
	for line := range strings.Lines(trace.String()) {
		var name string
		var at, took float64
		var bytes, each int
		if n, _ := fmt.Sscanf(line, "init visionkeeper/%s @%f ms, %f ms clock, %d bytes, %d allocs", &name, &at, &took, &bytes, &each); n == 5 {
			packages, allocations = packages+1, allocations+each
		}
	}
	figures.Print(t, "%d packages of the program make %d allocations before main", packages, allocations)
	require.Greater(t, packages, 10, trace.String())
	assert.LessOrEqual(t, allocations, 280, trace.String())
}

func TestThePolicysSchemaIsTheOneThatTheProgramChecksBy(t *testing.T) {
	t.Parallel()
	shipped, err := os.ReadFile("policy.schema.json")
	require.NoError(t, err)
	embedded, err := os.ReadFile("internal/policy/policy.schema.json")
	require.NoError(t, err)
	assert.Equal(t, string(embedded), string(shipped), "change internal/policy/policy.schema.json, then run go generate ./internal/policy")
	policy, err := os.ReadFile("policy.json")
	require.NoError(t, err)
	assert.Contains(t, string(policy), `"$schema": "./policy.schema.json"`)
}
