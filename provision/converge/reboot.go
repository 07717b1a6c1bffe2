package converge

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

const (
	rebootFile     = "/run/reboot-required" // packages leave it behind when only a reboot brings them in force
	rebootPackages = rebootFile + ".pkgs"

	maxNamed = 20 // packages and services that a reboot is due for, by name
)

// Reboot says whether a server waits for a reboot. Its JSON form is part of schema 1 of `upgrade --packages`.
type Reboot struct {
	Required bool     `json:"required"`
	By       []string `json:"by,omitempty"`    // packages, as far as they say so
	Stale    []string `json:"stale,omitempty"` // services that run programs or libraries of before, which a restart of theirs ends too
}

// Due reports whether a reboot would bring something in force.
func (r Reboot) Due() bool { return r.Required || len(r.Stale) > 0 }

// Reason says why, in words; "" where no reboot is due.
func (r Reboot) Reason() string {
	switch {
	case r.Required && len(r.By) > 0:
		return "for " + joinSome(r.By)
	case r.Required:
		return "for an update that does not say its name"
	case len(r.Stale) > 0:
		return "since " + joinSome(r.Stale) + " still run what was there before an update; to restart that would do, too"
	}
	return ""
}

// rebootOf looks at what packages left behind, and at what runs.
func rebootOf(s *reader) (Reboot, error) {
	_, err := os.Stat(s.at(rebootFile))
	due := Reboot{Required: err == nil}
	names, err := s.readText(rebootPackages)
	if err != nil {
		return due, err
	}
	if due.Required {
		due.By = strings.Fields(names)
		slices.Sort(due.By)
		due.By = slices.Compact(due.By)
		due.By = due.By[:min(len(due.By), maxNamed)]
	}
	due.Stale, err = staleServices(s)
	return due, err
}

// staleServices are the units whose processes run a program or a library that is not on the disk any more.
func staleServices(s *reader) ([]string, error) {
	procs, err := os.ReadDir(s.at("/proc"))
	if err != nil {
		return nil, ignoreMissing(err)
	}
	var units []string
	for _, proc := range procs {
		pid, err := strconv.Atoi(proc.Name())
		if err != nil || !runsDeleted(s, pid) {
			continue
		}
		if unit := unitOf(s, pid); unit != "" && !slices.Contains(units, unit) {
			units = append(units, unit)
		}
	}
	slices.Sort(units)
	return units[:min(len(units), maxNamed)], nil
}

// runsDeleted reports whether a process executes a file of the system's that was replaced. One that has ended does not.
func runsDeleted(s *reader, pid int) bool {
	f, err := os.Open(s.at(fmt.Sprintf("/proc/%d/maps", pid)))
	if err != nil {
		return false
	}
	found := false
	for scan := bufio.NewScanner(f); scan.Scan() && !found; {
		found = isDeleted(scan.Text())
	}
	return f.Close() == nil && found
}

// isDeleted reads a line of proc(5)'s maps: "range rwxp offset device inode path (deleted)".
func isDeleted(line string) bool {
	w := strings.Fields(line)
	if len(w) != 7 || w[6] != "(deleted)" || !strings.Contains(w[1], "x") {
		return false
	}
	path := strings.TrimPrefix(w[5], "/usr")
	return strings.HasPrefix(path, "/lib") || strings.HasPrefix(path, "/bin/") || strings.HasPrefix(path, "/sbin/")
}

// unitOf is the service that a process belongs to; "" where it is none of systemd's.
func unitOf(s *reader, pid int) string {
	text, err := s.readText(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(text) {
		for part := range strings.SplitSeq(strings.TrimSpace(line), "/") {
			if strings.HasSuffix(part, ".service") && !strings.HasPrefix(part, "user@") {
				return part
			}
		}
	}
	return ""
}
