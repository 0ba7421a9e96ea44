package archive

import "io"

const (
	headSize  = 64 << 10
	readAhead = 64 << 10
)

// remote reads a blob at any offset with few requests: it keeps every chunk that it
// has, and fetches ahead.
type remote struct {
	size   int64
	fetch  func(offset, count int64) ([]byte, error)
	chunks []chunk
}

type chunk struct {
	offset int64
	data   []byte
}

func (c chunk) end() int64 { return c.offset + int64(len(c.data)) }

// add keeps data. It is joined to a chunk that it continues.
func (r *remote) add(offset int64, data []byte) {
	for i := range r.chunks {
		if r.chunks[i].end() == offset {
			r.chunks[i].data = append(r.chunks[i].data, data...)
			return
		}
	}
	r.chunks = append(r.chunks, chunk{offset, data})
}

// prefetch gets all from offset to the end that isn't there yet.
func (r *remote) prefetch(offset int64) error {
	if offset >= r.size || r.held(offset, r.size-offset) != nil {
		return nil
	}
	return r.get(offset, r.size-offset)
}

func (r *remote) held(offset, count int64) []byte {
	for _, c := range r.chunks {
		if c.offset <= offset && offset+count <= c.end() {
			return c.data[offset-c.offset : offset-c.offset+count]
		}
	}
	return nil
}

func (r *remote) get(offset, count int64) error {
	data, err := r.fetch(offset, count)
	if err != nil {
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
