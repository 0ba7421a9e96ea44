package emulator

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"syscall"
	"time"
)

// part is one member of a multipart body, or the whole of an octet-stream body.
type part struct {
	name    string // its file name, if it has one
	content []byte
}

// parts reads the pictures of a body. In multipart/form-data they are the members
// called field, with or without a file name. Any other body is one picture.
func (c *call) parts(field string) ([]part, error) {
	kind, parameters, err := mime.ParseMediaType(c.header.Get("Content-Type"))
	if err != nil || (kind != "multipart/form-data" && kind != "application/octet-stream") {
		return nil, &refusal{http.StatusUnsupportedMediaType, "UnsupportedMediaType", "Send multipart/form-data or application/octet-stream"}
	}
	if kind == "application/octet-stream" {
		if len(c.body) == 0 {
			return nil, nil
		}
		return []part{{"", c.body}}, nil
	}
	var list []part
	reader := multipart.NewReader(bytes.NewReader(c.body), parameters["boundary"])
	for {
		p, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		var content []byte
		if err == nil {
			content, err = io.ReadAll(p)
		}
		if err != nil {
			return nil, badRequest("BadRequestImageStream", "The multipart body is not valid")
		}
		if p.FormName() == field {
			list = append(list, part{p.FileName(), content})
		}
	}
}

// loopback is a client that connects to this machine only, so that a URL from a
// caller can't make the emulator reach another host. It checks the resolved
// address, also after a redirect.
var loopback = &http.Client{
	Timeout:   10 * time.Second,
	Transport: &http.Transport{DialContext: (&net.Dialer{Control: loopbackOnly}).DialContext},
}

func loopbackOnly(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return errors.New("the emulator fetches from loopback addresses only")
	}
	return nil
}

// fetch reads a URL on this machine. limit is in bytes.
func (s *Server) fetch(uri string, limit int64) ([]byte, error) {
	r, err := http.NewRequestWithContext(s.ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "emulator fetch")
	response, err := loopback.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, errors.New("it answered " + response.Status)
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = errors.New("it is too large")
	}
	return content, err
}
