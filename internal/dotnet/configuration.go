package dotnet

import (
	"cmp"
	"maps"
	"os"
	"slices"
	"strings"

	"visionkeeper/internal/nearest"
	"visionkeeper/internal/remedy"
)

// Setting is a setting as it was set.
type Setting struct{ Name, Value string }

// Environment lists the variables of this process.
func Environment() []Setting {
	var list []Setting
	for _, pair := range os.Environ() {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			list = append(list, Setting{name, value})
		}
	}
	return list
}

// Configuration finds settings as .NET's configuration finds environment variables
// (EnvironmentVariablesConfigurationProvider.cs): letter case makes no difference,
// nor whether "__" or ":" is written between a section and what is in it, and a
// connection string of App Service, such as CUSTOMCONNSTR_X, is ConnectionStrings:X.
// The zero value has no settings.
type Configuration struct{ settings map[string][]Setting } // by key

// NewConfiguration has the settings of one source.
func NewConfiguration(source ...Setting) *Configuration {
	c := &Configuration{}
	c.Add(source...)
	return c
}

// Add adds the settings of another source. One that is set already stays as it is.
// Of a name that a source has twice, the last counts.
func (c *Configuration) Add(source ...Setting) {
	added := map[string][]Setting{}
	for _, s := range source {
		if key := keyOf(s.Name); len(c.settings[key]) == 0 {
			others := slices.DeleteFunc(added[key], func(o Setting) bool { return o.Name == s.Name })
			added[key] = append(others, s)
		}
	}
	if c.settings == nil {
		c.settings = map[string][]Setting{}
	}
	for key, list := range added {
		slices.SortStableFunc(list, func(a, b Setting) int { return cmp.Compare(a.Name, b.Name) })
		c.settings[key] = list
	}
}

// connectionStrings are the prefixes of App Service's connection strings
// (EnvironmentVariablesConfigurationProvider.cs).
var connectionStrings = []string{
	"CUSTOMCONNSTR_", "SQLAZURECONNSTR_", "SQLCONNSTR_", "MYSQLCONNSTR_", "POSTGRESQLCONNSTR_", "APIHUBCONNSTR_",
	"DOCDBCONNSTR_", "EVENTHUBCONNSTR_", "NOTIFICATIONHUBCONNSTR_", "REDISCACHECONNSTR_", "SERVICEBUSCONNSTR_",
}

// keyOf is the one spelling of a name.
func keyOf(name string) string {
	for _, prefix := range connectionStrings {
		if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			name = "ConnectionStrings:" + name[len(prefix):]
			break
		}
	}
	return strings.ToLower(strings.ReplaceAll(name, "__", ":"))
}

// Lookup finds a setting. If it is set in several spellings, the one that was asked
// for counts, else the first in the alphabet.
func (c *Configuration) Lookup(name string) (s Setting, ok bool) {
	list := c.settings[keyOf(name)]
	if len(list) == 0 {
		return Setting{}, false
	}
	if i := slices.IndexFunc(list, func(s Setting) bool { return s.Name == name }); i >= 0 {
		return list[i], true
	}
	return list[0], true
}

// Get is the value of a setting as it was set, "" if it isn't.
func (c *Configuration) Get(name string) string {
	s, _ := c.Lookup(name)
	return s.Value
}

// Text is the value of a setting without the space around it, "" if it isn't set. A
// reference that Azure has not replaced is an error, which names the setting, and no
// value.
func (c *Configuration) Text(name string) (string, error) {
	s, _ := c.Lookup(name)
	return s.text()
}

func (s Setting) text() (string, error) {
	value := strings.TrimSpace(s.Value)
	for prefix, kind := range references {
		if len(value) >= len(prefix) && strings.EqualFold(value[:len(prefix)], prefix) {
			return "", remedy.New(kind.do, "%s is a reference to %s that was not replaced by its value", s.Name, kind.to)
		}
	}
	return value, nil
}

// references are the beginnings of values that Azure replaces before an app starts:
// https://learn.microsoft.com/azure/app-service/app-service-key-vault-references
// https://learn.microsoft.com/azure/app-service/app-service-configuration-references
// The app gets the reference itself if Azure could not. Nothing replaces it on a
// person's machine.
var references = map[string]struct{ to, do string }{
	"@Microsoft.KeyVault(": {"Key Vault",
		"in Azure, look at its state on the function app's page Environment variables, and give the app's identity the role Key Vault Secrets User on the vault; on your machine, write the value itself"},
	"@Microsoft.AppConfiguration(": {"App Configuration",
		"in Azure, look at its state on the function app's page Environment variables, and give the app's identity the role App Configuration Data Reader on the store; on your machine, write the value itself"},
}

// Settings lists what was set, in the alphabet's order.
func (c *Configuration) Settings() []Setting {
	list := slices.Concat(slices.Collect(maps.Values(c.settings))...)
	slices.SortFunc(list, func(a, b Setting) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Section is a setting together with those below it, such as a connection X with
// X__accountName and X__credential.
type Section struct {
	Path string         // as the settings below it are named before "__"
	Of   *Configuration // that it is in
}

// FirstSection is the first of these sections in which something is set and not
// empty. If there is none, it is the last of them.
func (c *Configuration) FirstSection(paths ...string) Section {
	var s Section
	for _, path := range paths {
		if s = (Section{path, c}); s.IsSet() {
			break
		}
	}
	return s
}

// IsSet reports whether the setting, or one below it, is set and not empty.
func (s Section) IsSet() bool {
	return !isEmpty(s.Of.Get(s.Path)) || slices.ContainsFunc(s.Below(), func(e Entry) bool { return !isEmpty(e.Value) })
}

func isEmpty(value string) bool { return strings.TrimSpace(value) == "" }

// Value is the text of the setting itself (see Configuration.Text).
func (s Section) Value() (string, error) { return s.Of.Text(s.Path) }

// Name is that of a setting below the section, as it is set, or else as it would be.
func (s Section) Name(key string) string {
	if set, ok := s.Of.Lookup(s.Path + "__" + key); ok {
		return set.Name
	}
	return s.Path + "__" + key
}

// Text is that of a setting below the section (see Configuration.Text).
func (s Section) Text(key string) (string, error) { return s.Of.Text(s.Path + "__" + key) }

// Entry is a setting below a section.
type Entry struct {
	Key string // what comes after the section's name, in small letters, with colons
	Setting
}

// Below lists the settings below the section, in the alphabet's order.
func (s Section) Below() []Entry {
	var list []Entry
	above := keyOf(s.Path) + ":"
	for key, sets := range s.Of.settings {
		if below, ok := strings.CutPrefix(key, above); ok {
			for _, set := range sets {
				list = append(list, Entry{below, set})
			}
		}
	}
	slices.SortFunc(list, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Slips lists, as errors, the settings below the section whose names are almost, but
// not quite, one of keys.
func (s Section) Slips(keys []string) []error {
	var slips []error
	for _, e := range s.Below() {
		if near := nearest.Of(e.Key, keys); near != "" && !strings.EqualFold(near, e.Key) && !isEmpty(e.Value) {
			slips = append(slips, remedy.New("rename it to "+s.Path+"__"+near, "%s is no setting, but %s__%s is", e.Name, s.Path, near))
		}
	}
	return slips
}
