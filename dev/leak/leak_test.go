package leak

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// These count all goroutines of the process, so they don't run in parallel.

func TestAGoroutineThatStaysIsFound(t *testing.T) {
	before := goroutines()
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() { <-stop; close(ended) }()
	left := beyond(before, goroutines())
	if assert.Len(t, left, 1) {
		assert.Contains(t, left[0], "TestAGoroutineThatStaysIsFound")
	}
	close(stop)
	<-ended
}

func TestWhatEndsByItselfIsWaitedFor(t *testing.T) {
	code := Run(func() int {
		go func() { <-time.After(50 * time.Millisecond) }()
		return 0
	})
	assert.Zero(t, code)
}

func TestAFailureStaysOne(t *testing.T) {
	assert.Equal(t, 2, Run(func() int { return 2 }))
}
