package page

import (
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
	"unicode"

	"github.com/rs/zerolog"

	"visionkeeper/internal/overview"
)

// download sends a package as it is read from the archive, and checks it against its
// proof on the way: if the bytes aren't those, the connection is cut, so that no browser
// takes the file for whole. Who asks for the head alone gets it without a byte being read.
func (v *visit) download(blob string) {
	status, ok := v.gather()
	if !ok {
		return
	}
	b, p, m, ok := status.Find(blob)
	if !ok {
		v.notFound("There is no such backup")
		return
	}
	header := v.w.Header()
	name := fileName(p.Name + " " + m.Name + " " + b.Key.String() + path.Ext(b.Blob))
	begin := func() {
		header.Set("Content-Type", "application/octet-stream")
		header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
		header.Set("Content-Length", fmt.Sprint(b.Size))
	}
	out := &passing{w: v.w, begin: begin}
	var err error
	if v.r.Method == http.MethodHead {
		if err = v.Gatherer.Archive.Present(v.r.Context(), b); err == nil {
			begin()
		}
	} else if _, err = v.Gatherer.Archive.Restore(v.r.Context(), b, out); err == nil {
		err = out.end()
	}
	if err == nil {
		return
	}
	zerolog.Ctx(v.r.Context()).Error().Err(err).Str("blob", blob).Msg("a download failed")
	if out.begun {
		panic(http.ErrAbortHandler)
	}
	v.problem(http.StatusServiceUnavailable, "The backup can't be read", overview.Why(err))
}

// passing passes on what is written, at once, but for the last byte: who has all bytes
// that were promised takes the file for whole, and whether it is is known only then.
type passing struct {
	w     http.ResponseWriter
	begin func()
	begun bool
	kept  []byte
}

func (p *passing) Write(data []byte) (int, error) {
	if len(data) == 0 {
		return 0, nil
	}
	last := len(data) - 1
	if err := p.pass(append(p.kept, data[:last]...)); err != nil {
		return 0, err
	}
	p.kept = []byte{data[last]}
	return len(data), nil
}

// end passes on the last byte.
func (p *passing) end() error { return p.pass(p.kept) }

func (p *passing) pass(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	if !p.begun {
		p.begun = true
		p.begin()
	}
	_, err := p.w.Write(data)
	if f, ok := p.w.(http.Flusher); ok {
		f.Flush()
	}
	return err
}

// fileName is a text as any system takes it for a file's name.
func fileName(s string) string {
	return strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '.') {
			return r
		}
		return '-'
	}, s)
}
