package converge

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var testSum = strings.Repeat("ab", 32)

func TestDiff_Fresh(t *testing.T) {
	want := []string{
		"package:nginx+ufw+fail2ban+python3-systemd+unattended-upgrades+logrotate", "user:gemini", "dir:/etc/gemini-adapter", "dir:/var/lib/gemini-adapter",
		"file:/etc/gemini-adapter/adapter.env", "file:/etc/gemini-adapter/keys", "token:client", "check:settings",
		"link:/opt/gemini-adapter/current", "link:/usr/local/bin/gca", "link:/usr/local/bin/gemini-manage",
		"link:/opt/gemini-adapter/next", "link:/etc/gemini-adapter/next",
		"file:/etc/systemd/system/gemini-adapter.socket", "file:/etc/systemd/system/gemini-adapter.service",
		"file:/etc/systemd/system/gemini-adapter-handover.service",
		"unit:gemini-adapter", "check:health", "check:nginx",
		"file:/etc/nginx/modules-enabled/99-gemini-adapter.conf", "file:/etc/nginx/sites-available/gemini-adapter",
		"link:/etc/nginx/sites-enabled/gemini-adapter", "link:/etc/nginx/sites-enabled/default",
		"file:/etc/nginx/nginx.conf", "file:/etc/systemd/system/nginx.service.d/60-gemini-adapter.conf", "nginx:nginx", "check:web",
		"file:/etc/sysctl.d/60-gemini-adapter.conf", "sysctl:kernel", "file:/etc/security/limits.d/60-gemini-adapter.conf",
		"file:/etc/systemd/journald.conf.d/60-gemini-adapter.conf", "unit:journald",
		"file:/etc/apt/apt.conf.d/52gemini-adapter", "file:/etc/needrestart/conf.d/60-gemini-adapter.conf",
		"file:/etc/systemd/system/gemini-adapter-backup.service", "file:/etc/systemd/system/gemini-adapter-backup.timer", "unit:gemini-adapter-backup.timer",
		"dir:/var/lib/gca-alerts", "file:/etc/systemd/system/gemini-adapter-alerts.service", "file:/etc/systemd/system/gemini-adapter-alerts.timer", "unit:gemini-adapter-alerts.timer",
		"file:/etc/fail2ban/jail.d/gemini-adapter.local", "unit:fail2ban", ArmedStep, "firewall:ufw",
	}
	p := mustDiff(t, freshFacts(), testWant(t))
	if !slices.Equal(ids(p), want) {
		t.Errorf("got\n%s", strings.Join(ids(p), "\n"))
	}
	firewall := p.steps[slices.Index(ids(p), "firewall:ufw")].op.(firewallStep)
	if !slices.Equal(firewall.open, []opening{{port: 22}, {port: 80}, {port: 2222}}) || !firewall.start || !firewall.boot {
		t.Errorf("firewall %+v: every port of SSH comes before it is turned on", firewall)
	}
	for _, step := range p.Steps() {
		if strings.Contains(step.Title, "AIzaSy") {
			t.Errorf("a key is shown in %s", step.ID)
		}
	}
}

func TestDiff_Deterministic(t *testing.T) {
	first := mustDiff(t, freshFacts(), testWant(t))
	for range 20 {
		if again := mustDiff(t, freshFacts(), testWant(t)); !reflect.DeepEqual(first, again) {
			t.Fatalf("two plans of the same facts:\n%v\n%v", ids(first), ids(again))
		}
	}
}

