package guard

import (
	"context"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	type header map[string]string
	for _, c := range []struct {
		name, method, host string
		header             header
		taken              bool
	}{
		{"a program", "POST", "127.0.0.1:7071", nil, true},
		{"a program by name", "POST", "localhost:7071", nil, true},
		{"a program over IPv6", "POST", "[::1]:7071", nil, true},
		{"a program at the address of the network", "POST", "192.0.2.7:7071", nil, true},
		{"a program by the name that was given", "POST", "Emulator:7071", nil, true},
		{"its own page", "POST", "localhost:7071", header{"Origin": "http://localhost:7071", "Sec-Fetch-Site": "same-origin"}, true},
		{"its own page in an older browser", "POST", "[::1]:7071", header{"Origin": "http://[::1]:7071"}, true},
		{"a link on another page", "GET", "localhost:7071", header{"Sec-Fetch-Site": "cross-site"}, true},
		{"another page", "POST", "localhost:7071", header{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, false},
		{"another page in an older browser", "POST", "localhost:7071", header{"Origin": "https://evil.example"}, false},
		{"a page without an origin", "DELETE", "localhost:7071", header{"Origin": "null"}, false},
		{"a page on another port", "PATCH", "localhost:7071", header{"Origin": "http://localhost:8080", "Sec-Fetch-Site": "same-site"}, false},
		{"rebinding", "POST", "evil.example:7071", header{"Origin": "http://evil.example:7071", "Sec-Fetch-Site": "same-origin"}, false},
		{"rebinding to read", "GET", "evil.example:7071", header{"Sec-Fetch-Site": "same-origin"}, false},
		{"another address", "GET", "192.0.2.8:7071", nil, false},
		{"no host", "GET", "", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := &http.Request{Method: c.method, Host: c.host, Header: http.Header{}}
			for name, value := range c.header {
				r.Header.Set(name, value)
			}
			r = r.WithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7)}))
			assert.Equal(t, c.taken, Check(r, "http://emulator:7071") == nil)
			fromElsewhere := c.header["Sec-Fetch-Site"] == "cross-site"
			assert.Equal(t, c.taken && !fromElsewhere, CheckCall(r, "http://emulator:7071") == nil)
			assert.Equal(t, c.method, r.Method)
		})
	}
	link := &http.Request{Method: "GET", Host: "localhost:7071", Header: http.Header{"Sec-Fetch-Site": {"same-site"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}}
	assert.NoError(t, CheckCall(link, ""), "a link on a page of another port of this machine")
	for _, change := range [][2]string{{"Sec-Fetch-Dest", "iframe"}, {"Sec-Fetch-Dest", "image"}, {"Sec-Fetch-Mode", "cors"}, {"Sec-Fetch-Site", "cross-site"}} {
		other := link.Clone(t.Context())
		other.Header.Set(change[0], change[1])
		assert.Error(t, CheckCall(other, ""), change)
	}
	assert.Error(t, Check(&http.Request{Method: "GET", Header: http.Header{}}, ""), "no URL names no host")
}
