package bicep

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTheDeploymentHoldsTogether is for infra/, which no compiler sees here.
func TestTheDeploymentHoldsTogether(t *testing.T) {
	t.Parallel()
	faults, err := Check(t.Context(), "../..", "../../infra")
	require.NoError(t, err)
	assert.Empty(t, faults)
}

// Each slip in a file of infra/ is found.
func TestASlipIsFound(t *testing.T) {
	t.Parallel()
	for name, slip := range map[string]struct{ file, from, to, fault string }{
		"a symbol":              {"models.bicep", "scope: poison", "scope: poisson", "poisson is not declared"},
		"a parameter":           {"app.bicep", "MODEL_CONTAINER: modelContainer", "MODEL_CONTAINER: modelsContainer", "modelsContainer is not declared"},
		"a name in a text":      {"app.bicep", "'ClientId=${identityClientId}", "'ClientId=${identityClient}", "identityClient is not declared"},
		"a loop's variable":     {"archive.bicep", "principalId: principal.id", "principalId: principle.id", "principle is not declared"},
		"a module's file":       {"main.bicep", "'hosting.bicep'", "'host.bicep'", "there is no file host.bicep"},
		"a module's parameter":  {"main.bicep", "    email: alertEmail", "    mail: alertEmail", "alerts.bicep has no parameter mail"},
		"one that is missing":   {"main.bicep", "    hostTableUri: hosting.outputs.tableUri\n", "", "app.bicep needs the parameter hostTableUri"},
		"a module's output":     {"main.bicep", "models.outputs.queueUri", "models.outputs.queueURI", "models.bicep has no output queueURI"},
		"a type of resource":    {"app.bicep", "Microsoft.Web/serverfarms@2024-04-01", "Microsoft.Web/serverFarm@2024-04-01", "is no type of resource"},
		"a version":             {"app.bicep", "Microsoft.Web/sites@2024-04-01", "Microsoft.Web/sites@2024-04-31", "is no type of resource"},
		"a function":            {"main.bicep", "toLower(uniqueString", "lower(uniqueString", "lower is no function"},
		"a role":                {"hosting.bicep", "roles['Storage Blob Data Owner']", "roles['Storage Blob Owner']", "roles.json has no key"},
		"a file of JSON":        {"hosting.bicep", "'roles.json'", "'role.json'", "role.json: open"},
		"a decorator":           {"main.bicep", "@secure()", "@secret()", "secret is no function"},
		"a bracket":             {"app.bicep", "    httpsOnly: true", "    httpsOnly: [true", "syntax"},
		"a quote":               {"app.bicep", "'custom', version", "'custom, version", "syntax"},
		"an unused variable":    {"main.bicep", "var groupName", "var spare = 1\nvar groupName", "spare is declared and never used"},
		"a second declaration":  {"main.bicep", "var groupName", "var tags = 1\nvar groupName", "tags is declared twice"},
		"azd's parameters":      {"main.parameters.json", `"alertEmail"`, `"alertMail"`, "main.bicep has no parameter alertMail"},
		"a parameter azd lacks": {"main.parameters.json", `    "location": { "value": "${AZURE_LOCATION}" },` + "\n", "", "main.bicep needs the parameter location"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			require.NoError(t, os.CopyFS(folder, os.DirFS("../../infra")))
			path := filepath.Join(folder, slip.file)
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Contains(t, string(text), slip.from)
			require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(text), slip.from, slip.to, 1)), 0o644))
			faults, err := Check(t.Context(), "../..", folder)
			require.NoError(t, err)
			assert.Contains(t, strings.Join(faults, "\n"), slip.fault)
			for _, fault := range faults {
				assert.True(t, strings.HasPrefix(fault, slip.file), fault)
			}
		})
	}
}
