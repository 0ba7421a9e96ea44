package emulator

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestFetchesFromLoopbackOnly(t *testing.T) {
	t.Parallel()
	for address, allowed := range map[string]bool{
		"127.0.0.1:80": true, "127.1.2.3:80": true, "[::1]:80": true, "[::ffff:127.0.0.1]:80": true,
		"192.0.2.1:80": false, "169.254.169.254:80": false, "10.0.0.1:80": false, "0.0.0.0:80": false, "[fe80::1]:80": false, "localhost:80": false, "127.0.0.1": false,
	} {
		assert.Equal(t, allowed, loopbackOnly("tcp", address, nil) == nil, address)
	}
}

func TestFetchIsBoundedAndWantsSuccess(t *testing.T) {
	t.Parallel()
	s := start(t)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/gone":
			http.NotFound(w, r)
		case "/away":
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		default:
			w.Write(make([]byte, 10))
		}
	}))
	t.Cleanup(web.Close)
	content, err := s.fetch(web.URL, 10)
	assert.NoError(t, err)
	assert.Len(t, content, 10)
	_, err = s.fetch(web.URL, 9)
	assert.ErrorContains(t, err, "too large")
	_, err = s.fetch(web.URL+"/gone", 10)
	assert.ErrorContains(t, err, "404")
	_, err = s.fetch(web.URL+"/away", 10)
	assert.ErrorContains(t, err, "loopback addresses only")
}
