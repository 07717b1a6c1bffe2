package converge

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
)

// roots are the ids of the findings that follow from no other one.
func roots(found []Finding) []string {
	var ids []string
	for _, f := range found {
		if f.Follows == "" {
			ids = append(ids, f.ID)
		}
	}
	return ids
}

// Each thing that is broken on a deployed server is named as the root cause, alone; what follows from it is marked so. Put right,
// nothing is said.
func TestServing(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	look := func() []Finding {
		found, err := m.agent().diagnose(t.Context(), &m.sys.reader, m.want(""))
		m.must(err)
		return slices.DeleteFunc(found, func(f Finding) bool { return f.ID == "disk-free" || f.ID == "inodes" }) // of the machine that tests run on
	}
	f := func(name string, do, undo func(), want string, follow ...string) {
		t.Helper()
		do()
		found := look()
		var followers []string
		for _, f := range found {
			if f.Follows != "" {
				followers = append(followers, f.ID)
			}
			if f.What == "" || f.Means == "" || f.Cure == "" {
				t.Errorf("%s: %+v does not say all", name, f)
			}
		}
		if got := roots(found); !slices.Equal(got, []string{want}) || !slices.Equal(followers, follow) {
			t.Errorf("%s: roots %q, followed by %q; want %q, %q", name, got, followers, want, follow)
		}
		undo()
		if found := look(); len(found) > 0 {
			t.Fatalf("after %s was put right: %+v", name, found)
		}
	}
	if found := look(); len(found) > 0 {
		t.Fatalf("a server that is well: %+v", found)
	}
	gone := func(path string) (do, undo func()) {
		kept := m.sys.at(path) + ".kept"
		return func() { m.must(os.Rename(m.sys.at(path), kept)) }, func() { m.must(os.Rename(kept, m.sys.at(path))) }
	}
	edited := func(path string, edit func(string) string) (do, undo func()) {
		before, err := os.ReadFile(m.sys.at(path))
		m.must(err)
		info, err := os.Stat(m.sys.at(path))
		m.must(err)
		write := func(text string) { m.must(os.WriteFile(m.sys.at(path), []byte(text), info.Mode())) }
		return func() { write(edit(string(before))) }, func() { write(string(before)) }
	}
	added := func(path, text string) (do, undo func()) {
		return func() {
			m.must(os.MkdirAll(m.sys.at(path[:strings.LastIndex(path, "/")]), 0o755))
			m.put(path, text)
		}, func() { m.must(os.Remove(m.sys.at(path))) }
	}
	answer := func(status int, body string) (do, undo func()) {
		well := m.health.Config.Handler
		return func() {
			m.health.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				fmt.Fprint(w, body)
			})
		}, func() { m.health.Config.Handler = well }
	}
	try := func(name string, do, undo func()) func(string, ...string) {
		return func(want string, follow ...string) { t.Helper(); f(name, do, undo, want, follow...) }
	}
	append2 := func(more string) func(string) string { return func(text string) string { return text + more } }

	do, undo := gone("/units/" + socketUnit + ".active")
	try("the socket is stopped", do, undo)("socket", "drift")
	f("somebody stopped the adapter", func() {
		m.must(stop(t.Context(), m.sys, "gemini-manage stop"))
	}, func() {
		m.put("/units/"+socketUnit+".active", "")
		m.put("/units/"+serviceUnit+".active", "")
	}, "stopped")
	do, undo = gone("/units/" + socketUnit + ".enabled")
	try("the socket does not start at boot", do, undo)("socket", "drift")
	do, undo = gone("/units/" + serviceUnit + ".active")
	try("the service has died", do, undo)("service", "drift")
	do, undo = gone("/units/" + nginxUnit + ".active")
	try("Nginx is stopped", do, undo)("nginx", "drift")
	do, undo = gone("/units/" + nginxUnit + ".enabled")
	try("Nginx does not start at boot", do, undo)("nginx", "drift")
	do, undo = gone("/units/" + fail2banUnit + ".enabled")
	try("fail2ban is off", do, undo)("fail2ban", "drift")
	do, undo = gone("/units/" + backupTimer().unit + ".active")
	try("nothing backs up", do, undo)("timer", "drift")
	do, undo = gone("/units/" + alertsTimer().unit + ".enabled")
	try("nothing alerts after a reboot", do, undo)("timer", "drift")
	do, undo = added("/units/"+backupTimer().service+".failed", "")
	try("the last backup failed", do, undo)("timer-run")
	do, undo = added("/units/"+certificateTimer().service+".failed", "")
	try("the last renewal failed", do, undo)("timer-run")
	do, undo = added("/units/"+alertsTimer().service+".failed", "")
	try("the last look for alerts failed", do, undo)("timer-run")
	do, undo = added("/etc/nginx/conf.d/x.conf", "broken on;\n")
	try("Nginx would not start again", do, undo)("nginx-conf")
	do, undo = edited(keysFile, func(string) string { return "" })
	try("the keys are gone", do, undo)("keys")
	do, undo = edited(settingsFile, append2("MAX_BODY=x\n"))
	try("a setting is wrong", do, undo)("settings")
	do()
	if found := look(); found[0].Level != LevelFail || found[0].Cure != "gemini-manage config edit" || !strings.Contains(found[0].What, "MAX_BODY") {
		t.Errorf("a setting is wrong: %+v", found)
	}
	undo()
	do, undo = edited(keysFile, func(string) string { return "a key\n" })
	try("a key is wrong", do, undo)("settings")
	do()
	if found := look(); found[0].Cure != "nano "+keysFile {
		t.Errorf("a key is wrong: %+v", found)
	}
	undo()
	leads := func(target string) func() {
		return func() {
			m.must(os.Remove(m.sys.at(currentLink)))
			m.must(os.Symlink(target, m.sys.at(currentLink)))
		}
	}
	f("the release is gone", leads("releases/gone"), leads("releases/"+ReleaseName("1.2.3", m.sum)), "release")
	do, undo = gone(ReleaseDir("1.2.3", m.sum) + "/gca")
	try("the binary is gone", do, undo)("release")
	do, undo = edited("/etc/passwd", func(text string) string { return strings.ReplaceAll(text, "gemini:", "other:") })
	try("the user is gone", do, undo)("user", "drift")
	do, undo = gone(stateDir)
	try("the state's folder is gone", do, undo)("state", "drift")
	do, undo = gone(nginxEnabled)
	try("the site is off", do, undo)("site", "drift")
	do, undo = edited(nginxSite, append2("# mine\n"))
	try("the site was edited", do, undo)("drift")
	do, undo = edited(serviceFile, append2("# mine\n"))
	try("the unit was edited", do, undo)("drift")
	do, undo = answer(http.StatusBadGateway, "<html>")
	try("the adapter does not answer", do, undo)("adapter", "web")
	do, undo = answer(http.StatusServiceUnavailable, `{"status":"unhealthy"}`)
	try("no key is active", do, undo)("no-key")
	do, undo = added("/sys/fs/cgroup/system.slice/"+serviceUnit+"/memory.events", "oom 4\noom_kill 2\n")
	try("memory ran out", do, undo)("oom")
	do, undo = edited("/var/lib/dpkg/status", append2("Package: curl\nStatus: install ok half-configured\n\n"))
	try("dpkg was stopped half-way", do, undo)("dpkg")
	do, undo = added("/run/reboot-required", "")
	try("a reboot is due", do, undo)("reboot")
	do, undo = edited("/etc/ufw/user.rules", func(string) string { return "" })
	try("the firewall lets nobody in", do, undo)("firewall")
}

