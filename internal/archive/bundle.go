package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// A SavedModel's variables are a tensor bundle: files of bytes, and an index that says
// which tensor lies where. The index is a table in the format of LevelDB.
// https://github.com/google/leveldb/blob/main/doc/table_format.md
// https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/protobuf/tensor_bundle.proto

const (
	tableFooter = 48
	tableMagic  = 0xdb4775248b80fb57
	blockEnd    = 5 // after a block: how it is packed, and a checksum
)

// errNoIndex says that bytes aren't the index of a tensor bundle.
var errNoIndex = errors.New("it is no index of variables")

// bundleSizes are how many bytes an index says that each of its files has at least, by
// the file's number.
func bundleSizes(index []byte) (map[uint64]uint64, error) {
	if len(index) < tableFooter || binary.LittleEndian.Uint64(index[len(index)-8:]) != tableMagic {
		return nil, errNoIndex
	}
	footer := reader{index[len(index)-tableFooter : len(index)-8]}
	footer.handle() // of what says more of the table
	blocks, err := block(index, footer.handle())
	if err != nil {
		return nil, err
	}
	sizes, items := map[uint64]uint64{}, 0
	err = eachEntry(blocks, func(_, value []byte) error {
		entries, err := block(index, (&reader{value}).handle())
		if err != nil {
			return err
		}
		return eachEntry(entries, func(key, value []byte) error {
			if items++; items > maxPartsItems {
				return fmt.Errorf("%w: the index of its variables lists more than %d", errUnsure, maxPartsItems)
			}
			if len(key) == 0 { // the header
				return nil
			}
			shard, end, err := tensor(value)
			sizes[shard] = max(sizes[shard], end)
			return err
		})
	})
	return sizes, err
}

// tensor is in which file a tensor lies, and where it ends there.
func tensor(entry []byte) (shard, end uint64, err error) {
	const varint, eight, text, four = 0, 1, 2, 5
	var fields [8]uint64
	for r := (reader{entry}); len(r.left) > 0; {
		tag := r.uvarint()
		switch tag & 7 {
		case varint:
			if value := r.uvarint(); tag>>3 < uint64(len(fields)) {
				fields[tag>>3] = value
			}
		case eight:
			r.take(8)
		case text:
			r.take(r.uvarint())
		case four:
			r.take(4)
		default:
			return 0, 0, errNoIndex
		}
		if r.left == nil {
			return 0, 0, errNoIndex
		}
	}
	offset, size := fields[4], fields[5]
	if offset > math.MaxInt64 || size > math.MaxInt64 {
		return 0, 0, errNoIndex
	}
	return fields[3], offset + size, nil
}

// handle says where in a table a block lies.
type handle struct{ offset, size uint64 }

// block is the content of a table's block.
func block(table []byte, h handle) ([]byte, error) {
	all := uint64(len(table))
	if h.offset > all || h.size > all || h.offset+h.size+blockEnd > all {
		return nil, errNoIndex
	}
	content := table[h.offset : h.offset+h.size]
	if table[h.offset+h.size] != 0 { // the writer doesn't pack any
		return nil, fmt.Errorf("%w: the index of its variables is packed", errUnsure)
	}
	return content, nil
}

// eachEntry goes through a block's entries. Each has what its key has in common with the
// key before left out.
func eachEntry(block []byte, do func(key, value []byte) error) error {
	if len(block) < 4 {
		return errNoIndex
	}
	restarts := uint64(binary.LittleEndian.Uint32(block[len(block)-4:]))
	if 4*restarts+4 > uint64(len(block)) {
		return errNoIndex
	}
	r := reader{block[:uint64(len(block))-4*restarts-4]}
	var key []byte
	for len(r.left) > 0 {
		shared, more, size := r.uvarint(), r.uvarint(), r.uvarint()
		if r.left == nil || shared > uint64(len(key)) {
			return errNoIndex
		}
		key = append(slices.Clone(key[:shared]), r.take(more)...)
		value := r.take(size)
		if r.left == nil {
			return errNoIndex
		}
		if err := do(key, value); err != nil {
			return err
		}
	}
	return nil
}

// reader takes from the front of what is left, which is nil once that has failed.
type reader struct{ left []byte }

func (r *reader) uvarint() uint64 {
	value, n := binary.Uvarint(r.left)
	if n <= 0 {
		r.left = nil
		return 0
	}
	r.left = r.left[n:]
	return value
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.left)) {
		r.left = nil
		return nil
	}
	taken := r.left[:n]
	r.left = r.left[n:]
	return taken
}

func (r *reader) handle() handle { return handle{r.uvarint(), r.uvarint()} }
