package customvision

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// spoilt are values, most of which are none for any field.
var spoilt = []string{`null`, `""`, `"Tuesday"`, `"NaN"`, `{}`, `{"a":[1]}`, `[]`, `[null]`, `true`, `1.5`, `1e400`, `-1e30`, `"` + "\\u0000" + `"`,
	`"2026-11-30T00:00:00+24:00"`, `"0000-01-01T00:00:00+01:00"`, `"9999-12-31T23:59:59-01:00"`}

// lists are the operations that list, with an item and its fields.
var lists = []struct {
	operation string
	fields    map[string]string // of a whole item
	list      func(context.Context, *Client) (any, error)
}{
	{"GetDomains", map[string]string{"id": `"d"`, "name": `"General"`, "type": `"Classification"`, "exportable": `true`, "enabled": `true`},
		func(ctx context.Context, c *Client) (any, error) { return c.Domains(ctx) }},
	{"GetProjects", map[string]string{
		"id": `"p"`, "name": `"Trees"`, "description": `"d"`, "settings": `{"domainId":"d","classificationType":"Multiclass","targetExportPlatforms":["CoreML"]}`,
		"created": `"2020-11-06T17:46:18.123Z"`, "lastModified": `"2020-11-06T17:46:18.123Z"`, "thumbnailUri": `"u"`, "drModeEnabled": `true`, "status": `"Succeeded"`,
	}, func(ctx context.Context, c *Client) (any, error) { return c.Projects(ctx) }},
	{"GetIterations", map[string]string{
		"id": `"i"`, "projectId": `"p"`, "name": `"Iteration 1"`, "status": `"Completed"`, "created": `"2020-11-06T17:46:18Z"`, "lastModified": `"2020-11-06T17:46:18Z"`,
		"trainedAt": `"2020-11-06T17:46:18Z"`, "exportable": `true`, "exportableTo": `["ONNX"]`, "domainId": `"d"`, "classificationType": `"Multiclass"`,
		"trainingType": `"Regular"`, "reservedBudgetInHours": `1`, "trainingTimeInMinutes": `2`, "publishName": `"p"`, "originalPublishResourceId": `"r"`,
	}, func(ctx context.Context, c *Client) (any, error) { return c.Iterations(ctx, projectID) }},
	{"GetExports", map[string]string{"platform": `"ONNX"`, "flavor": `"ONNX12"`, "status": `"Done"`, "downloadUri": `"u"`, "newerVersionAvailable": `true`},
		func(ctx context.Context, c *Client) (any, error) { return c.Exports(ctx, projectID, iterationID) }},
	{"GetTags", map[string]string{"id": `"t"`, "name": `"Tag"`, "description": `"d"`, "type": `"Regular"`, "imageCount": `3`},
		func(ctx context.Context, c *Client) (any, error) { return c.Tags(ctx, projectID, "") }},
	{"GetIterationPerformance", map[string]string{"id": `"t"`, "name": `"Tag"`, "precision": `0.5`, "precisionStdDeviation": `0`, "recall": `1`, "recallStdDeviation": `0`, "averagePrecision": `0.5`},
		func(ctx context.Context, c *Client) (any, error) {
			p, err := c.Performance(ctx, projectID, iterationID, 0.5, 0)
			return p.PerTag, err
		}},
}

// item is an object of the fields, one of which has another value.
func item(fields map[string]string, changed, value string) string {
	var members []string
	for name, v := range fields {
		if name == changed {
			v = value
		}
		members = append(members, `"`+name+`":`+v)
	}
	return "{" + strings.Join(members, ",") + "}"
}

