// Package loopback knows which hosts are this machine. It stands below every other
// package and knows none of them. Start reading at Is.
package loopback

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Is reports whether a host, without a port, is this machine.
func Is(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || (err == nil && ip.IsLoopback())
}

// Asked reports whether the Host header of a request names this machine. A web
// page whose own name was made to lead here (DNS rebinding) sends that name.
func Asked(r *http.Request) bool { return Is(Host(r)) }

// Host returns the host that a request asks for, without a port.
func Host(r *http.Request) string { return (&url.URL{Host: r.Host}).Hostname() }
