package converge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestAgent_Deploys(t *testing.T) {
	m := newMachine(t)
	applied, states, err := m.deploy("AIzaSyTest1")
	m.must(err)
	if applied.Changed == 0 || len(states) != 2*applied.Changed || len(applied.ClientToken.Reveal()) != 36 {
		t.Errorf("%d changes, %d events", applied.Changed, len(states))
	}
	keys, err := m.sys.state(keysFile)
	m.must(err)
	if string(keys.Content) != "AIzaSyTest1\n" || keys.Mode != 0o600 {
		t.Errorf("keys %q, mode %o", keys.Content, keys.Mode)
	}
	before := m.tree()
	applied, _, err = m.deploy("")
	m.must(err)
	if applied.Changed != 0 {
		t.Errorf("a second run makes %d changes", applied.Changed)
	}
	m.same(before, "second run")
}

// A new key replaces the old one, whose copy for the reversal does not outlive the deploy.
func TestAgent_ForgetsOldSecrets(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyOld")
	m.must(err)
	_, _, err = m.deploy("AIzaSyNew")
	m.must(err)
	if tree := strings.Join(m.tree(), "\n"); strings.Contains(tree, "AIzaSyOld") || !strings.Contains(tree, "AIzaSyNew") {
		t.Error("the old key is still on the server, or the new one is not")
	}
}

func TestAgent_LeavesNothing(t *testing.T) {
	f := func(name string, talk func(m *machine, c *Client, laptop io.Closer)) {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.must(os.RemoveAll(m.sys.at("/opt/gemini-adapter")))
			before := m.tree()
			m.upload()
			c, laptop, ended := m.dial()
			talk(m, c, laptop)
			m.must(laptop.Close())
			if err := <-ended; err != nil && !errors.Is(err, io.ErrClosedPipe) {
				t.Error(err)
			}
			m.must(m.lastWorker())
			m.same(before, name)
		})
	}
	f("cancelled before want", func(m *machine, c *Client, _ io.Closer) { m.must(c.Cancel()) })
	f("refused", func(m *machine, c *Client, _ io.Closer) {
		m.must(c.SendWant(m.want("")))
		if _, err := c.Plan(); err == nil {
			m.Error("no keys, and no refusal")
		}
	})
	f("cancelled", func(m *machine, c *Client, _ io.Closer) {
		m.must(c.SendWant(m.want("AIzaSyTest1")))
		_, err := c.Plan()
		m.must(errors.Join(err, c.Cancel()))
	})
	f("failed check", func(m *machine, c *Client, _ io.Closer) {
		m.must(c.SendWant(m.want("malformed")))
		_, err := c.Plan()
		m.must(err)
		_, err = c.Apply(Events{})
		back, ok := errors.AsType[*RolledBackError](err)
		if !ok || back.Step != "check:settings" || back.Title != "let the release read its settings" ||
			back.Reason != "the adapter would not start with these settings, keys and tokens" || !slices.Contains(back.Log, "keys: line 1 is malformed") {
			m.Errorf("%v", err)
		}
	})
	f("rolled back", func(m *machine, c *Client, _ io.Closer) {
		m.applied(c)
		m.must(c.Rollback("not reachable from here"))
		m.back(c.RolledBack(), "not reachable from here")
	})
	f("no commit in time", func(m *machine, c *Client, _ io.Closer) {
		m.commitTime = 20 * time.Millisecond
		m.applied(c)
		m.back(c.RolledBack(), "no laptop committed within 20ms")
	})
	f("shutdown before commit", func(m *machine, c *Client, _ io.Closer) {
		m.applied(c)
		m.stopWorker(errShutdown)
		m.back(c.RolledBack(), errShutdown.Error())
	})
}

// applied sends a want and has it carried out.
func (m *machine) applied(c *Client) {
	m.Helper()
	m.must(c.SendWant(m.want("AIzaSyTest1")))
	_, err := c.Plan()
	m.must(err)
	_, err = c.Apply(Events{})
	m.must(err)
}

