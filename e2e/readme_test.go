package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// documents are the texts whose commands and links are checked.
func documents(t *testing.T) []string {
	t.Helper()
	docs := slices.DeleteFunc(sources(t), func(name string) bool { return filepath.Ext(name) != ".md" })
	require.Contains(t, docs, "CONTRIBUTING.md")
	return docs
}

var (
	// codeSpan finds what stands in a fenced block or between backticks.
	codeSpan = regexp.MustCompile("(?s)```.*?```|`[^`\n]+`")
	makeCall = regexp.MustCompile(`(?m)(?:^|[^\w ]) *make ([a-z][a-z-]*)`) // "to make room" is none
	goCall   = regexp.MustCompile("\\bgo (?:run|test|generate)\\b[^`\n]* (\\./[\\w./-]+)")
	link     = regexp.MustCompile(`\]\(([^)#]*)#?([^)]*)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

func TestEveryCommandInTheDocumentsExists(t *testing.T) {
	t.Parallel()
	help, err := exec.Command("make", "help").Output()
	require.NoError(t, err)
	commands := 0
	for _, doc := range documents(t) {
		text, err := os.ReadFile(doc)
		require.NoError(t, err)
		for _, code := range codeSpan.FindAllString(string(text), -1) {
			for _, m := range makeCall.FindAllStringSubmatch(code, -1) {
				commands++
				assert.Contains(t, string(help), "make "+m[1]+" ", "%s says make %s", doc, m[1])
			}
			for _, m := range goCall.FindAllStringSubmatch(code, -1) {
				commands++
				assert.NoError(t, exec.Command("go", "list", m[1]).Run(), "%s says %s", doc, m[0])
			}
		}
	}
	assert.Greater(t, commands, 5, "the documents name commands")
}

func TestEveryLinkBetweenTheDocumentsLeadsSomewhere(t *testing.T) {
	t.Parallel()
	for _, doc := range documents(t) {
		text, err := os.ReadFile(doc)
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target := doc
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(doc), m[1])
			}
			_, err := os.Stat(target)
			if assert.NoError(t, err, "%s links to %s", doc, m[1]) && m[2] != "" {
				page, err := os.ReadFile(target)
				require.NoError(t, err)
				assert.Contains(t, anchors(string(page)), m[2], "%s links to %s", doc, target)
			}
		}
	}
}

// anchors are the names that GitHub gives to a page's headings.
func anchors(page string) (names []string) {
	for _, m := range heading.FindAllStringSubmatch(page, -1) {
		name := regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(m[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// TestTheReadmeNamesEveryDependency compares go.mod's direct dependencies with
// the README's last section.
func TestTheReadmeNamesEveryDependency(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	sections := strings.Split(string(readme), "\n## ")
	last := sections[len(sections)-1]
	assert.True(t, strings.HasPrefix(last, "Dependencies"))
	direct := 0
	for line := range strings.Lines(string(mod)) {
		fields := strings.Fields(line)
		if len(fields) == 2 && strings.Contains(fields[0], "/") {
			direct++
			assert.Contains(t, last, "`"+strings.TrimPrefix(fields[0], "github.com/Azure/azure-sdk-for-go/sdk/")+"`", "the README gives the reason for it")
		}
	}
	assert.Positive(t, direct)
}

// TestEveryTestThatADocumentNamesExists keeps promises tied to what shows them.
func TestEveryTestThatADocumentNamesExists(t *testing.T) {
	t.Parallel()
	listed, err := exec.Command("git", "grep", "-hoE", "^func Test[A-Za-z0-9]+", "--", "*_test.go").Output()
	require.NoError(t, err)
	named := 0
	for _, doc := range documents(t) {
		text, err := os.ReadFile(doc)
		require.NoError(t, err)
		for _, name := range regexp.MustCompile(`\bTest[A-Z][A-Za-z0-9]+`).FindAllString(string(text), -1) {
			named++
			assert.True(t, strings.Contains(string(listed)+"func TestMain\n", "func "+name+"\n"), "%s names %s, and there is no such test", doc, name)
		}
	}
	assert.Greater(t, named, 20)
}

func TestTheReadmeNamesEveryPackageOfTheProgramAndOfDevelopment(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, parent := range []string{"internal", "dev"} {
		folders, err := os.ReadDir(parent)
		require.NoError(t, err)
		for _, f := range folders {
			name := "`" + parent + "/" + f.Name() + "/`"
			assert.True(t, strings.Contains(string(readme), name), "README.md doesn't name %s", name)
		}
	}
}

// TestEveryFunctionThatADocumentNamesExists keeps the page on reliability in step
// with the code: it names a file and a function for each change that turns a test red.
func TestEveryFunctionThatADocumentNamesExists(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/reliability.md")
	require.NoError(t, err)
	files := sources(t)
	named := 0
	for _, m := range regexp.MustCompile("`([\\w/]+\\.go)`, `(\\w+)`").FindAllStringSubmatch(string(text), -1) {
		named++
		declared := regexp.MustCompile(`(?m)^func (\([^)]*\) )?` + m[2] + `[\[(]`)
		assert.True(t, slices.ContainsFunc(files, func(file string) bool {
			if file != m[1] && !strings.HasSuffix(file, "/"+m[1]) {
				return false
			}
			code, err := os.ReadFile(file)
			require.NoError(t, err)
			return declared.Match(code)
		}), "no %s has the function %s", m[1], m[2])
	}
	assert.Greater(t, named, 20)
}
