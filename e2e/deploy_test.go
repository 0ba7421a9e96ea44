package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"visionkeeper/dev/bicep"
)

// infrastructure are the files of infra/ as trees, by their names.
func infrastructure(t *testing.T) map[string]*bicep.Node {
	t.Helper()
	names, err := filepath.Glob("infra/*.bicep")
	require.NoError(t, err)
	trees, err := bicep.Parse(t.Context(), ".", names...)
	require.NoError(t, err)
	files := map[string]*bicep.Node{}
	for i, name := range names {
		files[filepath.Base(name)] = trees[i]
	}
	return files
}

// ofType are the bodies of the resources of a type, whatever its version, by file and
// name.
func ofType(files map[string]*bicep.Node, kind string) map[string]*bicep.Node {
	list := map[string]*bicep.Node{}
	for file, tree := range files {
		for name, resource := range tree.Declarations("resource_declaration") {
			if of, _, _ := strings.Cut(resource.Children[1].Value(), "@"); of == kind && resource.Body().At("properties") != nil {
				list[file+" "+name] = resource.Body()
			}
		}
	}
	return list
}

func readText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}

// TestTheIdsOfRolesAreThoseOfTheirNames has the ids from
// https://learn.microsoft.com/azure/role-based-access-control/built-in-roles.
func TestTheIdsOfRolesAreThoseOfTheirNames(t *testing.T) {
	t.Parallel()
	var roles map[string]string
	require.NoError(t, json.Unmarshal([]byte(readText(t, "infra/roles.json")), &roles))
	assert.Equal(t, map[string]string{
		"Cognitive Services Custom Vision Trainer": "0a5ae4ab-0d65-4eeb-be61-29fc9b54394b",
		"Monitoring Metrics Publisher":             "3913510d-42f4-4e42-8a64-420c390055eb",
		"Storage Blob Data Contributor":            "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
		"Storage Blob Data Owner":                  "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
		"Storage Blob Data Reader":                 "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
		"Storage Blob Delegator":                   "db58b8e5-c6ad-4a2a-8342-4190687cbf4a",
		"Storage Queue Data Contributor":           "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
		"Storage Table Data Contributor":           "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
	}, roles)
	assert.NotRegexp(t, `'[0-9a-f]{8}-[0-9a-f]{4}-`, readText(t, "infra/models.bicep"), "ids stand in one place")
}

// assigned are the role assignments of infra/: the role, on what, to whom.
func assigned(t *testing.T) []string {
	t.Helper()
	var list []string
	quoted := regexp.MustCompile(`roles\['([^']+)'\]`)
	files := infrastructure(t)
	for at, body := range ofType(files, "Microsoft.Authorization/roleAssignments") {
		file, name, _ := strings.Cut(at, " ")
		source := readText(t, filepath.Join("infra", file))
		for variable := range files[file].Declarations("variable_declaration") {
			is := regexp.MustCompile(`(?m)^var ` + variable + ` = (subscriptionResourceId.*)$`).FindStringSubmatch(source)
			if is != nil {
				source = regexp.MustCompile(`\b`+variable+`\b`).ReplaceAllLiteralString(source, is[1])
			}
		}
		_, source, _ = strings.Cut(source, "resource "+name+" ")
		source = source[:regexp.MustCompile(`(?m)^[}\]]$`).FindStringIndex(source)[0]] // a loop ends in a bracket
		named := map[string]bool{}
		for _, m := range quoted.FindAllStringSubmatch(source, -1) {
			named[m[1]] = true // in the id and in the name, which must be the same
		}
		require.Len(t, named, 1, at)
		role := quoted.FindStringSubmatch(source)[1]
		if strings.Contains(source, "archiveRoleId") {
			role = "Visionkeeper archive, or " + role
		}
		to := body.At("properties", "principalId")
		whom := to.Text
		if whom == "" {
			whom = "app and person"
			assert.Equal(t, "principal.id", strings.TrimSpace(regexp.MustCompile(`principalId: (\S+)`).FindStringSubmatch(source)[1]), at)
		}
		list = append(list, fmt.Sprintf("%s on %s of %s to %s", role, body.At("scope").Text, file, whom))
	}
	slices.Sort(list)
	return list
}

