package dataset

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	aProject   = "0a1b2c3d-0000-4000-8000-000000000001"
	anIterator = "0a1b2c3d-0000-4000-8000-000000000002"
)

func TestLinesComeBackAsTheServiceWroteThem(t *testing.T) {
	name, err := NewName(strings.ToUpper(aProject), Workspace, time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC))
	require.NoError(t, err)
	header, err := json.Marshal(Header{Layout: Layout, Name: name})
	require.NoError(t, err)
	var file bytes.Buffer
	require.NoError(t, Write(&file, Line{Kind: KindSnapshot, Data: header}))
	raw := `{"id":"1",  "created":"2020-11-06T17:34:53.6925759","big":12345678901234567890,"f":0.10,
		"resizedImageUri":"https://x/?sig=s","thumbnailUri":null,"originalImageUri":"/i","tags":[{"tagId":"2","tagName":"<é>","iconUrl":"u"}],
		"regions":[],"metadata":{"photoUrl":"https://mine","uri":"2"}}`
	require.NoError(t, Write(&file, Line{Kind: KindImage, Data: json.RawMessage(raw), Original: &File{SHA256: "ab", Size: 3}}))

	var lines []Line
	for l, err := range Read(&file) {
		require.NoError(t, err)
		lines = append(lines, l)
	}
	require.Len(t, lines, 2)
	got, err := lines[0].Header()
	require.NoError(t, err)
	assert.Equal(t, aProject, got.Project)
	assert.Equal(t, `{"id":"1","created":"2020-11-06T17:34:53.6925759","big":12345678901234567890,"f":0.10,`+
		`"tags":[{"tagId":"2","tagName":"<é>"}],"regions":[],"metadata":{"photoUrl":"https://mine","uri":"2"}}`, string(lines[1].Data))
	image, err := lines[1].Image()
	require.NoError(t, err)
	assert.Equal(t, "https://mine", image.Metadata["photoUrl"])
	assert.Equal(t, 2020, image.Created.Year())
}

func TestReadRefusesWhatIsNoSnapshot(t *testing.T) {
	first := `{"kind":"snapshot","data":{"layout":1}}` + "\n"
	for name, text := range map[string]string{
		"empty": "", "cut": first + `{"kind":"image"`, "without its end": first + `{"kind":"tag","data":{}}`,
		"no header": `{"kind":"tag","data":{}}` + "\n", "newer": `{"kind":"snapshot","data":{"layout":2}}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			var last error
			for _, err := range Read(strings.NewReader(text)) {
				last = err
			}
			assert.Error(t, last)
		})
	}
}

func TestNamesAreReadAsTheyAreWritten(t *testing.T) {
	for _, of := range []string{Workspace, anIterator} {
		n, err := NewName(aProject, of, time.Now())
		require.NoError(t, err)
		got, v, ok := parseName(n.Blob())
		assert.True(t, ok)
		assert.Equal(t, n, got)
		assert.Empty(t, v)
		for _, want := range verdicts {
			got, v, ok = parseName(n.Proof(want))
			assert.True(t, ok)
			assert.Equal(t, n, got)
			assert.Equal(t, want, v)
		}
	}
	for _, name := range []string{"snapshots/a", "images/" + aProject + "/x", "snapshots/" + aProject + "/workspace/20261130T100000Z-0123456g.jsonl"} {
		_, _, ok := parseName(name)
		assert.False(t, ok, name)
	}
}
