package formats

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestABoxLiesWhereItIsDisplayed goes by EXIF's own words: which side of the picture as it
// is displayed the stored first row and the stored first column are.
func TestABoxLiesWhereItIsDisplayed(t *testing.T) {
	t.Parallel()
	sides := map[string]box{
		"top": {width: 1, height: 0.25}, "bottom": {top: 0.75, width: 1, height: 0.25},
		"left": {width: 0.25, height: 1}, "right": {left: 0.75, width: 0.25, height: 1},
	}
	for orientation, is := range map[int]struct{ row, column string }{
		0: {"top", "left"}, 1: {"top", "left"}, 2: {"top", "right"}, 3: {"bottom", "right"}, 4: {"bottom", "left"},
		5: {"left", "top"}, 6: {"right", "top"}, 7: {"right", "bottom"}, 8: {"left", "bottom"},
	} {
		assert.Equal(t, sides[is.row], sides["top"].displayed(orientation), "row, %d", orientation)
		assert.Equal(t, sides[is.column], sides["left"].displayed(orientation), "column, %d", orientation)
	}
}

func TestNoBoxLeavesThePicture(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ is, want box }{
		{box{left: 0.1, top: 0.2, width: 0.3, height: 0.4}, box{left: 0.1, top: 0.2, width: 0.3, height: 0.4}},
		{box{left: -0.25, top: 0.75, width: 0.5, height: 0.5}, box{left: 0, top: 0.75, width: 0.25, height: 0.25}},
		{box{left: 2, top: -3, width: 1, height: 1}, box{left: 1, top: 0}},
	} {
		assert.Equal(t, c.want, c.is.inside())
	}
}

func TestPixelsAreCountedFromOne(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		start, length float64
		of            int
		first, last   int
	}{
		{0, 1, 10, 1, 10}, {0.5, 0.5, 10, 6, 10}, {0.1, 0.2, 10, 2, 3}, {0.32, 0.01, 10, 4, 4}, {1, 0, 10, 10, 10}, {0, 0, 10, 1, 1},
	} {
		first, last := pixels(c.start, c.length, c.of)
		assert.Equal(t, []int{c.first, c.last}, []int{first, last}, "%v", c)
	}
}
