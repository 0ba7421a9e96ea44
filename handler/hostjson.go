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

// Root is the folder of the Functions app, the one with host.json: what the host
// says, else, where the program was started by hand, its executable's folder
// (see os.Executable).
func Root(getenv func(string) string, executable string) string {
	if root := getenv(envRoot); root != "" {
		return root
	}
	return filepath.Dir(executable)
}

// defaultMaxDequeueCount is the host's own (QueuesOptions in its queue extension).
const defaultMaxDequeueCount = 5

// MaxDequeueCount says how many times the host hands out a queue message before it
// moves it to the poison queue: extensions.queues.maxDequeueCount.
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

// hostSetting is a value of the host's configuration as the host finds it: in the
// app setting AzureFunctionsJobHost__… before host.json in root; "" where neither
// has it. Numbers are read as the text they are written in.
func hostSetting(getenv func(string) string, root string, path ...string) (value, source string, err error) {
	name := envJobHost + strings.Join(path, "__")
	if s := getenv(name); s != "" {
		return s, "the setting " + name, nil
	}
	file := filepath.Join(root, "host.json")
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil // the host, too, goes on with its defaults
	}
	if err != nil {
		return "", "", fmt.Errorf("cannot read %s: %w", path[len(path)-1], err)
	}
	var found any
	decoder := json.NewDecoder(bytes.NewReader(dotnet.WithoutComments(data)))
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
