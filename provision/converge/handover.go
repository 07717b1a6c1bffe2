package converge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"strings"
	"time"
)

// A handover lets the adapter start anew without a request lost. A second unit listens on the very same socket, so both take
// connections while it is being looked at:
//
//	main  handover
//	old   -          stage what is new
//	old   new        the handover unit is ready, and answers over HTTP, asked through its control socket
//	(old) new        what is staged is in force; the main unit takes no more connections and finishes its answers
//	new   (new)      the main unit has started anew, which stops the handover unit (ExecStartPost), which finishes its answers
//	new   -
//
// So who restarts need not wait for somebody's long stream. A handover that is under way must be over before the next begins.
const (
	handoverPause    = 200 * time.Millisecond
	startPatience    = 10 * time.Second // for a main unit that is down while the other one serves
	handoverPatience = 15 * time.Second // for the main unit to start anew, until its long answers are left to themselves
)

// at rest, both links of the handover unit lead to what is in force.
const (
	restRelease = "current"
	restConfig  = "."
)

// unstage has the handover unit run by what is in force, should it start again.
func (s *system) unstage() error {
	return errors.Join(s.relink(nextConfig, restConfig), s.relink(nextLink, restRelease))
}

// release is the name of the current release.
func (s *reader) release() (string, error) {
	st, err := s.look(currentLink)
	return path.Base(st.Target), err
}

// awaitNoHandover returns when no handover is under way, whose answers may take up to limit twice: the main unit's, then the
// handover unit's. stuck is one that cannot end, since the main unit does not start: the handover unit serves, and goes on to.
func (s *system) awaitNoHandover(ctx context.Context, limit time.Duration) (stuck bool, err error) {
	told := 0
	var down time.Time // since when the main unit has not run; zero where it may yet
	for begun := time.Now(); ; {
		units, err := collectUnits(ctx, &s.reader)
		if err != nil {
			return false, err
		}
		main, handover := units[serviceUnit], units[handoverUnit]
		switch {
		case !main.Ending && !handover.Active && !handover.Ending:
			return false, nil
		case !handover.Active || main.Sub == "running":
			down = time.Time{}
		case down.IsZero() && main.down():
			down = time.Now()
		case !down.IsZero() && time.Since(down) > s.startPatience: // whatever it is trying at this moment
			return true, nil
		}
		if handover.Active && main.Sub == "running" { // nobody else will stop it
			if err := s.systemctl(ctx, "stop", "--no-block", handoverUnit); err != nil {
				return false, err
			}
		}
		spent := time.Since(begun)
		if spent > 2*limit {
			return false, fmt.Errorf("the restart before this one has not ended after %s\nhint: systemctl status %s %s", 2*limit, serviceUnit, handoverUnit)
		}
		if now := int(spent.Seconds()); now > 0 && (told == 0 || now >= told+10) {
			told = now
			watchOf(ctx).wait(Wait{What: "the restart before this one, until its last answers have ended", Seconds: now})
		}
		if err := pause(ctx, handoverPause); err != nil {
			return false, err
		}
	}
}

// startHandover returns when the handover unit serves with the release.
func (s *system) startHandover(ctx context.Context, release string) error {
	if err := s.systemctl(ctx, "start", handoverUnit); err != nil {
		return unitError(ctx, s, handoverUnit, fmt.Errorf("the adapter does not start\n%w", err))
	}
	waiting, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	for {
		err := askControl(waiting, s.handover, release)
		if err == nil {
			return nil
		}
		if pause(waiting, handoverPause) != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return unitError(ctx, s, handoverUnit, fmt.Errorf("the adapter started, and is not healthy after %s: %w", healthTime, err))
		}
	}
}

// askControl wants a healthy adapter of the release behind a control socket: what it says of itself there and, since it shares
// the port with the one that still serves, what it answers over HTTP when it is asked apart from that one.
func askControl(ctx context.Context, socket, release string) error {
	client := &http.Client{Timeout: healthTry, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	if err := askRelease(ctx, client, release); err != nil {
		return err
	}
	_, err := askHealth(ctx, client, "http://adapter/v1/health")
	return err
}

func askRelease(ctx context.Context, client *http.Client, release string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://adapter/v1/status", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxManagedFile))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	var status struct {
		Release string `json:"release"`
	}
	if resp.StatusCode != http.StatusOK || json.Unmarshal(body, &status) != nil {
		return fmt.Errorf("its control socket answers %s", resp.Status)
	}
	if status.Release != release {
		return fmt.Errorf("it is the release %q, not %s", status.Release, release)
	}
	return nil
}

