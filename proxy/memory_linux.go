package proxy

import "syscall"

// totalMemory asks the kernel: what it shows in /proc is not there for a service in its sandbox.
func totalMemory() int64 {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return unknownMemory
	}
	return int64(uint64(info.Totalram) * uint64(info.Unit))
}
