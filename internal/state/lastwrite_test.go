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
		left time.Duration // of the invocation's time, when the last write begins
		most time.Duration
	}{
		"before the end": {time.Minute, 70 * time.Second},
		"after the end":  {-time.Minute, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.left)
				defer cancel()
				began := time.Now()
				last, end := LastWrite(ctx)
				defer end()
				<-last.Done()
				assert.Equal(t, test.most, time.Since(began))
			})
		})
	}
}