// handOn has the handover unit serve with the release, once the last handover is over; one that is stuck serves already, and
// what it runs is all that works here.
func (s *system) handOn(ctx context.Context, release string, limit time.Duration) error {
	stuck, err := s.awaitNoHandover(ctx, limit)
	switch {
	case err != nil:
		return err
	case stuck:
		watchOf(ctx).say(serviceUnit + " does not start since the restart before this one; the adapter that stood in for it goes on serving")
		return nil
	}
	return s.startHandover(ctx, release)
}

// restartBehind starts the main unit anew while the handover unit serves. Where answers of before take long it returns
// before they have ended: systemd goes on by itself.
func (s *system) restartBehind(ctx context.Context) error {
	before, err := collectUnits(ctx, &s.reader)
	if err != nil {
		return err
	}
	old := before[serviceUnit]
	if old.Sub != "running" && !old.Ending { // there is nothing to wait for but its start, which may fail as the last one did
		if err := s.systemctl(ctx, "restart", serviceUnit); err != nil {
			return unitError(ctx, s, serviceUnit, fmt.Errorf("the adapter does not start\n%w", err))
		}
		return nil
	}
	if err := s.systemctl(ctx, "restart", "--no-block", serviceUnit); err != nil {
		return err
	}
	for begun := time.Now(); ; {
		units, err := collectUnits(ctx, &s.reader)
		if err != nil {
			return err
		}
		main := units[serviceUnit]
		spent := time.Since(begun)
		switch {
		case main.Sub == "running" && main.PID != old.PID:
			return nil
		case main.failing(), spent > handoverPatience+commandTime:
			return unitError(ctx, s, serviceUnit, errors.New("the adapter does not start"))
		case main.Ending && spent > handoverPatience && !units[handoverUnit].Active:
			return unitError(ctx, s, handoverUnit, errors.New("the adapter that was to serve meanwhile has ended"))
		case main.Ending && spent > handoverPatience:
			watchOf(ctx).say("answers of before go on to their end; the new adapter serves")
			return nil
		}
		if err := pause(ctx, handoverPause); err != nil {
			return err
		}
	}
}

// endHandover stops the handover unit, once its answers have ended, unless it is the only one that serves: then the main
// unit's next start stops it.
func (s *system) endHandover(ctx context.Context, limit time.Duration) error {
	units, err := collectUnits(ctx, &s.reader)
	if err != nil {
		return err
	}
	main, handover := units[serviceUnit], units[handoverUnit]
	busy := handover.Active || handover.Ending
	if busy && (main.Sub == "running" || handover.Sub == "auto-restart") {
		if err := s.systemctlWithin(ctx, limit, "stop", handoverUnit); err != nil {
			return err
		}
		if units, err = collectUnits(ctx, &s.reader); err != nil {
			return err
		}
	}
	if units[handoverUnit].Sub == "failed" {
		return s.systemctl(ctx, "reset-failed", handoverUnit)
	}
	return nil
}

// handBack brings the main unit to what is in force. Where it runs, by a handover; where that cannot be, as it would be
// without one: connections wait in the socket's queue.
func (s *system) handBack(ctx context.Context, limit time.Duration) error {
	units, err := collectUnits(ctx, &s.reader)
	if err != nil {
		return err
	}
	if main := units[serviceUnit]; main.Sub == "running" && units[handoverUnit].Loaded {
		release, err := s.release()
		if err == nil {
			err = s.handOn(ctx, release, limit)
		}
		if err == nil {
			err = s.restartBehind(ctx)
		}
		if err == nil {
			return nil
		}
		watchOf(ctx).say(strings.ReplaceAll(err.Error(), "\n", " "))
	}
	return errors.Join(s.systemctlWithin(ctx, limit, "restart", serviceUnit), s.endHandover(ctx, limit))
}
