package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision"
)

// A plan says exactly what would change, and changes nothing, whether the release is on the server or not.
func TestPlan(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	plan := append(append([]string{"plan", "--gemini-base-url", r.base}, r.login()...), r.target())
	left := everything + "\nls -lA /run/gca* /var/lib/gca 2>/dev/null || true\n"
	before := r.on(left)
	t.Run("trap42 a bare server stays bare", func(t *testing.T) {
		got := r.in(t).run(nil, plan...)
		wantEnd(t, "plan", got, exitPending, "+ make the system user gemini", "--- /dev/null\n    +++ /etc/systemd/system/gemini-adapter.service",
			"    +[Service]\n", "a deploy asks for them", "steps to take; nothing was changed")
		if after := r.in(t).on(left); after != before {
			t.Errorf("a plan changed something:\n%s", differ(before, after))
		}
	})
	t.Run("given keys are in no diff", func(t *testing.T) {
		got := r.in(t).run(withKeys(), plan...)
		wantEnd(t, "plan", got, exitPending, "+ write /etc/gemini-adapter/keys (3 keys)")
		for _, key := range goodKeys {
			if strings.Contains(got.out+got.err, key) {
				t.Errorf("a key shows:\n%s%s", got.out, got.err)
			}
		}
	})
	r.deploy()
	wantEnd(t, "plan of what is up to date", r.run(nil, plan...), exitOK, "is up to date: a deploy would change nothing")
	t.Run("trap42 a changed server stays as it is", func(t *testing.T) {
		r := r.in(t)
		r.on("sed -i 's/^NoDelay=true$/NoDelay=false/' /etc/systemd/system/gemini-adapter.socket")
		before, processes := r.on(left), r.on(running)
		got := r.run(nil, plan...)
		wantEnd(t, "plan", got, exitPending, "--- /etc/systemd/system/gemini-adapter.socket", "    -NoDelay=false\n    +NoDelay=true\n")
		dry := r.run(nil, append([]string{"deploy", "--dry-run"}, plan[1:]...)...)
		if dry.code != got.code || dry.out != got.out {
			t.Errorf("deploy --dry-run differs from plan: exit code %d\n%s", dry.code, dry.out)
		}
		if after := r.on(left) + r.on(running); after != before+processes {
			t.Errorf("a plan changed something:\n%s", differ(before+processes, after))
		}
	})
	t.Run("JSON", func(t *testing.T) {
		got := r.in(t).run(nil, append([]string{"plan", "--json"}, plan[1:]...)...)
		lines := decodeLines[planResult](t, got.out)
		var steps int
		for _, l := range lines.before {
			if l.Type == "plan_step" {
				steps++
			}
		}
		if got.code != exitPending || lines.last.Type != "plan_result" || lines.last.Pending != steps || steps == 0 {
			t.Errorf("exit code %d, %d steps, then %+v", got.code, steps, lines.last)
		}
	})
}

// told is what a deploy prints with --json: lines, and a last one of its own kind.
type told[Last any] struct {
	before []line
	last   Last
}

// decodeLines reads all lines, and lets none have a field that is not documented.
func decodeLines[Last any](t *testing.T, out string) told[Last] {
	t.Helper()
	var all told[Last]
	texts := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	for i, text := range texts {
		dec := json.NewDecoder(strings.NewReader(text))
		dec.DisallowUnknownFields()
		if i == len(texts)-1 {
			if err := dec.Decode(&all.last); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			break
		}
		var l line
		if err := dec.Decode(&l); err != nil || l.Schema != 1 || l.Type == "" {
			t.Fatalf("%v: %s", err, text)
		}
		all.before = append(all.before, l)
	}
	return all
}

// What programs read: every line of a deploy and of its failure.
func TestDeploy_json(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	got := r.run(withKeys(), r.deployArgs("--json")...)
	all := decodeLines[deployResult](t, got.out)
	seen := map[string]int{}
	for _, l := range all.before {
		seen[l.Type]++
		if l.Type == "step" && (l.ID == "" || l.Group == "" || l.State == "") {
			t.Errorf("a step without its id, group or state: %+v", l)
		}
	}
	for _, want := range []string{"phase", "connected", "plan", "step"} {
		if seen[want] == 0 {
			t.Errorf("there is no line of type %s", want)
		}
	}
	if got.code != exitOK || got.err != "" || all.last.Type != "result" || all.last.URL != "http://"+r.host || all.last.Changed == 0 || all.last.ClientToken == "" ||
		seen["step"] != 2*all.last.Changed {
		t.Errorf("exit code %d, %d steps, then %+v\n%s", got.code, seen["step"], all.last, got.err)
	}
	failed := r.run(nil, "deploy", "--json", "--yes", "-i", r.server.KeyFile, "--host-key", "SHA256:"+strings.Repeat("A", 43), r.target())
	if l := decodeLines[line](t, failed.out).last; l.Type != "error" || l.Code != exitHostKey || failed.code != exitHostKey || l.Text == "" {
		t.Errorf("exit code %d, then %+v", failed.code, l)
	}
	again := r.run(nil, r.deployArgs("--json")...)
	if last := decodeLines[deployResult](t, again.out).last; again.code != exitOK || last.Changed != 0 || last.ClientToken != "" {
		t.Errorf("a second deploy: exit code %d, %+v", again.code, last)
	}
}

// Behind a jump host the web port may be out of reach from here: then the adapter is asked on the server.
func TestDeploy_behindJump(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	const inside = "10.255.255.9" // of the server, and of nobody that this machine knows
	r.on("ip address add " + inside + "/32 dev lo")
	key, err := os.ReadFile(r.server.KeyFile)
	if err == nil {
		err = os.MkdirAll(filepath.Join(r.home, ".ssh"), 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(r.home, ".ssh", "id_ed25519"), key, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	got := r.run(withKeys(), "deploy", "--yes", "--gemini-base-url", r.base, "--accept-new-host-key", "-J", "admin@"+r.host, "root@"+inside)
	wantEnd(t, "through a jump host", got, exitOK, " via ", "http://"+inside+" cannot be reached from here, so the adapter was asked on the server", "Client token, shown this once")
	for _, text := range []string{got.out, got.err} {
		noControl(t, text)
	}
}

// Beside a deploy that has not ended, a plan without steps does not say that all is as it should be.
func TestFinishPlan(t *testing.T) {
	f := func(result provision.Result, asJSON bool, code int, want string) {
		t.Helper()
		var out, err bytes.Buffer
		io := &streams{out: &out, err: &err}
		result.URL = "http://203.0.113.9"
		flags := deployFlags{json: asJSON}
		if got := exitCode(flags.finishPlan(io, newScreen(io, asJSON), result)); got != code || out.String()+err.String() != want+"\n" {
			t.Errorf("exit code %d, %q%q; want %d, %q", got, out.String(), err.String(), code, want)
		}
	}
	f(provision.Result{}, false, exitOK, "http://203.0.113.9 is up to date: a deploy would change nothing")
	f(provision.Result{Unfinished: true}, false, exitPending, "http://203.0.113.9 has nothing to be changed but for the deploy that has not ended; nothing was changed")
	f(provision.Result{Unfinished: true, Pending: 2}, false, exitPending, "2 steps to take; nothing was changed")
	f(provision.Result{Unfinished: true}, true, exitPending, `{"schema":1,"type":"plan_result","pending":0,"unfinished":true}`)
	f(provision.Result{}, true, exitOK, `{"schema":1,"type":"plan_result","pending":0}`)
}
