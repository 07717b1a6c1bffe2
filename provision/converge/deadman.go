package converge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

// The dead man's timer takes a deploy back that may have shut everybody out. It is armed before the firewall or sshd is
// touched, and a new SSH login disarms it ([Agent.Prove]). It also guards a restore, which stops the adapter for a moment and is
// carried out by a process that may be killed then: that one disarms it in the end. Its units are files of their own, so that neither the worker's
// death nor a boot, by which the worker is gone and the new rules stay, keeps it from going off.
const (
	deadManName    = "gca-deadman"
	deadManTimer   = deadManName + ".timer"
	deadManService = deadManName + ".service"
	deadManTime    = 2 * time.Minute  // from the arming, or from a boot, to the end
	guardTime      = 10 * time.Second // likewise for a restore; while that goes on, the guard waits for it

	deadManAsks     = 5 * time.Minute // for a worker to have put everything back by itself
	deadManPatience = time.Minute     // for others who are at work on the server
)

// ArmedStep is the id of the step after which a deploy is not to be committed before a new login has got in.
const ArmedStep = "unit:" + deadManName

// guardStepID is the id of the step after which a change is taken back should its process die.
const guardStepID = "unit:gca-guard"

// files are the units by path.
func (st deadManStep) files() map[string]string {
	return map[string]string{
		unitFile(deadManService): `# Written by gca for the time of one deploy.
[Unit]
Description=Take back a change of the Gemini adapter that came to no good end
[Service]
Type=oneshot
Restart=on-failure
RestartSec=10
ExecStart=` + st.gca + ` agent --dead-man
`,
		unitFile(deadManTimer): fmt.Sprintf(`# Written by gca for the time of one deploy.
[Unit]
Description=Wait for %s
[Timer]
OnActiveSec=%d
AccuracySec=1
[Install]
WantedBy=timers.target
`, st.awaits, int(st.time/time.Second)),
	}
}

func unitFile(name string) string { return "/etc/systemd/system/" + name }

// deadManStep arms the timer.
type deadManStep struct {
	gca    string // file of the release that takes everything back
	awaits string // what disarms it, in words
	time   time.Duration
}

// Disarmed last, it goes off once more where taking back dies half-way.
func (deadManStep) before(context.Context, *run) (reversal, error) {
	return reversal{Settle: []action{{Op: opDisarm}}}, nil
}

func (st deadManStep) apply(ctx context.Context, r *run) error {
	root, err := r.sys.lookup(rootUser, rootUser)
	if err != nil {
		return err
	}
	for path, text := range st.files() {
		if err := r.sys.writeFile(path, []byte(text), 0o644, root); err != nil {
			return err
		}
	}
	if err := r.sys.systemctl(ctx, "daemon-reload"); err != nil {
		return err
	}
	if err := r.sys.systemctl(ctx, "enable", deadManTimer); err != nil {
		return err
	}
	return r.sys.systemctl(ctx, "restart", deadManTimer)
}

func (deadManStep) check(ctx context.Context, r *run) error {
	if _, err := r.sys.run(ctx, "systemctl", "is-active", "--quiet", deadManTimer); err != nil {
		return fmt.Errorf("%s does not run: nothing would take a lock-out back", deadManTimer)
	}
	return nil
}

// disarm leaves nothing of the dead man; of one that is at work, its process.
func (s *system) disarm(ctx context.Context) error {
	st, err := s.look(unitFile(deadManTimer))
	if err == nil && st.Kind != PathAbsent {
		err = errors.Join(s.systemctl(ctx, "disable", deadManTimer), s.systemctl(ctx, "stop", deadManTimer))
	}
	if err != nil {
		return err
	}
	for _, name := range []string{deadManTimer, deadManService} {
		if err := ignoreMissing(os.Remove(s.at(unitFile(name)))); err != nil {
			return err
		}
	}
	return s.systemctl(ctx, "daemon-reload")
}

// Prove tells the worker that a new login has got in: it is what the laptop runs over a second connection.
func (a Agent) Prove() error { return tellWorker(newReader("/"), provenMessage{}) }

// tellWorker says one thing to the worker, and waits until it has done it.
func tellWorker(s *reader, m Message) error {
	conn, err := dialWorker(s)
	if err != nil {
		return err
	}
	w := newWire(conn, conn)
	var answer Message
	if err = errors.Join(conn.SetDeadline(time.Now().Add(commandTime)), w.send(m)); err == nil {
		answer, err = w.receive()
	}
	if _, done := answer.(doneMessage); err == nil && !done {
		err = fmt.Errorf("the worker of the deploy answered %q", answer.messageType())
	}
	return errors.Join(err, conn.Close())
}

// DeadMan takes back the deploy that is under way, for no new login has got in: it has the worker do that, or does it itself
// where there is none, or one that comes to no end.
func (a Agent) DeadMan(ctx context.Context) error {
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	setUmask(0o022)
	return a.deadMan(ctx, newSystem("/"))
}

func (a Agent) deadMan(ctx context.Context, s *system) error {
	if tellWorker(&s.reader, expiredMessage{}) == nil {
		if err := awaitDeadManLock(ctx, s, deadManAsks); err != nil {
			_, killErr := s.run(ctx, "systemctl", "kill", "--signal=KILL", workerUnit)
			if killErr != nil {
				return errors.Join(err, killErr)
			}
		}
	}
	if err := awaitDeadManLock(ctx, s, deadManPatience); err != nil {
		return err
	}
	unlock, err := takeLock(s, time.Now(), "taking back a deploy that let no new login in")
	if err != nil {
		return err
	}
	return errors.Join(a.takeBackAlone(ctx, s), unlock())
}

// awaitDeadManLock waits until nobody is at work.
func awaitDeadManLock(ctx context.Context, s *system, limit time.Duration) error {
	for end := time.Now().Add(limit); ; {
		err := lockFree(s)
		if err == nil || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(unitPause):
		}
	}
}

// takeBackAlone does what a worker that died cannot do any more. The lock must be held.
func (a Agent) takeBackAlone(ctx context.Context, s *system) error {
	died, err := unfinished(&s.reader)
	if err != nil {
		return err
	}
	if died {
		want := Want{Version: a.Version, SHA256: a.SHA256}
		back := RolledBack{Reason: deadManReason(&s.reader).Error()}
		errs := undo(ctx, s)
		if len(errs) == 0 {
			errs = append(errs, leave(s, want))
		}
		for _, e := range errs {
			if e != nil {
				back.FailedUndo = append(back.FailedUndo, e.Error())
			}
		}
		err = leaveWord(s, want, back, time.Now())
	}
	return errors.Join(err, s.disarm(ctx))
}

// deadManReason says why the open journal is taken back.
func deadManReason(s *reader) error {
	records, err := readJournal(s, openDir)
	guarded := func(r record) bool { return r.Step == guardStepID }
	armed := func(r record) bool { return r.Step == ArmedStep }
	if err == nil && slices.ContainsFunc(records, guarded) && !slices.ContainsFunc(records, armed) {
		return errCutShort
	}
	return errNoLogin
}

var errCutShort = calledOff{"the restore was cut short"}

var errNoLogin = calledOff{fmt.Sprintf("no new SSH login got in within %s of the change to the firewall or to sshd", deadManTime)}
