package state

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestALastWriteHasTheTimeThatIsLeftAndTenSecondsMore(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		after time.Duration // the last write begins
		left  time.Duration
	}{
		"before the end": {time.Minute, 70 * time.Second},
		"after the end":  {3 * time.Minute, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				time.Sleep(test.after)
				began := time.Now()
				last, end := LastWrite(ctx)
				defer end()
				<-last.Done()
				assert.Equal(t, test.left, time.Since(began))
			})
		})
	}
}
