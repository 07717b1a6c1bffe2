package converge

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestMergeSettings(t *testing.T) {
	f := func(before string, want []Setting, after string) {
		t.Helper()
		got := MergeSettings(before, want)
		if got != after {
			t.Errorf("got\n%s\nwant\n%s", got, after)
		}
		if again := MergeSettings(got, want); again != got {
			t.Errorf("a second merge changes it again:\n%s", again)
		}
	}
	host := []Setting{{Name: "HOST", Value: "127.0.0.1"}}
	port := []Setting{{Name: "PORT", Value: "8000", Default: true}}
	f("", host, settingsHeader+"HOST=127.0.0.1\n")
	f("# mine\n\nLOG_LEVEL=debug # loud\n", host, "# mine\n\nLOG_LEVEL=debug # loud\nHOST=127.0.0.1\n")
	f("HOST=0.0.0.0\nA=1\n", host, "HOST=127.0.0.1\nA=1\n")
	f("HOST=\"127.0.0.1\"   # kept as it is\n", host, "HOST=\"127.0.0.1\"   # kept as it is\n")
	f("export HOST='127.0.0.1'\n", host, "export HOST='127.0.0.1'\n")
	f("#HOST=127.0.0.1\n", host, "#HOST=127.0.0.1\nHOST=127.0.0.1\n")
	f("HOST=127.0.0.1\nHOST=::\n", host, "HOST=127.0.0.1\nHOST=127.0.0.1\n")
	f("PORT=9000\n", port, "PORT=9000\n")
	f("A=1", port, "A=1\nPORT=8000\n")
	f("HOSTS=1\n", host, "HOSTS=1\nHOST=127.0.0.1\n")
	f("A=1\n", []Setting{{Name: "B", Value: "x y"}, {Name: "C", Value: `a"#`}}, "A=1\nB=\"x y\"\nC='a\"#'\n")
}

func TestSetting_Validate(t *testing.T) {
	f := func(s Setting, ok bool) {
		t.Helper()
		if err := s.validate(); (err == nil) != ok {
			t.Errorf("%+v: %v", s, err)
		}
	}
	f(Setting{Name: "A_1", Value: "x"}, true)
	f(Setting{Name: "1A", Value: "x"}, false)
	f(Setting{Name: "", Value: "x"}, false)
	f(Setting{Name: "A B", Value: "x"}, false)
	f(Setting{Name: "A", Value: "x\nB=1"}, false)
	f(Setting{Name: "A", Value: `"'`}, false)
}

