package page_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/state"
)

func TestNoSecretIsInWhatIsMissingOfADataSet(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project, _ := s.kitchen("Kitchen")
	require.NoError(t, s.State.SetHealth(t.Context(), state.Health{Ended: s.now, Rescue: []state.Coverage{{
		Project: project, Name: "Kitchen", Wanted: 1, Missing: []string{"https://x.example/a?sig=abcdef " + secret},
	}}}))
	for _, target := range []string{"/status.json", "/projects/" + project + ".json", "/projects/" + project, ""} {
		body := s.see(base + target)
		assert.NotContains(t, body, secret, target)
		assert.NotContains(t, body, "abcdef", target)
	}
}
