package customvision

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseIDGivesTheCanonicalForm(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"64b822c5-8082-4b36-a426-27225f4aa18c",
		"64B822C5-8082-4B36-A426-27225F4AA18C",
		"64b822c580824b36a42627225f4aa18c",
		"{64b822c5-8082-4b36-a426-27225f4aa18c}",
		"{64B822C580824B36A42627225F4AA18C}",
	} {
		got, err := ParseID(s)
		require.NoError(t, err, s)
		assert.Equal(t, projectID, got, s)
	}
}

func TestParseIDRefusesTheRest(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "{}", "64b822c5",
		"64b822c5-8082-4b36-a426-27225f4aa18",
		"64b822c5-8082-4b36-a426-27225f4aa18cc",
		"64b822c5-8082-4b36-a426-27225f4aa18g",
		"64b822c58-082-4b36-a426-27225f4aa18c",
		"{64b822c5-8082-4b36-a426-27225f4aa18c",
		"64b822c5-8082-4b36-a426-27225f4aa18c}",
		"(64b822c5-8082-4b36-a426-27225f4aa18c)",
		" 64b822c5-8082-4b36-a426-27225f4aa18c",
		"64b822c5-8082-4b36-a426-27225f4aa18c\n",
		"64b822c5/8082/4b36/a426/27225f4aa18c",
		"64b822c580824b36-a42627225f4aa18c",
		"64b822c5-8082-4b36-a426-27225f4aａ1",
		"{{64b822c580824b36a42627225f4aa18c}}",
	} {
		got, err := ParseID(s)
		require.Error(t, err, s)
		assert.Empty(t, got, s)
	}
}
