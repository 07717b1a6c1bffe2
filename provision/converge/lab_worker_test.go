package converge_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

const (
	workerProperties = "systemctl show gca-deploy.service -p Type -p KillMode -p OOMScoreAdjust -p ActiveState"
	workerPID        = `sed 's/pid \([0-9]*\) .*/\1/' ` + converge.LockFile
	workerStarts     = "journalctl --sync; journalctl -q -o cat _PID=1 UNIT=gca-deploy.service | grep -c Started || true"
)

// A deploy goes on without the SSH session that began it, is found again, and outlives whatever becomes of its worker.
func TestLab_Worker(t *testing.T) {
	t.Parallel()
	tg := newTarget(t, preinstalled()...)
	t.Run("lost session", tg.lostSession)
	t.Run("plan writes nothing trap42", tg.planWritesNothing)
	t.Run("killed at records trap41", tg.killedAtRecords)
	t.Run("reboot", tg.rebootInTheMidst)
	t.Run("power cut", tg.powerCutInTheMidst)
}

// lostSession kills the laptop's ssh at the first step, finds the deploy under way, and finishes it.
func (tg *target) lostSession(t *testing.T) {
	s, plan, err := tg.planned("AIzaSyNeverShown")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Apply(converge.Events{Step: func(converge.StepEvent) { _ = s.cmd.Process.Kill() }}) // more than once
	if err == nil {
		t.Error("the session was killed, and yet its deploy applied")
	}
	_ = s.cmd.Wait() // it was killed
	tg.sh(`for p in /proc/[0-9]*; do tr '\0' ' ' <$p/cmdline; tr '\0' ' ' <$p/environ; done >/root/seen 2>/dev/null || true
systemctl cat gca-deploy.service >>/root/seen; grep -q 'agent --worke[r]' /root/seen; ! grep -q 'Never[S]hown' /root/seen`)
	if out := tg.sh(workerProperties); !strings.Contains(out, "Type=notify") || !strings.Contains(out, "KillMode=mixed") ||
		!strings.Contains(out, "OOMScoreAdjust=-900") || !strings.Contains(out, "ActiveState=active") {
		t.Errorf("the worker's unit: %s", out)
	}

	s = tg.dial()
	r := s.hello.Running
	if r == nil || r.Total != len(plan.Steps) || !strings.HasPrefix(r.Release, "0.0.1-") {
		t.Fatalf("nothing is under way: %+v", s.hello)
	}
	if _, err := s.Attach(); err != nil {
		t.Fatal(err)
	}
	var done []string
	applied, err := s.Follow(converge.Events{Step: func(e converge.StepEvent) {
		if e.State == converge.StepDone {
			done = append(done, e.ID)
		}
	}})
	if err != nil || applied.Changed != len(plan.Steps) || applied.ClientToken.Empty() {
		t.Errorf("%+v, %v", applied, err)
	}
	if !slices.EqualFunc(plan.Steps, done, func(s converge.StepInfo, id string) bool { return s.ID == id }) {
		t.Errorf("told of %q", done)
	}
	if err := s.Proven(); err != nil {
		t.Error(err)
	}
	if _, err := s.Commit(); err != nil {
		t.Error(err)
	}
	starts := tg.sh(workerStarts)
	if applied, err := tg.deploy(""); err != nil || applied.Changed != 0 {
		t.Errorf("once more: %d changes, %v", applied.Changed, err)
	}
	if again := tg.sh(workerStarts); again != starts || starts != "1\n" {
		t.Errorf("%s workers were started, then %s for a deploy that changes nothing", starts, again)
	}
}

// planWritesNothing compares all that lies on the server but logs and fail2ban's book, which a login writes.
func (tg *target) planWritesNothing(t *testing.T) {
	const everything = `all() {
	find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/log -o -path /var/tmp -o -path /var/lib/fail2ban \) -prune -o "$@"
}
all -printf '%p %y %m %u %g %l %T@ %C@\n' | sort
all -type f -exec sha256sum {} + | sort -k2`
	for _, keys := range []string{"AIzaSyOther", "AIzaSyAnother"} {
		tg.upload()
		before := tg.sh(everything)
		s := tg.dial()
		want := tg.want(keys)
		want.Mode = converge.ModePlan
		if err := s.SendWant(want); err != nil {
			t.Fatal(err)
		}
		plan, err := s.Plan()
		if err := errors.Join(err, s.cmd.Wait()); err != nil || len(plan.Steps) == 0 {
			t.Errorf("%d steps, %v", len(plan.Steps), err)
		}
		if after := tg.sh(everything); after != before {
			t.Errorf("the plan changed something:\n%s", lineDifference(before, after))
		}
	}
}

