package archive

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"visionkeeper/internal/storage"
)

// CheckDownloadURL is nil if an export's downloadUri may be fetched: it is an https
// URL on port 443 of a host below suffix, such as blob.core.windows.net. The
// addresses in loopback, as host:port, are taken too, by http as well, where
// localhost and 127.0.0.1 are one host; pass them
// only where the endpoints that were configured are on this machine. The error
// doesn't hold the URL, whose query is a secret.
func CheckDownloadURL(raw, suffix string, loopback []string) error {
	if strings.ContainsAny(raw, "#\\") || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return errors.New("the download address holds characters that no such address has")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return errors.New("the download address is not an absolute URL")
	}
	if u.User != nil {
		return errors.New("the download address holds a user name")
	}
	if (u.Scheme == "http" || u.Scheme == "https") && storage.IsLoopback(u.Hostname()) && isAmong(u, loopback) {
		return nil
	}
	if u.Scheme != "https" {
		return errors.New("the download address is not https")
	}
	if port := u.Port(); port != "443" && strings.Contains(u.Host, ":") {
		return errors.New("the download address is not on port 443")
	}
	host := strings.ToLower(u.Hostname())
	account, below := strings.CutSuffix(host, "."+strings.ToLower(suffix))
	if !below || suffix == "" || !isHostName(account) {
		return fmt.Errorf("the download address is on host %q, not on one of %s", shorten(host), suffix)
	}
	return nil
}

// Address is where a link leads, in a form that can be compared: without what signs it.
func Address(link string) string {
	u, err := url.Parse(link)
	switch {
	case err != nil:
		return link
	case u.Host == "":
		return u.Path
	}
	return storage.Host(u) + u.Path
}

// isHostName takes labels of ASCII letters, digits and hyphens; none may be an
// encoded international name.
func isHostName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || strings.HasPrefix(label, "xn--") {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}

// isAmong reports whether a URL leads to one of the addresses, given as host:port.
func isAmong(u *url.URL, addresses []string) bool {
	return slices.ContainsFunc(addresses, func(a string) bool {
		return storage.Host(u) == storage.Host(&url.URL{Scheme: u.Scheme, Host: a})
	})
}
