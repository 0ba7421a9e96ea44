package customvision

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// samples are the messages as the storage integration guide prints them, with
// its odd spacing and its one capital, and with the ids and the URL filled in:
// https://learn.microsoft.com/azure/ai-services/custom-vision-service/storage-integration
var samples = map[string]Notification{
	"connection-test.json": {
		Kind: KindConnectionTest, ProjectID: projectID,
	},
	"training-completed.json": {
		Kind: KindTraining, ProjectID: projectID, IterationID: iterationID, TrainingStatus: NotifiedTrainingCompleted,
	},
	"training-failed.json": {
		Kind: KindTraining, ProjectID: projectID, IterationID: iterationID, TrainingStatus: NotifiedTrainingFailed,
	},
	"export-completed.json": {
		Kind: KindExport, ProjectID: projectID, IterationID: iterationID, ExportStatus: NotifiedExportCompleted,
		ModelURI: "https://account.blob.core.windows.net/models/" + projectID + "%20-%20" + iterationID + ".ONNX",
	},
	"export-completed-without-container.json": {
		Kind: KindExport, ProjectID: projectID, IterationID: iterationID, ExportStatus: NotifiedExportCompleted,
		ModelURI: "https://service.blob.core.windows.net:443/m-64b822c580824b36a42627225f4aa18c/e31a14ab5d784f7ba2673a1e4fd8a758.ONNX.zip?sv=2017-04-17&sr=b&sig=SIGNATURE&se=2020-11-07T17%3A46%3A18Z&sp=r",
	},
	"export-failed.json": {
		Kind: KindExport, ProjectID: projectID, IterationID: iterationID, ExportStatus: NotifiedExportFailed,
	},
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "notifications", name))
	require.NoError(t, err)
	return data
}

