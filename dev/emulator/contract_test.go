package emulator

import (
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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// schema is what this test needs of a Swagger 2.0 schema.
type schema struct {
	Ref                  string `json:"$ref"`
	Type, Format         string
	Properties           map[string]*schema
	AdditionalProperties *schema
	Required             []string
	Items                *schema
	Enum                 []string
	Nullable             *bool `json:"x-nullable"`
}

type contract struct {
	Paths       map[string]map[string]contractOperation
	Definitions map[string]*schema
}

type contractOperation struct {
	OperationID string
	Responses   map[string]struct{ Schema *schema }
}

var contracts = sync.OnceValue(func() map[string]*contract {
	all := map[string]*contract{}
	for _, version := range []string{v33, v34} {
		text, err := os.ReadFile("testdata/contract/" + version + ".json")
		if err != nil {
			panic(err)
		}
		all[version] = &contract{}
		if err := json.Unmarshal(text, all[version]); err != nil {
			panic(err)
		}
	}
	return all
})

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

// omitted are members that the service was recorded to leave out when unset.
var omitted = []string{"trainedAt", "exportModelContainerUri", "notificationQueueUri", "estimatedModelSizeInMegabytes"}

// null are members that the service was recorded to send as null though the
// contract says that they never are.
var null = []string{"detectionParameters", "publishName", "originalPublishResourceId"}

// beyond are members and values that the contract of v3.3 lacks though
// Microsoft's storage-integration guide, or a user's recording, shows them there.
var beyond = map[string]bool{
	"ProjectSettings.exportModelContainerUri": true,
	"ProjectSettings.notificationQueueUri":    true,
	"BadRequestInvalidUri":                    true,
}

var (
	guidForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
)

// violations compares a value with its schema: types, casing, required members,
// nothing that the contract doesn't know.
func (c *contract) violations(where string, s *schema, v any) (found []string) {
	name := ""
	if s.Ref != "" {
		name = strings.TrimPrefix(s.Ref, "#/definitions/")
		s = c.Definitions[name]
	}
	bad := func(format string, args ...any) { found = append(found, where+": "+fmt.Sprintf(format, args...)) }
	switch value := v.(type) {
	case nil:
		if s.Nullable != nil && !*s.Nullable && !slices.Contains(null, where[strings.LastIndex(where, ".")+1:]) {
			bad("is null")
		}
	case bool:
		if s.Type != "boolean" {
			bad("is a boolean, not %s", s.Type)
		}
	case float64:
		if s.Type != "number" && (s.Type != "integer" || value != float64(int64(value))) {
			bad("is the number %v, not %s", value, s.Type)
		}
	case string:
		switch {
		case s.Type != "string":
			bad("is a text, not %s", s.Type)
		case s.Format == "uuid" && !guidForm.MatchString(value):
			bad("%q is no lower-case GUID", value)
		case s.Format == "date-time" && !timeForm.MatchString(value):
			bad("%q is no time with milliseconds in UTC", value)
		case len(s.Enum) > 0 && !slices.Contains(s.Enum, value) && !openEnum(value):
			bad("%q is not in the enumeration", value)
		}
	case []any:
		if s.Type != "array" {
			bad("is a list, not %s", s.Type)
			return found
		}
		for n, item := range value {
			found = append(found, c.violations(fmt.Sprintf("%s[%d]", where, n), s.Items, item)...)
		}
	case map[string]any:
		for key, item := range value {
			switch {
			case s.Properties[key] != nil:
				found = append(found, c.violations(where+"."+key, s.Properties[key], item)...)
			case s.AdditionalProperties != nil:
				found = append(found, c.violations(where+"."+key, s.AdditionalProperties, item)...)
			case !beyond[name+"."+key]:
				bad("has %q, which the contract lacks", key)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(s.Properties)) {
			if _, ok := value[key]; !ok && !slices.Contains(omitted, key) {
				bad("lacks %q", key)
			}
		}
	}
	return found
}

// openEnum are values that the live service was seen to use beyond the contract.
func openEnum(value string) bool {
	return value == "SomethingNew" || beyond[value] || slices.Contains(platforms, value) || slices.Contains(unlistedFlavors, value)
}

// check compares one answer with the contract. Answers of the gateway in front of
// the service have their own form.
func (a *answer) check(version, operationID string) {
	a.t.Helper()
	if a.header.Get("Content-Type") == "application/json" {
		assert.Contains(a.t, []int{401, 404, 405, 413, 429}, a.status)
		var gateway struct {
			Error struct{ Code, Message string }
		}
		require.NoError(a.t, json.Unmarshal(a.body, &gateway))
		assert.Equal(a.t, fmt.Sprint(a.status), gateway.Error.Code)
		assert.NotEmpty(a.t, gateway.Error.Message)
		return
	}
	assert.Regexp(a.t, guidForm, a.header.Get("apim-request-id"))
	assert.Equal(a.t, a.header.Get("apim-request-id"), a.header.Get("Request-Id"))
	c := contracts()[version]
	responses := c.operation(operationID).Responses
	response, ok := responses[fmt.Sprint(a.status)]
	if !ok {
		require.GreaterOrEqual(a.t, a.status, 400, "%s answered %d", operationID, a.status)
		response = responses["default"]
	}
	switch {
	case response.Schema == nil:
		assert.Empty(a.t, a.body)
		assert.Empty(a.t, a.header.Get("Content-Type"))
		return
	case response.Schema.Type == "file":
		assert.Equal(a.t, "application/octet-stream", a.header.Get("Content-Type"))
		return
	}
	assert.Equal(a.t, "application/json; charset=utf-8", a.header.Get("Content-Type"))
	var v any
	require.NoError(a.t, json.Unmarshal(a.body, &v), "%s", a.body)
	assert.Empty(a.t, c.violations(operationID, response.Schema, v), "%s", a.body)
}

func TestContractNoticesWhatIsWrong(t *testing.T) {
	t.Parallel()
	c := contracts()[v33]
	for body, want := range map[string]string{
		`{"Platform":"ONNX"}`:            `has "Platform"`,
		`{"platform":"ONNX"}`:            `lacks "status"`,
		`{"platform":7}`:                 `is the number 7`,
		`{"platform":"Toaster"}`:         `not in the enumeration`,
		`{"newerVersionAvailable":null}`: `is null`,
		`{"id":"a"}`:                     `which the contract lacks`,
		`{"status":["Done"]}`:            `is a list`,
	} {
		var v any
		require.NoError(t, json.Unmarshal([]byte(body), &v))
		assert.Contains(t, fmt.Sprint(c.violations("Export", &schema{Ref: "#/definitions/Export"}, v)), want)
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
	known := contracts()[v34].Definitions["CustomVisionError"].Properties["code"].Enum
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
