package proxy

import "runtime/debug"

const (
	// garbage is how much of it may pile up before it is collected, in percent of what is in use. A request's is large and
	// short-lived, and what stays is little: with Go's own 100 the collector ran a hundred times a second under load, which cost
	// a fifth of the processor time of a request as Claude Code's.
	garbage = 200
	// memoryShare is the part of the machine's memory, in percent, beyond which it is collected more often instead.
	memoryShare = 70
)

// TuneGarbage fits the garbage collector of this process to requests, but for what GOGC and GOMEMLIMIT say.
func TuneGarbage(env func(name string) (string, bool)) {
	if _, set := env("GOGC"); !set {
		debug.SetGCPercent(garbage)
	}
	if _, set := env("GOMEMLIMIT"); !set {
		debug.SetMemoryLimit(machineMemory() / 100 * memoryShare)
	}
}
