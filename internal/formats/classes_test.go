package formats

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/ondisk"
)

func TestALabelIsANameForEveryFileSystem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"cat": "cat", "blue pen-2_b.1": "blue pen-2_b.1", "Größe": "Größe", "日本語": "日本語", "": "",
		"a/b": "a%2Fb", "..": "%2E%2E", ".hidden": "%2Ehidden", "ends.": "ends%2E", " space ": "%20space%20", "%41": "%2541", "a~b": "a%7Eb",
		"CON": "%43ON", "nul.txt": "%6Eul.txt", "e\u0301": "e%CC%81", "line\nbreak": "line%0Abreak", "\xff": "%FF", `c:\x`: "c%3A%5Cx",
	} {
		assert.Equal(t, want, label(text), "%q", text)
	}
	piece := rapid.SampledFrom([]string{"a", "A", ".", " ", "/", `\`, "%", "~", "é", "e\u0301", "ſ", "S", "K", "\u212a", "con", "nul", "com1", "\n", "\x00", "\xff", "日", "\u202e"})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(piece, 1, 12).Draw(t, "pieces"), "")
		l := label(text)
		place, err := ondisk.Path(l)
		assert.NoError(t, err)
		assert.Equal(t, l, place)
		assert.NotContains(t, l, "/")
		back, err := url.PathUnescape(l)
		assert.NoError(t, err)
		assert.Equal(t, text, back)
	})
}

func TestClassesHaveOneOrderAndOwnLabels(t *testing.T) {
	t.Parallel()
	name := rapid.OneOf(rapid.SampledFrom([]string{"cat", "Cat", "CAT", "", "a/b", strings.Repeat("long", 60), strings.Repeat("日", 80), strings.Repeat("/", 80)}), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		var tags []customvision.Tag
		for i, n := range rapid.SliceOfN(name, 1, 8).Draw(t, "names") {
			tags = append(tags, customvision.Tag{ID: strings.Repeat(string(rune('a'+i)), 36), Name: n, Type: "Regular"})
		}
		classes := classesOf(tags)
		slices.Reverse(tags)
		assert.Equal(t, classes, classesOf(tags), "their order doesn't matter")
		labels, names := map[string]bool{}, map[string]bool{}
		for i, c := range classes {
			assert.Equal(t, i, c.Index)
			labels[folded(c.Label)], names[c.Name] = true, true
			place, err := ondisk.Path("train/" + c.Label + "/0a1b2c3d-0000-4000-8000-000000000001.webp")
			assert.NoError(t, err)
			assert.True(t, strings.HasPrefix(place, "train/"+c.Label+"/"))
		}
		assert.Len(t, labels, len(tags))
		assert.Len(t, names, len(tags))
		assert.True(t, slices.IsSortedFunc(classes, func(a, b Class) int { return strings.Compare(a.Label, b.Label) }))
	})
}
