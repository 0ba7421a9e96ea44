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

// found starts again from the shortest pause.
func (b *backoff) found() { b.exponent, b.current = 1, minPollingInterval }

// next is the pause after nothing was found.
func (b *backoff) next() time.Duration {
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
