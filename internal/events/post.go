package events

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"

	"visionkeeper/internal/remedy"
	"visionkeeper/internal/telemetry"
)

// contentType is that of one event in JSON.
const contentType = "application/cloudevents+json; charset=utf-8"

// dialer makes connections, each of which control may refuse; nil refuses none.
func dialer(control func(network, address string, c syscall.RawConn) error) *net.Dialer {
	return &net.Dialer{Timeout: sendTime, Control: control}
}

// reach is nil if a connection can be made to the host of an address.
func reach(ctx context.Context, d *net.Dialer, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return errors.New("its address is no URL")
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return fmt.Errorf("%s can't be reached: %w", u.Host, err)
	}
	return c.Close()
}

// client posts events. It follows no redirect, which would show what is secret to another
// host, and goes over no proxy, behind which nobody sees where a request leads.
func client(d *net.Dialer) *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DialContext: d.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: sendTime, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// drainTime is how long the rest of an answer is waited for, whose status says it all.
const drainTime = time.Second

// post sends one event. An error names the host alone: the rest of an address may be a
// secret.
func post(ctx context.Context, c *http.Client, address string, header http.Header, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("its address is no URL")
	}
	req.Header = header
	req.Header.Set("Content-Type", contentType)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ctx, end := telemetry.Request(ctx, req.Method, req.URL.Host, "")
	resp, err := c.Do(req.WithContext(ctx))
	end(resp, err)
	if err != nil {
		var asked *url.Error
		if errors.As(err, &asked) {
			err = asked.Err // the outer one quotes the address
		}
		return fmt.Errorf("%s can't be reached: %w", req.URL.Host, err)
	}
	defer resp.Body.Close()
	defer time.AfterFunc(drainTime, cancel).Stop()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))                       // so that the connection can be used again
	status := fmt.Sprint(resp.StatusCode, " ", http.StatusText(resp.StatusCode)) // in our words: the server's may quote the path
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode <= 299:
		return nil
	case resp.StatusCode >= 300 && resp.StatusCode <= 399:
		return remedy.New("set the address that it leads to", "%s answers %s, and redirects are not followed", req.URL.Host, status)
	}
	err = fmt.Errorf("%s answers %s", req.URL.Host, status)
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return aboutEvent{err}
	}
	return err
}

// hidden are networks that aren't of the internet, beside those that netip knows:
// https://www.iana.org/assignments/iana-ipv4-special-registry and the one for IPv6.
var hidden = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),    // carriers
	netip.MustParsePrefix("168.63.129.16/32"), // Azure's platform itself
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), // these and the next lead to addresses of IPv4
	netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("fec0::/10"),
}

// isPublic reports whether an address is one of the internet.
func isPublic(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && ip.Zone() == "" &&
		!slices.ContainsFunc(hidden, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// publicOnly lets a connection be made to addresses of the internet alone. It sees the
// address that is really dialled, whatever a name stood for before.
func publicOnly(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !isPublic(to.Addr()) {
		return remedy.New("if it is meant to, set EVENTS_WEBHOOK_PRIVATE to true", "its name leads to %s, which is no address of the internet", to.Addr())
	}
	return nil
}
