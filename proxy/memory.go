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
// little, two of the largest must still fit. A fifth of it is for small bodies alone, so that a few large ones do not hold them up;
// they may take of the rest, but nobody who waits for that is passed by.
const (
	bodyShare     = 8       // the part of the memory that bodies may have
	smallShare    = 5       // the part of that which is for small ones alone
	mostSmall     = 1 << 20 // bytes of a small one at most
	unknownMemory = 1 << 30 // bytes, where the machine does not say
)

// bodies bounds the bytes of all bodies that are held at once.
type bodies struct {
	small, any share
	smallest   int64 // bytes; a body that has no more is small
}

// share is a part of that memory. Who comes first is served first.
type share struct {
	size int64 // bytes
	free *semaphore.Weighted
}

func newShare(size int64) share { return share{size, semaphore.NewWeighted(size)} }

// tryTake takes n bytes if they are free.
func (s *share) tryTake(n int64) bool { return s.free.TryAcquire(min(n, s.size)) }

func (s *share) giveBack(n int64) { s.free.Release(min(n, s.size)) }

func newBodies(memory, maxBody int64) *bodies {
	total := memory / bodyShare
	large := max(total-total/smallShare, 2*maxBody)
	small := large / (smallShare - 1)
	return &bodies{small: newShare(small), any: newShare(large), smallest: min(mostSmall, small/8)}
}

func (b *bodies) full() *front.Error {
	return &front.Error{Kind: front.Overloaded, RetryAfter: crowdedRetry,
		Message: fmt.Sprintf("the requests that the adapter is busy with fill the %d MB that it has for their bodies\n"+
			"hint: ask again in a moment; a server with more memory takes more at once", (b.small.size+b.any.size)>>20)}
}

// held is the memory of one request's body.
type held struct {
	b  *bodies
	of *share // nil as long as there is none
	n  int64  // bytes
}

// begin takes the first n bytes if they are free; small says that there will be no more, and no more than a small body has.
func (h *held) begin(n int64, small bool) bool {
	if h.of = &h.b.any; small {
		h.of = &h.b.small
	}
	if h.grow(n) {
		return true
	}
	if !small || !h.b.any.tryTake(n) {
		return false
	}
	h.of, h.n = &h.b.any, n
	return true
}

// wait waits for n bytes after begin found none, up to QUEUE_TIMEOUT or until ctx ends.
func (h *held) wait(ctx context.Context, n int64, cfg *config.Config) *front.Error {
	ctx, cancel := context.WithTimeout(ctx, cfg.QueueTimeout)
	defer cancel()
	if n = min(n, h.of.size); h.of.free.Acquire(ctx, n) != nil {
		return h.b.full()
	}
	h.n = n
	return nil
}

// grow makes it n bytes at least, if they are free. Nobody waits here: all would hold what the others wait for.
func (h *held) grow(n int64) bool {
	n = min(n, h.of.size)
	if n <= h.n {
		return true
	}
	if !h.of.tryTake(n - h.n) {
		return false
	}
	h.n = n
	return true
}

// shrink makes it n bytes at most.
func (h *held) shrink(n int64) {
	if n < h.n {
		h.of.giveBack(h.n - n)
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
