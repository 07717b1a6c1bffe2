package converge

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// applied begins a deploy on m that changes the firewall, and returns when it waits for its commit.
func (m *machine) armed() (*Client, func()) {
	m.Helper()
	c, laptop, ended := m.dial()
	m.applied(c)
	if st, err := m.sys.look(unitFile(deadManTimer)); err != nil || st.Kind != PathFile {
		m.Errorf("the timer is %+v, %v", st, err)
	}
	return c, func() { m.must(errors.Join(laptop.Close(), <-ended, m.lastWorker())) }
}

// Nothing that may have shut everybody out lasts before a new login has proven that it did not.
func TestDeadMan_CommitTakesAProof(t *testing.T) {
	m := newMachine(t)
	c, end := m.armed()
	if _, err := c.Commit(); err == nil || !strings.Contains(err.Error(), `does not expect "commit" now`) {
		t.Errorf("committed without a proof: %v", err)
	}
	m.must(tellWorker(&m.sys.reader, provenMessage{}))
	for _, name := range []string{deadManTimer, deadManService} {
		if st, err := m.sys.look(unitFile(name)); err != nil || st.Kind != PathAbsent {
			t.Errorf("after the proof %s is %+v, %v", name, st, err)
		}
	}
	_, err := c.Commit()
	m.must(err)
	end()
}

// Without a proof the worker puts everything back at the timer's word, and tells the laptop why.
func TestDeadMan_Expires(t *testing.T) {
	m := newMachine(t)
	m.must(os.RemoveAll(m.sys.at("/opt/gemini-adapter")))
	before := m.tree()
	m.upload()
	c, end := m.armed()
	m.must(m.agent().deadMan(context.Background(), newLike(m.sys)))
	m.back(c.RolledBack(), errNoLogin.Error())
	end()
	m.same(before, "expired")
}

// A worker that died leaves it to the timer; so does a boot.
func TestDeadMan_WithoutAWorker(t *testing.T) {
	m := newMachine(t)
	m.must(os.RemoveAll(m.sys.at("/opt/gemini-adapter")))
	before := m.tree()
	m.upload()
	facts, err := collect(context.Background(), &m.sys.reader, m.want("AIzaSyNew"))
	m.must(err)
	p, err := Diff(facts, m.want("AIzaSyNew"), readTestSettings)
	m.must(err)
	m.carry(p, len(p.steps)-1, false)
	if !slices.Contains(ids(p), ArmedStep) {
		t.Fatalf("%q", ids(p))
	}
	m.must(m.agent().deadMan(context.Background(), newLike(m.sys)))
	m.same(before, "expired without a worker")
	hello := func() Hello {
		m.upload()
		c, laptop, ended := m.start()
		h, err := c.Hello()
		m.must(errors.Join(err, laptop.Close(), <-ended))
		return h
	}()
	if !strings.Contains(hello.Last, "no new SSH login got in") {
		t.Errorf("the next laptop is told %q", hello.Last)
	}
}

// A login is a proof only once everything is in place.
func TestDeadMan_ProofBeforeTheEnd(t *testing.T) {
	h := newHub(Plan{steps: []Step{{id: ArmedStep}}}, Want{}, testTime, time.Minute)
	w := &worker{sys: newSystem(t.TempDir())}
	if err := w.prove(h); err == nil || h.isProven() {
		t.Errorf("a proof is taken while the steps run: %v", err)
	}
}