// back wants err to tell that everything was put back, not for a step's fault, but for reason.
func (m *machine) back(err error, reason string) {
	m.Helper()
	back, ok := errors.AsType[*RolledBackError](err)
	if !ok || back.Step != "" || back.Reason != reason || len(back.FailedUndo) > 0 {
		m.Errorf("%v, want it put back: %s", err, reason)
	}
}

// A laptop that is gone before it said "apply" may come back: what it sent stays.
func TestAgent_LostBeforeApply(t *testing.T) {
	f := func(name string, talk func(m *machine, c *Client)) {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			before := m.tree()
			c, laptop, ended := m.dial()
			talk(m, c)
			m.must(errors.Join(laptop.Close(), <-ended))
			m.same(before, name)
		})
	}
	planned := func(m *machine, c *Client) {
		m.Helper()
		m.must(c.SendWant(m.want("AIzaSyTest1")))
		_, err := c.Plan()
		m.must(err)
	}
	f("before want", func(*machine, *Client) {})
	f("before apply", planned)
	f("nonsense", func(m *machine, c *Client) {
		planned(m, c)
		_, err := c.wire.out.Write([]byte("this is no message\n"))
		m.must(err)
	})
}

// What the agent does not know, or does not expect now, is answered and passed over.
func TestAgent_Unsupported(t *testing.T) {
	m := newMachine(t)
	c, laptop, ended := m.dial()
	for _, line := range []string{`{"type":"dance","steps":3}`, `{"type":"commit"}`, `{"type":"hello"}`} {
		if _, err := io.WriteString(c.wire.out, line+"\n"); err != nil {
			t.Fatal(err)
		}
		m2, err := c.wire.receive()
		if u, ok := m2.(unsupportedMessage); err != nil || !ok || !strings.Contains(line, `"`+u.MessageType+`"`) {
			t.Errorf("%s is answered with %+v, %v", line, m2, err)
		}
	}
	m.must(c.SendWant(m.want("AIzaSyTest1")))
	_, err := c.Plan()
	m.must(errors.Join(err, c.Cancel(), laptop.Close(), <-ended))
}

func TestAgent_Locked(t *testing.T) {
	m := newMachine(t)
	unlock, err := takeLock(m.sys, testTime, "deploy of 1.2.2-aaaaaaaaaaaa from 203.0.113.8")
	m.must(err)
	_, _, err = m.deploy("AIzaSyTest1")
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok || refusal.Kind != RefusedLocked || !strings.Contains(refusal.Message, strconv.Itoa(os.Getpid())) || !strings.Contains(refusal.Message, "2026-01-02") ||
		!strings.Contains(refusal.Message, "deploy of 1.2.2-aaaaaaaaaaaa from 203.0.113.8") {
		t.Errorf("%v", err)
	}
	m.must(unlock())
	_, _, err = m.deploy("AIzaSyTest1")
	m.must(err)
}

// A deploy beside another shares the uploaded release with it, and must not take it away, however it ends.
func TestAgent_LeavesTheLockHoldersRelease(t *testing.T) {
	m := newMachine(t)
	first, firstStream, firstEnded := m.dial()
	m.applied(first)

	second, stream, ended := m.dial()
	m.must(second.SendWant(m.want("AIzaSyTest1")))
	_, err := second.Plan()
	if r, ok := errors.AsType[*Refusal](err); !ok || r.Kind != RefusedLocked || !strings.Contains(r.Message, "from 203.0.113.9") {
		t.Errorf("a second deploy is planned beside the first: %v", err)
	}
	m.must(errors.Join(stream.Close(), <-ended))
	second, stream, ended = m.dial()
	m.must(errors.Join(second.Cancel(), stream.Close(), <-ended))

	m.must(first.Proven())
	_, err = first.Commit()
	m.must(errors.Join(err, firstStream.Close(), <-firstEnded, m.lastWorker()))
	if st, err := m.sys.state(ReleaseDir("1.2.3", m.sum) + "/gca"); err != nil || st.Kind != PathFile {
		t.Errorf("the first deploy's release is %+v, %v", st, err)
	}
}