func TestNeeds(t *testing.T) {
	f := func(change func(*Facts, *Settings), want ...string) {
		t.Helper()
		facts := freshFacts()
		facts.User = UserState{User: true, Group: true, Owner: Owner{999, 998}}
		facts.Paths = map[string]PathState{stateDir: {Kind: PathDir, UID: facts.User.Owner.UID}, nginxSite: {Kind: PathFile}, nginxEnabled: {Kind: PathLink, Target: nginxSite}}
		facts.Hardware.DiskFree, facts.Hardware.VarFree = 5<<30, 5<<30
		settings := Settings{Keys: 1, TLSName: "adapter.example.com"}
		change(&facts, &settings)
		var got []string
		for _, found := range needs(facts, settings, nil) {
			got = append(got, found.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(func(*Facts, *Settings) {})
	f(func(f *Facts, _ *Settings) { f.Hardware.VarFree = 1 << 20 }, "disk-full")
	f(func(f *Facts, _ *Settings) { f.TLS.Unusable = "it ended" }, "certificate")
	f(func(f *Facts, s *Settings) { f.TLS.Unusable, s.TLSName = "it ended", "" })
}

// What is wrong first comes first, and what follows from it says so, over several steps.
func TestInOrder(t *testing.T) {
	f := func(given string, want ...string) {
		t.Helper()
		var found []Finding
		for _, id := range strings.Fields(given) {
			found = append(found, Finding{ID: id})
		}
		var got []string
		for _, f := range inOrder(found) {
			got = append(got, strings.TrimSuffix(f.ID+"<"+f.Follows, "<"))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", given, got, want)
		}
	}
	f("web adapter service disk-full", "disk-full", "service<disk-full", "adapter<disk-full", "web<disk-full")
	f("no-key egress dns", "dns", "egress<dns", "no-key<dns")
	f("no-key web site", "site", "web<site", "no-key")
	f("drift reboot something", "drift", "reboot", "something")
	f("nginx port-443 certificate", "port-443", "certificate", "nginx<port-443")
	f("drift web-port firewall", "firewall", "web-port<firewall", "drift<firewall")
}
