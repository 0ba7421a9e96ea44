package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
)

// TestTheReadmesLinesEndInAWorkingApp runs the lines by which the README starts
// everything by hand, in a copy of the project, and then uses the app. funchost
// stands for func. So that nothing else on this machine is in the way, Azurite, the
// emulator and the host are asked for free ports, and the addresses of the first
// two replace the usual ones; and the host looks at the queue more often.
func TestTheReadmesLinesEndInAWorkingApp(t *testing.T) {
	t.Parallel()
	dir := project(t)
	modules, err := filepath.Abs("dev/tools/node_modules")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(modules, filepath.Join(dir, "dev", "tools", "node_modules")))
	bin := t.TempDir()
	out, err := exec.Command("go", "build", "-o", bin, "./dev/funchost/cmd/funchost").CombinedOutput()
	require.NoError(t, err, string(out))

	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	starting := lines(t, string(readme), "cp local.settings.json.example")
	require.Len(t, starting, 5)
	run := func(line string) string {
		cmd := exec.Command("sh", "-c", line)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s\n%s", line, out)
		return string(out)
	}

	run(starting[0])
	azurite := background(t, dir, starting[1]+" --blobPort 0 --queuePort 0 --tablePort 0")
	blobs := azurite.says(`Blob service is successfully listening at (\S+)`)
	queues := azurite.says(`Queue service is successfully listening at (\S+)`)
	storage := "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;" +
		"AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;" +
		"BlobEndpoint=" + blobs + "/devstoreaccount1;QueueEndpoint=" + queues + "/devstoreaccount1"
	const usual = "UseDevelopmentStorage=true"
	require.Contains(t, starting[2], usual)
	emulator := background(t, dir, strings.ReplaceAll(starting[2], usual, "'"+storage+"'")+" -listen 127.0.0.1:0")
	endpoint := emulator.says(`listens on (\S+)`)

	path := filepath.Join(dir, "local.settings.json")
	settings, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(settings), "http://127.0.0.1:5599")
	settings = []byte(strings.NewReplacer(usual, storage, "http://127.0.0.1:5599", endpoint).Replace(string(settings)))
	require.NoError(t, os.WriteFile(path, settings, 0o600))

	run(starting[3])
	require.Equal(t, "func start", starting[4])
	background(t, dir, "AzureFunctionsJobHost__extensions__queues__maxPollingInterval=00:00:00.2 "+filepath.Join(bin, "funchost")+" -port 0")

	connecting := lines(t, string(readme), "build/visionkeeper connect")
	require.Len(t, connecting, 1)
	assert.Contains(t, run(connecting[0]), "is connected")
	var status struct {
		Safe     int
		Projects []struct {
			ID         string
			Iterations []struct{ Archived []string }
		}
	}
	look := func() {
		require.NoError(t, json.Unmarshal([]byte(run("build/visionkeeper status --json")), &status))
	}
	look()
	require.Len(t, status.Projects, 1)
	client, err := customvision.NewClientWithKey(endpoint, "local", nil)
	require.NoError(t, err)
	_, err = client.Train(t.Context(), status.Projects[0].ID, customvision.TrainOptions{})
	require.NoError(t, err)
	world.Eventually(t, "the exports that the shipped policy asks for are archived", func() bool {
		look()
		its := status.Projects[0].Iterations
		return len(its) == 1 && assert.ObjectsAreEqual([]string{"ONNX", "TensorFlow"}, its[0].Archived) && status.Safe == 1
	})
	assert.Contains(t, run("build/visionkeeper verify"), "2 backups hold")
}

// lines are those of the README's shell block that begins so, without comments.
func lines(t *testing.T, text, beginning string) []string {
	t.Helper()
	_, rest, ok := strings.Cut(text, "```sh\n"+beginning)
	require.True(t, ok, beginning)
	block, _, ok := strings.Cut(rest, "\n```")
	require.True(t, ok)
	var all []string
	for line := range strings.SplitSeq(beginning+block, "\n") {
		line, _, _ = strings.Cut(line, "  #")
		all = append(all, strings.TrimSpace(line))
	}
	return all
}

// running is a program that a line of the shell started.
type running struct {
	t       *testing.T
	printed *buffer
}

// background runs a line of the shell until the test ends.
func background(t *testing.T, dir, line string) running {
	t.Helper()
	r := running{t, &buffer{}}
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, r.printed, r.printed
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s\n%s", line, r.printed)
		}
	})
	return r
}

// says waits for a line that matches, and returns its group.
func (r running) says(pattern string) string {
	r.t.Helper()
	var found []string
	world.Eventually(r.t, "it says "+pattern, func() bool {
		found = regexp.MustCompile(pattern).FindStringSubmatch(r.printed.String())
		return found != nil
	})
	return found[1]
}