// Each drift by itself gives the steps that mend it, and after them nothing is left to do.
func TestDiff_Drift(t *testing.T) {
	w := testWant(t)
	fresh := freshFacts()
	equal := after(fresh, mustDiff(t, fresh, w))
	f := func(drift func(*Facts, *Want), want ...string) {
		t.Helper()
		facts, wanted := equal, w
		facts.Paths, facts.Units = maps.Clone(equal.Paths), maps.Clone(equal.Units)
		facts.Firewall.Rules = slices.Clone(equal.Firewall.Rules)
		drift(&facts, &wanted)
		p := mustDiff(t, facts, wanted)
		if !slices.Equal(ids(p), want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(ids(p), "\n"), strings.Join(want, "\n"))
		}
		if left := mustDiff(t, after(facts, p), wanted); len(left.steps) > 0 {
			t.Errorf("still to do: %v", ids(left))
		}
	}
	path := func(path string, change func(*PathState)) func(*Facts, *Want) {
		return func(f *Facts, _ *Want) {
			st := f.Paths[path]
			change(&st)
			f.Paths[path] = st
		}
	}
	unit := func(name string, change func(*UnitState)) func(*Facts, *Want) {
		return func(f *Facts, _ *Want) {
			u := f.Units[name]
			change(&u)
			f.Units[name] = u
		}
	}
	edit := func(st *PathState) { st.Content = append(slices.Clone(st.Content), "# edited\n"...) }
	chmod := func(st *PathState) { st.Mode = 0o777 }
	chown := func(st *PathState) { st.UID = 1234 }
	started := []string{"unit:gemini-adapter", "check:health", "check:web"}
	// handedOver are the steps of a handover: what is staged, if anything, then what is put in force while the other one serves.
	handedOver := func(staged, files []string) []string {
		return slices.Concat(staged, []string{"unit:gemini-adapter-handover"}, files, started)
	}
	settings := []string{"dir:" + nextConfig, "check:settings"}

	f(func(*Facts, *Want) {})
	f(func(_ *Facts, w *Want) { w.Keys = Secret{} })
	f(path(settingsFile, edit))
	f(path(settingsFile, chmod), handedOver(settings, []string{"file:" + settingsFile})...)
	f(path(settingsFile, func(st *PathState) { st.Content = []byte("HOST=0.0.0.0\nPORT=8000\n") }), handedOver(settings, []string{"file:" + settingsFile})...)
	f(path(keysFile, chown), handedOver(settings, []string{"file:" + keysFile})...)
	f(func(_ *Facts, w *Want) { w.Keys = NewSecret("AIzaSyOther") }, handedOver(settings, []string{"file:" + keysFile})...)
	f(path(tokensFile, chmod), handedOver(settings, []string{"file:" + tokensFile})...)
	f(path(tokensFile, func(st *PathState) { st.Content = nil }), append([]string{"token:client"}, handedOver(settings, nil)...)...)
	f(path(configDir, chmod), "dir:"+configDir)
	f(path(stateDir, chown), "dir:"+stateDir)
	f(path(currentLink, func(st *PathState) { st.Target = "releases/0-000000000000" }),
		handedOver(settings, []string{"link:" + currentLink})...)
	f(path("/usr/local/bin/gca", func(st *PathState) { *st = PathState{Kind: PathAbsent} }), "link:/usr/local/bin/gca")
	f(path(serviceFile, edit), handedOver([]string{"file:" + serviceFile}, nil)...)
	f(path(handoverFile, edit), handedOver([]string{"file:" + handoverFile}, nil)...)
	f(path(nextLink, func(st *PathState) { st.Target = "releases/0-000000000000" }), "link:"+nextLink)
	f(path(nextConfig, func(st *PathState) { *st = PathState{Kind: PathDir} }), "link:"+nextConfig)
	f(func(f *Facts, w *Want) {
		f.Units[serviceUnit] = UnitState{Loaded: true, Enabled: true, Ending: true}
		f.Units[handoverUnit] = UnitState{Loaded: true, Active: true}
	})
	f(path(socketFile, edit), append([]string{"file:" + socketFile}, started...)...)
	f(unit(serviceUnit, func(u *UnitState) { u.Active = false }), started...)
	f(unit(socketUnit, func(u *UnitState) { u.Enabled = false }), started...)
	f(path(nginxSite, edit), "check:nginx", "file:"+nginxSite, "nginx:nginx", "check:web")
	f(path(nginxMain, edit), "check:nginx", "file:"+nginxMain, "nginx:nginx", "check:web")
	f(path(nginxEnabled, func(st *PathState) { st.Target = "elsewhere" }), "check:nginx", "link:"+nginxEnabled, "nginx:nginx", "check:web")
	f(path(nginxDefault, func(st *PathState) { *st = PathState{Kind: PathLink, Target: "../sites-available/default"} }),
		"check:nginx", "link:"+nginxDefault, "nginx:nginx", "check:web")
	f(unit(nginxUnit, func(u *UnitState) { u.Active = false }), "nginx:nginx", "check:web")
	f(unit(nginxUnit, func(u *UnitState) { u.Enabled = false }), "nginx:nginx", "check:web")
	f(func(f *Facts, _ *Want) { f.Firewall = Firewall{UFW: UFWInactive} }, ArmedStep, "firewall:ufw")
	f(unit(ufwUnit, func(u *UnitState) { u.Enabled = false }), ArmedStep, "firewall:ufw")
	f(func(f *Facts, _ *Want) { f.Firewall.Rules = rules("22/tcp", "80/tcp") }, ArmedStep, "firewall:ufw")
	f(func(f *Facts, _ *Want) { f.Firewall.Rules = rules("22/tcp", "2222/tcp") }, "firewall:web")
	f(func(f *Facts, _ *Want) {
		f.Firewall.Rules = rules("22/tcp (OpenSSH)", "2222", "80,443/tcp (Nginx Full)")
	})
	f(func(f *Facts, _ *Want) { f.Firewall = Firewall{UFW: UFWInactive, Other: "firewalld"} })
	f(func(f *Facts, _ *Want) { f.Firewall = Firewall{UFW: UFWInactive}; f.SSHPorts = nil },
		"file:"+jailFile, "unit:fail2ban")
}