// TestRolesAreTheFewThatAreNeeded has each role that anybody gets. What it says of
// app and person is the table in docs/set-up.md.
func TestRolesAreTheFewThatAreNeeded(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{
		"Cognitive Services Custom Vision Trainer on vision of vision-access.bicep to app and person",
		"Monitoring Metrics Publisher on insights of monitoring.bicep to appPrincipalId",
		"Storage Blob Data Contributor on container of models.bicep to visionPrincipalId",
		"Storage Blob Data Contributor on state of archive.bicep to app and person",
		"Storage Blob Data Owner on account of hosting.bicep to app and person",
		"Storage Blob Data Reader on container of models.bicep to app and person",
		"Storage Blob Data Reader on holdOut of archive.bicep to app and person",
		"Storage Blob Delegator on account of models.bicep to app and person",
		"Storage Queue Data Contributor on events of archive.bicep to app and person",
		"Storage Queue Data Contributor on poison of models.bicep to app and person",
		"Storage Queue Data Contributor on queue of models.bicep to app and person",
		"Storage Queue Data Contributor on queue of models.bicep to visionPrincipalId",
		"Storage Table Data Contributor on account of hosting.bicep to appPrincipalId",
		"Visionkeeper archive, or Storage Blob Data Contributor on archive of archive.bicep to app and person",
	}, assigned(t))

	setUp := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^role "([^"]+)"`).FindAllStringSubmatch(readText(t, "docs/set-up.md"), -1) {
		setUp[m[1]]++
	}
	infra := map[string]int{}
	for _, line := range assigned(t) {
		if strings.Contains(line, "hosting.bicep") {
			continue // by hand it is the host's alone, in lines of its own
		}
		if role, isBoth := strings.CutSuffix(line, " to app and person"); isBoth {
			role, _, _ = strings.Cut(role, " on ")
			role, _, _ = strings.Cut(role, ", or ")
			infra[role]++
		}
	}
	assert.Equal(t, setUp, infra)
}

// The app's own role on the archive may delete nothing, and is the one that set-up makes.
func TestTheArchivesRoleIsTheOneInTheDocuments(t *testing.T) {
	t.Parallel()
	properties := ofType(infrastructure(t), "Microsoft.Authorization/roleDefinitions")["archive.bicep archiveRole"].At("properties")
	_, text, _ := strings.Cut(readText(t, "docs/set-up.md"), "--role-definition '")
	text, _, _ = strings.Cut(text, "}'")
	var documented struct {
		Description          string
		Actions, DataActions []string
	}
	text = regexp.MustCompile(`"'"\$\(.*\)"'"`).ReplaceAllString(text, `"the group"`)
	require.NoError(t, json.Unmarshal([]byte(text+"}"), &documented))
	strs := func(n *bicep.Node) (list []string) {
		for _, c := range n.Children {
			list = append(list, c.Value())
		}
		return list
	}
	permission := properties.At("permissions").Children[0]
	assert.Equal(t, documented.Actions, strs(permission.At("actions")))
	assert.Equal(t, documented.DataActions, strs(permission.At("dataActions")))
	assert.Equal(t, documented.Description, properties.At("description").Value())
	assert.NotContains(t, strings.Join(documented.DataActions, " "), "delete")
}

func TestNoAccountTakesKeys(t *testing.T) {
	t.Parallel()
	files := infrastructure(t)
	accounts := ofType(files, "Microsoft.Storage/storageAccounts")
	assert.Len(t, accounts, 3, "models, archive, hosting")
	for at, body := range accounts {
		for property, want := range map[string]string{
			"allowSharedKeyAccess": "false", "allowBlobPublicAccess": "false", "supportsHttpsTrafficOnly": "true", "minimumTlsVersion": "TLS1_2",
		} {
			assert.Equal(t, want, body.At("properties", property).Value(), "%s %s", at, property)
		}
	}
	assert.Equal(t, "true", ofType(files, "Microsoft.Insights/components")["monitoring.bicep insights"].At("properties", "DisableLocalAuth").Text)
	for _, policy := range []string{"noFtp", "noPassword"} {
		assert.Equal(t, "false", ofType(files, "Microsoft.Web/sites/basicPublishingCredentialsPolicies")["app.bicep "+policy].At("properties", "allow").Text)
	}
	archive := ofType(files, "Microsoft.Storage/storageAccounts/blobServices")["archive.bicep blobs"].At("properties")
	assert.Equal(t, "true", archive.At("isVersioningEnabled").Text)
	assert.Equal(t, "true", archive.At("deleteRetentionPolicy", "enabled").Text)
	assert.Equal(t, "true", archive.At("containerDeleteRetentionPolicy", "enabled").Text)
}

