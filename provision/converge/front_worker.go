package converge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

const (
	peekTime  = 5 * time.Second  // for a worker to say how far it is
	planTime  = 10 * time.Minute // for the worker's own plan, which may have a dead deploy to take back first
	unitTime  = 10 * time.Second // for the unit of the deploy before to be gone
	unitPause = 200 * time.Millisecond
	stopSecs  = 15 * 60 // that a worker may take to put everything back when it is stopped
)

// startWorker runs a worker in a transient unit of its own, apart from the session that this process belongs to, and
// returns when it can be talked to.
func startWorker(ctx context.Context, s *system, gca string) error {
	args := []string{
		"--unit=" + workerUnit, "--collect", "--quiet", "--description=deploy of the Gemini adapter",
		"--property=Type=notify", "--property=NotifyAccess=main", "--property=KillMode=mixed",
		"--property=TimeoutStartSec=60", fmt.Sprintf("--property=TimeoutStopSec=%d", stopSecs),
		"--property=OOMScoreAdjust=-900", gca, "agent", "--worker",
	}
	for end := time.Now().Add(unitTime); ; {
		// Two laptops may have been at the question: the one that was answered first holds the lock by now.
		if err := lockFree(s); err != nil {
			return err
		}
		_, err := s.run(ctx, "systemd-run", args...)
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("cannot start the worker of the deploy: %w", err)
		}
		// The unit's name is taken while the worker before is ending, and for good where it left a failed unit.
		_, resetErr := s.run(ctx, "systemctl", "reset-failed", workerUnit)
		select {
		case <-ctx.Done():
			return errors.Join(err, resetErr)
		case <-time.After(unitPause):
		}
	}
}

// dialWorker connects to the worker, if there is one.
func dialWorker(s *reader) (net.Conn, error) {
	return net.DialTimeout("unix", s.at(workerSocket), peekTime)
}

// peek asks the worker how far it is. Without a worker, or its answer, nothing is under way that could be attached to.
func peek(s *reader) *Running {
	conn, err := dialWorker(s)
	if err != nil {
		return nil
	}
	defer func() { _ = conn.Close() }()
	w := newWire(conn, conn)
	if errors.Join(conn.SetDeadline(time.Now().Add(peekTime)), w.send(peekMessage{})) != nil {
		return nil
	}
	m, err := w.receive()
	if r, ok := m.(runningMessage); ok && err == nil {
		return r.Running
	}
	return nil
}

// attach joins the laptop to the deploy that is under way.
func (f *front) attach() error {
	conn, err := dialWorker(f.reader)
	if err != nil {
		return f.refuse(errEnded())
	}
	w := newWire(conn, conn)
	by := f.agent.complete(f.reader, Want{}).Client
	err = w.send(attachMessage{By: by})
	var first []byte
	if err == nil {
		first, err = w.line()
	}
	if err != nil { // a worker that is ending leaves whoever was not let in yet without a word
		return errors.Join(f.refuse(errEnded()), conn.Close())
	}
	if _, err := f.wire.out.Write(first); err != nil {
		return errors.Join(err, conn.Close())
	}
	return f.relay(conn, w)
}

// handOver has a worker carry the plan out, if it comes to the same one, and joins the laptop to it.
func (f *front) handOver(ctx context.Context, s *system, shown Plan, want Want) error {
	conn, w, err := f.order(ctx, s, want)
	if err != nil {
		return f.refuse(err)
	}
	plan, err := awaitPlan(w)
	if err == nil && !sameSteps(shown.Steps(), plan.Steps) {
		err = refuse(RefusedChanged, "gca deploy again, to see what is to be done now", "the server has changed since the plan was shown; nothing was done")
	}
	if err == nil {
		err = w.send(applyMessage{})
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		return errors.Join(f.refuse(err), conn.Close())
	}
	return f.relay(conn, w)
}

// order starts a worker and sends it the want, secrets included: on the socket, and nowhere else.
func (f *front) order(ctx context.Context, s *system, want Want) (net.Conn, *wire, error) {
	if _, err := os.Stat(s.at(want.releaseGCA())); err != nil {
		return nil, nil, refuse(RefusedRelease, "gca deploy again, which sends it", "the release was taken away while the plan was shown: %v", err)
	}
	launch := f.agent.launch
	if launch == nil {
		launch = startWorker
	}
	if err := launch(ctx, s, want.releaseGCA()); err != nil {
		return nil, nil, err
	}
	conn, err := dialWorker(f.reader)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot talk to the worker of the deploy: %w", err)
	}
	w := newWire(conn, conn)
	if err := errors.Join(conn.SetDeadline(time.Now().Add(planTime)), w.send(newWantMessage(want))); err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return conn, w, nil
}

func awaitPlan(w *wire) (PlanMessage, error) {
	m, err := w.receive()
	if err != nil {
		return PlanMessage{}, fmt.Errorf("the worker of the deploy ended; on the server: journalctl -u %s: %w", strings.TrimSuffix(workerUnit, ".service"), err)
	}
	plan, ok := m.(PlanMessage)
	if !ok {
		return PlanMessage{}, fmt.Errorf("the worker of the deploy said %q in place of its plan", m.messageType())
	}
	if plan.Refused != nil {
		return PlanMessage{}, plan.Refused
	}
	return plan, nil
}

// relay passes on what the laptop and the worker say to each other, until one of them is gone. The laptop's end is a detach.
func (f *front) relay(conn net.Conn, w *wire) error {
	go func() {
		for {
			line, err := f.wire.line()
			if err != nil {
				_ = conn.Close() // the worker goes on by itself
				return
			}
			if _, err := conn.Write(line); err != nil {
				return // its last words may still be on their way
			}
		}
	}()
	// A laptop that is gone, and a worker that is, both end this; each has its own way to tell the laptop, or none is left.
	_, _ = w.lines.WriteTo(f.wire.out)
	return ignoreClosed(conn.Close())
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