// Only what is missing is allowed where ufw already filters.
func TestDiff_ActiveFirewall(t *testing.T) {
	facts := freshFacts()
	facts.Firewall = Firewall{UFW: UFWActive, Rules: rules("22/tcp")}
	p := mustDiff(t, facts, testWant(t))
	for id, open := range map[string]opening{"firewall:web": {port: 80}, "firewall:ufw": {port: 2222}} {
		i := slices.Index(ids(p), id)
		if i < 0 {
			t.Fatalf("%q", ids(p))
		}
		if st := p.steps[i].op.(firewallStep); st.start || !slices.Equal(st.open, []opening{open}) {
			t.Errorf("%s: %+v", id, st)
		}
	}
	facts.Firewall = Firewall{UFW: UFWAbsent, Other: "nftables (table inet filter)"}
	p = mustDiff(t, facts, testWant(t))
	if !strings.HasPrefix(ids(p)[0], "package:nginx+fail2ban") || len(p.Notes()) != 2 || !hasNote(p, "nftables (table inet filter)", "port 80 in there") || !hasNote(p, "plain HTTP") {
		t.Errorf("%v, notes %q", ids(p), p.Notes())
	}
}

func TestDiff_Refuses(t *testing.T) {
	fresh := freshFacts()
	equal := after(fresh, mustDiff(t, fresh, testWant(t)))
	f := func(facts Facts, drift func(*Facts, *Want), kind RefusalKind, words ...string) {
		t.Helper()
		w := testWant(t)
		facts.Paths, facts.Units = maps.Clone(facts.Paths), maps.Clone(facts.Units)
		drift(&facts, &w)
		_, err := Diff(facts, w, readTestSettings)
		refusal, ok := errors.AsType[*Refusal](err)
		if !ok || refusal.Kind != kind {
			t.Fatalf("got %v, want a refusal of kind %s", err, kind)
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q does not say %q", err, word)
			}
		}
	}
	f(fresh, func(f *Facts, _ *Want) { f.OS = OSRelease{Pretty: "Rocky Linux 9", ID: "rocky"} }, RefusedOS, "Rocky Linux 9", "Debian")
	f(fresh, func(f *Facts, _ *Want) { f.OS = OSRelease{ID: "debian", Version: "10"} }, RefusedOS, "debian 10", "too old", "Debian 12")
	f(fresh, func(f *Facts, _ *Want) { f.OS = OSRelease{ID: "ubuntu", Version: "20.04"} }, RefusedOS, "too old")
	f(fresh, func(f *Facts, _ *Want) { f.Systemd = 0 }, RefusedOS, "systemd")
	f(fresh, func(f *Facts, _ *Want) { f.ReleaseSHA = "" }, RefusedRelease, "1.2.3-abababababab")
	f(fresh, func(_ *Facts, w *Want) { w.Keys = NewSecret("# none\n\n") }, RefusedKeys, "--keys-file")
	f(fresh, func(f *Facts, _ *Want) {
		f.Listeners = []Listener{{Port: 80, Address: "::", Program: "apache2", PID: 42}}
	},
		RefusedPort, "port 80", "apache2", "42", "systemctl disable --now apache2   # its sites are off then; or use another server")
	f(fresh, func(f *Facts, _ *Want) {
		f.Listeners = []Listener{{Port: 8000, Address: "0.0.0.0", Program: "python3", PID: 43}, {Port: 8001, Address: "127.0.0.1"}}
	},
		RefusedPort, "PORT=8000", "python3", "43", "echo PORT=8002 >/etc/gemini-adapter/adapter.env")
	f(equal, func(f *Facts, _ *Want) {
		f.Listeners = []Listener{{Port: 22, Address: "0.0.0.0", Program: "sshd", PID: 45}}
		f.Paths[settingsFile] = PathState{Kind: PathFile, Content: []byte("PORT=22\n")}
	},
		RefusedPort, "PORT=22", "sshd", "hint: choose another one: gca config set HOST PORT=8001")
	f(fresh, func(f *Facts, _ *Want) {
		f.Listeners = []Listener{{Port: 80, Address: "::", Program: "sshd", PID: 46}}
	},
		RefusedPort, "sshd", "move pid 46 to another port")
	f(equal, func(f *Facts, _ *Want) { f.Listeners = []Listener{{Port: 80, Program: "caddy", PID: 44}} }, RefusedPort, "caddy")
	f(equal, func(f *Facts, _ *Want) {
		f.Paths[nginxConf] = PathState{Kind: PathFile, Content: []byte("http { include conf.d/*.conf; }")}
	}, RefusedNginx, "sites-enabled")
	f(equal, func(f *Facts, _ *Want) {
		f.Paths[settingsFile] = PathState{Kind: PathFile, Content: []byte("PORT=many\n")}
	}, RefusedSettings, `adapter.env: line 1: PORT="many"`)
	f(equal, func(f *Facts, _ *Want) {
		f.Paths[settingsFile] = PathState{Kind: PathFile, Content: []byte("PORT=80\n")}
	}, RefusedSettings, "PORT=80")
	f(equal, func(f *Facts, _ *Want) { f.OwnDefault = true }, RefusedNginx, "serves something of its own", "mv /etc/nginx/sites-enabled/default")
	f(fresh, func(_ *Facts, w *Want) { w.Version = "../../etc" }, RefusedSettings, "../../etc")
	f(fresh, func(_ *Facts, w *Want) { w.SHA256 = "ab" }, RefusedSettings, "sha256")
	f(fresh, func(_ *Facts, w *Want) { w.Templates = nil }, RefusedSettings, TemplateSite)
	f(fresh, func(_ *Facts, w *Want) { w.Settings = []Setting{{Name: "A", Value: "1\nB=2"}} }, RefusedSettings, "setting A")
}

