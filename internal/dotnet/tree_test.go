package dotnet

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNodesKnowTheirPlaces(t *testing.T) {
	t.Parallel()
	n, err := ParseJSON([]byte("\ufeff{ // ours\n  \"é\": [1, true,\n\tnull], \"b\" : {\"c\": \"x\",},\n}"))
	require.NoError(t, err)
	assert.Equal(t, Place{1, 1}, n.Place)
	list, object := n.Members[0], n.Members[1]
	assert.Equal(t, "é", list.Key)
	assert.Equal(t, Place{2, 3}, list.Place)
	assert.Equal(t, Place{2, 8}, list.Value.Place)
	assert.Equal(t, Place{2, 12}, list.Value.Items[1].Place)
	assert.Equal(t, Place{3, 2}, list.Value.Items[2].Place)
	assert.Equal(t, Place{3, 9}, object.Place)
	assert.Equal(t, Place{3, 16}, object.Value.Members[0].Place)
	assert.Equal(t, Place{3, 21}, object.Value.Members[0].Value.Place)
	assert.Equal(t, "line 3, column 21", object.Value.Members[0].Value.Place.String())
}

func TestWhatIsNoJSONSaysWhere(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{\n  \"a\": 1\n  \"b\": 2\n}": "line 3, column 3: ",
		"{\n  a b: 1}":                 "line 2, column 3: ",
		"/* é */ {1}":                  "line 1, column 10: ",
		"{\"é\" 1}":                    "line 1, column 6: ",
		"{}\n x":                       "line 2, column 2: ",
		"{\n  \"a\": [1,\n":            "line 2, column 11: it ends too early",
		"":                             "line 1, column 1: it ends too early",
		"[1,,]":                        "line 1, column 4: ",
		"{\"a\": \"x\ny\"}":            "line 1, column 9: ",
	} {
		_, err := ParseJSON([]byte(text))
		require.Error(t, err, text)
		assert.Contains(t, err.Error(), want, text)
	}
}

func TestAJSONFileIsNamedInTheError(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "host.json")
	require.NoError(t, os.WriteFile(path, []byte("{\n  \"a\" 1}"), 0o600))
	_, err := ReadJSON(path)
	assert.ErrorContains(t, err, path+", line 2, column 7: ")
	_, err = ReadJSON(filepath.Join(t.TempDir(), "none.json"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestAJSONFileIsFlattened(t *testing.T) {
	t.Parallel()
	n, err := ParseJSON([]byte(`{"a": {"B": [1, "x", {"c": true}], "n": null, "e": {}}, "f": 1.50}`))
	require.NoError(t, err)
	got := map[string]string{}
	n.Flatten("", func(path, text string) { got[path] = text })
	assert.Equal(t, map[string]string{"a:B:0": "1", "a:B:1": "x", "a:B:2:c": "true", "a:n": "", "f": "1.50"}, got)
	assert.Equal(t, json.Delim('['), n.Member("A").Member("b").Value)
	assert.Nil(t, n.Member("none"))
}

// FuzzParseJSON compares with encoding/json: what that reads is read, with the same
// values.
func FuzzParseJSON(f *testing.F) {
	for _, text := range []string{`{"a":[1,true,null,"x"]}`, `[]`, ` "é" `, `{"a":{"b":{}},"a":2}`, `[1,]`, "{//\n}", `1e9`, `{"a":1,,}`, "\xff\xfe{\x00}\x00"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := ParseJSON(data)
		if json.Valid(data) {
			require.NoError(t, err)
		}
		if err == nil {
			n.Flatten("", func(string, string) {})
			assert.True(t, json.Valid(JSON(data)))
		}
	})
}
