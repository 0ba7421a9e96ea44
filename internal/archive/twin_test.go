package archive_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/archive"
)

func TestATwinIsWrittenOnceAndSaysThatItIsNotTheSameModel(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{Version: "test"})
	at := time.Date(2026, 11, 30, 10, 45, 0, 0, time.UTC)
	twin := archive.Twin{
		ID:       archive.TwinID(at, "ABCDEFGH"),
		Original: archive.Trained{Project: project, Iteration: iteration, ProjectName: "Kitchen", Domain: "General", Proofs: []string{}},
		Twin:     archive.Trained{Project: iteration, Iteration: project, Domain: "General (compact)", Proofs: []string{"a proof"}},
		Written:  at,
	}
	require.NoError(t, h.PutTwin(t.Context(), twin))
	again := twin
	again.Written = at.Add(time.Hour)
	require.NoError(t, h.PutTwin(t.Context(), again), "an answer may be lost")
	list, err := h.Twins(t.Context(), project)
	require.NoError(t, err)
	twin.Layout, twin.Version, twin.Says = archive.LayoutVersion, "test", "not the same model"
	twin.Original.Performance, twin.Twin.Performance = []byte("null"), []byte("null")
	require.Equal(t, []archive.Twin{twin}, list)

	backups, err := h.Backups(t.Context(), "", "")
	require.NoError(t, err)
	assert.Empty(t, backups, "what says it is no backup of the original")
	name := project + "/" + iteration + "/twin-20261130T104500Z-abcdefgh.json"
	text := string(download(t, h.blobs, name))
	write(t, h.blobs, strings.Replace(name, "abcdefgh", "bbcdefgh", 1), []byte(text))
	list, err = h.Twins(t.Context(), "")
	require.NoError(t, err)
	assert.Len(t, list, 1, "one under another's name isn't taken for it")
	write(t, h.blobs, name, []byte(strings.Replace(text, "not the same model", "the same model, too", 1)))
	list, err = h.Twins(t.Context(), "")
	require.NoError(t, err)
	assert.Empty(t, list, "its bytes are others")
	assert.Error(t, h.PutTwin(t.Context(), twin), "and what can't be read isn't taken for it")
	twin.ID = "another/name"
	assert.Error(t, h.PutTwin(t.Context(), twin))
}