// Azure takes another runtime too, and then the app doesn't start and no error says why.
func TestTheAppRunsOnFlexConsumptionAsACustomHandler(t *testing.T) {
	t.Parallel()
	files := infrastructure(t)
	app := files["app.bicep"]
	runtime := app.Declarations("parameter_declaration")["runtime"]
	require.Len(t, runtime.Children, 3, "name, type and default")
	for _, n := range []*bicep.Node{runtime.Body(), runtime.Children[1].Body()} {
		assert.Equal(t, "custom", n.At("name").Value())
		assert.Equal(t, "1.0", n.At("version").Value())
	}
	assert.Nil(t, files["main.bicep"].Declarations("module_declaration")["app"].Body().At("params", "runtime"), "nobody chooses another")
	config := ofType(files, "Microsoft.Web/sites")["app.bicep app"].At("properties", "functionAppConfig")
	assert.Equal(t, "runtime", config.At("runtime").Text)
	assert.Equal(t, "UserAssignedIdentity", config.At("deployment", "storage", "authentication", "type").Value())
	assert.Equal(t, "instanceMemory", config.At("scaleAndConcurrency", "instanceMemoryMB").Text)
	plan := ofType(files, "Microsoft.Web/serverfarms")["app.bicep plan"]
	assert.Equal(t, "FC1", plan.At("sku", "name").Value())
	parameters := files["main.bicep"].Declarations("parameter_declaration")
	assert.Equal(t, "512", parameters["instanceMemory"].Children[2].Text, "the lowest there is")
	assert.Equal(t, fmt.Sprint(len(functionFolders(t))), parameters["maximumInstanceCount"].Children[2].Text, "one for each function")

	for _, m := range regexp.MustCompile(`'function:(\w+)'`).FindAllStringSubmatch(readText(t, "infra/app.bicep"), -1) {
		assert.Contains(t, functionFolders(t), m[1])
	}
}

// TestAlarmsAskForWhatASweepLogs keeps the names in the queries those of the lines.
func TestAlarmsAskForWhatASweepLogs(t *testing.T) {
	t.Parallel()
	sweep := readText(t, "functions/sweep/sweep.go")
	logs := sweep
	for _, file := range []string{"handler/names.go", "internal/messages/messages.go", "internal/reconcile/act.go"} {
		logs += readText(t, file)
	}
	asked := map[string]bool{}
	for _, file := range []string{"infra/alerts.bicep", "docs/operating.md"} {
		for _, m := range regexp.MustCompile(`\bline\.(\w+)`).FindAllStringSubmatch(readText(t, file), -1) {
			asked[m[1]] = true
			zerologs := slices.Contains([]string{"level", "message", "error"}, m[1])
			assert.True(t, zerologs || strings.Contains(logs, `"`+m[1]+`"`), "%s asks for %s, which no line has", file, m[1])
		}
	}
	_, lines, _ := strings.Cut(readText(t, "docs/operating.md"), "has these lines in `what`: ")
	lines, _, _ = strings.Cut(lines, "Names change")
	for _, m := range regexp.MustCompile("`([a-z ]{8,})`").FindAllStringSubmatch(lines, -1) {
		assert.True(t, strings.Contains(logs, `"`+m[1]+`"`), "no line is %q", m[1])
	}
	for _, name := range []string{"round", "oldest", "unproven", "poison", "deadLetters"} {
		assert.True(t, asked[name], name)
		assert.Contains(t, sweep, `("`+name+`", `)
	}
	assert.Contains(t, sweep, `Msg("swept")`)
}

// TestNoLineOfTheLogIsLeftOut: the host leaves out what is above 20 items a second, unless
// it is told not to, and an alarm must not rest on what may be left out.
func TestNoLineOfTheLogIsLeftOut(t *testing.T) {
	t.Parallel()
	var host struct {
		Logging struct {
			ApplicationInsights struct {
				SamplingSettings struct {
					IsEnabled *bool `json:"isEnabled"`
				} `json:"samplingSettings"`
			} `json:"applicationInsights"`
		} `json:"logging"`
	}
	require.NoError(t, json.Unmarshal([]byte(readText(t, "host.json")), &host))
	enabled := host.Logging.ApplicationInsights.SamplingSettings.IsEnabled
	require.NotNil(t, enabled)
	assert.False(t, *enabled)
	assert.True(t, strings.Contains(readText(t, "infra/alerts.bicep"), "failures = sum(ItemCount)"), "an older host.json may be published")
}

// azd is azure.yaml as its schema has it for a service of this kind
// (https://raw.githubusercontent.com/Azure/azure-dev/main/schemas/v1.0/azure.yaml.json).
type azd struct {
	Name     string
	Services map[string]struct {
		Project, Host, Language, Dist string
		Hooks                         map[string]struct {
			Shell, Run      string
			Interactive     bool
			ContinueOnError bool `yaml:"continueOnError"`
		}
	}
}

func TestAzdPublishesWhatMakeDistMakes(t *testing.T) {
	t.Parallel()
	decoder := yaml.NewDecoder(strings.NewReader(readText(t, "azure.yaml")))
	decoder.KnownFields(true)
	var file azd
	require.NoError(t, decoder.Decode(&file))
	assert.Regexp(t, `^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`, file.Name)
	require.Len(t, file.Services, 1)
	service := file.Services["app"]
	assert.Equal(t, []string{".", "function", "custom", "dist"}, []string{service.Project, service.Host, service.Language, service.Dist})
	require.Len(t, service.Hooks, 2)
	assert.Equal(t, "make dist", service.Hooks["prepackage"].Run)
	assert.Equal(t, "cd dist && ../build/visionkeeper check --wait 10m", service.Hooks["postdeploy"].Run)
	for _, hook := range service.Hooks {
		assert.Equal(t, "sh", hook.Shell)
	}
	assert.Contains(t, readText(t, "infra/main.bicep"), "'azd-service-name': 'app'", "by which azd finds the function app")
	assert.Contains(t, readText(t, "infra/main.bicep"), "'azd-env-name': environmentName")
}

