package handler

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSuccessIsAnEmptyObject(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	succeed(w)
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
	assert.Equal(t, "{}", w.Body.String())
}

func TestAReasonIsEncodedWhateverItHolds(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{"plain", "two\nlines", `"quoted" \ back`, "broken \xff utf-8", ""} {
		w := httptest.NewRecorder()
		fail(w, http.StatusInternalServerError, reason)
		object := requireJSON(t, answer{w.Code, w.Header(), w.Body.String()})
		assert.Contains(t, object, "error")
	}
}
