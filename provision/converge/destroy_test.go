package converge

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// bare is a machine before anything was sent to it, and what it holds.
func bareMachine(t *testing.T) (*machine, []string) {
	m := newMachine(t)
	m.must(os.RemoveAll(m.sys.at("/opt/gemini-adapter")))
	m.put("/etc/fstab", "UUID=1 / ext4 defaults 0 1\n")
	return m, m.tree()
}

func (m *machine) destroy(o DestroyOptions) Destruction {
	m.Helper()
	done, err := destroy(m.Context(), m.sys, o, func(string) {})
	m.must(err)
	return done
}

func TestDestroy(t *testing.T) {
	m, before := bareMachine(t)
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	settings := func(level string) { // deploys write over what deploys wrote
		want := m.want("")
		want.Settings = append(want.Settings, Setting{Name: "LOG_LEVEL", Value: level}, Setting{Name: "MAX_BODY", Value: map[string]string{"debug": "20MB", "warn": "30MB"}[level]})
		_, err := m.agent().local(t.Context(), m.sys, want, Events{})
		m.must(err)
	}
	settings("debug")
	settings("warn")
	m.put(stateDir+"/state.db", "usage")
	m.must(os.MkdirAll(m.sys.at("/var/backups/gemini-adapter"), 0o700))
	m.put("/var/backups/gemini-adapter/one.tar.gz", "backup")
	after := m.tree()

	o := DestroyOptions{Purge: true, Folders: []Folder{{Path: "/var/backups/gemini-adapter", What: "backups"}}}
	plan, err := planDestroy(t.Context(), &m.sys.reader, o)
	m.must(err)
	m.same(after, "a plan")
	if len(plan.Left) > 0 || !slices.Contains(plan.Packages, "nginx") || plan.Folders[0] != (Folder{"/var/backups/gemini-adapter", "backups", 1, 6}) {
		t.Errorf("%+v", plan)
	}
	for _, want := range []string{"remove " + nginxSite, "remove the user gemini", "remove " + jailFile, "stop " + nginxUnit} {
		if !slices.Contains(plan.Back, want) {
			t.Errorf("%q is not among %q", want, plan.Back)
		}
	}
	if done := m.destroy(o); len(done.Left) > 0 {
		t.Errorf("left %q", done.Left)
	}
	m.must(os.Remove(m.sys.at("/var/backups")))
	m.same(before, "destroyed")
	if done := m.destroy(o); len(done.Folders)+len(done.Back)+len(done.Left)+len(done.Packages) > 0 {
		t.Errorf("destroyed twice: %+v", done)
	}
	m.same(before, "destroyed twice")
}

// Packages stay unless they are to go, and say so; backups stay too where they are to.
func TestDestroy_Keeps(t *testing.T) {
	m, _ := bareMachine(t)
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	m.must(os.MkdirAll(m.sys.at("/var/backups/gemini-adapter"), 0o700))
	done := m.destroy(DestroyOptions{})
	if !slices.Equal(done.Packages, []string{"nginx", "ufw"}) { // the simulation of the machine's apt-get names these
		t.Errorf("packages %q", done.Packages)
	}
	f := func(path string, want PathKind) {
		t.Helper()
		if st, err := m.sys.look(path); err != nil || st.Kind != want {
			t.Errorf("%s is %s, %v", path, st.Kind, err)
		}
	}
	f("/var/backups/gemini-adapter", PathDir)
	f(nginxBinary, PathFile)
	f(nginxDefault, PathLink)
	f(nginxSite, PathAbsent)
	f("/units/nginx.service.active", PathAbsent)
	f("/units/nginx.service.enabled", PathAbsent)
	f(gcaDir, PathAbsent)
	text, err := m.sys.readText(nginxConf)
	if err != nil || !strings.Contains(text, "worker_connections 768;") {
		t.Errorf("%q, %v", text, err)
	}
}

// What a person changed since stays, and is named; it keeps nothing else from going.
func TestDestroy_LeavesOthersWork(t *testing.T) {
	m, _ := bareMachine(t)
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	conf, err := m.sys.readText(nginxConf)
	m.must(err)
	m.put(nginxConf, conf+"# mine\n")
	m.put(nginxSite, "# mine\n")
	m.put("/etc/systemd/system/nginx.service.d/mine.conf", "[Service]\n")
	done := m.destroy(DestroyOptions{})
	all := strings.Join(done.Left, "\n")
	for _, want := range []string{nginxConf + " was changed", "its content of before is in " + journalDir + "/failed-", nginxSite + " was changed", "mine.conf was not written by the deploy"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in %s", want, all)
		}
	}
	if text, err := m.sys.readText(nginxConf); err != nil || text != conf+"# mine\n" {
		t.Errorf("%q, %v", text, err)
	}
	if st, err := m.sys.look(nginxEnabled); err != nil || st.Kind != PathAbsent {
		t.Errorf("%s is still in force, %v", nginxEnabled, err)
	}
	if _, found, err := m.sys.idOf("/etc/passwd", serviceUser); err != nil || found {
		t.Errorf("the user is still there, %v", err)
	}
}

