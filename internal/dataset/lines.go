package dataset

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
)

// maxLine is far above what an image with 300 regions, or the performance of 500 tags,
// takes.
const maxLine = 8 << 20

// Write writes a line. Its data is written in one line, without its links.
func Write(w io.Writer, l Line) error {
	var err error
	if l.Kind != KindSnapshot {
		if l.Data, err = withoutLinks(l.Data); err != nil {
			return fmt.Errorf("a line of kind %s: %w", l.Kind, err)
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(l); err != nil {
		return err
	}
	if b.Len() > maxLine {
		return fmt.Errorf("a line of kind %s has %d bytes, more than %d", l.Kind, b.Len(), maxLine)
	}
	_, err = w.Write(b.Bytes())
	return err
}

// Read gives a snapshot's lines one by one, so that memory stays flat. An error is the
// last thing that it gives: a line that isn't whole, or a layout that this program
// doesn't know.
func Read(r io.Reader) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		lines := bufio.NewReaderSize(r, 64<<10)
		for n := 1; ; n++ {
			text, err := readLine(lines)
			if err == io.EOF && len(text) == 0 {
				if n == 1 {
					yield(Line{}, fmt.Errorf("the snapshot is empty: %w", io.ErrUnexpectedEOF))
				}
				return
			}
			var l Line
			switch {
			case err == io.EOF:
				err = io.ErrUnexpectedEOF
			case err == nil:
				err = json.Unmarshal(text, &l)
			}
			if err == nil && n == 1 {
				err = known(l)
			}
			if err != nil {
				yield(Line{}, fmt.Errorf("line %d of the snapshot: %w", n, err))
				return
			}
			if !yield(l, nil) {
				return
			}
		}
	}
}

// known is nil if a snapshot's first line says that this program can read it.
func known(l Line) error {
	h, err := l.Header()
	switch {
	case err != nil:
		return err
	case l.Kind != KindSnapshot:
		return fmt.Errorf("a snapshot begins with a line of kind %s, not %q", KindSnapshot, l.Kind)
	case h.Layout > Layout:
		return fmt.Errorf("it is of layout %d, this program knows up to %d: use a newer one", h.Layout, Layout)
	}
	return nil
}

// readLine reads up to a line feed. Text with io.EOF is a line that broke off.
func readLine(r *bufio.Reader) ([]byte, error) {
	var text []byte
	for {
		part, err := r.ReadSlice('\n')
		if text = append(text, part...); err != bufio.ErrBufferFull {
			return text, err
		}
		if len(text) > maxLine {
			return nil, fmt.Errorf("it has more than %d bytes", maxLine)
		}
	}
}

// withoutLinks is a JSON value without the members that hold links, which may be
// secrets and die within a day. Everything else stays as it is written, but for white
// space. An image's metadata is the user's own and stays whole.
func withoutLinks(data json.RawMessage) (json.RawMessage, error) {
	var compact, out bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		return nil, err
	}
	if err := copyValue(&out, compact.Bytes()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func copyValue(out *bytes.Buffer, data []byte) error {
	switch data[0] {
	case '[':
		var items []json.RawMessage
		if err := json.Unmarshal(data, &items); err != nil {
			return err
		}
		out.WriteByte('[')
		for n, item := range items {
			if n > 0 {
				out.WriteByte(',')
			}
			if err := copyValue(out, item); err != nil {
				return err
			}
		}
		out.WriteByte(']')
	case '{':
		return copyObject(out, data)
	default:
		out.Write(data)
	}
	return nil
}

// copyObject copies an object's members in their order.
func copyObject(out *bytes.Buffer, data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return err
	}
	out.WriteByte('{')
	for first := true; d.More(); {
		start := d.InputOffset()
		token, err := d.Token()
		if err != nil {
			return err
		}
		key, name := bytes.TrimPrefix(data[start:d.InputOffset()], []byte(",")), token.(string)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if isLink(name) {
			continue
		}
		if !first {
			out.WriteByte(',')
		}
		first = false
		out.Write(key)
		out.WriteByte(':')
		if strings.EqualFold(name, "metadata") {
			out.Write(value)
			continue
		}
		if err := copyValue(out, value); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}

// isLink reports whether a member of that name holds a link.
func isLink(name string) bool {
	lower := strings.ToLower(name)
	return strings.HasSuffix(lower, "uri") || strings.HasSuffix(lower, "url")
}
