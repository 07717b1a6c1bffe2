package converge

import (
	"encoding/hex"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The states of a socket that takes what comes, in proc(5)'s tables.
const (
	tcpListening  = "0A"
	udpUnassigned = "07" // bound, and connected to nobody
)

// collectListeners reads the kernel's own tables (proc(5)), so it needs no tool.
func collectListeners(s *reader) (streams, datagrams []Listener, err error) {
	var found []Listener
	inodes := map[string][]int{}
	read := func(state string, tables ...string) {
		for _, table := range tables {
			text, readErr := s.readText(table)
			err = errors.Join(err, readErr)
			for line := range strings.Lines(text) {
				if l, inode, ok := parseListener(line, state); ok {
					inodes[inode] = append(inodes[inode], len(found))
					found = append(found, l)
				}
			}
		}
	}
	read(tcpListening, "/proc/net/tcp", "/proc/net/tcp6")
	tcp := len(found)
	read(udpUnassigned, "/proc/net/udp", "/proc/net/udp6")
	if err != nil {
		return nil, nil, err
	}
	if len(found) > 0 {
		if err := nameHolders(s, found, inodes); err != nil {
			return nil, nil, err
		}
	}
	streams, datagrams = slices.Clone(found[:tcp]), slices.Clone(found[tcp:])
	for _, list := range [][]Listener{streams, datagrams} {
		slices.SortStableFunc(list, func(a, b Listener) int { return a.Port - b.Port })
	}
	return streams, datagrams, nil
}

// parseListener reads one line of /proc/net/tcp or udp: "sl local remote state … inode …", addresses in hexadecimal.
func parseListener(line, state string) (l Listener, inode string, ok bool) {
	w := strings.Fields(line)
	if len(w) < 10 || w[3] != state {
		return Listener{}, "", false
	}
	address, port, ok := strings.Cut(w[1], ":")
	if !ok {
		return Listener{}, "", false
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return Listener{}, "", false
	}
	return Listener{Port: int(number), Address: parseAddress(address)}, w[9], true
}

// parseAddress reads an address as the kernel prints it: 32-bit words, each in the machine's byte order (little endian here).
func parseAddress(text string) string {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw)%4 != 0 {
		return text
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	return net.IP(raw).String()
}

func isLoopback(address string) bool {
	ip := net.ParseIP(address)
	return ip != nil && ip.IsLoopback()
}

// nameHolders finds the processes that hold the sockets. systemd holds a
// socket unit's listener along with the service, whose name says more.
func nameHolders(s *reader, found []Listener, inodes map[string][]int) error {
	procs, err := os.ReadDir(s.at("/proc"))
	if err != nil {
		return err
	}
	for _, proc := range procs {
		pid, err := strconv.Atoi(proc.Name())
		if err != nil {
			continue
		}
		for _, inode := range socketsOf(s, pid) {
			for _, i := range inodes[inode] {
				if found[i].PID == 0 || found[i].PID == 1 {
					found[i].PID, found[i].Program = pid, programOf(s, pid)
				}
			}
		}
	}
	return nil
}

func socketsOf(s *reader, pid int) []string {
	dir := s.at("/proc/" + strconv.Itoa(pid) + "/fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // the process is gone, or is not ours to look at
	}
	var inodes []string
	for _, entry := range entries {
		target, err := os.Readlink(filepath.Join(dir, entry.Name()))
		if err != nil {
			continue
		}
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			inodes = append(inodes, strings.TrimSuffix(inode, "]"))
		}
	}
	return inodes
}

func programOf(s *reader, pid int) string {
	comm, err := s.readText("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil || comm == "" {
		return "a program"
	}
	return strings.TrimSpace(comm)
}