// What is ours is not in our way, nor is a listener on another address.
func TestDiff_OwnPorts(t *testing.T) {
	fresh := freshFacts()
	equal := after(fresh, mustDiff(t, fresh, testWant(t)))
	equal.Listeners = []Listener{
		{Port: 80, Address: "0.0.0.0", Program: "nginx", PID: 80}, {Port: 8000, Address: "127.0.0.1", Program: "gca", PID: 70},
	}
	if p := mustDiff(t, equal, testWant(t)); len(p.steps) > 0 {
		t.Errorf("%v", ids(p))
	}
	fresh.Listeners = []Listener{{Port: 8000, Address: "10.0.0.1", Program: "python3", PID: 1}}
	if _, err := Diff(fresh, testWant(t), readTestSettings); err != nil {
		t.Error(err)
	}
}

// Keys may be in adapter.env, and so may the tokens.
func TestDiff_KeysAndTokensInSettings(t *testing.T) {
	f := func(env string, token bool) {
		t.Helper()
		facts, w := freshFacts(), testWant(t)
		w.Keys = Secret{}
		facts.Paths[settingsFile] = PathState{Kind: PathFile, Content: []byte("GEMINI_API_KEYS=\"AIzaA, AIzaB\"\n" + env)}
		if p := mustDiff(t, facts, w); slices.Contains(ids(p), "token:client") == token {
			t.Errorf("%q: a token is made: %v", env, !token)
		}
	}
	f("CLIENT_TOKENS=abc\n", true)
	f("CLIENT_TOKENS=,\n", false)
	f("", false)
}

