package proxy

import (
	"os"
	"runtime"
	"testing"
	"time"
)

// resources are what a server must give back when it has ended.
type resources struct {
	goroutines, descriptors int
	heap                    uint64 // bytes
}

func measure(t *testing.T) resources {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc on this system")
	}
	runtime.GC()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return resources{runtime.NumGoroutine(), len(open), mem.HeapAlloc}
}

// forGood is how many goroutines the first server of a process starts for all that follow: fasthttp's clock.
const forGood = 1

// heapSlack is what the caches of a process may keep for good: pools of buffers, and what tests note.
const heapSlack = 48 << 20

// givesBack fails the test if its goroutines, descriptors or memory have not returned to what they were at this call once all
// that it started has ended. It is called first, so that it looks last; not for tests that run beside others.
func givesBack(t *testing.T) {
	t.Helper()
	before := measure(t)
	t.Cleanup(func() {
		var now resources
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			now = measure(t)
			if now.goroutines <= before.goroutines+forGood && now.descriptors <= before.descriptors && now.heap <= before.heap+heapSlack {
				return
			}
			if time.Now().After(deadline) {
				break
			}
		}
		stacks := make([]byte, 64<<10)
		t.Errorf("before %+v, after %+v\n%s", before, now, stacks[:runtime.Stack(stacks, true)])
	})
}