func lineDifference(before, after string) string {
	old := strings.Split(before, "\n")
	var b strings.Builder
	for line := range strings.Lines(after) {
		if !slices.Contains(old, strings.TrimSuffix(line, "\n")) {
			b.WriteString("+ " + line)
		}
	}
	return b.String()
}

// killedAtRecords ends the worker when its journal has 1, 3, 5 … records; the next deploy finds a free lock, and takes it back.
func (tg *target) killedAtRecords(t *testing.T) {
	before := tg.tree()
	const change = "AIzaSyChanged"
	for records := 1; ; records += 2 {
		s, plan, err := tg.planned(change)
		if err != nil {
			t.Fatal(err)
		}
		if records > 2*len(plan.Steps) {
			if err := errors.Join(s.Cancel(), s.cmd.Wait()); err != nil || records < 5 {
				t.Errorf("%d records, %v", records, err)
			}
			break
		}
		killed := tg.server.Command(t.Context(), "timeout", "60", "sh", "-c", fmt.Sprintf(
			`touch /root/watching; until [ "$(wc -l 2>/dev/null </var/lib/gca/journal/open/journal || echo 0)" -ge %d ]; do :; done; kill -9 "$(%s)"`, records, workerPID))
		tg.sh("rm -f /root/watching")
		if err := killed.Start(); err != nil {
			t.Fatal(err)
		}
		tg.sh("until test -e /root/watching; do :; done")
		_, err = s.Apply(converge.Events{})
		if err == nil {
			err = s.RolledBack() // the end of the stream
		}
		if _, ok := errors.AsType[*converge.RolledBackError](err); ok || err == nil {
			t.Errorf("killed at record %d, and yet %v", records, err)
		}
		if err := errors.Join(killed.Wait(), s.cmd.Wait()); err != nil {
			t.Errorf("killed at record %d: %v", records, err)
		}
		s, plan, err = tg.planned("")
		if err != nil || len(plan.Steps) > 0 || len(plan.Notes) != 1 || !strings.Contains(plan.Notes[0], "died half-way") {
			t.Fatalf("killed at record %d: %+v, %v", records, plan, err)
		}
		if _, err := s.Commit(); err != nil {
			t.Error(err)
		}
		tg.same(before, "killed at record "+strconv.Itoa(records))
	}
}

// midst is a server with a deploy that is applied, and not committed.
func (tg *target) midst() {
	tg.Helper()
	s, _, err := tg.planned("AIzaSyMidst")
	if err == nil {
		_, err = s.Apply(converge.Events{})
	}
	if err := errors.Join(err, s.stdin.Close(), s.cmd.Wait()); err != nil {
		tg.Fatal(err)
	}
	if out := tg.sh("cat /etc/gemini-adapter/keys"); out != "AIzaSyMidst\n" {
		tg.Fatalf("nothing to take back: %q", out)
	}
}

// backAfter wants the server to be as it was once the next deploy has planned.
func (tg *target) backAfter(before, what string) {
	tg.Helper()
	s, plan, err := tg.planned("")
	if err != nil || len(plan.Steps) > 0 {
		tg.Errorf("after a %s: %+v, %v", what, plan, err)
	}
	if _, err := s.Commit(); err != nil {
		tg.Error(err)
	}
	tg.same(before, what)
	if status, body := tg.get("/health"); status != 200 {
		tg.Errorf("after a %s: %d %s", what, status, body)
	}
}

func (tg *target) rebootInTheMidst(t *testing.T) {
	before := tg.tree()
	tg.midst()
	begun := time.Now()
	if err := tg.server.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("a reboot in the midst took %.1f s", time.Since(begun).Seconds())
	tg.backAfter(before, "reboot")
}

func (tg *target) powerCutInTheMidst(t *testing.T) {
	before := tg.tree()
	tg.midst()
	if err := errors.Join(tg.server.PowerCut(t.Context()), tg.server.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	tg.backAfter(before, "power cut")
}
