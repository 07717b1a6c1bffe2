package proxy

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// garbage is how much of it may pile up before it is collected, in percent of what is in use.
	garbage = 100
	// leastGarbage is how much may in any case, in bytes. A request's is large and short-lived, and what stays is little, so that
	// percents of it alone would have the collector run a hundred times a second under load.
	leastGarbage = 40 << 20
	// firstPercent is the same before anything was collected: of 4 MB then, by the runtime's word.
	firstPercent = leastGarbage * 100 / (4 << 20)
	// memoryShare is the part of the machine's memory, in percent, beyond which it is collected more often instead.
	memoryShare = 70
)

// TuneGarbage fits the garbage collector of this process to requests, but for what GOGC and GOMEMLIMIT say.
func TuneGarbage(env func(name string) (string, bool)) {
	if _, set := env("GOGC"); !set {
		debug.SetGCPercent(firstPercent)
		p := &pacer{percent: firstPercent, samples: []metrics.Sample{
			{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"},
		}}
		p.await()
	}
	if _, set := env("GOMEMLIMIT"); !set {
		debug.SetMemoryLimit(machineMemory() / 100 * memoryShare)
	}
}

// pacer sets, after each collection, how much garbage may pile up until the next one: the runtime takes percents alone.
type pacer struct {
	percent int
	samples []metrics.Sample // what percents are of
}

// cycle is garbage by itself: its end is that of a collection.
type cycle struct{ _ *pacer }

func (p *pacer) await() { runtime.AddCleanup(&cycle{}, (*pacer).collected, p) }

// collected is called after each collection, one after the other.
func (p *pacer) collected() {
	metrics.Read(p.samples)
	used := uint64(1)
	for i := range p.samples {
		used += p.samples[i].Value.Uint64()
	}
	percent := percentOf(used)
	if percent < p.percent*9/10 || percent > p.percent*11/10 { // each change stops all that runs for a moment
		debug.SetGCPercent(percent)
		p.percent = percent
	}
	p.await()
}

// percentOf is how much garbage may pile up beside so many bytes in use. More than in the beginning are never right: the runtime
// lets pile up as much of its 4 MB in any case, however little is in use.
func percentOf(used uint64) int { return min(max(garbage, int(leastGarbage*100/used)), firstPercent) }
