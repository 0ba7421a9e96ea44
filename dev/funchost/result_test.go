package funchost

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	const jsonType = "application/json"
	for _, c := range []struct {
		name        string
		status      int
		contentType string
		body        string
		wantErr     string // "" a success, "hang" nothing at all
	}{
		{"least", 200, jsonType, `{}`, ""},
		{"charset", 200, "Application/JSON; charset=utf-8", `{}`, ""},
		{"text/json", 201, "text/json", `{"outputs":null}`, ""},
		{"byte order mark", 200, jsonType, "\xef\xbb\xbf{}", ""},
		{"scalars in Logs", 200, jsonType, `{"logs":["a",1,true,null]}`, ""},
		{"empty", 200, jsonType, ``, "hang"},
		{"empty with another type", 200, "text/plain", ``, "hang"},
		{"no content", 204, "", ``, "hang"},
		{"null", 200, jsonType, ` null `, "hang"},
		{"white space", 200, jsonType, " \n", "hang"},
		{"text", 200, "text/plain", `{}`, "media type 'text/plain'"},
		{"no type", 200, "", `{}`, "media type ''"},
		{"broken", 200, jsonType, `{"a":`, "invalid HttpResponseMessage"},
		{"not an object", 200, jsonType, `[]`, "invalid HttpResponseMessage"},
		{"object in Logs", 200, jsonType, `{"Logs":[{"a":"the text"}]}`, "the text"},
		{"failure", 500, jsonType, `{}`, "500 (Internal Server Error)"},
		{"redirect left over", 302, jsonType, `{}`, "302 (Found)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{}
			if c.contentType != "" {
				header.Set("Content-Type", c.contentType)
			}
			_, err := judge(answer{c.status, header, []byte(c.body)})
			switch c.wantErr {
			case "":
				require.NoError(t, err)
			case "hang":
				require.ErrorIs(t, err, errNoResult)
			default:
				require.ErrorContains(t, err, c.wantErr)
				require.NotErrorIs(t, err, errNoResult)
			}
		})
	}
}

func TestResultNamesHaveNoCase(t *testing.T) {
	t.Parallel()
	r, err := judge(answer{200, http.Header{"Content-Type": {"application/json"}}, []byte(`{"OUTPUTS":{"res":1},"logs":["x",2],"returnvalue":"y"}`)})
	require.NoError(t, err)

	assert.Equal(t, []logLine{"x", "2"}, r.Logs)
	assert.JSONEq(t, "1", string(r.Outputs["res"]))
	assert.JSONEq(t, `"y"`, string(r.ReturnValue))
}
