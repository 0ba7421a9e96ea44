package settings

import (
	"errors"
	"fmt"
	"io/fs"

	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/remedy"
)

// FileName is the name of the file from which `func start` reads settings.
const FileName = "local.settings.json"

// AddFile adds the settings of a local.settings.json to those of the environment,
// which count first, as `func start` does
// (https://learn.microsoft.com/azure/azure-functions/functions-develop-local#local-settings-file).
// Where the file doesn't exist, the error is fs.ErrNotExist.
func AddFile(c *dotnet.Configuration, path string) error {
	file, err := dotnet.ReadLocalSettings(path)
	if errors.Is(err, fs.ErrNotExist) {
		return remedy.New("name one that is there with --settings FILE", "the settings file %s: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return fmt.Errorf("the settings file can't be read: %w", err)
	}
	c.Add(file...)
	return nil
}
