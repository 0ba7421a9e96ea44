package settings

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// local are the settings of the example that only a local run has.
var local = []string{
	"FUNCTIONS_WORKER_RUNTIME", // in Azure a property of the function app
	"AzureFunctionsJobHost__customHandler__description__defaultExecutablePath",
}

// example reads the values of local.settings.json.example.
func example(t *testing.T) map[string]string {
	t.Helper()
	var file struct{ Values map[string]string }
	require.NoError(t, json.Unmarshal([]byte(text(t, "local.settings.json.example")), &file))
	return file.Values
}

func text(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", name))
	require.NoError(t, err)
	return string(data)
}

// all are the names of the settings. Of what is below a connection, the one is named
// that chooses the identity for Custom Vision.
func all(t *testing.T) []string {
	t.Helper()
	names := append(texts(), visionClient)
	for _, connection := range connections {
		names = append(names, documented(connection))
	}
	slices.Sort(names)
	return names
}

// visionClient is for apps with several identities, so neither the example nor the
// set-up has it.
const visionClient = "CUSTOMVISION__clientId"

// defaults are the values of the settings that may be left out.
var defaults = func() map[string]string {
	list := map[string]string{}
	for _, o := range own {
		if o.standard != "" {
			list[o.name] = o.standard
		}
	}
	return list
}()

// required are the names without which check finds fault.
func required(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, name := range all(t) {
		without := example(t)
		delete(without, name)
		_, err := Load(env(without))
		if err = errors.Join(append(CheckHost(env(without)), err)...); err != nil {
			assert.ErrorContains(t, err, name)
			list = append(list, name)
		}
	}
	return list
}

func TestWhatABindingNeedsIsRequired(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../*/function.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	needed := map[string]bool{"AzureWebJobsStorage": true} // the host's own, for its timers
	for _, name := range files {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`%(\w+)%|"connection": "(\w+)"`).FindAllStringSubmatch(string(data), -1) {
			needed[m[1]+m[2]] = true
		}
	}
	assert.Equal(t, slices.Sorted(maps.Keys(needed)), required(t))
}

func TestTheExampleHasTheSettingsAndTheirDefaults(t *testing.T) {
	t.Parallel()
	values := example(t)
	_, err := Load(env(values))
	require.NoError(t, err)
	assert.Empty(t, CheckHost(env(values)))
	people := slices.DeleteFunc(all(t), func(name string) bool { return strings.HasPrefix(name, "VISIONKEEPER_") || name == visionClient })
	assert.ElementsMatch(t, slices.Concat(people, local), slices.Collect(maps.Keys(values)))
	for name, value := range values {
		if standard, ok := defaults[name]; ok {
			assert.Equal(t, standard, value, name)
		}
	}
}

func TestTheReadmeHasTheSettingsAndTheirDefaults(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(text(t, "README.md"), "\n## Settings\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var names, mandatory []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (.*?) ?\\|(.*)\\|$").FindAllStringSubmatch(section, -1) {
		name, standard, what := row[1], strings.Trim(row[2], "`"), row[3]
		names = append(names, name)
		switch standard {
		case "required":
			mandatory = append(mandatory, name)
			if strings.Contains(what, "such as") {
				assert.Contains(t, what, "such as `"+example(t)[name]+"`", name)
			}
		default:
			assert.Equal(t, defaults[name], standard, name)
		}
	}
	assert.ElementsMatch(t, all(t), names)
	assert.ElementsMatch(t, required(t), mandatory)
}

func TestTheSetUpSetsThemAll(t *testing.T) {
	t.Parallel()
	_, block, _ := strings.Cut(text(t, "docs/set-up.md"), "az functionapp config appsettings set")
	block, _, _ = strings.Cut(block, "az functionapp config appsettings delete")
	set := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^  (\w+?)(__\w+)?=("[^"]*"|\S+)`).FindAllStringSubmatch(block, -1) {
		name, value := m[1], strings.Trim(m[3], `"`)
		set[name] = true
		if _, standard := defaults[name]; standard || name == "NOTIFICATION_QUEUE" || name == "SWEEP_SCHEDULE" {
			assert.Equal(t, example(t)[name], value, name)
		}
	}
	people := slices.DeleteFunc(all(t), func(name string) bool {
		return strings.HasPrefix(name, "VISIONKEEPER_") || name == "CUSTOMVISION_KEY" || name == visionClient // the system's identity is used
	})
	assert.ElementsMatch(t, people, slices.Collect(maps.Keys(set)))
}

// TestWhatOverridesHostJSONIsInIt keeps names like AzureFunctionsJobHost__a__b to
// what host.json has, since the host passes over those that it doesn't know.
func TestWhatOverridesHostJSONIsInIt(t *testing.T) {
	t.Parallel()
	var host any
	require.NoError(t, json.Unmarshal([]byte(text(t, "host.json")), &host))
	found := 0
	for _, file := range []string{"local.settings.json.example", "README.md", "docs/set-up.md"} {
		for _, name := range regexp.MustCompile(`AzureFunctionsJobHost__\w+`).FindAllString(text(t, file), -1) {
			found++
			at := host
			for _, key := range strings.Split(name, "__")[1:] {
				object, _ := at.(map[string]any)
				at = object[key]
			}
			assert.NotNil(t, at, "%s has %s", file, name)
		}
	}
	assert.Positive(t, found)
}
