package policy

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/nearest"
)

//go:generate cp policy.schema.json ../../policy.schema.json

//go:embed policy.schema.json
var schemaJSON []byte

// schema is a JSON Schema of draft 2020-12, as far as policy.schema.json needs it. A
// library that knows all of JSON Schema makes the start of the program twice as long.
type schema struct {
	Ref                  string             `json:"$ref"`
	Defs                 map[string]*schema `json:"$defs"`
	Type                 Words              `json:"type"`
	Enum                 []string           `json:"enum"`
	Required             []string           `json:"required"`
	Properties           map[string]*schema `json:"properties"`
	AdditionalProperties *bool              `json:"additionalProperties"`
	Items                *schema            `json:"items"`
	MinItems             int                `json:"minItems"`
	UniqueItems          bool               `json:"uniqueItems"`
	MinLength            int                `json:"minLength"`
	Pattern              string             `json:"pattern"`
	Minimum              *float64           `json:"minimum"`
	Maximum              *float64           `json:"maximum"`
	AnyOf                []*schema          `json:"anyOf"` // of keys that must be there
	If                   *schema            `json:"if"`
	Then                 *schema            `json:"then"`

	// These are for people and their editors.
	Version     string `json:"$schema"`
	ID          string `json:"$id"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Default     any    `json:"default"`
}

// readSchema reads a schema. A keyword that schema doesn't have is an error.
func readSchema(data []byte) (*schema, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	s := new(schema)
	return s, d.Decode(s)
}

var policySchema = sync.OnceValue(func() *schema {
	s, err := readSchema(schemaJSON)
	if err != nil {
		panic("policy.schema.json: " + err.Error())
	}
	return s
})

// check returns what in a document doesn't follow the schema, in the document's
// order, each with its place.
func (s *schema) check(document *dotnet.Node) []string { return faults(s.Defs, s, document) }

func faults(defs map[string]*schema, s *schema, n *dotnet.Node) []string {
	c := checker{defs: defs}
	c.check(s, n, "")
	return c.faults
}

type checker struct {
	defs   map[string]*schema
	faults []string
}

// fault notes one at a place. Path is the way to the value, as a JSON pointer.
func (c *checker) fault(at dotnet.Place, path, format string, args ...any) {
	text := at.String()
	if path != "" {
		text += ", at '" + path + "'"
	}
	c.faults = append(c.faults, text+": "+fmt.Sprintf(format, args...))
}

func (c *checker) check(s *schema, n *dotnet.Node, path string) {
	if s.Ref != "" {
		s = c.defs[strings.TrimPrefix(s.Ref, "#/$defs/")]
	}
	kind := kindOf(n)
	whole := kind == "integer" && slices.Contains(s.Type, "number")
	if len(s.Type) > 0 && !slices.Contains(s.Type, kind) && !whole {
		c.fault(n.Place, path, "it is %s and must be %s", named(kind), alternatives(s.Type))
		return
	}
	switch text, _ := n.Value.(string); {
	case s.Enum != nil && (kind != "string" || !slices.Contains(s.Enum, text)):
		c.fault(n.Place, path, "value must be one of '%s'%s", strings.Join(s.Enum, "', '"), hint(text, s.Enum))
	case kind == "string" && utf8.RuneCountInString(text) < s.MinLength:
		c.fault(n.Place, path, "it must not be empty")
	case kind == "string" && s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(text):
		c.fault(n.Place, path, "%q has not the form %s", text, s.Pattern)
	}
	switch kind {
	case "integer", "number":
		c.number(s, n, path)
	case "array":
		c.array(s, n, path)
	case "object":
		c.object(s, n, path)
	}
	c.anyOf(s, n, path)
	if s.If != nil && len(faults(c.defs, s.If, n)) == 0 {
		c.check(s.Then, n, path)
	}
}

// anyOf finds that no alternative is followed, and names the keys of which one must be there.
func (c *checker) anyOf(s *schema, n *dotnet.Node, path string) {
	var keys []string
	for _, alternative := range s.AnyOf {
		if len(faults(c.defs, alternative, n)) == 0 {
			return
		}
		keys = append(keys, alternative.Required...)
	}
	if len(keys) > 0 {
		c.fault(n.Place, path, "it needs one of the keys '%s'", strings.Join(keys, "', '"))
	}
}

func (c *checker) number(s *schema, n *dotnet.Node, path string) {
	number, _ := n.Value.(json.Number).Float64()
	if s.Minimum != nil && number < *s.Minimum {
		c.fault(n.Place, path, "it must be at least %v", *s.Minimum)
	}
	if s.Maximum != nil && number > *s.Maximum {
		c.fault(n.Place, path, "it must be at most %v", *s.Maximum)
	}
}

func (c *checker) array(s *schema, n *dotnet.Node, path string) {
	if len(n.Items) < s.MinItems {
		c.fault(n.Place, path, "it must not be empty")
	}
	seen := map[string]bool{}
	for i, item := range n.Items {
		path := path + "/" + strconv.Itoa(i)
		text, ok := item.Value.(string)
		if s.UniqueItems && ok && seen[text] {
			c.fault(item.Place, path, "%q stands twice in the list", text)
		}
		seen[text] = true
		if s.Items != nil {
			c.check(s.Items, item, path)
		}
	}
}

func (c *checker) object(s *schema, n *dotnet.Node, path string) {
	last := map[string]int{} // of a key that stands twice, the last one counts
	for i, m := range n.Members {
		last[m.Key] = i
	}
	for _, key := range s.Required {
		if _, ok := last[key]; !ok {
			c.fault(n.Place, path, "the key %q is missing", key)
		}
	}
	for i, m := range n.Members {
		switch property := s.Properties[m.Key]; {
		case last[m.Key] != i:
		case property != nil:
			c.check(property, m.Value, path+"/"+m.Key)
		case s.AdditionalProperties != nil && !*s.AdditionalProperties:
			c.fault(m.Place, path, "there is no key %q%s", m.Key, hint(m.Key, slices.Sorted(maps.Keys(s.Properties))))
		}
	}
}

// hint names what was most likely meant by a word.
func hint(word string, known []string) string {
	if near := nearest.Of(word, known); near != "" {
		return `: write "` + near + `"`
	}
	return ""
}

// kindOf is a value's type in the words of JSON Schema.
func kindOf(n *dotnet.Node) string {
	switch v := n.Value.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case json.Number:
		if _, err := v.Int64(); err == nil {
			return "integer"
		}
		return "number"
	case json.Delim:
		if v == '[' {
			return "array"
		}
		return "object"
	}
	return "null"
}

// named are the types in a person's words.
func named(kind string) string {
	return map[string]string{
		"string": "a text", "boolean": "true or false", "integer": "a whole number", "number": "a number that is not whole",
		"array": "a list", "object": "an object", "null": "null",
	}[kind]
}

func alternatives(kinds []string) string {
	var names []string
	for _, k := range kinds {
		if k == "number" { // whole or not
			names = append(names, "a number")
			continue
		}
		names = append(names, named(k))
	}
	return strings.Join(names, " or ")
}
