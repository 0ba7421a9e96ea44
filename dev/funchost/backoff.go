package funchost

import (
	"math"
	"math/rand/v2"
	"time"
)

// minPollingInterval is the shortest pause between two looks at an empty queue.
const minPollingInterval = 100 * time.Millisecond

// backoff is the randomised exponential pause of a listener that finds nothing
// (RandomizedExponentialBackoffStrategy.cs): from 100 ms, doubling, ±20 %, to most.
type backoff struct {
	most     time.Duration
	exponent int
	current  time.Duration
	random   func() float64 // in [0, 1)
}

func newBackoff(most time.Duration) *backoff { return &backoff{most: most, random: rand.Float64} }

// next is the pause before the next look. found says whether anything was found
// since the last pause; then it's the shortest, and grows anew.
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
