package funchost

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"visionkeeper/internal/dotnet"
)

// function is one first-level folder with a function.json.
type function struct {
	name     string
	bindings []binding
	trigger  binding
	disabled bool
	config   json.RawMessage // function.json, for the list of functions
}

// binding holds the members of a binding in function.json that funchost uses.
type binding struct {
	Type, Direction, Name, DataType string
	QueueName, Connection           string
	Schedule                        string
	RunOnStartup                    bool
	UseMonitor                      *bool
	Route                           *string
	Methods                         []string
}

func (b binding) is(kind string) bool { return strings.EqualFold(b.Type, kind) }
func (b binding) binary() bool        { return strings.EqualFold(b.DataType, "binary") }

// The kinds of trigger that funchost knows.
const (
	queueTrigger = "queueTrigger"
	timerTrigger = "timerTrigger"
	httpTrigger  = "httpTrigger"
)

var (
	functionName = regexp.MustCompile(`(?i)^[a-z][a-z0-9_\-]{0,127}$`)
	bindingName  = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9]{0,127}|\$return)$`)
)

// findFunctions reads the first-level folders of root
// (HostFunctionMetadataProvider.cs). A broken function is reported and left out.
func findFunctions(root string, c configuration, app *settings, broken func(name string, err error)) ([]*function, error) {
	folders, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("read the script root: %w", err)
	}
	allowed := c.list("functions")
	bundle := c.text("extensionBundle:id") != ""
	if _, err := os.Stat(filepath.Join(root, "bin", "extensions.json")); err == nil {
		bundle = true
	}
	var found []*function
	for _, folder := range folders {
		path := filepath.Join(root, folder.Name(), "function.json")
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		name := folder.Name()
		if len(allowed) > 0 && !slices.ContainsFunc(allowed, func(a string) bool { return strings.EqualFold(a, name) }) {
			continue
		}
		f, err := readFunction(name, dotnet.JSON(text))
		if err == nil && f.trigger.is(queueTrigger) && !bundle {
			err = fmt.Errorf("the binding type 'queueTrigger' is not registered: host.json needs an extensionBundle")
		}
		if err != nil {
			broken(name, err)
			continue
		}
		f.disabled = isTrue(app.get("AzureWebJobs."+name+".Disabled")) || isTrue(app.get("AzureWebJobs_"+name+"_Disabled"))
		found = append(found, f)
	}
	return found, nil
}

func isTrue(text string) bool { return text == "1" || strings.EqualFold(text, "true") }

func readFunction(name string, text []byte) (*function, error) {
	if !functionName.MatchString(name) || strings.EqualFold(name, "host") {
		return nil, fmt.Errorf("'%s' is not a valid function name: a letter, then at most 127 letters, digits, _ or -, and not 'host'", name)
	}
	var file struct{ Bindings []binding }
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("read function.json: %w", err)
	}
	f := &function{name: name, bindings: file.Bindings, config: text}
	seen := map[string]bool{}
	for _, b := range f.bindings {
		if !bindingName.MatchString(b.Name) {
			return nil, fmt.Errorf("the binding name '%s' is invalid: a letter, then at most 127 letters or digits", b.Name)
		}
		if seen[strings.ToLower(b.Name)] {
			return nil, fmt.Errorf("multiple bindings are named '%s': binding names must be unique", b.Name)
		}
		seen[strings.ToLower(b.Name)] = true
		if !strings.HasSuffix(strings.ToLower(b.Type), "trigger") {
			continue
		}
		if f.trigger.Type != "" {
			return nil, fmt.Errorf("multiple trigger bindings defined: a function has exactly one")
		}
		f.trigger = b
	}
	switch {
	case f.trigger.Type == "":
		return nil, fmt.Errorf("no trigger binding specified: a function has exactly one")
	case f.trigger.is(queueTrigger), f.trigger.is(timerTrigger), f.trigger.is(httpTrigger):
		return f, nil
	}
	return nil, fmt.Errorf("the binding type '%s' is not known to this stand-in: it knows queueTrigger, timerTrigger and httpTrigger", f.trigger.Type)
}

// httpInAndOut reports whether a function has one input, the HTTP trigger, and one
// output, the HTTP response. Only such functions get forwarded requests
// (FunctionMetadataExtensions.cs).
func (f *function) httpInAndOut() bool {
	in, out := 0, 0
	for _, b := range f.bindings {
		if !strings.EqualFold(b.Direction, "out") {
			in++
		} else if out++; !b.is("http") {
			return false
		}
	}
	return f.trigger.is(httpTrigger) && in == 1 && out == 1
}
