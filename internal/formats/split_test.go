package formats

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestASplitIsByItsShares(t *testing.T) {
	t.Parallel()
	s, err := ParseSplit("70/20/10", 3)
	require.NoError(t, err)
	counts, moved := map[string]int{}, 0
	other := s
	other.Seed = 4
	const n = 20_000
	for i := range n {
		hash := fmt.Sprintf("%064x", i)
		counts[s.part(hash)]++
		if s.part(hash) != other.part(hash) {
			moved++
		}
	}
	assert.InDelta(t, 0.7, float64(counts[train])/n, 0.01)
	assert.InDelta(t, 0.2, float64(counts[val])/n, 0.01)
	assert.InDelta(t, 0.1, float64(counts[test])/n, 0.01)
	assert.InDelta(t, 1-0.49-0.04-0.01, float64(moved)/n, 0.02, "another seed is another split")
	assert.Equal(t, "train", Split{}.part("x"))
}

// TestASplitStays holds what a seed means: data sets that people have trained with can be
// made again by later versions.
func TestASplitStays(t *testing.T) {
	t.Parallel()
	s := Split{Train: 60, Val: 20, Test: 20, Seed: 7}
	var got string
	for i := range 40 {
		got += s.part(fmt.Sprintf("%064x", i))[:2]
	}
	assert.Equal(t, "vatetetrtevavatetetrtrtrtrtevavatrtetevatrtetetetrvatetrtrvatrvavatrtrtetetrtrtr", got)
}

func TestSharesMakeAHundred(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"80", "80/10", "80/30", "0/100", "100/0", "50/50/0", "25/25/25/25", "a/b", "80.5/19.5", "-10/110", "80/10/10/"} {
		_, err := ParseSplit(bad, 0)
		assert.Error(t, err, bad)
	}
	s, err := ParseSplit("80/20", 1)
	require.NoError(t, err)
	assert.Equal(t, Split{Train: 80, Val: 20, Seed: 1}, s)
	assert.Equal(t, []string{"train", "val"}, s.parts())
}