// What the adapter could not read is refused before anything changes, in the adapter's own words.
func TestDiff_RefusesWhatTheAdapterCannotRead(t *testing.T) {
	f := func(path, text, want string) {
		t.Helper()
		facts := freshFacts()
		facts.Paths[path] = PathState{Kind: PathFile, Content: []byte(text)}
		w := testWant(t)
		if path == keysFile {
			w.Keys = Secret{}
		}
		_, err := Diff(facts, w, readTestSettings)
		if r, ok := errors.AsType[*Refusal](err); !ok || r.Kind != RefusedSettings || !strings.Contains(r.Message, want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	f(settingsFile, "host=0.0.0.0\n", "adapter.env: line 1: expected NAME=value")
	f(settingsFile, "HOST=127.0.0.1\nHOST=::\n", "adapter.env: line 2: HOST is set a second time")
	f(settingsFile, "HOST=\"127.0.0.1\n", "adapter.env: line 1: HOST: the quote")
	f(settingsFile, "HOST='::' or so\n", "adapter.env: line 1: HOST: there is text after the closing quote")
	f(tokensFile, "secret\n", "tokens: line 1: expected sha256:")
	f(keysFile, "AIza hidden\n", "keys: line 1:")
}

// A drain of nothing is a setting like any other, and lets Nginx's old workers not wait for ever.
func TestDiff_NoDrain(t *testing.T) {
	facts := freshFacts()
	facts.Paths[settingsFile] = PathState{Kind: PathFile, Content: []byte("DRAIN_TIMEOUT=0\n")}
	for _, step := range mustDiff(t, facts, testWant(t)).steps {
		st, ok := step.op.(fileStep)
		switch {
		case ok && st.path == serviceFile && !strings.Contains(string(st.content), "\nTimeoutStopSec=10s\n"):
			t.Errorf("%s", st.content)
		case ok && st.path == nginxMain && !strings.Contains(string(st.content), "\nworker_shutdown_timeout 1s;\n"):
			t.Errorf("%s", st.content)
		}
	}
}

// Settings that lie elsewhere are not replaced by ours.
func TestDiff_RefusesLinkedSettings(t *testing.T) {
	f := func(path string, st PathState, want string) {
		t.Helper()
		facts := freshFacts()
		facts.Paths[path] = st
		_, err := Diff(facts, testWant(t), readTestSettings)
		if r, ok := errors.AsType[*Refusal](err); !ok || r.Kind != RefusedSettings || r.Message != want {
			t.Errorf("%v", err)
		}
	}
	for _, path := range []string{settingsFile, keysFile, tokensFile} {
		f(path, PathState{Kind: PathLink, Target: "/srv/x"}, path+" is a link; replace it by the file itself")
		f(path, PathState{Kind: PathDir}, path+" is not a plain file")
	}
}

// However long the adapter may drain, its restart and the reversal's wait for it.
func TestDiff_StopTime(t *testing.T) {
	f := func(drain, unit string, want time.Duration) {
		t.Helper()
		facts := freshFacts()
		facts.Paths[settingsFile] = PathState{Kind: PathFile, Content: []byte("DRAIN_TIMEOUT=" + drain + "\n")}
		facts.Paths[serviceFile] = PathState{Kind: PathFile, Content: []byte(unit)}
		for _, step := range mustDiff(t, facts, testWant(t)).steps {
			if st, ok := step.op.(unitStep); ok && st.stop != want {
				t.Errorf("DRAIN_TIMEOUT=%s: %s, want %s", drain, st.stop, want)
			}
		}
	}
	f("0", "", time.Minute)
	f("7200", "", 121*time.Minute)
	f("7200", "[Service]\nTimeoutStopSec=610s\n", 121*time.Minute)
	f("60", "[Service]\nTimeoutStopSec=3610s\n", 3670*time.Second)
}
