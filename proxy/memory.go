package proxy

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sync/semaphore"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/front"
)

// What a request's body takes in memory is its own bytes, what becomes of them, and the copy that goes to Gemini: about three
// times its size, until the answer is whole. So all bodies together may have an eighth of the machine's memory; where that is
// little, two of the largest must still fit.
const (
	bodyShare     = 8       // the part of the memory that bodies may have
	unknownMemory = 1 << 30 // bytes, where the machine does not say
)

// bodies bounds the bytes of all bodies that are held at once. Who comes first is served first.
type bodies struct {
	total int64
	free  *semaphore.Weighted
}

func newBodies(memory, maxBody int64) *bodies {
	total := max(memory/bodyShare, 2*maxBody)
	return &bodies{total: total, free: semaphore.NewWeighted(total)}
}

// take waits for n bytes, up to QUEUE_TIMEOUT or until ctx ends. After nil they must be given back.
func (b *bodies) take(ctx context.Context, n int64, cfg *config.Config) *front.Error {
	ctx, cancel := context.WithTimeout(ctx, cfg.QueueTimeout)
	defer cancel()
	if b.free.Acquire(ctx, min(n, b.total)) != nil {
		return b.full()
	}
	return nil
}

func (b *bodies) full() *front.Error {
	return &front.Error{Kind: front.Overloaded, RetryAfter: crowdedRetry,
		Message: fmt.Sprintf("the requests that the adapter is busy with fill the %d MB that it has for their bodies\n"+
			"hint: ask again in a moment; a server with more memory takes more at once", b.total>>20)}
}

// tryTake takes n bytes if they are free.
func (b *bodies) tryTake(n int64) bool { return b.free.TryAcquire(min(n, b.total)) }

func (b *bodies) giveBack(n int64) { b.free.Release(min(n, b.total)) }

// held is the memory of one request's body.
type held struct {
	b *bodies
	n int64
}

// grow makes it n bytes at least, if they are free. Nobody waits here: all would hold what the others wait for.
func (h *held) grow(n int64) bool {
	n = min(n, h.b.total)
	if n <= h.n {
		return true
	}
	if !h.b.tryTake(n - h.n) {
		return false
	}
	h.n = n
	return true
}

// shrink makes it n bytes at most.
func (h *held) shrink(n int64) {
	if n < h.n {
		h.b.giveBack(h.n - n)
		h.n = n
	}
}

// machineMemory is how many bytes of memory this process may have.
func machineMemory() int64 {
	memory := totalMemory()
	text, err := os.ReadFile("/sys/fs/cgroup/memory.max") // a container's own
	if err == nil {
		if limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && limit > 0 {
			memory = min(memory, limit)
		}
	}
	return memory
}
