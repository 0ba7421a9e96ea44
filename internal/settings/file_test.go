package settings

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), FileName)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestTheEnvironmentWinsOverTheFile(t *testing.T) {
	t.Parallel()
	path := write(t, "\xEF\xBB\xBF"+`{"IsEncrypted": false, "Values": {"A": "file", "b": "file", "C": "file", "N": 5,}, // mine
		"ConnectionStrings": {"D": "file", "E": {"ConnectionString": "for .NET too"}}, "Host": {"CORS": "*"}}`)
	c := env(map[string]string{"A": "environment", "B": ""})
	require.NoError(t, AddFile(c, path))
	for name, want := range map[string]string{
		"A": "environment", "B": "", "C": "file", "N": "5", "ConnectionStrings__D": "file", "ConnectionStrings__E": "for .NET too", "F": "",
	} {
		assert.Equal(t, want, c.Get(name), name)
	}
}

func TestAFileThatCannotServeIsRefusedWithoutItsValues(t *testing.T) {
	t.Parallel()
	for what, text := range map[string]string{
		"no JSON":   `{"Values": {"K": "the-secret"`,
		"nested":    `{"Values": {"K": {"the-secret": 1}}}`,
		"encrypted": `{"IsEncrypted": true, "Values": {"K": "the-secret"}}`,
	} {
		path := write(t, text)
		err := AddFile(env(nil), path)
		require.ErrorContains(t, err, path+", line 1, column ", what)
		assert.NotContains(t, err.Error(), "the-secret", what)
	}
}

func TestAMissingFileIsToldApart(t *testing.T) {
	t.Parallel()
	assert.ErrorIs(t, AddFile(env(nil), filepath.Join(t.TempDir(), FileName)), fs.ErrNotExist)
}

func TestLoadArchiveNeedsNothingButTheArchive(t *testing.T) {
	t.Parallel()
	s, err := LoadArchive(env(map[string]string{
		"ArchiveStorage": "UseDevelopmentStorage=true", "CustomVisionStorage": "nonsense", "CUSTOMVISION_ENDPOINT": "nonsense",
	}))
	require.NoError(t, err)
	assert.Equal(t, "http://127.0.0.1:10000/devstoreaccount1", s.Archives.BlobURL)
	assert.Empty(t, s.Endpoint)
	assert.True(t, s.Models.IsZero())

	s, err = LoadArchive(env(map[string]string{"CustomVisionStorage": "UseDevelopmentStorage=true"}))
	require.NoError(t, err)
	assert.Equal(t, "http://127.0.0.1:10000/devstoreaccount1", s.Archives.BlobURL, "one account serves both unless another is named")

	_, err = LoadArchive(env(nil))
	assert.ErrorContains(t, err, "neither ArchiveStorage nor CustomVisionStorage is set")
}