func TestAValueSpoilsItsOwnFieldAlone(t *testing.T) {
	t.Parallel()
	for _, l := range lists {
		t.Run(l.operation, func(t *testing.T) {
			t.Parallel()
			read := func(items ...string) (any, error) {
				answer := "[" + strings.Join(items, ",") + "]"
				if l.operation == "GetIterationPerformance" {
					answer = `{"perTagPerformance":` + answer + `}`
				}
				client, _ := setup(t, answerWith(http.StatusOK, answer))
				return l.list(t.Context(), client)
			}
			whole := item(l.fields, "", "")
			twice, err := read(whole, whole)
			require.NoError(t, err)
			require.Len(t, twice, 2)
			for field := range l.fields {
				for _, value := range spoilt {
					got, err := read(whole, item(l.fields, field, value), whole)
					require.NoError(t, err, "%s: %s", field, value)
					require.Len(t, got, 3, "%s: %s", field, value)
					assert.Equal(t, at(twice, 0).Interface(), at(got, 0).Interface())
					assert.Equal(t, at(twice, 0).Interface(), at(got, 2).Interface())
					assert.LessOrEqual(t, differences(at(twice, 0), at(got, 1)), 1, "%s: %s", field, value)
					_, err = json.Marshal(got)
					assert.NoError(t, err, "%s: %s is kept in states and proofs", field, value)
				}
			}
			for _, value := range []string{`null`, `"x"`, `5`, `[]`, `true`} {
				got, err := read(whole, value, whole)
				require.NoError(t, err, value)
				require.Len(t, got, 3, "%s: it doesn't look as if it weren't there", value)
				assert.Equal(t, at(twice, 0).Interface(), at(got, 2).Interface())
				assert.Equal(t, "unreadable: "+value, first(at(got, 1)), "and it is no id, and no name to store anything under")
			}
		})
	}
}

func TestAnAnswerThatIsNoListIsNotAnEmptyOne(t *testing.T) {
	t.Parallel()
	for _, l := range lists {
		for _, answer := range []string{`null`, `{"value":[]}`, `""`, `5`, `<html></html>`, ``, `[`} {
			if l.operation == "GetIterationPerformance" && strings.HasPrefix(answer, "{") {
				continue
			}
			client, _ := setup(t, answerWith(http.StatusOK, answer))
			got, err := l.list(t.Context(), client)
			assert.Error(t, err, "%s: %s", l.operation, answer)
			assert.Empty(t, got)
		}
	}
}

func TestValuesInAnotherFormAreReadAsWhatTheyMean(t *testing.T) {
	t.Parallel()
	client, _ := setup(t, answerWith(http.StatusOK, `[{"id":"`+iterationID+`","status":"Failed","created":"2020-11-06T17:34:53.6925759",
		"lastModified":"2020-11-06T19:34:53+02:00","trainedAt":"","exportable":"true","exportableTo":["ONNX",null,7],"reservedBudgetInHours":1.0,"trainingTimeInMinutes":"12","publishName":{}}]`))
	got, err := client.Iterations(t.Context(), projectID)
	require.NoError(t, err)
	assert.Equal(t, []Iteration{{
		ID: iterationID, Status: StatusFailed, Created: time.Date(2020, 11, 6, 17, 34, 53, 692575900, time.UTC), LastModified: time.Date(2020, 11, 6, 17, 34, 53, 0, time.UTC),
		Exportable: true, ExportableTo: []string{"ONNX", "7"}, ReservedBudgetInHours: 1, TrainingTimeInMinutes: 12, PublishName: "{}",
	}}, got)
}

func TestAFigureThatIsNoneIsNotZero(t *testing.T) {
	t.Parallel()
	client, _ := setup(t, answerWith(http.StatusOK, `{"precision":"NaN","recall":0.5,"averagePrecision":"Infinity"}`))
	got, err := client.Performance(t.Context(), projectID, iterationID, 0.5, 0)
	require.NoError(t, err)
	assert.Equal(t, Performance{Recall: new(0.5)}, got)
}

// at is an item of a list, first its first field; differences counts fields.
func at(list any, i int) reflect.Value { return reflect.ValueOf(list).Index(i) }

func first(item reflect.Value) string { return item.Field(0).String() }

func differences(a, b reflect.Value) int {
	n := 0
	for i := range a.NumField() {
		if a.Type().Field(i).IsExported() && !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			n++
		}
	}
	return n
}
