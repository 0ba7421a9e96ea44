package formats

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"visionkeeper/internal/remedy"
)

// The parts of a data set.
const (
	train = "train"
	val   = "val"
	test  = "test"
)

// Split shares the pictures out, in percent. The zero value puts all into train. A
// picture's bytes and the seed alone decide its part: it stays there when pictures are
// added, and two pictures with the same bytes are in one part.
type Split struct {
	Train int    `json:"train"`
	Val   int    `json:"val"`
	Test  int    `json:"test"`
	Seed  uint64 `json:"seed"`
}

// ParseSplit reads 80/10/10 or 80/20. Empty is the zero value.
func ParseSplit(s string, seed uint64) (Split, error) {
	if s == "" {
		return Split{}, nil
	}
	fields := strings.Split(s, "/")
	shares, sum := [3]int{}, 0
	bad := len(fields) < 2 || len(fields) > 3
	for i := range min(len(fields), 3) {
		n, err := strconv.Atoi(fields[i])
		bad = bad || err != nil || n < 1 || n > 99
		shares[i], sum = n, sum+n
	}
	if bad || sum != 100 {
		return Split{}, remedy.New("write it as in --split 80/10/10 or --split 80/20", "the split %q is not two or three shares, in whole percent, that make 100 together", s)
	}
	return Split{Train: shares[0], Val: shares[1], Test: shares[2], Seed: seed}, nil
}

// parts are the parts that there are.
func (s Split) parts() []string {
	switch {
	case s.Train == 0:
		return []string{train}
	case s.Test == 0:
		return []string{train, val}
	}
	return []string{train, val, test}
}

// part is where the picture with these bytes belongs.
func (s Split) part(hash string) string {
	if s.Train == 0 {
		return train
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d:%s", s.Seed, hash))
	at, _ := bits.Mul64(binary.BigEndian.Uint64(sum[:8]), 100) // 0 to 99
	switch {
	case int(at) < s.Train:
		return train
	case int(at) < s.Train+s.Val:
		return val
	}
	return test
}
