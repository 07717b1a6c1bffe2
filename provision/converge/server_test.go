package converge

import (
	"slices"
	"strings"
	"testing"
)

// stepNames are the steps of a group.
func stepNames(p Plan, group Group) []string {
	var names []string
	for _, s := range p.Steps() {
		if s.Group == group {
			names = append(names, s.ID)
		}
	}
	return names
}

func hasNote(p Plan, words ...string) bool {
	return slices.ContainsFunc(p.Notes(), func(note string) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(note, word) })
	})
}

func TestDiff_Swap(t *testing.T) {
	f := func(change func(*Hardware), step bool, note string) {
		t.Helper()
		facts := freshFacts()
		facts.Hardware = Hardware{Memory: 1 << 30, DiskFree: 20 << 30, VarFree: 20 << 30, FileSystem: "ext4", OpenFiles: 1 << 20}
		change(&facts.Hardware)
		p := mustDiff(t, facts, testWant(t))
		if made := p.steps[0].kind == KindSwap; made != step {
			t.Errorf("swap is made: %v", made)
		}
		if note != "" && !hasNote(p, "no swap", note) || note == "" && hasNote(p, "no swap") {
			t.Errorf("notes %q", p.Notes())
		}
	}
	f(func(*Hardware) {}, true, "")
	f(func(h *Hardware) { h.FileSystem = "xfs" }, true, "")
	f(func(h *Hardware) { h.Memory = 2 << 30 }, false, "")
	f(func(h *Hardware) { h.Memory = 0 }, false, "")
	f(func(h *Hardware) { h.Swap = true }, false, "")
	f(func(h *Hardware) { h.Container = true }, false, "container")
	f(func(h *Hardware) { h.FileSystem = "btrfs" }, false, "btrfs")
	f(func(h *Hardware) { h.DiskFree = 2 << 30 }, false, "2048 MB of disk")
}

