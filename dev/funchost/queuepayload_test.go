package funchost

import (
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	textFunction   = &function{name: "queueFn", trigger: binding{Type: "queueTrigger", Name: "msg"}}
	binaryFunction = &function{name: "queueFn", trigger: binding{Type: "queueTrigger", Name: "msg", DataType: "binary"}}
	someTime       = time.Date(2026, 8, 27, 10, 11, 12, 123456700, time.UTC)
)

func TestQueueDataOnTheWire(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		f          *function
		body, want string
	}{
		{textFunction, `{"a":1}`, `{"msg":"\"{\\\"a\\\":1}\""}`},
		{textFunction, `hello`, `{"msg":"\"hello\""}`},
		{textFunction, `123`, `{"msg":"\"123\""}`},
		{textFunction, `[1,2]`, `{"msg":"\"[1,2]\""}`},
		{textFunction, ``, `{"msg":"\"\""}`},
		{textFunction, `aGVsbG8=`, `{"msg":"\"aGVsbG8=\""}`},
		{binaryFunction, `{"a":1}`, `{"msg":"eyJhIjoxfQ=="}`},
		{binaryFunction, "\xff", `{"msg":"/w=="}`},
	} {
		payload, err := queueEnvelope(c.f, queueMessage{body: []byte(c.body)}, someTime)
		require.NoError(t, err)
		assert.Contains(t, string(payload), `{"Data":`+c.want+`,"Metadata":{`)
	}
}

// guid stands for every GUID in an expected text.
var guid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// utcNow is the current time in an expected text.
var utcNow = regexp.MustCompile(`"UtcNow":"[^"]+"`)

func TestQueueEnvelopeWhole(t *testing.T) {
	t.Parallel()
	payload, err := queueEnvelope(textFunction, queueMessage{
		body: []byte("hello"), id: "6f0f0000-0000-4000-8000-000000000000", popReceipt: "AgAAAA==", dequeueCount: 1,
		inserted: time.Date(2026, 8, 27, 10, 11, 12, 0, time.UTC),
		expires:  time.Date(2026, 9, 3, 10, 11, 12, 0, time.UTC),
		appear:   time.Date(2026, 8, 27, 10, 21, 12, 0, time.UTC),
	}, someTime)
	require.NoError(t, err)

	assert.Equal(t, `{"Data":{"msg":"\"hello\""},`+
		`"Metadata":{"DequeueCount":"1","ExpirationTime":"2026-09-03T10:11:12+00:00","Id":"\"GUID\"",`+
		`"InsertionTime":"2026-08-27T10:11:12+00:00","NextVisibleTime":"2026-08-27T10:21:12+00:00","PopReceipt":"\"AgAAAA==\"",`+
		`"sys":{"MethodName":"queueFn","UtcNow":"2026-08-27T10:11:12.1234567Z","RandGuid":"GUID"}}}`,
		guid.ReplaceAllString(string(payload), "GUID"))
}

func TestManualQueueEnvelopeHasNeitherIdNorReceipt(t *testing.T) {
	t.Parallel()
	payload, err := queueEnvelope(binaryFunction, queueMessage{body: []byte("hello")}, someTime)
	require.NoError(t, err)

	assert.Equal(t, `{"Data":{"msg":"aGVsbG8="},`+
		`"Metadata":{"DequeueCount":"0","ExpirationTime":"9999-12-31T23:59:59+00:00",`+
		`"InsertionTime":"2026-08-27T10:11:12+00:00","NextVisibleTime":"9999-12-31T23:59:59+00:00",`+
		`"sys":{"MethodName":"queueFn","UtcNow":"2026-08-27T10:11:12.1234567Z","RandGuid":"GUID"}}}`,
		guid.ReplaceAllString(string(payload), "GUID"))
}

func TestMessagePropertiesReplaceMetadataInTextModeOnly(t *testing.T) {
	t.Parallel()
	m := queueMessage{body: []byte(`{"id":"evil","dequeueCount":99,"sys":{"a": 1},"list":[1],"none":null}`), id: "true", dequeueCount: 1}

	text, err := queueEnvelope(textFunction, m, someTime)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"Metadata":{"DequeueCount":"\"99\"",`)
	assert.Contains(t, string(text), `"Id":"\"evil\""`)
	assert.Contains(t, string(text), `"sys":{"a":1}}}`)
	assert.NotContains(t, string(text), `"list":`)
	assert.NotContains(t, string(text), `"none":`)

	binary, err := queueEnvelope(binaryFunction, m, someTime)
	require.NoError(t, err)
	assert.Contains(t, string(binary), `"Id":"\"true\""`)
}

func TestTextMustBeUTF8(t *testing.T) {
	t.Parallel()
	_, err := queueEnvelope(textFunction, queueMessage{body: []byte{0xff}}, someTime)

	assert.ErrorContains(t, err, "not UTF-8")
}
