package funchost

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hostJSON reads a host.json with these settings over it.
func hostJSON(t *testing.T, text string, env ...string) (configuration, error) {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "host.json"), []byte(text), 0o600))
	app, err := readSettings("", env, &logger{out: &lockedBuffer{}})
	require.NoError(t, err)
	return readHostJSON(root, app)
}

func TestHostJSONWithCommentsAndByteOrderMark(t *testing.T) {
	t.Parallel()
	c, err := hostJSON(t, "\xef\xbb\xbf{ // one\n\"Version\": \"2.0\", /* two\n*/ \"functionTimeout\": \"00:01:00\", \"url\": \"http://x/*y*/\" }")
	require.NoError(t, err)

	assert.Equal(t, "00:01:00", c.text("functionTimeout"))
	assert.Equal(t, "http://x/*y*/", c.text("url"))
}

func TestHostJSONIsWhatNewtonsoftTakes(t *testing.T) {
	t.Parallel()
	c, err := hostJSON(t, `{'version': "2.0", functionTimeout: '00:01:00', "functions": ["a", "b",], }`)
	require.NoError(t, err)

	assert.Equal(t, "00:01:00", c.text("functionTimeout"))
	assert.Equal(t, []string{"a", "b"}, c.list("functions"))
}

func TestSettingsOverrideHostJSONWithoutRegardToCase(t *testing.T) {
	t.Parallel()
	c, err := hostJSON(t, `{"version":"2.0","customHandler":{"description":{"arguments":["a","b"]}}}`,
		"AzureFunctionsJobHost__customHandler__description__arguments__0=z", "AZUREFUNCTIONSJOBHOST__FUNCTIONTIMEOUT=-1")
	require.NoError(t, err)

	assert.Equal(t, []string{"z", "b"}, c.list("customHandler:description:arguments"))
	timeout, err := c.functionTimeout()
	require.NoError(t, err)
	assert.Zero(t, timeout, "-1 is no bound")
}

func TestAListMayBeOneSettingOfJSON(t *testing.T) {
	t.Parallel()
	c, err := hostJSON(t, `{"version":"2.0"}`, `AzureFunctionsJobHost__customHandler__description__arguments=["x","y z"]`)
	require.NoError(t, err)

	assert.Equal(t, []string{"x", "y z"}, c.list("customHandler:description:arguments"))
}

func TestHostJSONErrors(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no version":    `{}`,
		"other version": `{"version":"3.0"}`,
		"broken":        `{"version":"2.0"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := hostJSON(t, text)
			assert.ErrorContains(t, err, "host.json")
		})
	}
	app, err := readSettings("", nil, nil)
	require.NoError(t, err)
	_, err = readHostJSON(t.TempDir(), app)
	assert.ErrorContains(t, err, "the root must be the folder that holds it")
}

func TestQueueOptionDefaults(t *testing.T) {
	t.Parallel()
	c, err := hostJSON(t, `{"version":"2.0"}`)
	require.NoError(t, err)

	o, err := c.queues(4)

	require.NoError(t, err)
	assert.Equal(t, queueOptions{batchSize: 16, newBatchThreshold: 32, maxDequeueCount: 5, maxPollingInterval: time.Minute, base64: true}, o)
}

func TestQueueOptionsAreRead(t *testing.T) {
	t.Parallel()
	c, err := hostJSON(t, `{"version":"2.0","extensions":{"queues":{"batchSize":4,"newBatchThreshold":0,"maxDequeueCount":9,
		"visibilityTimeout":"00:01:00","maxPollingInterval":"00:00:02","messageEncoding":"None"}}}`)
	require.NoError(t, err)

	o, err := c.queues(4)

	require.NoError(t, err)
	assert.Equal(t, queueOptions{batchSize: 4, maxDequeueCount: 9, visibilityTimeout: time.Minute, maxPollingInterval: 2 * time.Second}, o)
}

func TestSettingsOutOfRangeAreRefused(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{
		"batchSize=0", "batchSize=33", "newBatchThreshold=-1", "maxDequeueCount=0", "maxPollingInterval=00:00:00.09",
		"visibilityTimeout=-00:00:01", "messageEncoding=utf8", "maxPollingInterval=1s",
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			c, err := hostJSON(t, `{"version":"2.0"}`, "AzureFunctionsJobHost__extensions__queues__"+setting)
			require.NoError(t, err)
			_, err = c.queues(1)
			assert.Error(t, err)
		})
	}
}

func TestFunctionTimeout(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{`"00:05:00"`: 5 * time.Minute, `null`: 30 * time.Minute, `"00:00:01"`: time.Second} {
		c, err := hostJSON(t, `{"version":"2.0","functionTimeout":`+text+`}`)
		require.NoError(t, err)
		got, err := c.functionTimeout()
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	c, err := hostJSON(t, `{"version":"2.0","functionTimeout":"00:00:00.5"}`)
	require.NoError(t, err)
	_, err = c.functionTimeout()
	assert.ErrorContains(t, err, "the least is 1s")
}