func TestParseOSRelease(t *testing.T) {
	f := func(text, shown string, debian bool) {
		t.Helper()
		r := ParseOSRelease(text)
		if r.String() != shown || r.Debian() != debian {
			t.Errorf("%q: %s, %v", text, r, r.Debian())
		}
	}
	f("ID=debian\nVERSION_ID=\"12\"\n", "debian 12", true)
	f("PRETTY_NAME=\"Ubuntu 24.04 LTS\"\nID=ubuntu\nID_LIKE=debian\n", "Ubuntu 24.04 LTS", true)
	f("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "linuxmint", true)
	f("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "rocky", false)
	f("ID=notdebian\n", "notdebian", false)
	f("", "an unknown system", false)
}

func FuzzParseOSRelease(f *testing.F) {
	f.Add("ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME='x'\n")
	f.Add("ID=\"\n=\nexport ID=ubuntu #x")
	f.Fuzz(func(t *testing.T, text string) {
		r := ParseOSRelease(text)
		if r.String() == "" || r.Debian() && !strings.Contains(strings.ToLower(text), "debian") && !strings.Contains(strings.ToLower(text), "ubuntu") {
			t.Errorf("%q: %+v", text, r)
		}
	})
}

func TestParseUFW(t *testing.T) {
	const out = `Status: active
Logging: on (low)
Default: deny (incoming), allow (outgoing), disabled (routed)

To                         Action      From
--                         ------      ----
22/tcp (OpenSSH)           ALLOW IN    Anywhere
2222/tcp                   LIMIT IN    Anywhere
80,443/tcp (Nginx Full)    ALLOW IN    192.0.2.0/24
6000:6007/tcp              ALLOW IN    Anywhere
53/udp                     ALLOW IN    Anywhere
9                          DENY IN     Anywhere
25/tcp                     ALLOW OUT   Anywhere
70                         ALLOW IN    Anywhere
1/tcp (v6)                 ALLOW IN    Anywhere (v6)
`
	w := Firewall{Rules: parseUFW(out)}
	f := func(port int, want bool) {
		t.Helper()
		if got := w.allows(port); got != want {
			t.Errorf("port %d: %v", port, got)
		}
	}
	for _, port := range []int{22, 2222, 80, 443, 6000, 6003, 6007, 70} {
		f(port, true)
	}
	for _, port := range []int{1, 9, 25, 53, 5999, 6008, 8080} {
		f(port, false)
	}
}

func TestFilteringChain(t *testing.T) {
	f := func(ruleset, want string) {
		t.Helper()
		if got := filteringChain(ruleset); got != want {
			t.Errorf("%q, want %q, for\n%s", got, want, ruleset)
		}
	}
	f("", "")
	f("table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy accept;\n\t}\n}\n", "")
	f("table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n\t}\n}\n", "nftables (table inet filter)")
	f("table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority filter; policy accept;\n\t\tcounter packets 0 bytes 0 reject\n\t}\n}\n", iptablesRules)
	f("table ip nat {\n\tchain DOCKER {\n\t\tiifname \"docker0\" return\n\t}\n}\ntable ip filter {\n\tchain FORWARD {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n", "")
	f(fail2ban, "")
	f(fail2ban+"table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n\t}\n}\n", "nftables (table inet filter)")
	f("table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority filter; policy accept;\n\t\tmeta l4proto tcp tcp dport 22 counter packets 9 bytes 540 jump f2b-sshd\n\t}\n}\n", "")
	// What a ufw that was turned off leaves behind.
	f("table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority filter; policy accept;\n\t\tcounter packets 9 bytes 540 jump ufw-before-logging-input\n\t}\n}\ntable ip6 filter {\n\tchain INPUT {\n\t\ttype filter hook input priority filter; policy accept;\n\t\tcounter packets 9 bytes 540 jump ufw6-before-logging-input\n\t}\n}\n", "")
}

// fail2ban is what `nft list ruleset` prints of fail2ban's action nftables.
const fail2ban = `table inet f2b-table {
	set addr-set-sshd {
		type ipv4_addr
		elements = { 192.0.2.7,
			     198.51.100.9 }
	}

	chain f2b-chain {
		type filter hook input priority filter - 1; policy accept;
		tcp dport 22 ip saddr @addr-set-sshd reject with icmp port-unreachable
	}
}
`

func TestIptablesFilters(t *testing.T) {
	f := func(save string, want bool) {
		t.Helper()
		if got := iptablesFilters(save); got != want {
			t.Errorf("%v for\n%s", got, save)
		}
	}
	f("", false)
	f("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\nCOMMIT\n", false)
	f("*filter\n:INPUT DROP [0:0]\nCOMMIT\n", true)
	f("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 22 -j f2b-sshd\nCOMMIT\n", false)
	f("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n", true)
	f("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j ufw-before-input\nCOMMIT\n", false)
	f("*mangle\n-A INPUT -j MARK --set-xmark 0x1\nCOMMIT\n*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", false)
}

// Rules of the older tables count where nft has nothing to say of them.
func TestOtherFirewall_Legacy(t *testing.T) {
	bin := t.TempDir()
	s := newSystem(t.TempDir())
	s.path = bin + ":/usr/bin:/bin"
	tool := func(name, says string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\ncat <<'END'\n"+says+"END\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tool("nft", fail2ban)
	tool("iptables-save", "# Generated\n")
	if got := otherFirewall(t.Context(), &s.reader, nil); got != "" {
		t.Errorf("%q filters", got)
	}
	tool("iptables-legacy-save", "*filter\n:INPUT DROP [0:0]\nCOMMIT\n")
	if got := otherFirewall(t.Context(), &s.reader, nil); got != iptablesRules {
		t.Errorf("%q filters", got)
	}
}

// Where ssh.socket starts a service for each connection, sshd's folder goes with the last of them.
func TestAskSSHD_noFolder(t *testing.T) {
	bin := t.TempDir()
	s := newSystem(t.TempDir())
	s.path = bin + ":/usr/bin:/bin"
	for name, text := range map[string]string{
		"sshd":        "echo 'Missing privilege separation directory: /run/sshd' >&2; exit 255",
		"systemd-run": "case $* in *--property=RuntimeDirectory=sshd*' /usr/sbin/sshd -T') printf 'port 2222\npasswordauthentication yes\n' ;; esac",
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got := askSSHD(t.Context(), &s.reader); !got.known || !got.passwords || !slices.Equal(got.ports, []int{2222}) {
		t.Errorf("%+v", got)
	}
}

func TestParseListener(t *testing.T) {
	f := func(line string, want Listener, inode string) {
		t.Helper()
		got, gotInode, ok := parseListener(line, tcpListening)
		if got != want || gotInode != inode || ok != (inode != "") {
			t.Errorf("%q: %+v %q %v", line, got, gotInode, ok)
		}
	}
	f("   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0 100 0 0 10 0",
		Listener{Port: 8000, Address: "127.0.0.1"}, "12345")
	f("   1: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 99 1 0",
		Listener{Port: 80, Address: "::"}, "99")
	f("   2: 0100007F:1F40 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 7 1 0", Listener{}, "")
	f("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode", Listener{}, "")
	f("   3: zz:xx 0 0A 0 0 0 0 0 1", Listener{}, "")
	f("", Listener{}, "")
}

func TestParseSSHD(t *testing.T) {
	got := parseSSHD("port 22\nport 2222\naddressfamily any\nlistenaddress 0.0.0.0:2200\nlistenaddress [::]:22\nusepam yes\n")
	if want := []int{22, 2222, 2200, 22}; !slices.Equal(got.ports, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	f := func(out string, passwords, keysOnly bool) {
		t.Helper()
		if got := parseSSHD(out); got.passwords != passwords || got.keysOnly() != keysOnly {
			t.Errorf("%q: %+v", out, got)
		}
	}
	f("passwordauthentication yes\nkbdinteractiveauthentication no\n", true, false)
	f("passwordauthentication no\nkbdinteractiveauthentication yes\n", false, false)
	f("passwordauthentication no\nchallengeresponseauthentication yes\n", false, false) // OpenSSH 8.4
	f("passwordauthentication no\nkbdinteractiveauthentication no\n", false, true)
	if (sshdSettings{}).keysOnly() {
		t.Error("an sshd that says nothing is taken for one that wants keys")
	}
}

func TestSSHPorts(t *testing.T) {
	facts := Facts{
		Listeners: []Listener{{Port: 2022, Program: "sshd"}, {Port: 80, Program: "nginx"}, {Port: 2023, Program: "sshd-session"}},
		Units:     map[string]UnitState{"ssh.socket": {Active: true, Listen: "0.0.0.0:2024 (Stream) [::]:2024 (Stream)"}},
	}
	got := sshPorts(facts, []int{22}, 2025)
	if want := []int{22, 2022, 2023, 2024, 2025}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestParseUnits(t *testing.T) {
	out := "Listen=127.0.0.1:8000 (Stream)\nId=gemini-adapter.socket\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n\n" +
		"Id=nginx.service\nLoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\n\n" +
		"Id=firewalld.service\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\n"
	want := map[string]UnitState{
		socketUnit:          {Loaded: true, Active: true, Enabled: true, Listen: "127.0.0.1:8000 (Stream)"},
		nginxUnit:           {Loaded: true},
		"firewalld.service": {},
	}
	if got := parseUnits(out); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestParseSimulation(t *testing.T) {
	added, removed := parseSimulation("Reading lists\nInst nginx (1.22 Debian:12 [amd64])\nInst libc6 [2.36-1] (2.36-2 Debian:12 [amd64])\nConf nginx (1.22)\nRemv apache2 [2.4]\n")
	if !slices.Equal(added, []string{"nginx"}) || !slices.Equal(removed, []string{"apache2"}) {
		t.Errorf("added %v, removed %v", added, removed)
	}
}

func TestToken(t *testing.T) {
	a, b := NewToken(), NewToken()
	if a == b || !strings.HasPrefix(a.Reveal(), "gca-") || len(a.Reveal()) != 36 {
		t.Errorf("tokens %q and %q", a.Reveal(), b.Reveal())
	}
	line := tokenLine(a, "default", "client")
	if strings.Contains(line, a.Reveal()[4:]) || !strings.HasSuffix(line, " name=default role=client\n") {
		t.Errorf("line %q", line)
	}
}

func TestSecret(t *testing.T) {
	s := NewSecret("AIzaSy-hidden")
	w := Want{Version: "1", Keys: s}
	data, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v %q %x", w, w, s, s), string(data)} {
		if strings.Contains(text, "hidden") || strings.Contains(text, fmt.Sprintf("%x", "hidden")) {
			t.Errorf("shown: %s", text)
		}
	}
}
