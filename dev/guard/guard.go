// Package guard keeps the web pages of other sites away from the servers that a
// developer runs. A browser lets any page send requests to this machine, and a page
// whose site's name leads here (DNS rebinding) may read the answers too. Start
// reading at Check.
package guard

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"visionkeeper/internal/loopback"
)

var sameOrigin = http.NewCrossOriginProtection()

// Check returns an error if a page of another site may have sent the request. The
// Host must be this machine, the address at which the request arrived, or that of
// own, the URL that the person gave the server; it may be empty. A request that
// isn't a GET, HEAD or OPTIONS must not come from a page of another origin.
// Programs send neither Origin nor Sec-Fetch-Site, and pass.
func Check(r *http.Request, own string) error {
	if host := loopback.Host(r); !loopback.Is(host) && !arrivedAt(r, host) && !isHostOf(own, host) {
		return fmt.Errorf("the request asks for the host %q, which is not this machine: ask for localhost, or start the server with this host in -url if it has that flag", host)
	}
	return sameOrigin.Check(r)
}

// CheckCall is Check where a request acts whatever its method is: a page of another
// site must not send a GET either, for which an address in a picture is enough.
//
// A person may come by a link from another server on this machine, such as the
// emulator's page: browsers say so, and no page can.
func CheckCall(r *http.Request, own string) error {
	get := r.Method == http.MethodGet || r.Method == http.MethodHead
	if get && r.Header.Get("Sec-Fetch-Site") == "same-site" && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document" {
		return Check(r, own)
	}
	acting := *r
	acting.Method = http.MethodPost
	return Check(&acting, own)
}

func isHostOf(raw, host string) bool {
	u, err := url.Parse(raw)
	return err == nil && host != "" && strings.EqualFold(u.Hostname(), host)
}

// arrivedAt reports whether the host is the address at which the request reached
// this machine. A site can't have an address for its name.
func arrivedAt(r *http.Request, host string) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && host == local.IP.String()
}
