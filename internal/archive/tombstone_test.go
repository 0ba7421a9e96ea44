package archive_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/seal"
)

func TestABackupStandsByItsNameETagAndSize(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(h *house, b archive.Backup)
		err   error
	}{
		"as it was read":                {func(*house, archive.Backup) {}, nil},
		"the package is gone":           {func(h *house, b archive.Backup) { remove(t, h, b.Blob) }, archive.ErrNotFound},
		"the package was written again": {func(h *house, b archive.Backup) { write(t, h.blobs, b.Blob, download(t, h.blobs, b.Blob)) }, archive.ErrChanged},
		"the proof is gone":             {func(h *house, b archive.Backup) { remove(t, h, b.Proof) }, archive.ErrNotFound},
		"the proof was changed": {func(h *house, b archive.Backup) {
			write(t, h.blobs, b.Proof, []byte(strings.Replace(string(download(t, h.blobs, b.Proof)), `"size": `, `"size": 1`, 1)))
		}, seal.ErrBroken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, b := unproven(t, archive.Options{}, pack(export{platform: "ONNX"}))
			require.ErrorIs(t, h.Stands(t.Context(), b), archive.ErrUnproven)
			_, err := h.Verify(t.Context(), b, archive.Facts{})
			require.NoError(t, err)
			b = h.only(t)
			c.spoil(h, b)
			assert.ErrorIs(t, h.Stands(t.Context(), b), c.err)
		})
	}
}

func remove(t *testing.T, h *house, name string) {
	t.Helper()
	_, err := h.blobs.NewBlobClient(name).Delete(t.Context(), nil)
	require.NoError(t, err)
}

func TestATombstoneSaysThatAnIterationIsGoneOnlyOnceItIs(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{Version: "test"})
	at := time.Date(2026, 11, 30, 10, 45, 0, 0, time.UTC)
	stone := archive.Tombstone{
		ID: archive.DeletionID(at, "ABCDEFGHIJK"), Project: project, Iteration: iteration, ProjectName: "Kitchen", IterationName: "Iteration 1",
		Why: "there are too many", Proofs: []string{"a proof"}, Asked: at,
	}
	require.ErrorIs(t, h.Bury(t.Context(), project, iteration, stone.ID, at), archive.ErrNotFound, "what was never announced")
	require.NoError(t, h.Announce(t.Context(), stone))
	require.NoError(t, h.Announce(t.Context(), stone), "an answer may be lost")
	list, err := h.Tombstones(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, list, "nobody knows whether it is gone")

	gone := at.Add(time.Second)
	require.NoError(t, h.Bury(t.Context(), project, iteration, stone.ID, gone))
	require.NoError(t, h.Bury(t.Context(), project, iteration, stone.ID, gone.Add(time.Hour)))
	list, err = h.Tombstones(t.Context(), project)
	require.NoError(t, err)
	stone.Layout, stone.Version, stone.Gone = archive.LayoutVersion, "test", &gone
	require.Equal(t, []archive.Tombstone{stone}, list, "each is written once")
	backups, err := h.Backups(t.Context(), "", "")
	require.NoError(t, err)
	assert.Empty(t, backups, "a tombstone is no backup")
	name := project + "/" + iteration + "/deletion-20261130T104500Z-abcdefgh."
	assert.NotEmpty(t, download(t, h.blobs, name+"announced.json"))
	assert.NotEmpty(t, download(t, h.blobs, name+"done.json"))
}