func TestDiff_Packages(t *testing.T) {
	f := func(change func(*Facts), want ...string) {
		t.Helper()
		facts := freshFacts()
		change(&facts)
		if got := stepNames(mustDiff(t, facts, testWant(t)), GroupPackages); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	all := "package:nginx+ufw+fail2ban+python3-systemd+unattended-upgrades+logrotate"
	f(func(*Facts) {}, all)
	f(func(f *Facts) { f.Dpkg.Unfinished = []string{"x", "y"} }, "package:unfinished", all)
	f(func(f *Facts) { f.Dpkg.Installed = []string{"logrotate", "nginx", "ufw"} }, "package:fail2ban+python3-systemd+unattended-upgrades")
	f(func(f *Facts) { f.Dpkg.Installed = wantedPackages() })
	f(func(f *Facts) { f.Dpkg.Installed = wantedPackages(); f.Dpkg.Unfinished = []string{"x"} })
	f(func(f *Facts) { f.Firewall.Other = "firewalld"; f.Fail2ban.OwnJail = "/etc/fail2ban/jail.local" },
		"package:nginx+unattended-upgrades+logrotate")
}

// A person's own fail2ban jail is left alone; ours is written for everybody else, and for each deployer once.
func TestDiff_Fail2ban(t *testing.T) {
	facts, w := freshFacts(), testWant(t)
	w.Client = "203.0.113.9"
	facts.Fail2ban.OwnJail = "/etc/fail2ban/jail.local"
	p := mustDiff(t, facts, w)
	if got := stepNames(p, GroupFail2ban); len(got) > 0 || !hasNote(p, "jail.local", "put 203.0.113.9 into its ignoreip") {
		t.Errorf("%q, notes %q", got, p.Notes())
	}
	facts.Fail2ban.OwnJail = ""
	p = mustDiff(t, facts, w)
	if last := p.Steps()[slices.Index(ids(p), ArmedStep)-1]; last.ID != "unit:fail2ban" || !strings.Contains(last.Title, "never bans 203.0.113.9") {
		t.Errorf("the last step is %+v", last)
	}
	equal := after(facts, p)
	if p = mustDiff(t, equal, w); len(p.steps) > 0 {
		t.Errorf("the same client again: %q", ids(p))
	}
	w.Client = "2001:db8::7"
	if p = mustDiff(t, equal, w); !slices.Equal(ids(p), []string{"file:" + jailFile, "unit:fail2ban"}) ||
		!strings.Contains(*p.steps[0].after, "::1 203.0.113.9 2001:db8::7\n") {
		t.Errorf("another client: %q %s", ids(p), *p.steps[0].after)
	}
}

func TestDeployers(t *testing.T) {
	f := func(jail, client, want string) {
		t.Helper()
		if got := strings.Join(deployers(jail, client), " "); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f("", "", "")
	f("", "203.0.113.9", "203.0.113.9")
	f("", "::ffff:203.0.113.9", "203.0.113.9")
	f("", "fe80::1%eth0", "fe80::1")
	f("", "127.0.0.1", "")
	f("", "1.2.3.4\nbantime = 1", "")
	f("ignoreip = %(known/ignoreip)s 127.0.0.0/8 ::1 1.1.1.1 2.2.2.2\n", "1.1.1.1", "1.1.1.1 2.2.2.2")
	f("ignoreip = 1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 1.1.1.8 1.1.1.9 1.1.1.10", "2.2.2.2",
		"1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 1.1.1.8 1.1.1.9 1.1.1.10 2.2.2.2")
	const full = "1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 1.1.1.8 1.1.1.9 1.1.1.10"
	f("ignoreip = "+full, "1.1.1.1", full)
	f("ignoreip = "+full+" 1.1.1.11 1.1.1.12", "1.1.1.1", "1.1.1.1 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 1.1.1.8 1.1.1.9 1.1.1.10 1.1.1.11 1.1.1.12")
}

func TestReadJail(t *testing.T) {
	f := func(text string, sshd, ignores bool) {
		t.Helper()
		if gotSSHD, gotIgnores := readJail(text); gotSSHD != sshd || gotIgnores != ignores {
			t.Errorf("%q: sshd %v, ignoreip %v", text, gotSSHD, gotIgnores)
		}
	}
	f("", false, false)
	f("[DEFAULT]\n#ignoreip = 1.1.1.1\n", false, false)
	f("[DEFAULT]\nignoreip = 1.1.1.1\n", false, true)
	f("[nginx]\nignoreip = 1.1.1.1\n", false, false)
	f("[sshd]\nenabled = true\n", true, false)
	f("# [sshd]\n[sshd-ddos]\n", false, false)
}

// What cannot be set is named; a file of the server's own wins; values that drifted are set again.
func TestDiff_Sysctls(t *testing.T) {
	facts := freshFacts()
	facts.Sysctls["vm.swappiness"] = Sysctl{Value: "60"}
	delete(facts.Sysctls, "net.core.default_qdisc")
	facts.Sysctls["net.ipv4.tcp_fin_timeout"] = Sysctl{Value: "15", Writable: true, Owner: "/etc/sysctl.d/99-mine.conf"}
	p := mustDiff(t, facts, testWant(t))
	if !hasNote(p, "net.core.default_qdisc, vm.swappiness") || !hasNote(p, "tcp_fin_timeout stays as /etc/sysctl.d/99-mine.conf") {
		t.Errorf("notes %q", p.Notes())
	}
	equal := after(facts, p)
	if p = mustDiff(t, equal, testWant(t)); len(p.steps) > 0 || len(p.notes) > 0 {
		t.Errorf("again: %q, notes %q", ids(p), p.notes)
	}
	equal.Sysctls["net.core.somaxconn"] = Sysctl{Value: "128", Writable: true}
	if p = mustDiff(t, equal, testWant(t)); !slices.Equal(ids(p), []string{"sysctl:kernel"}) || p.steps[0].title != "set 1 kernel setting for many connections" {
		t.Errorf("drift: %q", ids(p))
	}
	facts.Sysctls = nil
	if p = mustDiff(t, facts, testWant(t)); slices.Contains(ids(p), "file:"+sysctlConf) {
		t.Errorf("a kernel without any: %q", ids(p))
	}
}

// A limit that the server does not allow would have logins refused, so it is not written.
func TestDiff_OpenFiles(t *testing.T) {
	facts := freshFacts()
	facts.Hardware.OpenFiles = 20000
	p := mustDiff(t, facts, testWant(t))
	if slices.Contains(ids(p), "file:"+limitsConf) || !hasNote(p, "logins keep their limit", "20000") || !hasNote(p, "Nginx may open 20000") {
		t.Errorf("%q, notes %q", ids(p), p.Notes())
	}
	for _, s := range p.steps {
		if st, ok := s.op.(connectionsStep); ok && st.most != 10000 {
			t.Errorf("%d connections", st.most)
		}
	}
	facts.Hardware.OpenFiles = 1024
	if p = mustDiff(t, facts, testWant(t)); slices.Contains(ids(p), "file:"+nginxConf) {
		t.Errorf("more connections than files: %q", ids(p))
	}
}

func TestConnections(t *testing.T) {
	f := func(conf, want string) {
		t.Helper()
		if got := (connectionsStep{16384}).edit(conf); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f("events {\n\tworker_connections 768;\n\t# multi_accept on;\n}\n", "events {\n\tworker_connections 16384;\n\t# multi_accept on;\n}\n")
	f("events { }\n", "events { }\n")
	f("\tworker_connections 4096;\n", "\tworker_connections 4096;\n")
	f("\t# worker_connections 768;\n", "\t# worker_connections 768;\n")
}

func TestDiff_Firewall(t *testing.T) {
	f := func(tcp, udp []Listener, words ...string) {
		t.Helper()
		facts := freshFacts()
		facts.Listeners = append(facts.Listeners, tcp...)
		facts.Datagrams = udp
		p := mustDiff(t, facts, testWant(t))
		on := slices.Contains(ids(p), "firewall:ufw")
		if on != (len(words) == 0) || len(words) > 0 && !hasNote(p, append(words, "ufw was not turned on")...) {
			t.Errorf("ufw is turned on: %v; notes %q", on, p.Notes())
		}
	}
	f(nil, nil)
	t.Run("trap10 other services", func(*testing.T) {
		f([]Listener{{Port: 3306, Address: "0.0.0.0", Program: "mysqld"}}, nil, "mysqld on port 3306/tcp")
		f([]Listener{{Port: 3306, Address: "::", Program: "mysqld"}}, []Listener{{Port: 51820, Address: "0.0.0.0"}},
			"mysqld on port 3306/tcp and the kernel on port 51820/udp")
	})
	t.Run("trap10 a site of Nginx's own", func(*testing.T) {
		f([]Listener{{Port: 80, Address: "::", Program: "nginx"}, {Port: 443, Address: "::", Program: "nginx"}},
			[]Listener{{Port: 443, Address: "::", Program: "nginx"}}, "nginx on port 443/tcp and nginx on port 443/udp")
		f([]Listener{{Port: 80, Address: "::", Program: "nginx"}, {Port: 8443, Address: "127.0.0.1", Program: "nginx"}}, nil)
	})
	t.Run("trap10 a service that its first client starts", func(*testing.T) {
		f([]Listener{{Port: 9090, Address: "::", Program: "systemd", PID: 1}}, nil, "systemd on port 9090/tcp")
		f([]Listener{{Port: 2222, Address: "::", Program: "systemd", PID: 1}, {Port: 9090, Address: "127.0.0.1", Program: "systemd", PID: 1}}, nil)
	})
	f([]Listener{{Port: 3306, Address: "127.0.0.1", Program: "mysqld"}}, nil)
	f([]Listener{{Port: 2222, Address: "0.0.0.0", Program: "sshd"}}, []Listener{{Port: 68, Address: "0.0.0.0", Program: "dhclient"}})
}

// What a backup holds takes the place of what is there, and a second time changes nothing.
func TestDiff_WholeFiles(t *testing.T) {
	fresh, w := freshFacts(), testWant(t)
	equal := after(fresh, mustDiff(t, fresh, w))
	w.Env, w.Tokens = NewSecret("# mine\nPORT=8123\nHOST=0.0.0.0"), NewSecret(tokenLine(NewSecret("gca-other"), "other", "client")+tokenLine(NewSecret("gca-boss"), "boss", "admin"))
	w.KeepOld = true
	w.State = []StateFile{{Name: "state.db", Mode: 0o600, Content: []byte("db")}}
	p := mustDiff(t, equal, w)
	want := []string{"file:" + settingsOld, "file:" + settingsFile, "file:" + tokensFile, "check:settings", guardStepID, "unit:stop", "state:" + stateDir}
	if got := stepNames(p, GroupSettings); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, s := range p.steps {
		st, ok := s.op.(fileStep)
		switch {
		case s.kind == KindState && s.title != "put 1 file into "+stateDir:
			t.Errorf("the state's step is %q", s.title)
		case !ok:
		case st.path == settingsFile && string(st.content) != "# mine\nPORT=8123\nHOST=127.0.0.1\n":
			t.Errorf("adapter.env: %q", st.content)
		case st.path == settingsOld && string(st.content) != string(equal.path(settingsFile).Content):
			t.Errorf("adapter.env.old: %q", st.content)
		}
	}
	done := after(equal, p)
	if p = mustDiff(t, done, w); len(p.steps) > 0 {
		t.Errorf("again: %q", ids(p))
	}
	done.State["state.db"] = sumOf([]byte("written since"))
	if p = mustDiff(t, done, w); !slices.Contains(ids(p), "state:"+stateDir) {
		t.Errorf("other state: %q", ids(p))
	}
}

// A change of the adapter's own settings leaves alone what whoever runs the server changed since the deploy.
func TestDiff_ScopeAdapter(t *testing.T) {
	fresh, w := freshFacts(), testWant(t)
	facts := after(fresh, mustDiff(t, fresh, w))
	facts.Firewall = Firewall{UFW: UFWInactive}
	facts.Dpkg.Installed = nil
	facts.Sysctls["net.core.somaxconn"] = Sysctl{Value: "128", Writable: true}
	for _, path := range []string{journaldConf, limitsConf, aptConf, needrestartConf, jailFile} {
		delete(facts.Paths, path)
	}
	w.Scope, w.Settings = ScopeAdapter, append(w.Settings, Setting{Name: "LOG_LEVEL", Value: "debug"})
	p := mustDiff(t, facts, w)
	want := []string{"dir:" + nextConfig, "check:settings", "unit:gemini-adapter-handover", "file:" + settingsFile, "unit:gemini-adapter", "check:health", "check:web"}
	if got := ids(p); !slices.Equal(got, want) || len(p.Notes()) > 0 {
		t.Errorf("got %q, want %q, notes %q", got, want, p.Notes())
	}
	if p = mustDiff(t, after(facts, p), w); len(p.steps) > 0 {
		t.Errorf("again: %q", ids(p))
	}
	delete(facts.Paths, nginxBinary)
	if _, err := Diff(facts, w, readTestSettings); err == nil || !strings.Contains(err.Error(), "Nginx is not installed") {
		t.Errorf("without Nginx: %v", err)
	}
	w.Scope = "network"
	if err := w.Validate(); err == nil || !strings.Contains(err.Error(), `scope "network"`) {
		t.Errorf("%v", err)
	}
}

func TestDiff_Passwords(t *testing.T) {
	t.Run("trap12 a file of cloud-init lets passwords in", func(t *testing.T) {
		facts := freshFacts()
		facts.Passwords = "/etc/ssh/sshd_config.d/50-cloud-init.conf"
		if p := mustDiff(t, facts, testWant(t)); !hasNote(p, "sshd lets passwords in, by /etc/ssh/sshd_config.d/50-cloud-init.conf") {
			t.Errorf("notes %q", p.Notes())
		}
	})
}

func TestDiff_OldNginx(t *testing.T) {
	facts := freshFacts()
	facts = after(facts, mustDiff(t, facts, testWant(t)))
	for _, v := range []NginxVersion{{1, 18, 0}, {1, 26, 3}, {2, 0, 0}} {
		facts.Nginx = v
		mustDiff(t, facts, testWant(t))
	}
	t.Run("a site from before the version was known stays", func(t *testing.T) {
		facts := freshFacts()
		facts.Nginx = NginxVersion{}
		facts = after(facts, mustDiff(t, facts, testWant(t)))
		facts.Nginx = NginxVersion{1, 26, 3}
		if p := mustDiff(t, facts, testWant(t)); len(p.steps) > 0 {
			t.Errorf("%q", ids(p))
		}
	})
	t.Run("an upgrade renders the site anew", func(t *testing.T) {
		facts := freshFacts()
		facts.Nginx = NginxVersion{1, 22, 1}
		facts = after(facts, mustDiff(t, facts, testWant(t)))
		facts.Nginx = NginxVersion{1, 18, 0}
		if p := mustDiff(t, facts, testWant(t)); !slices.Contains(ids(p), "file:"+nginxSite) {
			t.Errorf("%q", ids(p))
		}
	})
	facts.Nginx = NginxVersion{1, 14, 2}
	if _, err := Diff(facts, testWant(t), readTestSettings); err == nil || !strings.Contains(err.Error(), "has Nginx 1.14.2; gca needs 1.18.0") {
		t.Errorf("%v", err)
	}
}

func TestParseCandidate(t *testing.T) {
	f := func(text string, want NginxVersion) {
		t.Helper()
		if got := parseCandidate(text); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
	f("nginx:\n  Installed: (none)\n  Candidate: 1.22.1-9+deb12u3\n  Version table:\n     1.22.1-9 500\n", NginxVersion{1, 22, 1})
	f("nginx:\n  Installed: (none)\n  Candidate: 1.24.0-2ubuntu7.5\n", NginxVersion{1, 24, 0})
	f("nginx:\n  Installed: (none)\n  Candidate: (none)\n", NginxVersion{})
	f("N: Unable to locate package nginx\n", NginxVersion{})
	f("", NginxVersion{})
}

func TestParseNginxVersion(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		v, err := parseNginxVersion(text)
		if (err == nil) != (want != "") || err == nil && v.String() != want {
			t.Errorf("%q: %s, %v", text, v, err)
		}
	}
	f("nginx version: nginx/1.18.0 (Ubuntu)\n", "1.18.0")
	f("nginx version: nginx/1.26.3\n", "1.26.3")
	f("nginx version: openresty/1.25.3.1\n", "1.25.3")
	f("nginx: not found\n", "")
	f("nginx version: nginx/99999999999999999999.1.1", "")
}
