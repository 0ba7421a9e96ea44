package archive

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
)

// Fetch reads a small source whole, at most so many bytes. What it returns came whole,
// and has the MD5 that the source says; where it says none, it came twice and was the
// same. The error is ErrChanged where the bytes differ from one time to the next, and
// else as Identify's. (Get Blob)
func (a *Archive) Fetch(ctx context.Context, s Source, most int64) ([]byte, error) {
	var before []byte
	var last error
	for range readAttempts {
		data, sum, err := a.fetchOnce(ctx, s, most)
		switch {
		case ctx.Err() != nil:
			return nil, errors.Join(err, ctx.Err())
		case err != nil && !errors.Is(err, errBrokenOff):
			return nil, err
		case err != nil:
			last = err
			continue
		}
		if own := md5.Sum(data); len(sum) > 0 && bytes.Equal(own[:], sum) || len(sum) == 0 && before != nil && bytes.Equal(before, data) {
			return data, nil
		}
		if before != nil || len(sum) > 0 {
			last = fmt.Errorf("read %s: %w: two reads gave different bytes, or others than its MD5 says", s.Name, ErrChanged)
		}
		before = data
	}
	return nil, last
}

// errBrokenOff says that an answer didn't come whole.
var errBrokenOff = errors.New("it broke off")

// fetchOnce reads a source once, and the MD5 that it says.
func (a *Archive) fetchOnce(ctx context.Context, s Source, most int64) (data, sum []byte, err error) {
	size, body := int64(-1), io.ReadCloser(nil)
	if s.Open != nil {
		if body, err = s.Open(ctx); err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", s.Name, err)
		}
	} else {
		got, err := a.get(ctx, s, 0, 0, "")
		if err != nil {
			return nil, nil, err
		}
		size, sum, body = got.size, got.md5, got.body
	}
	defer body.Close()
	if size > most {
		return nil, nil, fmt.Errorf("%s has %d bytes: %w (%d)", s.Name, size, ErrTooLarge, most)
	}
	data, err = io.ReadAll(io.LimitReader(body, most+1))
	switch {
	case int64(len(data)) > most:
		return nil, nil, fmt.Errorf("%s has at least %d bytes: %w (%d)", s.Name, len(data), ErrTooLarge, most)
	case err != nil || size >= 0 && int64(len(data)) != size:
		return nil, nil, fmt.Errorf("read %s: %w after %d of %d bytes: %w", s.Name, errBrokenOff, len(data), size, errors.Join(err, io.ErrUnexpectedEOF))
	}
	return data, sum, nil
}

// Length is how many bytes a source has. (Get Blob of one byte)
func (a *Archive) Length(ctx context.Context, s Source) (int64, error) {
	if s.Open != nil {
		body, err := s.Open(ctx)
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", s.Name, err)
		}
		defer body.Close()
		return io.Copy(io.Discard, body)
	}
	got, err := a.get(ctx, s, 0, 1, "")
	if err != nil {
		return 0, err
	}
	defer got.body.Close()
	return got.size, nil
}
