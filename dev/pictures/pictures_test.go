package pictures

import (
	"bytes"
	"image"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestASeedMakesTheSameSet(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{Multiclass, Multilabel, Detection} {
		one := New(7, kind, 40)
		assert.Equal(t, one, New(7, kind, 40))
		assert.NotEqual(t, one, New(8, kind, 40))
		turns := map[int]bool{}
		for _, i := range one.Images {
			turns[i.Orientation] = true
			if i.Extension == ".bmp" { // Go reads none
				continue
			}
			c, format, err := image.DecodeConfig(bytes.NewReader(i.Bytes))
			require.NoError(t, err)
			assert.Equal(t, map[string]string{"jpeg": ".jpg", "png": ".png", "gif": ".gif"}[format], i.Extension)
			assert.Equal(t, []int{i.Width, i.Height}, []int{c.Width, c.Height})
		}
		assert.Len(t, turns, 9)
	}
}
