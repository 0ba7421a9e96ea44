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

	"visionkeeper/dev/bicep"
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

// infrastructure is the file of infra/ as a tree.
func infrastructure(t *testing.T, name string) *bicep.Node {
	t.Helper()
	trees, err := bicep.Parse(t.Context(), "../..", "../../infra/"+name)
	require.NoError(t, err)
	return trees[0]
}

// standIns are values for what the Bicep files know only when they run.
var standIns = map[string]string{
	"hostBlobUri": "https://hosting.blob.core.windows.net/", "hostQueueUri": "https://hosting.queue.core.windows.net/", "hostTableUri": "https://hosting.table.core.windows.net/",
	"modelsBlobUri": "https://models.blob.core.windows.net/", "modelsQueueUri": "https://models.queue.core.windows.net/", "archiveBlobUri": "https://archive.blob.core.windows.net/",
	"visionEndpoint": "https://vision.cognitiveservices.azure.com/", "identityClientId": "11111111-2222-3333-4444-555555555555",
	"notificationQueue": "customvision-notifications", "modelContainer": "models", "archiveContainer": "archive", "stateContainer": "state",
	"sweepSchedule": "0 */15 * * * *", "heartbeatUrl": "https://hc-ping.com/1", "archiveQueueUri": "https://archive.queue.core.windows.net/",
	"eventsQueue": "events", "eventsWebhookUrl": "https://example.com/1", "eventsWebhookSecret": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", "eventsWebhookPrivate": "false",
	"eventsGridEndpoint": "https://topic.westeurope-1.eventgrid.azure.net/api/events", "eventsGridKey": "key",
	"insightsConnectionString": "InstrumentationKey=1",
}

// TestTheDeploymentSetsThemAll has the settings of infra/app.bicep.
func TestTheDeploymentSetsThemAll(t *testing.T) {
	t.Parallel()
	settings := infrastructure(t, "app.bicep").Declarations("resource_declaration")["settings"].Body().At("properties").Properties()
	values, bases := map[string]string{}, map[string]bool{}
	for name, node := range settings {
		values[name] = standIns[node.Value()]
		if node.Type == "string" {
			values[name] = node.Value()
		}
		require.NotEmpty(t, values[name], name)
		if base, _, _ := strings.Cut(name, "__"); !strings.HasPrefix(name, "APPLICATIONINSIGHTS_") { // those are the platform's
			bases[base] = true
		}
	}
	people := slices.DeleteFunc(all(t), func(name string) bool {
		return strings.HasPrefix(name, "VISIONKEEPER_") || name == "CUSTOMVISION_KEY" || name == visionClient // the app has one identity
	})
	assert.ElementsMatch(t, people, slices.Collect(maps.Keys(bases)))
	assert.NotContains(t, values, "FUNCTIONS_WORKER_RUNTIME", "this plan has it as a property of the app")
	assert.NotContains(t, values, "WEBSITE_RUN_FROM_PACKAGE", "this plan refuses it")
	for _, connection := range connections {
		assert.Equal(t, "managedidentity", values[documented(connection)+"__credential"], connection)
		assert.Equal(t, standIns["identityClientId"], values[documented(connection)+"__clientId"], connection)
		assert.NotContains(t, values, documented(connection), "no connection string")
	}
	for _, service := range []string{"blob", "queue", "table"} {
		assert.Contains(t, values, "AzureWebJobsStorage__"+service+"ServiceUri")
	}

	s, err := Load(env(values))
	require.NoError(t, err)
	assert.Empty(t, CheckHost(env(values)))
	slips, others := Strays(env(values))
	assert.Empty(t, slips)
	assert.Empty(t, others)
	assert.NotNil(t, s.Identity.Credential, "Custom Vision is called by the identity of CustomVisionStorage")
	assert.Equal(t, "https://models.blob.core.windows.net", s.Models.BlobURL)
}

// TestTheDeploymentNamesThingsAsTheDocumentsDo has the variables of infra/main.bicep,
// and the outputs by which the verbs find what azd made.
func TestTheDeploymentNamesThingsAsTheDocumentsDo(t *testing.T) {
	t.Parallel()
	main := infrastructure(t, "main.bicep")
	variables := main.Declarations("variable_declaration")
	for setting, name := range map[string]string{
		"NOTIFICATION_QUEUE": "notificationQueue", "MODEL_CONTAINER": "modelContainer", "ARCHIVE_CONTAINER": "archiveContainer", "STATE_CONTAINER": "stateContainer",
	} {
		assert.Equal(t, example(t)[setting], variables[name].Children[1].Value(), setting)
	}
	schedule := variables["schedule"].Children[1]
	assert.Equal(t, example(t)["SWEEP_SCHEDULE"], schedule.Children[1].Value())

	values := map[string]string{}
	for name := range main.Declarations("output_declaration") {
		switch {
		case strings.HasPrefix(name, "AZURE_"), strings.HasPrefix(name, "SERVICE_"): // azd's own
		case strings.Contains(name, "__blob"):
			values[name] = "https://" + strings.ToLower(name[:5]) + ".blob.core.windows.net/"
		case strings.Contains(name, "__queue"):
			values[name] = "https://" + strings.ToLower(name[:5]) + ".queue.core.windows.net/"
		case name == "CUSTOMVISION_ENDPOINT":
			values[name] = standIns["visionEndpoint"]
		default:
			values[name] = example(t)[name]
		}
	}
	_, err := Load(env(values))
	require.NoError(t, err)
	assert.Empty(t, CheckHost(env(values)))
}
