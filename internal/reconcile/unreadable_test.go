package reconcile

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/state"
)

// refusing answers reads of a key's ONNX blob by the app's own credential with a code,
// after so many were let through, and copies of it.
func (w *app) refusing(key Key, status int, code string, after int) world.Fault {
	refuse := func(req *http.Request, _ world.Send) (*http.Response, error) {
		return world.Answer(req, status, http.Header{"X-Ms-Error-Code": {code}}, nil), nil
	}
	reads := world.On(func(req *http.Request) bool {
		return req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/"+w.blob(key, "ONNX")) && !req.URL.Query().Has("sig")
	}, world.From(after+1, refuse))
	copies := world.On(func(req *http.Request) bool {
		return world.Copies(req) && !strings.Contains(copySource(req), "/m-")
	}, refuse)
	return chainOf(reads, copies)
}

// copySource is what a request names to copy from; the SDK sets the header in lower case.
func copySource(req *http.Request) string {
	for name, values := range req.Header {
		if strings.EqualFold(name, "x-ms-copy-source") {
			return values[0]
		}
	}
	return ""
}

var refusals = map[string]struct {
	status int
	want   state.Code
}{
	"AuthorizationPermissionMismatch":     {403, state.Unreadable},
	"LeaseIdMissing":                      {412, state.Unreadable},
	"BlobUsesCustomerSpecifiedEncryption": {409, state.Unreadable},
	"FeatureEncryptionMismatch":           {409, state.Unreadable},
	"SomethingElse":                       {409, state.Unavailable},
	"BlobArchived":                        {409, state.Resting},
	"BlobBeingRehydrated":                 {409, state.Resting},
}

// Any way to the bytes is good: what the container doesn't give comes from the link,
// whatever refused it and whenever. The blob fails no sweep.
func TestABlobThatIsRefusedComesFromItsExportsLink(t *testing.T) {
	t.Parallel()
	for code, c := range refusals {
		for name, after := range map[string]int{"at once": 0, "its body": 1} {
			t.Run(code+", "+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, "")
				key := w.trained()
				w.export(key, "ONNX")
				w.line.Use(w.refusing(key, c.status, code, after))
				w.reconcile(key)
				assert.Equal(t, proven, w.backups(key))
				assert.Equal(t, map[string]string{"ONNX": archive.FromDownload}, w.origins(key))
				for range 5 {
					if c.want == state.Unavailable {
						break // nobody knows what it means
					}
					w.sweep()
					w.Service.Advance(3 * time.Hour)
				}
				assert.Len(t, w.kept(key), 1)
				w.line.Use(nil)
				w.Service.Advance(8 * 24 * time.Hour)
				w.sweep()
				w.sweep()
				assert.Empty(t, w.Remembered(key.Project).Conditions, "and can be read in the end")
			})
		}
	}
}

// Where there is no link that is a condition, which says what to do.
func TestABlobThatIsRefusedAndHasNoLinkIsACondition(t *testing.T) {
	t.Parallel()
	for code, c := range refusals {
		for name, after := range map[string]int{"at once": 0, "its body": 1} {
			t.Run(code+", "+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, "", answering(emulator.DownloadURI, "container"))
				key := w.trained()
				w.export(key, "ONNX")
				w.line.Use(w.refusing(key, c.status, code, after))
				report, err := w.try(key)
				met := w.condition(key, "ONNX")
				require.Equal(t, c.want, met.Code, met.Why)
				assert.False(t, met.Final())
				if c.want == state.Unavailable { // nobody knows what it means
					assert.Error(t, err)
					return
				}
				require.NoError(t, err, "a condition, and no failure")
				assert.Empty(t, report.Failed)
				assert.Contains(t, met.Why, w.blob(key, "ONNX"))
				assert.Contains(t, met.Why, w.Names.Models)
				assert.NotContains(t, met.Why, w.Names.Archive)
				if c.want == state.Resting {
					assert.Contains(t, met.Why, "rehydrate")
				} else {
					assert.Contains(t, met.Why, code)
				}
				w.sweep()
				w.line.Use(nil)
				w.Service.Advance(2 * time.Hour)
				w.sweep()
				assert.Equal(t, proven, w.backups(key))
				assert.Empty(t, w.Remembered(key.Project).Conditions)
			})
		}
	}
}

// When the copy in the archive rests, that one is named.
func TestACopyInTheArchiveThatRestsIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	key := w.trained()
	w.export(key, "ONNX")
	require.NoError(t, w.Service.FaultCalls("GetTags", 1, emulator.CallFault{Status: 403}))
	w.try(key)
	b := w.kept(key)[0]
	require.Empty(t, b.Verdict)
	_, err := w.Containers.Archive.NewBlobClient(b.Blob).SetTier(t.Context(), "Archive", nil)
	require.NoError(t, err)
	w.sweep()
	c := w.condition(key, "ONNX")
	require.Equal(t, state.Resting, c.Code)
	assert.Contains(t, c.Why, b.Blob)
	assert.Contains(t, c.Why, w.Names.Archive)
	assert.NotContains(t, c.Why, w.Names.Models)
	assert.Contains(t, c.Why, "rehydrate")
	_, err = w.Containers.Archive.NewBlobClient(b.Blob).SetTier(t.Context(), "Hot", nil)
	require.NoError(t, err)
	w.passes(key, "ONNX")
}
