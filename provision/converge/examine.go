package converge

import (
	"fmt"
	"slices"
	"strings"
)

// What a server should have at least. A machine that is sold with a gigabyte shows a little less, and a disk of 20 too.
const (
	leastMemory = 900 << 20
	leastDisk   = 18 << 30
	leastCores  = 1.0

	leastFree      = 1 << 30 // bytes of a disk
	leastInodes    = 20      // one of so many is free at least
	inodesOfDeploy = 5000    // files and folders that packages and a release bring
)

// examine says what is not as it should be on a server. It is pure.
func examine(f Facts) []Finding {
	var found []Finding
	add := func(bad bool, id, what, means, cure string) {
		if bad {
			found = append(found, warning(id, what, means, cure))
		}
	}
	if f.path(currentLink).Kind == PathAbsent { // who runs an adapter knows its size
		found = append(found, size(f.Hardware)...)
	}
	found = append(found, room(f.Hardware)...)
	add(f.AptHolder != "", "packages", "the package manager is at work: "+f.AptHolder, "a deploy that installs something waits for it", "wait for its end; a deploy does so by itself")
	left := f.Dpkg.Unfinished
	if len(left) > 0 {
		found = append(found, warning("dpkg", "dpkg was stopped half-way: "+strings.Join(left[:min(len(left), 5)], ", "), "nothing can be installed before that is finished", "dpkg --configure -a").
			fixedBy("dpkg", "--force-confold", "--configure", "-a"))
	}
	for _, l := range f.Listeners {
		add(l.Port == tlsPort && l.Program != "nginx" && !isLoopback(l.Address), "port-443", fmt.Sprintf("port 443 is held by %s (pid %d)", programName(l), l.PID),
			"Nginx cannot serve HTTPS there", fmt.Sprintf("systemctl status %d   # names its unit; then systemctl disable --now UNIT", l.PID))
	}
	ports := published(f)
	add(len(ports) > 0, "docker", "Docker lets TCP port "+joinPorts(ports)+" in, whatever ufw says", "who can reach the server can reach these containers",
		"publish them for this server alone: docker run -p 127.0.0.1:PORT:PORT …")
	add(f.SELinux, "selinux", "SELinux is enforced", "its rules may keep Nginx from the adapter, which gca does not mend", "setenforce 0   # and SELINUX=permissive in /etc/selinux/config")
	add(f.Reboot, "reboot", "the server waits for a reboot", "a mended kernel or library is not in use yet", "systemctl reboot   # the adapter starts again by itself")
	return found
}

// size compares the machine with the least that it should have.
func size(hw Hardware) []Finding {
	var found []Finding
	if hw.Cores > 0 && hw.Cores < leastCores {
		found = append(found, warning("cpu", fmt.Sprintf("the server may use %.2f of a core", hw.Cores), "answers come late where many are under way", "rent one with a core or more"))
	}
	if hw.Memory > 0 && hw.Memory < leastMemory {
		found = append(found, warning("memory", fmt.Sprintf("the server has %d MB of memory", hw.Memory>>20),
			"with less than 1 GB, packages and many answers at once may find none left", "rent one with 1 GB or more"))
	}
	if hw.DiskTotal > 0 && hw.DiskTotal < leastDisk {
		found = append(found, warning("disk", fmt.Sprintf("the disk has %.1f GB", float64(hw.DiskTotal)/(1<<30)),
			"with less than 20 GB, logs, updates and backups may fill it", "rent one with 20 GB or more"))
	}
	return found
}

// room looks at what is left of the disks.
func room(hw Hardware) []Finding {
	var found []Finding
	if free := min(hw.DiskFree, hw.VarFree); free < leastFree {
		found = append(found, warning("disk-free", fmt.Sprintf("the disk has %d MB left", free>>20),
			"a full one keeps logs, backups and updates from being written", roomHint))
	}
	for _, fs := range []Inodes{hw.Inodes, hw.VarInodes} {
		if fs.Total > 0 && fs.Free < fs.Total/leastInodes {
			found = append(found, warning("inodes", fmt.Sprintf("the disk has room for %d more files, of %d", fs.Free, fs.Total),
				"without any, nothing can be written, whatever room there is", "find / -xdev -type f -printf '%h\\n' | sort | uniq -c | sort -n | tail   # shows where they are"))
			break
		}
	}
	return found
}

// published are the TCP ports that Docker lets everybody in on, past every rule of ufw.
func published(f Facts) []int {
	var ports []int
	for _, l := range f.Listeners {
		if l.Program == "docker-proxy" && !isLoopback(l.Address) {
			ports = append(ports, l.Port)
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

func programName(l Listener) string {
	if l.Program == "" {
		return "another program"
	}
	return l.Program
}
