package funchost

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestBackoffDoublesUpToTheMost(t *testing.T) {
	t.Parallel()
	b := newBackoff(time.Second)
	b.random = func() float64 { return 0.5 }
	next := func(n int) (list []time.Duration) {
		for range n {
			list = append(list, b.next(false).Round(time.Millisecond))
		}
		return list
	}
	const ms = time.Millisecond

	assert.Equal(t, []time.Duration{100 * ms, 200 * ms, 300 * ms, 500 * ms, 900 * ms, time.Second, time.Second}, next(7))
	assert.Equal(t, 100*ms, b.next(true))
	assert.Equal(t, []time.Duration{200 * ms, 300 * ms}, next(2))
}

func TestBackoffStaysBetween100msAndTheMost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		most := time.Duration(rapid.Int64Range(int64(minPollingInterval), int64(time.Hour)).Draw(t, "most"))
		b := newBackoff(most)
		for _, found := range rapid.SliceOfN(rapid.Bool(), 1, 50).Draw(t, "found") {
			pause := b.next(found)
			if pause < minPollingInterval || pause > most {
				t.Fatalf("%s is not between %s and %s", pause, minPollingInterval, most)
			}
		}
	})
}
