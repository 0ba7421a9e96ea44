package loopback

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestIs(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "127.0.0.1": true, "127.8.9.10": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.example": false, "127.0.0.1.example": false, "notlocalhost": false, "0.0.0.0": false, "192.168.0.1": false, "2130706433": false,
	} {
		assert.Equal(t, want, Is(host), host)
	}
}

func TestAsked(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "localhost:7071": true, "127.0.0.1:7071": true, "[::1]:7071": true, "[::1]": true,
		"": false, ":7071": false, "evil.example:7071": false, "localhost.evil.example": false, "127.0.0.1:evil.example": false, "evil.example:127.0.0.1": false, "[::1].evil.example": false,
	} {
		assert.Equal(t, want, Asked(&http.Request{Host: host}), host)
	}
}
