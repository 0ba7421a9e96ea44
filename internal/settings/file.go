package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"

	"visionkeeper/internal/remedy"
)

// FileName is the name of the file from which `func start` reads settings.
const FileName = "local.settings.json"

// WithFile looks a setting up in the environment, and, where it is not set
// there, in a local.settings.json, as `func start` does
// (https://learn.microsoft.com/azure/azure-functions/functions-develop-local#local-settings-file).
// Where the file doesn't exist, the error is fs.ErrNotExist.
func WithFile(lookup func(string) (string, bool), path string) (func(string) string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the settings file %s: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("the settings file can't be read: %w", err)
	}
	var file struct {
		IsEncrypted       bool
		Values            map[string]string
		ConnectionStrings map[string]json.RawMessage // texts, or objects that only .NET reads
	}
	// The decoder's error is left out: it may quote a value, and values are secret.
	if json.Unmarshal(bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF")), &file) != nil {
		return nil, remedy.New("mend it, and remove comments", "the settings file %s is not JSON with a flat list of texts under Values", path)
	}
	if file.IsEncrypted {
		return nil, remedy.New("decrypt it with `func settings decrypt`", "the settings file %s is encrypted", path)
	}
	values := map[string]string{}
	for name, raw := range file.ConnectionStrings {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			values["ConnectionStrings__"+name] = text
		}
	}
	maps.Copy(values, file.Values)
	return func(name string) string {
		if value, set := lookup(name); set {
			return value
		}
		return values[name]
	}, nil
}
