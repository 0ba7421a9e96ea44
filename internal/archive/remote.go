package archive

import "io"

const (
	headSize  = 64 << 10
	readAhead = 64 << 10
)

// remote reads a blob in any place by few requests: it keeps every part it was
// given or fetched, and fetches ahead.
type remote struct {
	size  int64
	fetch func(offset, count int64) ([]byte, error)
	parts []part
	err   error // the first of fetch; readers of zips hide it
}

type part struct {
	offset int64
	data   []byte
}

func (p part) end() int64 { return p.offset + int64(len(p.data)) }

// add keeps data. It is joined to a part that it continues.
func (r *remote) add(offset int64, data []byte) {
	for i := range r.parts {
		if r.parts[i].end() == offset {
			r.parts[i].data = append(r.parts[i].data, data...)
			return
		}
	}
	r.parts = append(r.parts, part{offset, data})
}

// prefetch gets all from offset to the end that isn't there yet.
func (r *remote) prefetch(offset int64) error {
	if offset >= r.size || r.held(offset, r.size-offset) != nil {
		return nil
	}
	return r.get(offset, r.size-offset)
}

func (r *remote) held(offset, count int64) []byte {
	for _, p := range r.parts {
		if p.offset <= offset && offset+count <= p.end() {
			return p.data[offset-p.offset : offset-p.offset+count]
		}
	}
	return nil
}

func (r *remote) get(offset, count int64) error {
	data, err := r.fetch(offset, count)
	if err != nil {
		if r.err == nil {
			r.err = err
		}
		return err
	}
	r.add(offset, data)
	return nil
}

// ReadAt implements io.ReaderAt.
func (r *remote) ReadAt(b []byte, offset int64) (int, error) {
	if offset < 0 || offset >= r.size {
		return 0, io.EOF
	}
	count := min(int64(len(b)), r.size-offset)
	data := r.held(offset, count)
	if data == nil && count > 0 {
		if err := r.get(offset, min(max(count, readAhead), r.size-offset)); err != nil {
			return 0, err
		}
		data = r.held(offset, count)
	}
	n := copy(b, data)
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}
