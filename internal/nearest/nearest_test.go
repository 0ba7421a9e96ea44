package nearest

import (
	"testing"

	"github.com/stretchr/testify/assert"
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
