package emulator

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// facts reads what testdata/contract.txt says of a version, in the form of Swagger 2.0.
func facts(version string) ([]byte, error) {
	text, err := os.ReadFile("testdata/contract.txt")
	if err != nil {
		return nil, err
	}
	paths, definitions := map[string]map[string]any{}, map[string]any{}
	var add func(words []string) // a line to what was begun
	for line := range strings.Lines(string(text)) {
		line, only, marked := strings.Cut(strings.TrimRight(line, "\n"), " @")
		words := strings.Fields(line)
		inner := strings.HasPrefix(line, "\t")
		switch {
		case len(words) == 0 || words[0] == "//":
		case marked && only != version:
			if !inner {
				add = func([]string) {}
			}
		case inner:
			add(words)
		case strings.HasPrefix(words[0], "#"):
			definitions[words[0][1:]], add = newType()
		default:
			name, method, path := words[0], strings.ToLower(words[1]), words[2]
			if paths[path] == nil {
				paths[path] = map[string]any{}
			}
			paths[path][method], add = newOperation(name)
		}
	}
	return json.Marshal(map[string]any{"paths": paths, "definitions": definitions})
}

func newType() (definition map[string]any, add func([]string)) {
	members, required := map[string]any{}, []string{}
	definition = map[string]any{"type": "object", "properties": members}
	return definition, func(words []string) {
		name := strings.TrimRight(words[0], "*!")
		member := typed(words[1])
		if strings.Contains(words[0], "!") {
			member["x-nullable"] = false
		}
		if strings.Contains(words[0], "*") {
			required = append(required, name)
			definition["required"] = required
		}
		members[name] = member
	}
}

func newOperation(name string) (operation map[string]any, add func([]string)) {
	responses, parameters := map[string]any{}, []any{}
	operation = map[string]any{"operationId": name, "responses": responses}
	return operation, func(words []string) {
		switch in := words[0]; {
		case words[1] == "nothing":
			responses[in] = map[string]any{}
		case len(words) == 2:
			responses[in] = map[string]any{"schema": typed(words[1])}
		default:
			parameter := typed(words[2])
			if in == "body" {
				parameter = map[string]any{"schema": parameter}
			}
			parameter["in"], parameter["name"], parameter["required"] = in, strings.TrimSuffix(words[1], "*"), strings.HasSuffix(words[1], "*")
			parameters = append(parameters, parameter)
			operation["parameters"] = parameters
		}
	}
}

// limited is a type with its limits: those of a number, or of a list's length.
var limited = regexp.MustCompile(`^(.+)\((\d+)\.\.(\d+)\)$`)

func typed(t string) map[string]any {
	if m := limited.FindStringSubmatch(t); m != nil {
		s := typed(m[1])
		least, most := "minimum", "maximum"
		if s["type"] == "array" {
			least, most = "minItems", "maxItems"
		}
		s[least], s[most] = json.Number(m[2]), json.Number(m[3])
		return s
	}
	switch t[0] {
	case '#':
		return map[string]any{"$ref": "#/definitions/" + t[1:]}
	case '[':
		return map[string]any{"type": "array", "items": typed(t[1 : len(t)-1])}
	case '{':
		return map[string]any{"type": "object", "additionalProperties": typed(t[1 : len(t)-1])}
	}
	if strings.Contains(t, "|") {
		return map[string]any{"type": "string", "enum": strings.Split(t, "|")}
	}
	switch t {
	case "string", "boolean", "file":
		return map[string]any{"type": t}
	case "uuid", "date-time", "byte":
		return map[string]any{"type": "string", "format": t}
	case "int32":
		return map[string]any{"type": "integer", "format": t}
	case "float", "double":
		return map[string]any{"type": "number", "format": t}
	}
	panic(fmt.Sprintf("testdata/contract.txt has a type %q, which means nothing", t))
}
