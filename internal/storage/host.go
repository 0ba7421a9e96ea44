package storage

import (
	"net/url"
	"strings"

	"visionkeeper/internal/loopback"
)

// Host is a URL's host and port in a form that can be compared: letter case and a
// port that is the scheme's own make no difference. On loopback, localhost and the
// usual addresses of this machine are one host.
func Host(u *url.URL) string {
	name, port := strings.ToLower(u.Hostname()), u.Port()
	if name == "localhost" || name == "::1" {
		name = "127.0.0.1"
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
	}
	return name + ":" + port
}

// IsLoopback reports whether a host, without a port, is this machine.
func IsLoopback(host string) bool { return loopback.Is(host) }
