package emulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// contract is what the official description of a version says (testdata/contract.txt), and
// its schemas as JSON Schema.
type contract struct {
	Paths       map[string]map[string]contractOperation
	Definitions map[string]map[string]any
	schemas     *jsonschema.Compiler

	mu       sync.Mutex // the compiler isn't safe for concurrent use
	compiled map[string]*jsonschema.Schema
}

type contractOperation struct {
	OperationID string
	Parameters  []contractParameter
	Responses   map[string]struct{ Schema map[string]any }
}

// contractParameter is a parameter of an operation. One in the query has its
// schema beside its name; one that is a body has it in Schema.
type contractParameter struct {
	Name, In         string
	Required         bool
	Type, Format     string
	Enum             []string
	Items            *contractParameter
	Minimum, Maximum *int
	MaxItems         int
	Schema           map[string]any
}

// contracts are the descriptions of both versions with all known differences, and
// plainContracts without any.
var (
	contracts      = sync.OnceValue(func() map[string]*contract { return describeBoth(differences) })
	plainContracts = sync.OnceValue(func() map[string]*contract { return describeBoth(nil) })
)

func describeBoth(except []difference) map[string]*contract {
	return map[string]*contract{v33: describe(v33, except), v34: describe(v34, except)}
}

// describe reads what is described of a version and makes JSON Schema of it. Where
// differences have recordings against it, they count.
func describe(version string, except []difference) *contract {
	text, err := facts(version)
	if err != nil {
		panic(err)
	}
	c := &contract{schemas: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}}
	if err := json.Unmarshal(text, c); err != nil {
		panic(err)
	}
	c.schemas.AssertFormat()
	for name, form := range forms {
		c.schemas.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(v any) error {
			if text, ok := v.(string); ok && !form.MatchString(text) {
				return fmt.Errorf("%q is no %s of the service", text, name)
			}
			return nil
		}})
	}
	sent, answered, answers, bodies := map[string]any{}, map[string]any{}, map[string]any{}, map[string]any{}
	for name, s := range c.Definitions {
		sent[name] = translate(s, "#/sent/")
		strict := translate(s, "#/answered/").(map[string]any)
		strict["additionalProperties"] = false
		strict["required"] = slices.Sorted(maps.Keys(strict["properties"].(map[string]any)))
		answered[name] = strict
	}
	for _, d := range except {
		d.apply(version, answered)
	}
	for _, methods := range c.Paths {
		for _, o := range methods {
			byStatus := map[string]any{}
			for status, r := range o.Responses {
				if r.Schema != nil && r.Schema["type"] != "file" {
					byStatus[status] = translate(r.Schema, "#/answered/")
				}
			}
			answers[o.OperationID] = byStatus
			for _, p := range o.Parameters {
				if p.In == "body" {
					bodies[o.OperationID] = translate(p.Schema, "#/sent/")
				}
			}
		}
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(mustJSON(map[string]any{
		"sent": sent, "answered": answered, "answers": answers, "bodies": bodies,
	})))
	if err == nil {
		err = c.schemas.AddResource("contract.json", document)
	}
	if err != nil {
		panic(err)
	}
	return c
}

// forms are the formats of the descriptions and the one that recordings add.
var forms = map[string]*regexp.Regexp{
	"uuid":      guidForm,
	"date-time": regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,2}[1-9])?Z$`),
	zoneless:    regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,6}[1-9])?$`),
}

var guidForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// translate makes JSON Schema of a schema of Swagger 2.0. A member may be null
// unless x-nullable forbids it: the descriptions say nothing of many that are.
func translate(v any, definitions string) any {
	s, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for key, value := range s {
		switch key {
		case "$ref":
			out[key] = definitions + strings.TrimPrefix(value.(string), "#/definitions/")
		case "type", "format", "enum", "required", "minimum", "maximum", "minItems", "maxItems":
			out[key] = value
		case "items", "additionalProperties":
			out[key] = translate(value, definitions)
		case "properties":
			members := map[string]any{}
			for name, member := range value.(map[string]any) {
				members[name] = nullable(translate(member, definitions), member.(map[string]any)["x-nullable"])
			}
			out[key] = members
		}
	}
	return out
}

func nullable(s, allowed any) any {
	if allowed == false {
		return s
	}
	return map[string]any{"anyOf": []any{map[string]any{"type": "null"}, s}}
}

// violations says how an encoded value breaks a schema of the document, such as
// answers/GetDomains/200. "" means that it keeps it.
func (c *contract) violations(schema string, text []byte) string {
	if err := c.validate(schema, text); err != nil {
		return err.Error()
	}
	return ""
}

func (c *contract) validate(schema string, text []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	compiled, err := c.schema(schema)
	if err != nil {
		return err
	}
	return compiled.Validate(v)
}

func (c *contract) schema(name string) (compiled *jsonschema.Schema, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.compiled[name] == nil {
		c.compiled[name], err = c.schemas.Compile("contract.json#/" + name)
	}
	return c.compiled[name], err
}

func (c *contract) operation(id string) contractOperation {
	for _, methods := range c.Paths {
		for _, o := range methods {
			if o.OperationID == id {
				return o
			}
		}
	}
	return contractOperation{}
}

