package handler

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/remedy"
)

// Root returns the folder of the Functions app, which holds host.json. The host
// names it in FUNCTIONS_APP_ROOT_PATH. A program started by hand has no such
// variable: then it is the folder of executable (see os.Executable).
func Root(getenv func(string) string, executable string) string {
	if root := getenv(envRoot); root != "" {
		return root
	}
	return filepath.Dir(executable)
}

// defaultMaxDequeueCount is the host's default (QueuesOptions in its queue
// extension).
const defaultMaxDequeueCount = 5

// MaxDequeueCount returns how many times the host delivers a queue message before
// it moves it to the poison queue: extensions.queues.maxDequeueCount, 5 by
// default. getenv reads app settings, which override host.json in the folder
// root. A host.json that can't be read, and a value below 1, are errors.
func MaxDequeueCount(getenv func(string) string, root string) (int, error) {
	text, source, err := hostSetting(getenv, root, "extensions", "queues", "maxDequeueCount")
	if err != nil || text == "" {
		return defaultMaxDequeueCount, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, remedy.New("write a number from 1 on", "maxDequeueCount in %s is %q", source, text)
	}
	return n, nil
}

// hostSetting finds a value of the host's configuration as the host does: first
// in the app setting AzureFunctionsJobHost__…, then in host.json in the folder
// root. It is "" where neither has it. Numbers are returned as they are written.
// source names the place where the value stood, for messages.
func hostSetting(getenv func(string) string, root string, path ...string) (value, source string, err error) {
	name := envJobHost + strings.Join(path, "__")
	if s := getenv(name); s != "" {
		return s, "the setting " + name, nil
	}
	file := filepath.Join(root, "host.json")
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil // the host uses its defaults then
	}
	if err != nil {
		return "", "", fmt.Errorf("cannot read %s: %w", path[len(path)-1], err)
	}
	var found any
	decoder := json.NewDecoder(bytes.NewReader(dotnet.JSON(data)))
	decoder.UseNumber()
	if err := decoder.Decode(&found); err != nil {
		return "", "", fmt.Errorf("cannot read %s from %s: %w", path[len(path)-1], file, err)
	}
	for _, key := range path {
		object, _ := found.(map[string]any)
		found = object[key]
	}
	if found == nil {
		return "", "", nil
	}
	return fmt.Sprint(found), file, nil
}
