package nearest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestTheNearestWord(t *testing.T) {
	t.Parallel()
	words := []string{"CUSTOMVISION_KEY", "CUSTOMVISION_ENDPOINT", "batchSize", "mode"}
	for word, want := range map[string]string{
		"CUSTOMVISON_KEY":      "CUSTOMVISION_KEY", // left out
		"CUSTOMVISIONN_KEY":    "CUSTOMVISION_KEY", // doubled
		"CUSTOMVISOIN_KEY":     "CUSTOMVISION_KEY", // swapped
		"CUSTOMVISION-KEY":     "CUSTOMVISION_KEY", // changed
		"customvision_keys":    "CUSTOMVISION_KEY",
		"CUSTOMVISIONENDPOINT": "CUSTOMVISION_ENDPOINT",
		"batchsize":            "batchSize",
		"mod":                  "mode",
		"mo":                   "", // too short to tell
		"node":                 "mode",
		"nodes":                "",
		"CUSTOMVISION_REGION":  "",
		"":                     "",
	} {
		assert.Equal(t, want, Of(word, words), word)
	}
}

// TestTheDistance compares with counting by the definition.
func TestTheDistance(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 0, 6, -1)
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		assert.Equal(t, min(byDefinition(a, b), 3), min(distance(a, b, 3), 3))
	})
}

func byDefinition(a, b string) int {
	if a == "" || b == "" {
		return len(a) + len(b)
	}
	d := min(byDefinition(a[1:], b), byDefinition(a, b[1:])) + 1
	if same := byDefinition(a[1:], b[1:]); a[0] == b[0] {
		d = min(d, same)
	} else {
		d = min(d, same+1)
	}
	if len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0] {
		d = min(d, byDefinition(a[2:], b[2:])+1)
	}
	return d
}
