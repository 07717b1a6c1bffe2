package converge

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Hardware is what a deploy knows of the machine itself.
type Hardware struct {
	Container  bool
	Memory     int64  // bytes
	Swap       bool   // there is some, at work or in fstab
	DiskFree   int64  // bytes that root may write to /
	VarFree    int64  // bytes that root may write to /var, which is often the same
	FileSystem string // of /
	OpenFiles  int    // how many files a service may open at most; 0 where the kernel does not say
}

func collectHardware(s *reader) (Hardware, error) {
	var h Hardware
	texts := map[string]string{}
	for _, path := range []string{"/proc/meminfo", "/proc/swaps", "/etc/fstab", "/proc/1/limits", "/run/systemd/container", "/proc/mounts"} {
		text, err := s.readText(path)
		if err != nil {
			return h, err
		}
		texts[path] = text
	}
	h.Container = texts["/run/systemd/container"] != ""
	h.Memory = memoryOf(texts["/proc/meminfo"])
	h.Swap = strings.Count(texts["/proc/swaps"], "\n") > 1 || fstabHasSwap(texts["/etc/fstab"])
	h.FileSystem = rootFileSystem(texts["/proc/mounts"])
	h.OpenFiles = openFiles(texts["/proc/1/limits"])
	var errs [2]error
	h.DiskFree, errs[0] = diskFree(s.root)
	h.VarFree, errs[1] = diskFree(s.at("/var"))
	return h, errors.Join(errs[:]...)
}

// memoryOf reads "MemTotal:  1000000 kB".
func memoryOf(meminfo string) int64 {
	for line := range strings.Lines(meminfo) {
		if w := strings.Fields(line); len(w) > 1 && w[0] == "MemTotal:" {
			if kb, err := strconv.ParseInt(w[1], 10, 64); err == nil {
				return kb << 10
			}
		}
	}
	return 0
}

func fstabHasSwap(fstab string) bool {
	for line := range strings.Lines(fstab) {
		if w := strings.Fields(line); len(w) > 2 && !strings.HasPrefix(w[0], "#") && w[2] == "swap" {
			return true
		}
	}
	return false
}

func rootFileSystem(mounts string) string {
	kind := ""
	for line := range strings.Lines(mounts) {
		if w := strings.Fields(line); len(w) > 2 && w[1] == "/" {
			kind = w[2]
		}
	}
	return kind
}

// openFiles finds the hard limit in /proc/PID/limits: "Max open files  1024  4096  files". The first
// process's own is the most that systemd can hand on where a container keeps it from raising limits.
func openFiles(limits string) int {
	for line := range strings.Lines(limits) {
		w := strings.Fields(strings.TrimPrefix(line, "Max open files"))
		if !strings.HasPrefix(line, "Max open files") || len(w) < 2 {
			continue
		}
		if w[1] == "unlimited" {
			return math.MaxInt32
		}
		if n, err := strconv.Atoi(w[1]); err == nil {
			return n
		}
	}
	return 0
}
