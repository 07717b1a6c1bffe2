package manage

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// Room is what is left of the machine.
type Room struct {
	Disks  []DiskRoom  `json:"disks"`
	Memory *MemoryRoom `json:"memory,omitempty"` // absent where the kernel does not say
}

// DiskRoom is one file system.
type DiskRoom struct {
	Path  string `json:"path"`
	Total int64  `json:"total"` // bytes
	Free  int64  `json:"free"`  // bytes, for everybody
}

// MemoryRoom is the memory of the machine.
type MemoryRoom struct {
	Total     int64 `json:"total"`     // bytes
	Available int64 `json:"available"` // bytes, without swapping
}

const (
	fullDisk   = 90       // percent that are used
	leastFree  = 64 << 20 // bytes of memory
	maxMeminfo = 64 << 10
)

// readRoom looks at the disks of / and /var, which are often the same, and at the memory.
func readRoom() Room {
	r := Room{Disks: []DiskRoom{}}
	for _, path := range []string{"/", "/var"} {
		total, free, known := fileSystem(path)
		if known && (len(r.Disks) == 0 || r.Disks[0].Total != total || r.Disks[0].Free != free) {
			r.Disks = append(r.Disks, DiskRoom{path, total, free})
		}
	}
	if f, err := os.Open("/proc/meminfo"); err == nil {
		text, err := io.ReadAll(io.LimitReader(f, maxMeminfo))
		if f.Close() == nil && err == nil {
			r.Memory = parseMeminfo(string(text))
		}
	}
	return r
}

// parseMeminfo reads lines like "MemTotal:  1000000 kB"; nil where one of the two is missing.
func parseMeminfo(text string) *MemoryRoom {
	values := map[string]int64{}
	for line := range strings.Lines(text) {
		if w := strings.Fields(line); len(w) > 1 {
			if kb, err := strconv.ParseInt(w[1], 10, 64); err == nil {
				values[w[0]] = kb << 10
			}
		}
	}
	m := &MemoryRoom{values["MemTotal:"], values["MemAvailable:"]}
	if m.Total <= 0 || m.Available <= 0 {
		return nil
	}
	return m
}

// Used is the percentage of the disk that is used.
func (d DiskRoom) Used() int {
	if d.Total <= 0 {
		return 0
	}
	return int((d.Total - d.Free) * 100 / d.Total)
}

// Line says it in one line.
func (r Room) Line() string {
	var parts []string
	for _, d := range r.Disks {
		parts = append(parts, fmt.Sprintf("%s %d%% used, %s free", d.Path, d.Used(), bytesText(d.Free)))
	}
	if m := r.Memory; m != nil {
		parts = append(parts, fmt.Sprintf("memory %s free of %s", bytesText(m.Available), bytesText(m.Total)))
	}
	return strings.Join(parts, "; ")
}

// Problems are what is wrong with it, by itself.
func (r Room) Problems() []Problem {
	var all []Problem
	for _, d := range r.Disks {
		if d.Used() >= fullDisk {
			all = append(all, Problem{fmt.Sprintf("the disk of %s is %d%% full", d.Path, d.Used()), "sudo du -xh --max-depth 3 / | sort -h | tail -n 20"})
		}
	}
	if m := r.Memory; m != nil && m.Available < leastFree {
		all = append(all, Problem{"hardly any memory is free: " + bytesText(m.Available), "ps -eo rss,comm --sort=-rss | head"})
	}
	return all
}

func bytesText(n int64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%d MB", n>>20)
}
