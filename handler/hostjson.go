package handler

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/nearest"
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
// root. A host.json that can't be read, and a value below 1, are errors; the default
// comes with them.
func MaxDequeueCount(getenv func(string) string, root string) (int, error) {
	text, source, err := hostSetting(getenv, root, "extensions", "queues", "maxDequeueCount")
	if err != nil || text == "" {
		return defaultMaxDequeueCount, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return defaultMaxDequeueCount, remedy.New("write a number from 1 on", "maxDequeueCount in %s is %q", source, text)
	}
	return n, nil
}

// defaultRoutePrefix is the host's default (HttpOptions in its HTTP extension).
const defaultRoutePrefix = "api"

// RoutePrefix returns what stands before the routes of HTTP functions, without slashes:
// extensions.http.routePrefix, "api" by default, and empty where it is set so. getenv
// reads app settings, which override host.json in the folder root. With an error for a
// host.json that can't be read comes the default.
func RoutePrefix(getenv func(string) string, root string) (string, error) {
	text, source, err := hostSetting(getenv, root, "extensions", "http", "routePrefix")
	if err != nil || source == "" {
		return defaultRoutePrefix, err
	}
	return strings.Trim(text, "/"), nil
}

// hostSetting finds a value of the host's configuration as the host does: first
// in the app setting AzureFunctionsJobHost__…, then in host.json in the folder
// root, whose keys have no letter case. It is "" where neither has it. Numbers are
// returned as they are written. source names the place where the value stood, for
// messages.
func hostSetting(getenv func(string) string, root string, path ...string) (value, source string, err error) {
	name := envJobHost + strings.Join(path, "__")
	if s := getenv(name); s != "" {
		return s, "the setting " + name, nil
	}
	file, err := readHostJSON(root)
	if file == nil {
		return "", "", err
	}
	at := file
	for _, key := range path {
		if at = at.Member(key); at == nil {
			return "", "", nil
		}
	}
	text, _ := at.Text()
	return text, fmt.Sprintf("%s, %s", filepath.Join(root, "host.json"), at.Place), nil
}

// readHostJSON reads host.json in the folder root. It is nil if there is none: the
// host uses its defaults then.
func readHostJSON(root string) (*dotnet.Node, error) {
	file, err := dotnet.ReadJSON(filepath.Join(root, "host.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read host.json: %w", err)
	}
	return file, nil
}

// hostKeys are keys of host.json, by the object in which they stand
// (https://learn.microsoft.com/azure/azure-functions/functions-host-json). There are
// more; only likely slips are looked for.
var hostKeys = map[string][]string{
	"": {"version", "functionTimeout", "retry", "functions", "watchDirectories", "watchFiles", "singleton", "logging", "aggregator",
		"healthMonitor", "extensionBundle", "managedDependency", "customHandler", "extensions", "concurrency", "telemetryMode"},
	"customhandler": {"description", "enableForwardingHttpRequest", "enableProxyingHttpRequest", "initializationTimeout", "type", "port", "http"},
	"customhandler:description": {"defaultExecutablePath", "workingDirectory", "arguments", "defaultWorkerPath", "workerDirectory",
		"workerArguments", "useStdErrorStreamForErrorsOnly"},
	"extensions:http":   {"routePrefix", "maxOutstandingRequests", "maxConcurrentRequests", "dynamicThrottlesEnabled", "hsts", "customHeaders"},
	"extensions:queues": {"batchSize", "newBatchThreshold", "maxDequeueCount", "maxPollingInterval", "visibilityTimeout", "messageEncoding"},
}

// CheckHostJSON lists what is wrong with host.json in the folder root, and with the
// settings that override it, as far as the program depends on them: what can't be
// read, and keys that look like slips, which the host passes over.
func CheckHostJSON(getenv func(string) string, root string) []error {
	file, err := readHostJSON(root)
	if err != nil {
		return []error{err}
	}
	_, deadline := Deadline(getenv, root)
	_, deliveries := MaxDequeueCount(getenv, root)
	faults := slices.DeleteFunc([]error{deadline, deliveries}, func(err error) bool { return err == nil })
	if file == nil {
		return faults
	}
	return append(faults, hostSlips(filepath.Join(root, "host.json"), "", file)...)
}

// hostSlips lists the slips in an object of host.json and in those below it.
func hostSlips(name, path string, object *dotnet.Node) []error {
	var slips []error
	for _, m := range object.Members {
		known := hostKeys[path]
		if near := nearest.Of(m.Key, known); near != "" && !strings.EqualFold(near, m.Key) {
			slips = append(slips, remedy.New(fmt.Sprintf("write %q", near), "%s, %s: the host knows no %q", name, m.Place, m.Key))
		}
		slips = append(slips, hostSlips(name, strings.TrimPrefix(path+":"+strings.ToLower(m.Key), ":"), m.Value)...)
	}
	return slips
}
