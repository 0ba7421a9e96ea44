package events

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAnAnswerThatNeverEndsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer s.Close()
	hook := NewWebhook(s.URL, make([]byte, 32), true, time.Now)
	defer hook.client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, hook.Send(ctx, "1", []byte("{}")))
	assert.NoError(t, ctx.Err(), "it came to an end by itself")
}

// A server may say anything in the line of its status, and some quote the path.
func TestTheWordsOfAStatusAreNotTheServers(t *testing.T) {
	t.Parallel()
	for _, code := range []int{http.StatusNotFound, http.StatusFound} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			assert.NoError(t, err)
			defer c.Close()
			fmt.Fprintf(c, "HTTP/1.1 %d no %s here\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", code, r.URL.Path)
		}))
		defer s.Close()
		hook := NewWebhook(s.URL+"/a-token-in-the-path", make([]byte, 32), true, time.Now)
		err := hook.Send(t.Context(), "1", []byte("{}"))
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "a-token-in-the-path")
		assert.Contains(t, err.Error(), fmt.Sprint(code, " ", http.StatusText(code)))
		hook.client.CloseIdleConnections()
	}
}