func TestParseNetwork(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got, err := ParseNetwork(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	f("203.0.113.7", "203.0.113.7")
	f("203.0.113.7/32", "203.0.113.7")
	f("203.0.113.7/24", "203.0.113.0/24")
	f("2001:DB8::1/32", "2001:db8::/32")
	f("0.0.0.0/0", "0.0.0.0/0")
	f("::/0", "::/0")
	f("fe80::1%eth0", "")
	f("example.com", "")
	f("10.0.0.0/33", "")
	f("", "")
}

func TestDiff_AllowFrom(t *testing.T) {
	f := func(now Firewall, from []string, open []opening, closes []Rule) {
		t.Helper()
		facts, w := freshFacts(), testWant(t)
		facts = after(facts, mustDiff(t, facts, w))
		facts.Firewall = now
		w.AllowFrom = from
		p := mustDiff(t, facts, w)
		var st firewallStep
		for _, id := range []string{"firewall:web", "firewall:ufw"} {
			if i := slices.Index(ids(p), id); i >= 0 {
				st.open = append(st.open, p.steps[i].op.(firewallStep).open...)
				st.close = append(st.close, p.steps[i].op.(firewallStep).close...)
			}
		}
		if !slices.Equal(st.open, open) || !slices.Equal(st.close, closes) {
			t.Errorf("opens %v, closes %v", st.open, st.close)
		}
		if left := mustDiff(t, after(facts, p), w); len(left.steps) > 0 {
			t.Errorf("still to do: %v", ids(left))
		}
		w.AllowFrom = nil
		if left := mustDiff(t, after(facts, p), w); len(left.steps) > 0 {
			t.Errorf("a deploy without the flag would widen it: %v", ids(left))
		}
	}
	active := func(more ...Rule) Firewall {
		return Firewall{UFW: UFWActive, Rules: append(rules("22/tcp", "2222/tcp"), more...)}
	}
	both := []Rule{{To: "80/tcp"}, {To: "80/tcp", V6: true}}
	f(active(), []string{"203.0.113.0/24", "2001:db8::/32"}, []opening{{80, "203.0.113.0/24"}, {80, "2001:db8::/32"}}, nil)
	f(active(both...), []string{"203.0.113.7"}, []opening{{80, "203.0.113.7"}}, both)
	f(active(Rule{To: "80/tcp", From: "203.0.113.7"}), []string{"203.0.113.7"}, nil, nil)
	f(active(Rule{To: "80/tcp", From: "203.0.113.7"}), []string{"0.0.0.0/0", "::/0"},
		[]opening{{80, "0.0.0.0/0"}, {80, "::/0"}}, []Rule{{To: "80/tcp", From: "203.0.113.7"}})
	f(Firewall{UFW: UFWInactive}, []string{"203.0.113.7"}, []opening{{port: 22}, {80, "203.0.113.7"}, {port: 2222}}, nil)
}

func TestDiff_FirewallModes(t *testing.T) {
	f := func(facts Facts, change func(*Want), refusal string, steps ...string) {
		t.Helper()
		w := testWant(t)
		change(&w)
		p, err := Diff(facts, w, readTestSettings)
		if (refusal == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), refusal) {
			t.Fatalf("%v, want %q", err, refusal)
		}
		got := slices.Concat(stepNames(p, GroupFirewall), stepNames(p, GroupSSH))
		if err == nil && !slices.Equal(got, steps) {
			t.Errorf("%q, want %q", got, steps)
		}
	}
	busy := freshFacts()
	busy.Listeners = append(busy.Listeners, Listener{Port: 3306, Address: "0.0.0.0", Program: "mysqld"})
	nft := freshFacts()
	nft.Firewall.Other = "nftables (table inet filter)"
	wide := freshFacts()
	wide.Firewall = Firewall{UFW: UFWActive, Rules: rules("22/tcp", "2222/tcp", "80,443/tcp (Nginx Full)")}
	f(freshFacts(), func(w *Want) { w.Firewall = FirewallOff }, "")
	f(busy, func(*Want) {}, "")
	f(busy, func(w *Want) { w.Firewall = FirewallStrict }, "would cut off mysqld on port 3306/tcp\nhint: the same command with --accept-risk close-ports")
	f(busy, func(w *Want) { w.Firewall, w.Risks = FirewallStrict, []string{RiskClosePorts} }, "", ArmedStep, "firewall:ufw")
	f(busy, func(w *Want) { w.AllowFrom = []string{"10.0.0.1"} }, "--allow-from needs ufw on, which would cut off mysqld")
	f(nft, func(w *Want) { w.Firewall = FirewallStrict }, "")
	f(nft, func(w *Want) { w.AllowFrom = []string{"10.0.0.1"} }, "nftables (table inet filter) filters on this server")
	f(wide, func(w *Want) { w.AllowFrom = []string{"10.0.0.1"} }, "a rule that is for more than that: 80,443/tcp (Nginx Full)")
	f(freshFacts(), func(w *Want) { w.Firewall, w.AllowFrom = FirewallOff, []string{"10.0.0.1"} }, "left alone")
	f(freshFacts(), func(w *Want) { w.AllowFrom = []string{"10.0.0.1/8"} }, "not as ufw writes it")
	f(freshFacts(), func(w *Want) { w.Firewall = "on" }, "auto, off or strict")
	f(freshFacts(), func(w *Want) { w.Risks = []string{"all"} }, "close-ports or password-logins")
}

