package dotnet

import (
	"encoding/json"
	"fmt"
	"strings"

	"visionkeeper/internal/nearest"
	"visionkeeper/internal/remedy"
)

// localSettingsKeys are the keys of a local.settings.json
// (https://learn.microsoft.com/azure/azure-functions/functions-develop-local#local-settings-file).
var localSettingsKeys = []string{"IsEncrypted", "Values", "ConnectionStrings", "Host"}

// ReadLocalSettings reads the settings of a local.settings.json, as `func start`
// does (AppSettingsFile.cs): those under Values, and the connection strings, which
// are texts or objects with a ConnectionString. Numbers, true and false are taken
// as they are written; null is not set. An error names the file, the line and the
// column, and quotes no value.
func ReadLocalSettings(path string) ([]Setting, error) {
	root, err := ReadJSON(path)
	if err != nil {
		return nil, err
	}
	fault := func(at Place, do, format string, a ...any) error {
		return remedy.New(do, "%s, %s: %s", path, at, fmt.Sprintf(format, a...))
	}
	if root.Value != json.Delim('{') {
		return nil, fault(root.Place, "write it as local.settings.json.example is", "it is not an object with Values")
	}
	for _, m := range root.Members {
		if near := nearest.Of(m.Key, localSettingsKeys); near != "" && !strings.EqualFold(near, m.Key) {
			return nil, fault(m.Place, fmt.Sprintf("write %q", near), "%q is not a key of local.settings.json", m.Key)
		}
	}
	if encrypted := root.Member("IsEncrypted"); encrypted != nil {
		if text, _ := encrypted.Text(); strings.EqualFold(text, "true") {
			return nil, fault(encrypted.Place, "decrypt it with `func settings decrypt`", "the file is encrypted")
		}
	}
	var list []Setting
	for _, section := range []struct{ key, prefix string }{{"Values", ""}, {"ConnectionStrings", "ConnectionStrings:"}} {
		values := root.Member(section.key)
		if values == nil || values.Value == nil {
			continue
		}
		if values.Value != json.Delim('{') {
			return nil, fault(values.Place, "write names and texts in braces, as local.settings.json.example does", "%s is not an object", section.key)
		}
		for _, m := range values.Members {
			value := m.Value
			if section.prefix != "" && value.Value == json.Delim('{') {
				if value = value.Member("ConnectionString"); value == nil {
					continue
				}
			}
			text, ok := value.Text()
			switch {
			case ok:
				list = append(list, Setting{section.prefix + m.Key, text})
			case value.Value != nil:
				return nil, fault(value.Place, `write a text; what is in a section has the section in its name, as in "Section__name"`,
					"%s under %s is a list or an object", m.Key, section.key)
			}
		}
	}
	return list, nil
}