// TestTheCheckAfterADeploymentPassesOverALocalRun runs azd's hook in a project with a
// local.settings.json.
func TestTheCheckAfterADeploymentPassesOverALocalRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, folder := range []string{"", "dist"} {
		copyFile(t, "host.json", filepath.Join(dir, folder, "host.json"))
		copyFile(t, "policy.json", filepath.Join(dir, folder, "policy.json"))
	}
	copyFile(t, "local.settings.json.example", filepath.Join(dir, "local.settings.json"))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "build"), 0o755))
	require.NoError(t, os.Symlink(executable, filepath.Join(dir, "build", "visionkeeper")))
	var file azd
	require.NoError(t, yaml.Unmarshal([]byte(readText(t, "azure.yaml")), &file))
	hook := exec.Command("sh", "-c", file.Services["app"].Hooks["postdeploy"].Run)
	hook.Dir = dir
	out, err := hook.Output()
	assert.Error(t, err)
	assert.Contains(t, string(out), "CustomVisionStorage is not set", "what azd made isn't there, and nothing else is taken for it")
}

// TestThePersonFindsWhatTheAppFinds: azd gives the outputs to its hook beside what was set
// by azd env set, so EVENTS_QUEUE too. A connection that lacks a part there fails every verb.
func TestThePersonFindsWhatTheAppFinds(t *testing.T) {
	t.Parallel()
	main := readText(t, "infra/main.bicep")
	found := 0
	for _, m := range regexp.MustCompile(`(?m)^ +((?:CustomVision|Archive)Storage__\w+Uri):`).FindAllStringSubmatch(readText(t, "infra/app.bicep"), -1) {
		found++
		assert.True(t, strings.Contains(main, "\noutput "+m[1]+" string = "), m[1])
	}
	assert.Equal(t, 4, found)
}

// TestTheDocumentsHaveWhatAzdAsksFor compares the values that a person may set.
func TestTheDocumentsHaveWhatAzdAsksFor(t *testing.T) {
	t.Parallel()
	parameters, document := readText(t, "infra/main.parameters.json"), readText(t, "docs/deploy.md")
	found := 0
	for _, m := range regexp.MustCompile(`\$\{(\w+)=(\w*)\}`).FindAllStringSubmatch(parameters, -1) {
		found++
		row := regexp.MustCompile("(?m)^\\| [^|]*`" + m[1] + "`[^|]*\\| ([^|]*?) ?\\|").FindStringSubmatch(document)
		if !assert.NotNil(t, row, m[1]) {
			continue
		}
		switch said := strings.Trim(row[1], "`"); m[1] {
		case "AZURE_PRINCIPAL_ID", "AZURE_PRINCIPAL_TYPE": // azd knows who you are
		case "SWEEP_SCHEDULE": // empty stands for the default of infra/main.bicep
			assert.Contains(t, readText(t, "infra/main.bicep"), "'"+said+"'")
		default:
			assert.Equal(t, m[2], said, m[1])
		}
	}
	assert.Greater(t, found, 10)
}

func TestEveryJSONAndYAMLFileParses(t *testing.T) {
	t.Parallel()
	parsed := 0
	for _, name := range sources(t) {
		if strings.Contains(name, "testdata/") {
			continue
		}
		var err error
		switch filepath.Ext(name) {
		case ".json", ".example":
			var content any
			err = json.Unmarshal([]byte(readText(t, name)), &content)
		case ".yml", ".yaml":
			var content any
			err = yaml.Unmarshal([]byte(readText(t, name)), &content)
		default:
			continue
		}
		parsed++
		assert.NoError(t, err, name)
	}
	assert.Greater(t, parsed, 15)
}

// TestTheImageHoldsWhatIsPublished reads the Dockerfile; no image is built here.
func TestTheImageHoldsWhatIsPublished(t *testing.T) {
	t.Parallel()
	text := readText(t, "Dockerfile")
	assert.Contains(t, text, "COPY --from=build /src/dist /home/site/wwwroot\n")
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(readText(t, "go.mod"))[1]
	assert.Contains(t, text, "FROM golang:"+version+" ")
	for _, name := range []string{"build", "dist", "local.settings.json"} {
		assert.Contains(t, strings.Split(readText(t, ".dockerignore"), "\n"), name, "it isn't sent to the builder")
	}
}
