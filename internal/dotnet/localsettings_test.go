package dotnet

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func localSettings(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "local.settings.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestLocalSettingsAreReadAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	list, err := ReadLocalSettings(localSettings(t, "\ufeff{ // mine\n"+`"isEncrypted": "false", "Values": {
		"A": "text", /* a number */ "N": 5, "B": true, "D": 1.50, "NULL": null, "E": "",
	}, "ConnectionStrings": {"C": "text", "O": {"ConnectionString": "object", "ProviderName": "x"}, "P": {"ProviderName": "x"}}, "Host": {"CORS": "*"},}`))
	require.NoError(t, err)
	assert.Equal(t, []Setting{
		{"A", "text"}, {"N", "5"}, {"B", "true"}, {"D", "1.50"}, {"E", ""}, {"ConnectionStrings:C", "text"}, {"ConnectionStrings:O", "object"},
	}, list)
	list, err = ReadLocalSettings(localSettings(t, `{"Values": null}`))
	require.NoError(t, err)
	assert.Empty(t, list)
}

func TestAFaultInLocalSettingsSaysWhereAndQuotesNoValue(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{\"Values\": {\n  \"K\": \"the-secret\"\n  \"L\": 1}}":          "line 3, column 3: ",
		"{\"Values\": {\n  \"K\": {\"x\": \"the-secret\"}}}":             "line 2, column 8: K under Values is a list or an object",
		"{\"Values\": [\"the-secret\"]}":                                 "line 1, column 12: Values is not an object",
		"{\n\"IsEncrypted\": true, \"Values\": {\"K\": \"the-secret\"}}": "line 2, column 16: the file is encrypted",
		"{\n  \"Value\": {\"K\": \"the-secret\"}}":                       `line 2, column 3: "Value" is not a key of local.settings.json: write "Values"`,
		"[\"the-secret\"]":                  "line 1, column 1: it is not an object with Values",
		"{\"Values\": {\"K\": \"the-secret": "it ends too early",
	} {
		path := localSettings(t, text)
		_, err := ReadLocalSettings(path)
		require.ErrorContains(t, err, path+", line ")
		assert.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "the-secret")
	}
}
