package funchost

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func localSettings(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "local.settings.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestEnvironmentWinsOverLocalSettingsWithAWarning(t *testing.T) {
	t.Parallel()
	var out lockedBuffer
	path := localSettings(t, `{ // a comment
		"IsEncrypted": false, "Values": {"A":"file","B":"file","N":null}, "ConnectionStrings": {"Db":"here"}, "Host": {"CORS":"*"}}`)

	s, err := readSettings(path, []string{"A=env"}, &logger{out: &out})

	require.NoError(t, err)
	assert.Equal(t, "env", s.get("A"))
	assert.Equal(t, "file", s.get("b"), "names have no case")
	assert.Equal(t, "here", s.get("ConnectionStrings__Db"))
	assert.Contains(t, s.environment(), "B=file")
	assert.NotContains(t, s.environ, "N")
	assert.Contains(t, out.String(), "Skipping 'A' from local settings")
	assert.NotContains(t, out.String(), "Skipping 'B'")
}

func TestLocalSettingsErrorsHoldNoValues(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"IsEncrypted":true,"Values":{"K":"secret"}}`, `{"Values":{"K":{"x":"secret"}}}`, `{"Values":["secret"]}`, `{"Values":"secret`} {
		_, err := readSettings(localSettings(t, text), nil, &logger{out: &lockedBuffer{}})
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "secret")
	}
}

func TestPercentNamesAreResolved(t *testing.T) {
	t.Parallel()
	s, err := readSettings("", []string{"Some_Name=value", "section__key=deep"}, nil)
	require.NoError(t, err)

	text, err := s.resolve("a-%some_name%-%section:key%")
	require.NoError(t, err)
	assert.Equal(t, "a-value-deep", text)

	_, err = s.resolve("%NOT_THERE_AT_ALL%")
	assert.EqualError(t, err, "'%NOT_THERE_AT_ALL%' does not resolve to a value: set it")
	assert.Equal(t, "[]", s.expand("[%NOT_THERE_AT_ALL%]"))
}
