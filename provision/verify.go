package provision

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// loginGroups are the parts of a server that decide who gets in.
var loginGroups = []converge.Group{converge.GroupFail2ban, converge.GroupFirewall, converge.GroupSSH}

// verify looks from outside, at both at once: does SSH still let this user in, and does the adapter answer?
func (d *deploy) verify(ctx context.Context, a *agent, steps []converge.StepInfo, version string) *Error {
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	health := d.beginHealth(asking, version)
	if slices.ContainsFunc(steps, func(s converge.StepInfo) bool { return slices.Contains(loginGroups, s.Group) }) {
		if err := d.prove(ctx, a, steps); err != nil {
			return &Error{Kind: KindRolledBack, Message: "a new SSH login does not get in any more", Err: orCause(ctx, err),
				Hint: "look at the firewall that the server had before: ufw show added, nft list ruleset"}
		}
	}
	failed := health()
	if failed != nil && slices.ContainsFunc(steps, func(s converge.StepInfo) bool { return s.ID == converge.WebCheck }) {
		return failed.heardInside(d.webPort(), d.closed)
	}
	return failed
}

// prove makes a new login. Where a timer waits for one, the server hears of it by that login itself; of one that takes a code
// that is good once it hears by this one.
func (d *deploy) prove(ctx context.Context, a *agent, steps []converge.StepInfo) error {
	line := ""
	if slices.ContainsFunc(steps, func(s converge.StepInfo) bool { return s.ID == converge.ArmedStep }) {
		line = "exec " + converge.ReleaseGCA(d.result.Release) + " agent --proof"
	}
	ran, err := d.conn.Redial(ctx, line)
	if err == nil && line != "" && !ran {
		err = a.Proven()
	}
	return err
}

// quietTime is how long nothing may be heard of a server before the person is told. On a connection that works, an answer
// to a sign of life comes every ten seconds.
const quietTime = 12 * time.Second

// watch tells the person how the server was reached and, now and then, that nothing is heard of it any more. The function
// that it returns ends it.
func (d *deploy) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { d.tellConnected(ctx) })
	beside.Go(func() { d.listen(ctx) })
	return func() {
		cancel()
		beside.Wait()
	}
}

func (d *deploy) listen(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	last, told, received := time.Now(), time.Time{}, d.conn.Received()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if n := d.conn.Received(); n != received {
				last, received, told = now, n, time.Time{}
			}
			if quiet := now.Sub(last); quiet >= quietTime && now.Sub(told) >= quietTime {
				told = now
				d.ui.Silence(d.Host.Name(), quiet.Round(time.Second))
			}
		}
	}
}

// tellConnected measures the way there and back while the server makes its first answer. The first of the two signs of life
// waits for the server to open the session.
func (d *deploy) tellConnected(ctx context.Context) {
	var rtt time.Duration
	for range 2 {
		start := time.Now()
		if err := d.conn.Ping(ctx); err != nil {
			return // everything else will say so
		}
		rtt = time.Since(start)
	}
	d.ui.Connected(Connection{Via: d.conn.Describe(), RTT: rtt})
}
