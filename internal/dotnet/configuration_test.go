package dotnet

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/remedy"
)

func TestASettingIsFoundInEverySpelling(t *testing.T) {
	t.Parallel()
	for set, asked := range map[string]string{
		"customvision_key":                         "CUSTOMVISION_KEY",
		"Models:accountName":                       "Models__accountName",
		"MODELS__ACCOUNTNAME":                      "Models:accountName",
		"CUSTOMCONNSTR_Models":                     "ConnectionStrings:Models",
		"SqlAzureConnStr_models":                   "ConnectionStrings__Models",
		"MYSQLCONNSTR_Models":                      "ConnectionStrings:Models",
		"CUSTOMCONNSTR_Models__accountName":        "ConnectionStrings:Models:accountName",
		"AZUREFUNCTIONSJOBHOST:functiontimeout":    "AzureFunctionsJobHost__functionTimeout",
		"AzureFunctionsJobHost:extensions__queues": "AzureFunctionsJobHost__extensions__queues",
	} {
		c := NewConfiguration(Setting{set, "value"})
		got, ok := c.Lookup(asked)
		assert.True(t, ok, set)
		assert.Equal(t, Setting{set, "value"}, got)
		assert.Equal(t, "value", c.Get(asked))
	}
	c := NewConfiguration(Setting{"A_B", "value"}, Setting{"CUSTOMCONNSTR_", "value"})
	assert.Empty(t, c.Get("A__B"), "one underscore is none of two")
	assert.Empty(t, c.Get("ConnectionStrings:"))
	assert.Equal(t, "value", c.Get("customconnstr_"))
}

func TestTheSpellingThatIsAskedForWins(t *testing.T) {
	t.Parallel()
	c := NewConfiguration(Setting{"name", "small"}, Setting{"Name", "mixed"}, Setting{"NAME", "capital"})
	assert.Equal(t, "mixed", c.Get("Name"))
	assert.Equal(t, "capital", c.Get("nAME"), "else the first")
}

func TestTheFirstSourceWins(t *testing.T) {
	t.Parallel()
	c := NewConfiguration(Setting{"a", "before"}, Setting{"a", "first"}, Setting{"EMPTY", ""})
	c.Add(Setting{"A", "second"}, Setting{"EMPTY", "second"}, Setting{"B", "second"})
	assert.Equal(t, "first", c.Get("A"))
	assert.Equal(t, "", c.Get("EMPTY"), "an empty one too")
	assert.Equal(t, "second", c.Get("b"))
	assert.Equal(t, []Setting{{"B", "second"}, {"EMPTY", ""}, {"a", "first"}}, c.Settings())
	assert.Empty(t, (&Configuration{}).Get("A"))
}

func TestAReferenceThatWasNotReplacedIsNoValue(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s/)":         "Key Vault",
		" @microsoft.keyvault(VaultName=v;SecretName=s)":                              "Key Vault",
		"@Microsoft.AppConfiguration(Endpoint=https://s.azconfig.io; Key=k; Label=l)": "App Configuration",
	} {
		text, err := NewConfiguration(Setting{"customvision_key", value}).Text("CUSTOMVISION_KEY")
		assert.Empty(t, text)
		require.ErrorContains(t, err, "customvision_key is a reference to "+want)
		_, do := remedy.Of(err)
		assert.Contains(t, do, "on your machine, write the value itself")
		assert.NotContains(t, err.Error(), value)
	}
	text, err := NewConfiguration(Setting{"A", " an @Microsoft.KeyVault(x) "}).Text("A")
	require.NoError(t, err)
	assert.Equal(t, "an @Microsoft.KeyVault(x)", text)
}

func TestTheFirstSectionInWhichSomethingIsSet(t *testing.T) {
	t.Parallel()
	c := NewConfiguration(Setting{"First", " "}, Setting{"First__a", ""}, Setting{"second:Key__deep", "1"}, Setting{"SECOND__other", "2"}, Setting{"Third", "x"}, Setting{"Secondly__a", "x"})
	s := c.FirstSection("First", "Second", "Third")
	assert.Equal(t, "Second", s.Path)
	assert.Equal(t, []Entry{{"other", Setting{"SECOND__other", "2"}}, {"key:deep", Setting{"second:Key__deep", "1"}}}, s.Below())
	assert.Equal(t, "SECOND__other", s.Name("other"))
	assert.Equal(t, "Second__none", s.Name("none"))
	text, err := s.Text("Other")
	require.NoError(t, err)
	assert.Equal(t, "2", text)

	s = c.FirstSection("First", "None")
	assert.Equal(t, "None", s.Path)
	assert.Empty(t, s.Below())
}