// check compares one answer with the contract. Answers of the gateway in front of
// the service have their own form. It returns where the schema of other JSON is.
func (a *answer) check(version, operationID string) (schema string) {
	a.t.Helper()
	if a.header.Get("Content-Type") == "application/json" {
		assert.Contains(a.t, []int{401, 404, 405, 413, 429}, a.status)
		var gateway struct {
			Error struct{ Code, Message string }
		}
		require.NoError(a.t, json.Unmarshal(a.body, &gateway))
		assert.Equal(a.t, fmt.Sprint(a.status), gateway.Error.Code)
		assert.NotEmpty(a.t, gateway.Error.Message)
		return ""
	}
	assert.Regexp(a.t, guidForm, a.header.Get("apim-request-id"))
	assert.Equal(a.t, a.header.Get("apim-request-id"), a.header.Get("Request-Id"))
	c, status := contracts()[version], fmt.Sprint(a.status)
	response, ok := c.operation(operationID).Responses[status]
	if !ok {
		require.GreaterOrEqual(a.t, a.status, 400, "%s answered %d", operationID, a.status)
		status = "default"
		response = c.operation(operationID).Responses[status]
	}
	switch {
	case response.Schema == nil:
		assert.Empty(a.t, a.body)
		assert.Empty(a.t, a.header.Get("Content-Type"))
		return ""
	case response.Schema["type"] == "file":
		assert.Equal(a.t, "application/octet-stream", a.header.Get("Content-Type"))
		return ""
	}
	assert.Equal(a.t, "application/json; charset=utf-8", a.header.Get("Content-Type"))
	schema = "answers/" + operationID + "/" + status
	assert.Empty(a.t, c.violations(schema, a.body), "%s", a.body)
	return schema
}

func TestContractNoticesWhatIsWrong(t *testing.T) {
	t.Parallel()
	c := contracts()[v33]
	right := `{"platform":"ONNX","status":"Done","downloadUri":"u","flavor":null,"newerVersionAvailable":false}`
	assert.Empty(t, c.violations("answered/Export", []byte(right)))
	for from, to := range map[string]string{
		`"platform"`: `"Platform"`, `"status":"Done",`: ``, `"ONNX"`: `7`, `"Done"`: `"Over"`,
		`false`: `null`, `{`: `{"id":"a",`, `"u"`: `["u"]`, `}`: ``,
	} {
		assert.NotEmpty(t, c.violations("answered/Export", []byte(strings.Replace(right, from, to, 1))), "%s instead of %s", to, from)
	}
	for _, wrong := range []string{`"2026-03-04T12:00:00.000Z"`, `"2026-03-04T12:00:00.120Z"`, `"2026-03-04T12:00:00.1234Z"`, `"2026-03-04T12:00:00"`} {
		assert.NotEmpty(t, c.violations("answered/Project/properties/created", []byte(wrong)), wrong)
	}
	for _, wrong := range []string{`"2026-03-04T12:00:00.5Z"`, `"2026-03-04T12:00:00.1234560"`, `"2026-03-04T12:00:00.12345678"`} {
		assert.NotEmpty(t, c.violations("answered/Image/properties/created", []byte(wrong)), wrong)
	}
}

func TestOperationsAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	for version, c := range contracts() {
		want := map[string]string{}
		for path, methods := range c.Paths {
			for method, o := range methods {
				want[o.OperationID] = strings.ToUpper(method) + " " + path
			}
		}
		got := map[string]string{}
		for _, o := range operations {
			got[o.name] = o.method + " /" + o.path
		}
		assert.Equal(t, want, got, version)
	}
}

// TestCodesAreThoseOfTheContract reads the codes out of the source, so that none
// is invented, tested or not.
func TestCodesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	known := contracts()[v34].Definitions["CustomVisionError"]["properties"].(map[string]any)["code"].(map[string]any)["enum"]
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	found := 0
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile(f.Name())
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`"((?:BadRequest|NotFound|Conflict|Forbidden|UnsupportedMedia)[A-Za-z]*)"`).FindAllSubmatch(text, -1) {
			found++
			assert.Contains(t, known, string(m[1]), f.Name())
		}
	}
	assert.Greater(t, found, 50)
}

func TestPathsMatchLoosely(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := strings.TrimPrefix(s.project(), "projects/")
	for _, path := range []string{
		"/customvision/v3.3/training/projects/" + project,
		"//customvision/v3.3/Training//Projects/" + strings.ToUpper(project),
		"/CustomVision/V3.4-Preview/TRAINING/projects/" + compact(project),
		"/customvision/v3.3/training/projects/" + project + "/?whatever=1",
	} {
		r, err := http.NewRequest("GET", s.url+path, nil)
		require.NoError(t, err)
		r.Header["training-key"] = []string{testKey}
		assert.Equal(t, 200, s.do(r).status, path)
	}
	for _, path := range []string{"/customvision/v3.2/training/projects", "/customvision/v3.3/training/nothing", "/customvision/v3.3/training/projects/x", "/elsewhere"} {
		r, err := http.NewRequest("GET", s.url+path, nil)
		require.NoError(t, err)
		r.Header.Set("Training-Key", testKey)
		assert.Equal(t, 404, s.do(r).status, path)
	}
}
