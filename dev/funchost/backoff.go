package funchost

import (
	"math"
	"math/rand/v2"
	"time"
)

// minPollingInterval is the shortest pause between two polls of an empty queue.
const minPollingInterval = 100 * time.Millisecond

// backoff is the pause of a listener that finds nothing
// (RandomizedExponentialBackoffStrategy.cs). It starts at 100 ms and doubles up
// to most, each time with a random ±20 %.
type backoff struct {
	most     time.Duration
	exponent int
	current  time.Duration
	random   func() float64 // in [0, 1)
}

func newBackoff(most time.Duration) *backoff { return &backoff{most: most, random: rand.Float64} }

// next returns the pause before the next poll. If the last poll found anything,
// the pause starts again at the shortest.
func (b *backoff) next(found bool) time.Duration {
	if found {
		b.exponent, b.current = 1, minPollingInterval
		return b.current
	}
	if b.current == b.most {
		return b.current
	}
	pause := minPollingInterval
	if b.exponent > 0 {
		factor := 0.8 + 0.4*b.random()
		pause += time.Duration(factor * math.Pow(2, float64(b.exponent-1)) * float64(minPollingInterval))
	}
	if pause < b.most {
		b.current = pause
		b.exponent++
	} else {
		b.current = b.most
	}
	return b.current
}
