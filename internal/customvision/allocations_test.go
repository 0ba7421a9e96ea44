//go:build !race

// The race detector makes sync.Pool forget at random, so these counts hold without it.

package customvision

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWhatReadingAnIterationAllocates(t *testing.T) {
	whole := item(lists[2].fields, "", "")
	answer := []byte("[" + strings.Repeat(whole+",", 19) + whole + "]")
	got := testing.AllocsPerRun(10, func() {
		var list []Iteration
		if err := decodeAnswer(answer, &list); err != nil || len(list) != 20 {
			t.Error(len(list), err)
		}
	})
	assert.LessOrEqual(t, got/20, 105.0)
}
