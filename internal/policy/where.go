package policy

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/nearest"
)

// explain puts the validator's faults on one line, each with its place in the policy,
// and with the key that was most likely meant.
func explain(err error, policy *dotnet.Node) string {
	var whole *jsonschema.ValidationError
	if !errors.As(err, &whole) {
		return err.Error()
	}
	var texts []string
	for _, fault := range leaves(whole) {
		at := follow(policy, fault.InstanceLocation)
		place, hint := at.Place, ""
		if extra, ok := fault.ErrorKind.(*kind.AdditionalProperties); ok {
			place, hint = slip(at, extra.Properties[0], fault.SchemaURL)
		}
		texts = append(texts, place.String()+", "+fault.Error()+hint)
	}
	return strings.Join(texts, "; ")
}

// leaves are the faults that have no cause of their own.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var list []*jsonschema.ValidationError
	for _, cause := range e.Causes {
		list = append(list, leaves(cause)...)
	}
	return list
}

// follow finds a value by the keys and the numbers on the way to it. Where the way
// breaks off, it is the last value that was found.
func follow(at *dotnet.Node, path []string) *dotnet.Node {
	for _, step := range path {
		var next *dotnet.Node
		if i, err := strconv.Atoi(step); err == nil && i < len(at.Items) {
			next = at.Items[i]
		} else {
			next = at.Member(step)
		}
		if next == nil {
			break
		}
		at = next
	}
	return at
}

// slip is the place of a key that the schema doesn't know, and the key that it may
// be a slip for.
func slip(object *dotnet.Node, key, schemaURL string) (place dotnet.Place, hint string) {
	place = object.Place
	for _, m := range object.Members {
		if m.Key == key {
			place = m.Place
		}
	}
	if near := nearest.Of(key, properties(schemaURL)); near != "" {
		hint = `: write "` + near + `"`
	}
	return place, hint
}

// properties are the keys of an object of the schema.
func properties(schemaURL string) []string {
	var at any
	if json.Unmarshal(schemaJSON, &at) != nil {
		return nil
	}
	_, pointer, _ := strings.Cut(schemaURL, "#")
	for step := range strings.SplitSeq(strings.Trim(pointer, "/")+"/properties", "/") {
		if object, ok := at.(map[string]any); ok && step != "" {
			at = object[step]
		}
	}
	object, _ := at.(map[string]any)
	return slices.Sorted(maps.Keys(object))
}
