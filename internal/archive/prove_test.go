package archive_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
)

func TestTwoCopiesWithTheSameBytesProveThatTheSourceIsDamaged(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	good, k := pack(export{platform: "ONNX"}), key(t, "ONNX", "")
	prove := func(data []byte) (archive.Backup, error) {
		s := h.model(t, "ONNX", data)
		id, err := h.Identify(t.Context(), s)
		require.NoError(t, err)
		b, err := h.Copy(t.Context(), k, s, id)
		if err != nil || b.Verdict != "" {
			return b, err
		}
		b, err = h.Prove(t.Context(), b, s, id, archive.Facts{})
		if err == nil {
			return b, nil
		}
		_, again := h.Copy(t.Context(), k, s, id)
		assert.ErrorIs(t, again, archive.ErrDamaged, "also for a process that knows nothing of it")
		return b, err
	}
	_, err := prove(flip(good, 500))
	require.ErrorIs(t, err, archive.ErrDamaged)
	assert.Len(t, h.world.Backups("", ""), 2, "no third copy is made")

	b, err := prove(good)
	require.NoError(t, err, "the source was overwritten with good bytes")
	assert.Equal(t, archive.Proven, b.Verdict)
	assert.Len(t, h.world.Backups("", ""), 3)
	again, err := prove(flip(good, 500))
	require.NoError(t, err)
	assert.Equal(t, b.Blob, again.Blob, "what is good is taken, whatever lies beside it")
}

func TestACopyThatWasSpoiltOnItsWayIsMadeAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	good := pack(export{platform: "ONNX"})
	s := h.model(t, "ONNX", good)
	id, err := h.Identify(t.Context(), s)
	require.NoError(t, err)
	b, err := h.Copy(t.Context(), key(t, "ONNX", ""), s, id)
	require.NoError(t, err)
	write(t, h.blobs, b.Blob, flip(good, 500))
	b.ETag = ""
	b, err = h.Prove(t.Context(), b, s, id, archive.Facts{})
	require.NoError(t, err)
	assert.Equal(t, archive.Proven, b.Verdict)
	assert.Len(t, h.world.Backups("", ""), 2)
}

func TestARefusedCopyIsTriedOnceThroughTheProcess(t *testing.T) {
	t.Parallel()
	data := pack(export{platform: "ONNX"})
	for name, c := range map[string]struct {
		status  int
		code    string
		through bool
	}{
		"the service can't reach the source":   {404, "CannotVerifyCopySource", true},
		"it says so late":                      {500, "CannotVerifyCopySource", true},
		"a policy forbids links":               {403, "AuthorizationFailure", true},
		"a link isn't taken":                   {403, "AuthenticationFailed", true},
		"a right is missing":                   {403, "AuthorizationPermissionMismatch", true},
		"the source's key":                     {409, "BlobUsesCustomerSpecifiedEncryption", true},
		"an encryption scope":                  {409, "FeatureEncryptionMismatch", true},
		"a lease":                              {412, "LeaseIdMissing", true},
		"a code that nobody knows":             {400, "SomethingElse", true},
		"a conflict that nobody knows":         {409, "SomethingElse", true},
		"an answer without a code":             {403, "", true},
		"a service that can't copy":            {501, "NotImplemented", true},
		"a container that is gone":             {404, "ContainerNotFound", false},
		"an account that is disabled":          {403, "AccountIsDisabled", false},
		"a service that is busy":               {503, "ServerBusy", false},
		"a service that has an internal error": {500, "InternalError", false},
		"a service that is asked too much":     {429, "TooManyRequests", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, archive.Options{})
			s := h.model(t, "ONNX", data)
			id, err := h.Identify(t.Context(), s)
			require.NoError(t, err)
			var copies, uploads atomic.Int32
			refusing := h.once(spoiling(t, func(req *http.Request, send world.Send) (*http.Response, error) {
				switch {
				case world.Copies(req):
					copies.Add(1)
					return world.Answer(req, c.status, http.Header{"X-Ms-Error-Code": {c.code}}, nil), nil
				case req.Method == http.MethodPut:
					uploads.Add(1)
				}
				return send(req)
			}))
			b, err := refusing.Copy(t.Context(), key(t, "ONNX", ""), s, id)
			assert.EqualValues(t, 1, copies.Load())
			if !c.through {
				require.Error(t, err)
				assert.Zero(t, uploads.Load(), "an upload would meet the same")
				return
			}
			require.NoError(t, err)
			assert.EqualValues(t, 1, uploads.Load(), "once")
			p, err := h.Verify(t.Context(), b, archive.Facts{})
			require.NoError(t, err)
			assert.Equal(t, archive.Proven, p.Verdict, p.Note)
		})
	}
}