func TestEverySampleIsTested(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/notifications/*.json")
	require.NoError(t, err)
	for _, file := range files {
		assert.Contains(t, samples, filepath.Base(file))
	}
	assert.Len(t, files, len(samples))
}

// encodings are the forms that a message on the queue may have.
var encodings = map[string]func(string) string{
	"raw":              func(s string) string { return s },
	"Base64":           func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"unpadded Base64":  func(s string) string { return base64.RawStdEncoding.EncodeToString([]byte(s)) },
	"Base64 and space": func(s string) string { return "\r\n " + base64.StdEncoding.EncodeToString([]byte(s)) + "\n" },
	"broken Base64": func(s string) string {
		s = base64.StdEncoding.EncodeToString([]byte(s))
		return s[:76] + "\r\n" + s[76:]
	},
	"raw with BOM":     func(s string) string { return "\ufeff" + s },
	"Base64 with BOM":  func(s string) string { return base64.StdEncoding.EncodeToString([]byte("\ufeff" + s)) },
	"BOM before space": func(s string) string { return "\ufeff \t" + s },
}

func TestSamplesAreReadInEveryEncoding(t *testing.T) {
	t.Parallel()
	for name, want := range samples {
		for encoding, encode := range encodings {
			t.Run(name+"/"+encoding, func(t *testing.T) {
				t.Parallel()
				got, err := ParseNotification([]byte(encode(string(sample(t, name)))))
				require.NoError(t, err)
				assert.Equal(t, want, got)
			})
		}
	}
}

func TestNotificationsAreWrittenAsDocumented(t *testing.T) {
	t.Parallel()
	for name, notification := range samples {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			written, err := json.Marshal(notification)
			require.NoError(t, err)
			// As untyped JSON, in which "Content" and "content" differ.
			assert.Equal(t, asJSON(t, string(sample(t, name))), asJSON(t, string(written)))
		})
	}
}

func TestIDsInNotificationsBecomeCanonical(t *testing.T) {
	t.Parallel()
	got, err := ParseNotification([]byte(`{"version":"1.0","type":"Training","Content":{
		"projectId":"{64B822C5-8082-4B36-A426-27225F4AA18C}","iterationId":"E31A14AB5D784F7BA2673A1E4FD8A758","trainingStatus":"TrainingCompleted"}}`))
	require.NoError(t, err)
	assert.Equal(t, samples["training-completed.json"], got)
}

// message fills in a message with both ids.
func message(version, kind, content string) string {
	return `{"version":` + version + `,"type":` + kind + `,"Content":{"projectId":"` + projectID + `","iterationId":"` + iterationID + `"` + content + `}}`
}

func TestWhatIsAccepted(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"failed export with null modelUri":  message(`"1.0"`, `"Export"`, `,"exportStatus":"ExportFailed","modelUri":null`),
		"failed export with empty modelUri": message(`"1.0"`, `"Export"`, `,"exportStatus":"ExportFailed","modelUri":""`),
		"new export status":                 message(`"1.0"`, `"Export"`, `,"exportStatus":"ExportQueued"`),
		"new training status":               message(`"1.0"`, `"Training"`, `,"trainingStatus":"TrainingQueued"`),
		"further fields":                    message(`"1.0"`, `"Training"`, `,"trainingStatus":"TrainingFailed","reason":{"a":[1]}`),
		"lower-case content":                strings.Replace(message(`"1.0"`, `"ConnectionTest"`, ``), "Content", "content", 1),
		"modelUri that is no URL":           message(`"1.0"`, `"Export"`, `,"exportStatus":"ExportCompleted","modelUri":"../%zz\u0000"`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseNotification([]byte(text))
			require.NoError(t, err)
		})
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want error
		says string
	}{
		"empty":                      {"", ErrMalformed, "neither"},
		"space":                      {" \n", ErrMalformed, "neither"},
		"prose":                      {"hello, world", ErrMalformed, "neither"},
		"too much padding":           {"e30===", ErrMalformed, "neither"},
		"Base64 of prose":            {"aGVsbG8=", ErrMalformed, "something else"},
		"Base64 twice":               {encodings["Base64"](encodings["Base64"](message(`"1.0"`, `"ConnectionTest"`, ""))), ErrMalformed, "something else"},
		"array":                      {"[]", ErrMalformed, "neither"},
		"cut off":                    {`{"version":"1.0","type":"Export","Content":{`, ErrMalformed, "broken JSON at byte 44"},
		"two messages":               {message(`"1.0"`, `"ConnectionTest"`, "") + "{}", ErrMalformed, "broken JSON"},
		"empty object":               {"{}", ErrMalformed, "version is missing"},
		"empty version":              {message(`""`, `"Training"`, ""), ErrMalformed, "version is missing"},
		"version as number":          {message(`1.0`, `"Training"`, ""), ErrMalformed, "version is of the wrong JSON type"},
		"no type":                    {message(`"1.0"`, `null`, ""), ErrMalformed, "type is missing"},
		"no Content":                 {`{"version":"1.0","type":"Training"}`, ErrMalformed, "Content is missing"},
		"null Content":               {`{"version":"1.0","type":"Training","Content":null}`, ErrMalformed, "Content is missing"},
		"Content as text":            {`{"version":"1.0","type":"Training","Content":"{}"}`, ErrMalformed, "Content is not an object"},
		"no projectId":               {`{"version":"1.0","type":"ConnectionTest","Content":{}}`, ErrMalformed, "projectId is not a GUID"},
		"projectId as path":          {`{"version":"1.0","type":"ConnectionTest","Content":{"projectId":"../x"}}`, ErrMalformed, "projectId is not a GUID"},
		"projectId as number":        {`{"version":"1.0","type":"ConnectionTest","Content":{"projectId":1}}`, ErrMalformed, "projectId is of the wrong JSON type"},
		"no iterationId":             {`{"version":"1.0","type":"Training","Content":{"projectId":"` + projectID + `","trainingStatus":"TrainingFailed"}}`, ErrMalformed, "iterationId is not a GUID"},
		"no trainingStatus":          {message(`"1.0"`, `"Training"`, ""), ErrMalformed, "trainingStatus is missing"},
		"no exportStatus":            {message(`"1.0"`, `"Export"`, `,"modelUri":"https://x"`), ErrMalformed, "exportStatus is missing"},
		"done export, no modelUri":   {message(`"1.0"`, `"Export"`, `,"exportStatus":"ExportCompleted"`), ErrMalformed, "modelUri is missing"},
		"modelUri as object":         {message(`"1.0"`, `"Export"`, `,"exportStatus":"ExportFailed","modelUri":{}`), ErrMalformed, "modelUri is of the wrong JSON type"},
		"new type":                   {message(`"1.0"`, `"Publish"`, ""), ErrUnknown, `type "Publish"`},
		"new type, another shape":    {`{"version":"1.0","type":"Publish","Content":[1]}`, ErrUnknown, `type "Publish"`},
		"type in lower case":         {message(`"1.0"`, `"training"`, ""), ErrUnknown, `type "training"`},
		"new version":                {message(`"2.0"`, `"Training"`, ""), ErrUnknown, `version "2.0"`},
		"new version without a name": {`{"version":"2.0","type":"Training","data":{}}`, ErrUnknown, `version "2.0"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseNotification([]byte(c.text))
			require.ErrorIs(t, err, c.want)
			assert.NotEqual(t, errors.Is(err, ErrMalformed), errors.Is(err, ErrUnknown))
			assert.Contains(t, err.Error(), c.says)
			assert.Zero(t, got)
		})
	}
}

func TestTheGuidesUnfilledExportIsMalformed(t *testing.T) {
	t.Parallel()
	for encoding, encode := range encodings {
		_, err := ParseNotification([]byte(encode(string(sample(t, "export-unfilled.txt")))))
		require.ErrorIs(t, err, ErrMalformed, encoding)
	}
}

func TestErrorsQuoteLittleOfAMessage(t *testing.T) {
	t.Parallel()
	_, err := ParseNotification([]byte(message(`"1.0"`, `"`+strings.Repeat("x\\n", 1000)+`"`, "")))
	require.ErrorIs(t, err, ErrUnknown)
	assert.Less(t, len(err.Error()), 200)
	assert.NotContains(t, err.Error(), "\n")

	_, err = ParseNotification([]byte(message(`"1.0"`, `"Export"`, `,"exportStatus":{},"modelUri":"https://x/?sig=SIGNATURE"`)))
	require.ErrorIs(t, err, ErrMalformed)
	assert.NotContains(t, err.Error(), "SIGNATURE")
}

// FuzzParseNotification checks that a message that is accepted is canonical and is
// the same after it is written and read again, and that every error is of one of
// the two kinds.
func FuzzParseNotification(f *testing.F) {
	for name := range samples {
		f.Add(sample(f, name))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		n, err := ParseNotification(raw)
		if err != nil {
			if errors.Is(err, ErrMalformed) == errors.Is(err, ErrUnknown) {
				t.Fatalf("neither malformed nor unknown, or both: %v", err)
			}
			return
		}
		if id, err := ParseID(n.ProjectID); err != nil || id != n.ProjectID {
			t.Fatalf("project id %q", n.ProjectID)
		}
		if id, err := ParseID(n.IterationID); n.Kind != KindConnectionTest && (err != nil || id != n.IterationID) {
			t.Fatalf("iteration id %q", n.IterationID)
		}
		written, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{string(written), base64.StdEncoding.EncodeToString(written)} {
			if again, err := ParseNotification([]byte(text)); err != nil || again != n {
				t.Fatalf("%+v became %+v, %v", n, again, err)
			}
		}
	})
}