// What changed while a person looked at the plan is not overrun.
func TestAgent_ChangedSincePlan(t *testing.T) {
	m := newMachine(t)
	f := func(kind RefusalKind, change func()) {
		t.Helper()
		m.upload()
		c, laptop, ended := m.dial()
		m.must(c.SendWant(m.want("AIzaSyTest1")))
		_, err := c.Plan()
		m.must(err)
		change()
		before := m.tree()
		_, err = c.Apply(Events{})
		if r, ok := errors.AsType[*Refusal](err); !ok || r.Kind != kind {
			t.Errorf("%v", err)
		}
		m.must(errors.Join(laptop.Close(), <-ended, m.lastWorker()))
		m.same(before, string(kind))
	}
	f(RefusedChanged, func() {
		m.put("/etc/systemd/system/gemini-adapter.socket", "another\n")
		m.must(m.sys.writeLink(currentLink, "releases/"+ReleaseName("1.2.3", m.sum)))
	})
	f(RefusedRelease, func() { m.must(os.RemoveAll(m.sys.at(ReleaseDir("1.2.3", m.sum)))) })
}

// A file that is not any more what the plan was to replace is noticed, although the step's words are the same.
func TestAgent_ChangedUnderTheSameTitle(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	m.put(nginxSite, "# mine\n")
	c, laptop, ended := m.dial()
	m.must(c.SendWant(m.want("")))
	_, err = c.Plan()
	m.must(err)
	m.put(nginxSite, "# mine, and better\n")
	before := m.tree()
	_, err = c.Apply(Events{})
	if r, ok := errors.AsType[*Refusal](err); !ok || r.Kind != RefusedChanged {
		t.Errorf("%v", err)
	}
	m.must(errors.Join(laptop.Close(), <-ended, m.lastWorker()))
	m.same(before, "changed")
}

// What the worker refuses, though the front did not, leaves no release behind.
func TestAgent_RefusedByTheWorker(t *testing.T) {
	m := newMachine(t)
	c, laptop, ended := m.dial()
	m.must(c.SendWant(m.want("AIzaSyTest1")))
	_, err := c.Plan()
	m.must(errors.Join(err, os.MkdirAll(m.sys.at(configDir), 0o755), os.Symlink("/srv/keys", m.sys.at(keysFile))))
	_, err = c.Apply(Events{})
	if r, ok := errors.AsType[*Refusal](err); !ok || r.Kind != RefusedSettings {
		t.Errorf("%v", err)
	}
	m.must(errors.Join(laptop.Close(), <-ended, m.lastWorker()))
	if st, err := m.sys.look("/opt/gemini-adapter"); err != nil || st.Kind != PathAbsent {
		t.Errorf("the release is %+v, %v", st, err)
	}
}

// Another user than root cannot even look; the agent says so in place of its hello.
func TestAgent_NotRoot(t *testing.T) {
	m := newMachine(t)
	m.put("/etc/passwd", fmt.Sprintf("root:x:%d:%d::/root:/bin/sh\n", os.Geteuid()+1, os.Getegid()))
	before := m.tree()
	c, laptop, ended := m.start()
	_, err := c.Hello()
	if r, ok := errors.AsType[*Refusal](err); !ok || r.Kind != RefusedUser || r.Hint != "gca deploy root@HOST" {
		t.Errorf("%v", err)
	}
	m.must(errors.Join(laptop.Close(), <-ended))
	m.same(before, "not root")
}

