//go:build unix

package zips

import (
	"runtime"
	"syscall"
	"testing"
	"time"
)

// What reading a hostile zip may cost at most: far more than it should, so that a busy
// machine passes.
const (
	mostTime   = 10 * time.Second
	mostMemory = 128 << 20 // bytes, all that is allocated, whether it is freed or not
)

// Cheap fails a test if what it does takes much of the processor's time or of memory.
// Nothing else may run in this process meanwhile; what other processes do is of no matter.
func Cheap(t testing.TB, do func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := processorTime(t)
	do()
	took := processorTime(t) - begin
	runtime.ReadMemStats(&after)
	if took > mostTime {
		t.Errorf("it took %s", took)
	}
	if bytes := after.TotalAlloc - before.TotalAlloc; bytes > mostMemory {
		t.Errorf("it took %d bytes of memory", bytes)
	}
}

// processorTime is what this process has taken so far.
func processorTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