// What somebody changed between two deploys is what a file goes back to.
func TestDestroy_ChangedBetween(t *testing.T) {
	m, _ := bareMachine(t)
	const edited = "events {\n\tworker_connections 768;\n}\ninclude /etc/nginx/sites-enabled/*;\n# mine\n"
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	m.put(nginxConf, edited)
	if _, states, err := m.deploy(""); err != nil || !slices.Contains(states, "file:"+nginxConf+" done") {
		t.Fatalf("%q, %v", states, err)
	}
	done := m.destroy(DestroyOptions{})
	text, err := m.sys.readText(nginxConf)
	if err != nil || text != edited || len(done.Left) > 0 {
		t.Errorf("%q, left %q, %v", text, done.Left, err)
	}
}

// A destroy that was cut anywhere is finished by the next one, or by a deploy before anything else.
func TestDestroy_CutAnywhere(t *testing.T) {
	m, before := bareMachine(t)
	cut := errors.New("cut")
	for every, next := range map[int]string{9: "destroy", 16: "deploy"} {
		for after := 1; ; after += every {
			_, _, err := m.deploy("AIzaSyTest1")
			m.must(err)
			ended := m.cutDestroy(after, cut)
			if next == "deploy" && !ended {
				if _, _, err := m.deploy("AIzaSyTest2"); err != nil {
					t.Fatalf("a deploy after a destroy that was cut %d records on: %v", after, err)
				}
			}
			done := m.destroy(DestroyOptions{Purge: true})
			m.same(before, fmt.Sprintf("%s after a destroy that was cut %d records on, left %q", next, after, done.Left))
			if ended || t.Failed() {
				break
			}
		}
	}
}

// cutDestroy is a destroy whose undo ends after some of the actions; true where there were no more.
func (m *machine) cutDestroy(after int, cut error) (ended bool) {
	m.Helper()
	m.must(m.sys.stopAdapter(m.Context()))
	m.must(openDestroy(m.Context(), m.sys, DestroyOptions{Purge: true}))
	m.must(forgetDestroyed(m.sys))
	log := m.sys.at(openDir + "/" + journalLog)
	whole, err := os.ReadFile(log)
	m.must(err)
	// The undo of a journal that begins later is one that has not come to the steps before.
	lines := strings.SplitAfter(string(whole), "\n")
	steps := (len(lines) - 1) / 2 // each has two, the last one has one
	if after >= steps {
		return true
	}
	m.must(os.WriteFile(log, []byte(strings.Join(lines[2*(steps-after):], "")), 0o600))
	_ = takeBack(m.Context(), m.sys, openDir)
	tail, err := os.ReadFile(log)
	m.must(err)
	noted := tail[len(strings.Join(lines[2*(steps-after):], "")):]
	m.must(os.WriteFile(log, append(whole, noted...), 0o600))
	return false
}

// A server says by itself from where alone clients may come, as long as its ufw is on.
func TestFacts_site(t *testing.T) {
	f := func(conf, rules string, s Settings, w Want, want ...string) {
		t.Helper()
		m := newMachine(t)
		m.must(os.MkdirAll(m.sys.at("/etc/ufw"), 0o755))
		m.put(ufwFiles[0], conf)
		m.put(ufwFiles[1], rules)
		facts, err := collectFiles(&m.sys.reader, Want{})
		m.must(err)
		if got := facts.site(s, w).From; !slices.Equal(got, want) {
			t.Errorf("%q: clients come from %v, want %v", rules, got, want)
		}
	}
	const on, ours = "# x\nENABLED=yes\nLOGLEVEL=low\n", " in comment=67656d696e692d61646170746572\n"
	const some = "### tuple ### allow tcp 80 0.0.0.0/0 any 203.0.113.0/24" + ours
	const all = "### tuple ### allow tcp 80 0.0.0.0/0 any 0.0.0.0/0" + ours
	const secure = "### tuple ### allow tcp 443 0.0.0.0/0 any 198.51.100.7" + ours
	f(on, some, Settings{}, Want{}, "203.0.113.0/24")
	f(on, some+secure+all, Settings{}, Want{})
	f(on, all+secure, Settings{TLSName: "adapter.example.com"}, Want{}, "198.51.100.7")
	f(on, "", Settings{}, Want{})
	f("ENABLED=no\n", some, Settings{}, Want{})
	f(on, all, Settings{}, Want{AllowFrom: []string{"198.51.100.0/24"}}, "198.51.100.0/24")
	f(on, some, Settings{}, Want{AllowFrom: []string{"0.0.0.0/0", "::/0"}})
}

func TestParseTuple(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		rule, ours := parseTuple(line)
		text, err := json.Marshal(rule.args)
		if got := string(text); err != nil || ours != (want != "") || ours && got != want {
			t.Errorf("%s: %v %s, %v", line, ours, got, err)
		}
	}
	const ours = " comment=67656d696e692d61646170746572"
	f("### tuple ### allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 in"+ours, `["allow","80/tcp"]`)
	f("### tuple ### allow tcp 80 ::/0 any ::/0 in"+ours, `["allow","80/tcp"]`)
	f("### tuple ### allow tcp 443 0.0.0.0/0 any 203.0.113.0/24 in"+ours, `["allow","from","203.0.113.0/24","to","any","port","443","proto","tcp"]`)
	f("### tuple ### allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 in", "")
	f("### tuple ### allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 in comment=6d696e65", "")
	f("### tuple ### allow udp 80 0.0.0.0/0 any 0.0.0.0/0 in"+ours, "")
	f("### tuple ### allow tcp 80,443 0.0.0.0/0 any 0.0.0.0/0 in"+ours, "")
	f("-A ufw-user-input -p tcp --dport 80 -j ACCEPT", "")
}
