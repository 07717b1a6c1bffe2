package converge

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// collectListeners reads the kernel's own tables (proc(5)), so it needs no tool.
func collectListeners(s *reader) ([]Listener, error) {
	var found []Listener
	inodes := map[string][]int{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := s.readText(table)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(text) {
			if l, inode, ok := parseListener(line); ok {
				inodes[inode] = append(inodes[inode], len(found))
				found = append(found, l)
			}
		}
	}
	if len(found) > 0 {
		if err := nameHolders(s, found, inodes); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(found, func(a, b Listener) int { return a.Port - b.Port })
	return found, nil
}

// parseListener reads one line of /proc/net/tcp: "sl local remote state … inode …", addresses in hexadecimal.
func parseListener(line string) (l Listener, inode string, ok bool) {
	const listening = "0A"
	w := strings.Fields(line)
	if len(w) < 10 || w[3] != listening {
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

// sshdPorts asks sshd for its configured ports. Without an answer the listeners have to do.
func sshdPorts(ctx context.Context, s *reader) []int {
	out, err := s.ask(ctx, querySSHD)
	if err != nil {
		return nil
	}
	return parseSSHD(out)
}

func parseSSHD(out string) []int {
	var ports []int
	for line := range strings.Lines(out) {
		w := strings.Fields(line)
		switch {
		case len(w) == 2 && w[0] == "port":
			ports = appendPort(ports, w[1])
		case len(w) >= 2 && w[0] == "listenaddress":
			if _, port, err := net.SplitHostPort(w[1]); err == nil {
				ports = appendPort(ports, port)
			}
		}
	}
	return ports
}

// sshPorts joins every sign of a port that SSH is used on: the configuration,
// the listeners, ssh.socket, and the port that the laptop arrived at, if it is known.
func sshPorts(f Facts, configured []int, arrived int) []int {
	ports := slices.Clone(configured)
	for _, l := range f.Listeners {
		if strings.HasPrefix(l.Program, "sshd") || l.Program == "dropbear" {
			ports = append(ports, l.Port)
		}
	}
	if socket := f.Units["ssh.socket"]; socket.Active {
		for word := range strings.FieldsSeq(socket.Listen) {
			if _, port, err := net.SplitHostPort(word); err == nil {
				ports = appendPort(ports, port)
			}
		}
	}
	if arrived != 0 {
		ports = append(ports, arrived)
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

func appendPort(ports []int, text string) []int {
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return ports
	}
	return append(ports, port)
}

func parentConnection(s *reader, pid int) (connection string, parent int) {
	dir := "/proc/" + strconv.Itoa(pid)
	environ, err := s.readText(dir + "/environ")
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return "", 0
	}
	for variable := range strings.SplitSeq(environ, "\x00") {
		if value, ok := strings.CutPrefix(variable, "SSH_CONNECTION="); ok {
			return value, 0
		}
	}
	stat, err := s.readText(dir + "/stat")
	if err != nil {
		return "", 0
	}
	// "pid (name) state ppid …"; the name may hold anything but is the last to end with a parenthesis.
	if w := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]); len(w) > 1 {
		if parent, err = strconv.Atoi(w[1]); err == nil {
			return "", parent
		}
	}
	return "", 0
}
