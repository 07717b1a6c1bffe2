package converge

import (
	"math"
	"strconv"
	"strings"
)

// Hardware is what a deploy knows of the machine itself.
type Hardware struct {
	Container  bool
	Memory     int64   // bytes
	Swap       bool    // there is some, at work or in fstab
	Cores      float64 // that its control group may use; 0 where it sets no limit
	DiskTotal  int64   // bytes of /
	DiskFree   int64   // bytes that root may write to /
	VarFree    int64   // bytes that root may write to /var, which is often the same
	Inodes     Inodes  // of /
	VarInodes  Inodes  // of /var
	FileSystem string  // of /
	OpenFiles  int     // how many files a service may open at most; 0 where the kernel does not say
}

// Inodes are how many files and folders a file system has room for; both 0 where it has no such limit.
type Inodes struct{ Total, Free int64 }

func collectHardware(s *reader) (Hardware, error) {
	var h Hardware
	texts := map[string]string{}
	for _, path := range []string{"/proc/meminfo", "/proc/swaps", "/etc/fstab", "/proc/1/limits", "/run/systemd/container", "/proc/mounts", cgroupCPU} {
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
	h.Cores = coresOf(texts[cgroupCPU])
	root, err := diskOf(s.root)
	if err != nil {
		return h, err
	}
	data, err := diskOf(s.at("/var"))
	h.DiskTotal, h.DiskFree, h.Inodes = root.total, root.free, root.inodes
	h.VarFree, h.VarInodes = data.free, data.inodes
	return h, err
}

// disk is a file system.
type disk struct {
	total, free int64 // bytes; free for root
	inodes      Inodes
}

// cgroupCPU is how much of the processors a container may use.
const cgroupCPU = "/sys/fs/cgroup/cpu.max"

// coresOf reads "50000 100000": microseconds of each so many. "max" is no limit.
func coresOf(text string) float64 {
	w := strings.Fields(text)
	if len(w) != 2 {
		return 0
	}
	quota, err := strconv.ParseFloat(w[0], 64)
	period, periodErr := strconv.ParseFloat(w[1], 64)
	if err != nil || periodErr != nil || period <= 0 {
		return 0
	}
	return quota / period
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
