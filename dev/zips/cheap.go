package zips

import (
	"runtime"
	"testing"
	"time"
)

// What reading a hostile zip may cost at most: far more than it should, so that a busy
// machine passes.
const (
	mostTime   = 10 * time.Second
	mostMemory = 128 << 20 // bytes, all that is allocated, whether it is freed or not
)

// Cheap fails a test if what it does takes much time or memory. Nothing else may run
// meanwhile.
func Cheap(t testing.TB, do func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	do()
	took := time.Since(begin)
	runtime.ReadMemStats(&after)
	if took > mostTime {
		t.Errorf("it took %s", took)
	}
	if bytes := after.TotalAlloc - before.TotalAlloc; bytes > mostMemory {
		t.Errorf("it took %d bytes of memory", bytes)
	}
}