// A firewall that filters but would not after a boot is turned on at boot, and filters on when that is taken back.
func TestAgent_FirewallAtBoot(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	_, err = m.sys.run(context.Background(), "systemctl", "disable", ufwUnit)
	m.must(err)
	before := m.tree()
	c, laptop, ended := m.dial()
	m.must(c.SendWant(m.want("")))
	plan, err := c.Plan()
	m.must(err)
	if len(plan.Steps) != 2 || plan.Steps[0].ID != ArmedStep || plan.Steps[1].Title != "turn ufw on at boot" {
		t.Errorf("%+v", plan.Steps)
	}
	_, err = c.Apply(Events{})
	m.must(errors.Join(err, c.Rollback("no")))
	m.back(c.RolledBack(), "no")
	m.must(errors.Join(laptop.Close(), <-ended))
	m.same(before, "rolled back")
	for _, changes := range []int{2, 0} {
		if applied, _, err := m.deploy(""); err != nil || applied.Changed != changes {
			t.Errorf("%d changes, want %d, %v", applied.Changed, changes, err)
		}
	}
}

// Settings that no want can mend end the conversation before the laptop asks a person for anything.
func TestAgent_LinkedSettings(t *testing.T) {
	m := newMachine(t)
	m.must(os.RemoveAll(m.sys.at("/opt/gemini-adapter")))
	m.must(os.MkdirAll(m.sys.at(configDir), 0o755))
	m.must(os.Symlink("/srv/keys", m.sys.at(keysFile)))
	before := m.tree()
	f := func(name string, cancels bool) {
		t.Helper()
		m.upload()
		sent := m.tree()
		c, laptop, ended := m.start()
		_, err := c.Hello()
		if r, ok := errors.AsType[*Refusal](err); !ok || r.Kind != RefusedSettings || !strings.Contains(r.Message, keysFile+" is a link") {
			t.Errorf("%v", err)
		}
		if cancels {
			m.must(c.Cancel())
			sent = before
		}
		m.must(errors.Join(laptop.Close(), <-ended))
		m.same(sent, name)
	}
	f("one that only looks", false)
	f("one that meant to deploy", true)
}

// Settings that cannot be read are the plan's to tell: the want may mend them, and to ask for keys would hide them.
func TestAgent_UnreadableSettings(t *testing.T) {
	m := newMachine(t)
	m.must(os.MkdirAll(m.sys.at(configDir), 0o755))
	m.put(settingsFile, "DRAIN_TIMEOUT=long\n")
	c, laptop, ended := m.start()
	hello, err := c.Hello()
	if err != nil || hello.Keys != 1 {
		t.Errorf("%+v, %v", hello, err)
	}
	m.must(c.SendWant(m.want("")))
	_, err = c.Plan()
	if r, ok := errors.AsType[*Refusal](err); !ok || r.Kind != RefusedSettings || !strings.Contains(r.Message, "DRAIN_TIMEOUT") {
		t.Errorf("%v", err)
	}
	m.must(errors.Join(laptop.Close(), <-ended))
}

// A default site that was edited, or is another's, is not taken out of Nginx.
func TestAgent_OwnDefaultSite(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	f := func(want bool, text, target string) {
		t.Helper()
		m.put("/etc/nginx/sites-available/default", text)
		m.must(m.sys.writeLink(nginxDefault, target))
		c, laptop, ended := m.dial()
		m.must(c.SendWant(m.want("")))
		plan, err := c.Plan()
		m.must(errors.Join(laptop.Close(), <-ended))
		if r, ok := errors.AsType[*Refusal](err); ok != want || ok && r.Kind != RefusedNginx {
			t.Errorf("%q behind a link to %s: %v", text, target, err)
		}
		if !want && !slices.ContainsFunc(plan.Steps, func(s StepInfo) bool { return s.ID == "link:"+nginxDefault }) {
			t.Errorf("the stock site stays: %+v", plan.Steps)
		}
	}
	m.put("/etc/nginx/sites-available/mine", "mine\n")
	f(false, "stock\n", "../sites-available/default")
	f(false, "stock\n", nginxStock)
	f(true, "stock\nserver {}\n", "../sites-available/default")
	f(true, "stock\n", "/etc/nginx/sites-available/mine")
	f(false, "stock\n", "../sites-available/gone")
}