func TestDiff_Harden(t *testing.T) {
	f := func(change func(*Facts, *Want), refusal string, steps ...string) {
		t.Helper()
		facts, w := freshFacts(), testWant(t)
		w.Harden, w.KeyLogin, w.Risks = true, true, []string{RiskPasswords}
		facts.SSHD, facts.Keyless = true, []string{"bob"}
		change(&facts, &w)
		p, err := Diff(facts, w, readTestSettings)
		if (refusal == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), refusal) {
			t.Fatalf("%v, want %q", err, refusal)
		}
		if got := stepNames(p, GroupSSH); err == nil && !slices.Equal(got, steps) {
			t.Errorf("%q, want %q", got, steps)
		}
	}
	f(func(*Facts, *Want) {}, "", "ssh:keys-only")
	f(func(f *Facts, _ *Want) { f.KeysOnly = true }, "")
	f(func(f *Facts, w *Want) { f.KeysOnly, w.Risks, w.KeyLogin = true, nil, false }, "")
	f(func(_ *Facts, w *Want) { w.Risks = nil }, "those without a key for good: user bob\nhint: the same command with --accept-risk password-logins")
	f(func(_ *Facts, w *Want) { w.KeyLogin = false }, "this very login came in without one")
	f(func(f *Facts, _ *Want) { f.SSHD = false }, "sshd does not tell its settings")
	f(func(_ *Facts, w *Want) { w.Harden = false }, "")
}

// A restore whose process is killed, at whatever step, is taken back by its guard, so an adapter serves; one that ends leaves none.
func TestGuard(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	m.put(stateDir+"/state.db", "before")
	before := m.tree()
	w := m.want("")
	w.Scope, w.Settings = ScopeAdapter, []Setting{{Name: "LOG_LEVEL", Value: "debug"}}
	w.State = []StateFile{{Name: "state.db", Mode: 0o600, Content: []byte("restored")}}
	w = m.agent().complete(&m.sys.reader, w)
	facts, err := collect(t.Context(), &m.sys.reader, w)
	m.must(err)
	p, err := Diff(facts, w, readTestSettings)
	m.must(err)
	armed := slices.Index(ids(p), guardStepID)
	if stop := slices.Index(ids(p), "unit:stop"); armed < 0 || stop != armed+1 {
		t.Fatalf("the adapter stops without a guard: %q", ids(p))
	}
	for last := armed; last < len(p.steps); last++ {
		for _, dies := range []bool{false, true} {
			m.carry(p, last, dies)
			if reason := deadManReason(&m.sys.reader); last > armed && reason != errCutShort {
				t.Errorf("it is taken back since %q", reason)
			}
			m.must(m.agent().deadMan(t.Context(), newLike(m.sys)))
			m.same(before, "died at "+p.steps[last].id)
			units, err := collectUnits(t.Context(), &m.sys.reader)
			if err != nil || !units[serviceUnit].Active || !units[socketUnit].Active {
				t.Errorf("died at %s, nothing serves: %+v, %v", p.steps[last].id, units, err)
			}
		}
	}
	_, err = m.agent().local(t.Context(), m.sys, w, Events{})
	m.must(err)
	for _, name := range []string{deadManTimer, deadManService} {
		if st, err := m.sys.look(unitFile(name)); err != nil || st.Kind != PathAbsent {
			t.Errorf("in the end %s is %+v, %v", name, st, err)
		}
	}
}
