package e2e

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/figures"
	"visionkeeper/dev/funchost"
	"visionkeeper/dev/world"
)

// published are the files that the app needs in Azure: all of them and no other.
var published = []string{
	"host.json", "notifications/function.json", "policy.json", "policy.schema.json", "status/function.json", "sweep/function.json", "visionkeeper",
}

// leftOvers stand for what building, testing and running leave in the root.
var leftOvers = []string{
	"visionkeeper", "build/visionkeeper", "build/visionkeeper.exe", "build/figures", "dist/host.json", "dist/visionkeeper",
	"dist/notifications/function.json", "local.settings.json", "dev/tools/node_modules/azurite/package.json",
	"dev/emulator/jstest/node_modules/.package-lock.json", "internal/reconcile/testdata/rapid/Test/1.fail",
	"__azurite_db_blob__.json", "__blobstorage__/1", ".vscode/settings.json", "coverage.out",
}

// coreTools are the patterns of a .funcignore as Core Tools read them: each is a
// regular expression from the start of the path to the end of a word, and what a
// pattern with "!" matches is taken, whatever else matches
// (Azure/azure-functions-core-tools, src/Cli/func/Common/GitIgnoreParser.cs).
type coreTools struct{ ignored, taken *regexp.Regexp }

func readFuncignore(t *testing.T, root string) coreTools {
	t.Helper()
	nothing := regexp.MustCompile(`$^x`)
	text, err := os.ReadFile(filepath.Join(root, ".funcignore"))
	if errors.Is(err, fs.ErrNotExist) {
		return coreTools{nothing, nothing}
	}
	require.NoError(t, err)
	special := regexp.MustCompile(`[-\[\]/{}()+?.\\^$|]`)
	var patterns [2][]string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		kind := 0
		if rest, ok := strings.CutPrefix(line, "!"); ok {
			kind, line = 1, rest
		}
		line = special.ReplaceAllString(strings.TrimPrefix(line, "/"), `\$0`)
		line = strings.ReplaceAll(strings.ReplaceAll(line, "**", "(.+)"), "*", "([^/]+)")
		patterns[kind] = append(patterns[kind], line)
	}
	compile := func(list []string) *regexp.Regexp {
		return regexp.MustCompile(`^((` + strings.Join(list, ")|(") + `))\b`)
	}
	return coreTools{compile(patterns[0]), compile(patterns[1])}
}

// takes reports whether Core Tools upload the file. Some names they never do
// (FileSystemHelpers.cs).
func (c coreTools) takes(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	never := []string{".funcignore", ".gitignore", "local.settings.json", "project.lock.json"}
	if top == ".git" || top == ".vscode" || slices.Contains(never, path.Base(name)) {
		return false
	}
	return c.taken.MatchString(name) || !c.ignored.MatchString(name)
}

func TestFuncignoreMeansTheSameToBothOfItsReaders(t *testing.T) {
	t.Parallel()
	tree := t.TempDir()
	for _, name := range slices.Concat(sources(t), leftOvers) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(tree, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(tree, name), nil, 0o644))
	}
	copyFile(t, ".funcignore", filepath.Join(tree, ".funcignore"))
	git := func(args ...string) string {
		out, err := exec.Command("git", append([]string{"-C", tree}, args...)...).Output()
		require.NoError(t, err)
		return string(out)
	}
	git("init", "-q")

	read := readFuncignore(t, tree)
	all := filesBelow(t, tree)
	assert.Contains(t, all, ".git/HEAD")
	assert.Greater(t, len(all), 400)
	assert.Equal(t, published, slices.DeleteFunc(all, func(name string) bool { return !read.takes(name) }), "Core Tools")

	byGit := strings.Fields(git("ls-files", "--others", "--exclude-from=.funcignore"))
	slices.Sort(byGit)
	assert.Equal(t, published, byGit, "gitignore, as azd reads the file")
}

// TestNothingKeepsMethodsThatAreNotCalled: a package that finds methods by their names at
// run time, such as html/template, keeps the linker from leaving out any, which adds 3 MB.
func TestNothingKeepsMethodsThatAreNotCalled(t *testing.T) {
	t.Parallel()
	program, err := os.Stat("dist/visionkeeper")
	require.NoError(t, err)
	assert.Less(t, program.Size(), int64(16_000_000))
	figures.Print(t, "the program for Azure: %.1f MB", float64(program.Size())/1e6)
}

// filesBelow lists the files below a folder, sorted, with slashes.
func filesBelow(t *testing.T, root string) []string {
	t.Helper()
	var files []string
	require.NoError(t, fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, name)
		}
		return err
	}))
	slices.Sort(files)
	return files
}

