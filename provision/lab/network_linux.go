package lab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// killedWithin bounds how long the kernel takes to end a killed server's processes.
const killedWithin = 5 * time.Second

// A server's network is a veth pair: the host's end has the gateway address, the other is host0 in the server's own network
// namespace. The namespace is pinned by a bind mount that only the holder sees, so it outlives reboots but not the holder.

// ownNetwork has a new namespace route for nobody, as a server does that was just installed; the kernel begins it with what the host
// does at that moment.
const ownNetwork = "echo 0 >/proc/sys/net/ipv4/ip_forward; test ! -e /proc/sys/net/ipv6 || echo 0 >/proc/sys/net/ipv6/conf/all/forwarding"

func hostInterface(n int) string { return fmt.Sprintf("gcalab%d", n) }

func run(name string, args ...string) error {
	_, err := output(exec.Command(name, args...))
	return err
}

// addNetwork makes the network of s and returns the file that its namespace is pinned to.
func addNetwork(n int, s *Server) (string, error) {
	pin := filepath.Join(s.dir, "netns")
	if err := os.WriteFile(pin, nil, privateFile); err != nil {
		return "", fmt.Errorf("make the server's network: %w", err)
	}
	host, size, family := hostInterface(n), "/24", "ipv4"
	if strings.Contains(s.Addr, ":") {
		size, family = "/64 nodad", "ipv6" // nobody else can have the address, so nobody is asked
	}
	outside := exec.Command("ip", "-batch", "-")
	outside.Stdin = strings.NewReader("link add " + host + " type veth peer name host0 netns " + pin +
		"\naddr add " + s.Gateway + size + " dev " + host + "\nlink set " + host + " up\n")
	inside := exec.Command("nsenter", "--net="+pin, "ip", "-batch", "-")
	inside.Stdin = strings.NewReader("link set lo up\naddr add " + s.Addr + size + " dev host0\nlink set host0 up\nroute add default via " + s.Gateway + "\n")
	made := exec.Command("unshare", "--net="+pin, "sh", "-ec", ownNetwork)
	for _, cmd := range []*exec.Cmd{made, outside, inside} {
		if _, err := output(cmd); err != nil {
			return "", fmt.Errorf("make the server's network: %w", err)
		}
	}
	// A host that routes for others must not route for a lab server.
	if err := os.WriteFile("/proc/sys/net/"+family+"/conf/"+host+"/forwarding", []byte("0"), 0); err != nil {
		return "", fmt.Errorf("close the server's way out: %w", err)
	}
	return pin, nil
}

// removeNetwork removes the host's end, and with it the server's; it may be gone already.
func removeNetwork(n int) error {
	if _, err := net.InterfaceByName(hostInterface(n)); err != nil {
		return nil
	}
	err := run("ip", "link", "del", hostInterface(n))
	if _, gone := net.InterfaceByName(hostInterface(n)); err != nil && gone == nil {
		return err
	}
	return nil
}

// cgroupRoots are the hierarchies in which a systemd keeps its services: the unified one, or the two of a host that still
// has the old layout.
func cgroupRoots() ([]string, error) {
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.procs"); err == nil {
		return []string{"/sys/fs/cgroup"}, nil
	}
	roots := []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"}
	for _, r := range roots {
		if _, err := os.Stat(filepath.Join(r, "cgroup.procs")); err != nil {
			return nil, fmt.Errorf("no cgroup hierarchy at %s\nhint: boot a kernel with cgroup2 at /sys/fs/cgroup", r)
		}
	}
	return roots, nil
}

// cgroups are the folders of server n. Each server has its own: systemd-nspawn names its groups the same for all.
func cgroups(n int) ([]string, error) {
	roots, err := cgroupRoots()
	if err != nil {
		return nil, err
	}
	for i, r := range roots {
		roots[i] = filepath.Join(r, fmt.Sprintf("gca-lab-%d", n))
	}
	return roots, nil
}

// removeCgroups removes the groups of server n, whose processes are gone.
func removeCgroups(n int) error {
	groups, err := cgroups(n)
	if err != nil {
		return err
	}
	for _, g := range groups {
		err = errors.Join(err, removeCgroup(g))
	}
	return err
}

// removeCgroup removes a group and those in it. Their files are the kernel's and go with the folders.
func removeCgroup(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if e.IsDir() {
			err = errors.Join(err, removeCgroup(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(err, removeEmptied(dir))
}

// removeEmptied removes a group whose last processes were killed just now, and may still be on their way out.
func removeEmptied(dir string) error {
	for deadline := time.Now().Add(killedWithin); ; time.Sleep(pollInterval) {
		err := os.Remove(dir)
		if !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline) {
			return err
		}
	}
}
