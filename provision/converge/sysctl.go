package converge

import (
	"path/filepath"
	"strings"
)

// Sysctl is one kernel setting.
type Sysctl struct {
	Value    string // now, its words parted by one space
	Writable bool
	Refused  bool   // our own file says that the kernel did not take the value that we want
	Owner    string // a file of the server's own that sets it to something else; empty if none does
}

// sysctl is one setting that a deploy wants, with its reason.
type sysctl struct {
	Key, Value, Why string

	Refused bool // it is written for the next boot, which may fail to set it too
}

func wantedSysctls() []sysctl {
	return []sysctl{
		{Key: "net.core.somaxconn", Value: "65535", Why: "connections that wait to be accepted"},
		{Key: "net.ipv4.tcp_max_syn_backlog", Value: "65535", Why: "connections that wait for the client's last word"},
		{Key: "net.ipv4.tcp_syncookies", Value: "1", Why: "what to do when even that is full"},
		{Key: "net.core.default_qdisc", Value: "fq", Why: "paces what bbr sends"},
		{Key: "net.ipv4.tcp_congestion_control", Value: "bbr", Why: "holds its pace on long links that lose packets"},
		{Key: "net.ipv4.tcp_slow_start_after_idle", Value: "0", Why: "a stream that paused goes on at full pace"},
		{Key: "net.ipv4.tcp_notsent_lowat", Value: "131072", Why: "events do not wait behind a full buffer"},
		{Key: "net.ipv4.tcp_keepalive_time", Value: "300", Why: "vanished clients are found out in minutes, not hours"},
		{Key: "net.ipv4.tcp_keepalive_intvl", Value: "30", Why: "the same"},
		{Key: "net.ipv4.tcp_keepalive_probes", Value: "5", Why: "the same"},
		{Key: "net.ipv4.tcp_mtu_probing", Value: "1", Why: "networks that swallow large packets"},
		{Key: "net.ipv4.tcp_fin_timeout", Value: "30", Why: "closed connections are forgotten sooner"},
		{Key: "vm.swappiness", Value: "10", Why: "memory goes to swap late"},
	}
}

// line is the setting in sysctl.d(5). A dash before it says that a failure to set it is none.
func (w sysctl) line() string { return w.Key + " = " + w.Value + "\n" }

func sysctlFile(key string) string { return "/proc/sys/" + strings.ReplaceAll(key, ".", "/") }

// collectSysctls reads what the kernel has of the wanted settings. A setting that is not there is not in the map.
func collectSysctls(s *reader, container bool) (map[string]Sysctl, error) {
	owners, err := sysctlOwners(s)
	if err != nil {
		return nil, err
	}
	ours, err := s.readText(sysctlConf)
	if err != nil {
		return nil, err
	}
	found := map[string]Sysctl{}
	for _, w := range wantedSysctls() {
		text, err := s.readText(sysctlFile(w.Key))
		if err != nil || text == "" {
			continue // not in this kernel, or not ours to see
		}
		st := Sysctl{Value: strings.Join(strings.Fields(text), " "), Writable: s.writable(sysctlFile(w.Key)),
			Refused: strings.Contains("\n"+ours, "\n-"+w.line())}
		if w.Key == "net.ipv4.tcp_congestion_control" && !bbrAvailable(s, container) {
			st.Writable = false
		}
		if o := owners[w.Key]; o.value != w.Value {
			st.Owner = o.file
		}
		found[w.Key] = st
	}
	return found, nil
}

type sysctlOwner struct{ file, value string }

// sysctlOwners reads what the server's own files set. /etc/sysctl.conf counts where sysctl.d links to it; elsewhere nobody reads it.
func sysctlOwners(s *reader) (map[string]sysctlOwner, error) {
	owners := map[string]sysctlOwner{}
	files, err := filepath.Glob(s.at("/etc/sysctl.d/*.conf"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		path := "/etc/sysctl.d/" + filepath.Base(file)
		if path == sysctlConf {
			continue
		}
		text, err := s.readText(path)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(text) {
			key, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "-"), "=")
			if ok && !strings.HasPrefix(key, "#") && !strings.HasPrefix(key, ";") {
				key = strings.ReplaceAll(strings.TrimSpace(key), "/", ".")
				owners[key] = sysctlOwner{path, strings.Join(strings.Fields(value), " ")}
			}
		}
	}
	return owners, nil
}

// bbrAvailable: the kernel loads the module when the name is first set. A container may only choose among what is allowed to all.
func bbrAvailable(s *reader, container bool) bool {
	list := "/proc/sys/net/ipv4/tcp_available_congestion_control"
	if container {
		list = "/proc/sys/net/ipv4/tcp_allowed_congestion_control"
	}
	text, err := s.readText(list)
	if err == nil && strings.Contains(" "+strings.Join(strings.Fields(text), " ")+" ", " bbr ") {
		return true
	}
	release, err := s.readText("/proc/sys/kernel/osrelease")
	if err != nil || container {
		return false
	}
	modules, err := filepath.Glob(s.at("/lib/modules/" + strings.TrimSpace(release) + "/kernel/net/ipv4/tcp_bbr.ko*"))
	return err == nil && len(modules) > 0
}