// TestDistIsWhatIsPublished is for azd, and for func in that folder.
func TestDistIsWhatIsPublished(t *testing.T) {
	t.Parallel()
	assert.Equal(t, published, filesBelow(t, "dist"))
	info, err := os.Stat("dist/visionkeeper")
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o111), info.Mode()&0o111, "azd keeps the modes of files")
	fromRoot, fromDist := unpack(t, pack(t, ".")), unpack(t, pack(t, "dist"))
	assert.Equal(t, published, filesBelow(t, fromDist))
	for _, name := range published {
		var data [2][]byte
		var mode [2]fs.FileMode
		for i, root := range []string{fromRoot, fromDist} {
			info, err := os.Stat(filepath.Join(root, name))
			require.NoError(t, err)
			mode[i] = info.Mode()
			data[i], err = os.ReadFile(filepath.Join(root, name))
			require.NoError(t, err)
		}
		assert.Equal(t, mode[0], mode[1], name)
		assert.True(t, bytes.Equal(data[0], data[1]), name)
	}
}

// pack zips the app as `func azure functionapp publish` does: without what
// .funcignore refuses, and with the executable bit only where an entry's name is
// literally host.json's defaultExecutablePath
// (Azure/azure-functions-core-tools, src/Cli/func/Helpers/ZipHelper.cs).
func pack(t *testing.T, root string) []byte {
	t.Helper()
	read := readFuncignore(t, root)
	executable := hostJSON(t, root).CustomHandler.Description.DefaultExecutablePath
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, name := range filesBelow(t, root) {
		if !read.takes(name) {
			continue
		}
		header := &zip.FileHeader{Name: name, Method: zip.Deflate}
		header.SetMode(0o666)
		if name == executable {
			header.SetMode(0o777)
		}
		w, err := z.CreateHeader(header)
		require.NoError(t, err)
		data, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		_, err = w.Write(data)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return out.Bytes()
}

// unpack lays a package out as the platform does, modes included. It lets no
// process be forked while a program is written: the process would inherit the file
// open for writing, and for as long nobody could start it ("text file busy").
func unpack(t *testing.T, packed []byte) string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	require.NoError(t, err)
	root := t.TempDir()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for _, f := range z.File {
		target := filepath.Join(root, f.Name)
		require.NoError(t, os.MkdirAll(filepath.Dir(target), 0o755))
		r, err := f.Open()
		require.NoError(t, err)
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(target, data, 0o600))
		require.NoError(t, os.Chmod(target, f.Mode().Perm()))
	}
	return root
}

type host struct {
	Version       string
	CustomHandler struct {
		Description struct{ DefaultExecutablePath string }
	}
	Extensions struct {
		Queues struct {
			MessageEncoding string
			MaxDequeueCount int
		}
	}
}

func hostJSON(t *testing.T, root string) host {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "host.json"))
	require.NoError(t, err)
	var h host
	require.NoError(t, json.Unmarshal(data, &h))
	return h
}

func TestTheFunctionsAreWrittenAsTheHostReadsThem(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "2.0", hostJSON(t, ".").Version)
	bindingName := regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9]{0,127}$`)
	for _, name := range functionFolders(t) {
		assert.Regexp(t, `(?i)^[a-z][a-z0-9_\-]{0,127}$`, name)
		var f struct {
			Bindings []struct{ Type, Name, DataType string }
		}
		data, err := os.ReadFile(filepath.Join(name, "function.json"))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &f))
		require.NotEmpty(t, f.Bindings)
		for i, b := range f.Bindings {
			assert.Regexp(t, bindingName, b.Name)
			assert.Equal(t, i == 0, strings.HasSuffix(b.Type, "Trigger"), "the trigger comes first, and once")
		}
		if f.Bindings[0].Type == "queueTrigger" {
			assert.Equal(t, "binary", f.Bindings[0].DataType, "the exact bytes arrive")
			assert.Equal(t, "none", hostJSON(t, ".").Extensions.Queues.MessageEncoding)
		}
	}
}

func TestWhatIsPublishedRuns(t *testing.T) {
	t.Parallel()
	if runtime.GOOS+"/"+runtime.GOARCH != "linux/amd64" {
		t.Skip("what is published runs on linux/amd64 only")
	}
	root := unpack(t, pack(t, "."))
	assert.Equal(t, published, filesBelow(t, root))
	info, err := os.Stat(filepath.Join(root, "visionkeeper"))
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&0o100, "the executable bit survives")

	server := azuritetest.Start(t)
	var printed buffer
	h, err := funchost.Start(context.Background(), funchost.Options{Root: root, Output: &printed, Env: []string{
		"CustomVisionStorage=" + server.ConnectionString(azurite.Customer), "AzureWebJobsStorage=" + server.ConnectionString(azurite.Customer),
		"NOTIFICATION_QUEUE=" + azuritetest.Name("notifications"), "SWEEP_SCHEDULE=0 0 0 1 1 *",
	}})
	require.NoError(t, err)
	t.Cleanup(func() { h.Close() })
	world.Eventually(t, "the host finds the functions and the handler answers", func() bool {
		p := printed.String()
		return strings.Contains(p, "Function notifications") && strings.Contains(p, "Function sweep") && strings.Contains(p, "listening for the Functions host")
	})
}

// sources lists the project's files, whether they are committed yet or not.
func sources(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	require.NoError(t, err)
	return slices.DeleteFunc(strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), func(name string) bool {
		info, err := os.Stat(name)
		return err != nil || info.IsDir() // removed, and not committed yet; or a link to a folder
	})
}
