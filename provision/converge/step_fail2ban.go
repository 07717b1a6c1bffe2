package converge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	jailTime  = 30 * time.Second
	jailPause = 200 * time.Millisecond
)

// fail2banStep lets fail2ban take up its settings, after it has found them good.
type fail2banStep struct{ enable bool }

func (st fail2banStep) before(ctx context.Context, r *run) (reversal, error) {
	units, err := collectUnits(ctx, &r.sys.reader)
	if err != nil {
		return reversal{}, err
	}
	var rev reversal
	if units[fail2banUnit].Active {
		rev.Settle = []action{{Op: opRestart, Names: []string{fail2banUnit}}}
	} else {
		rev.Undo = append(rev.Undo, action{Op: opStop, Names: []string{fail2banUnit}})
	}
	if st.enable && !units[fail2banUnit].Enabled {
		rev.Undo = append(rev.Undo, action{Op: opDisable, Names: []string{fail2banUnit}})
	}
	return rev, nil
}

func (st fail2banStep) apply(ctx context.Context, r *run) error {
	if _, err := r.sys.run(ctx, "fail2ban-client", "-t"); err != nil {
		return fmt.Errorf("fail2ban refuses its settings: %w\nhint: fail2ban-client -t   # names the file; look into /etc/fail2ban/jail.local", err)
	}
	if st.enable {
		if err := r.sys.systemctl(ctx, "enable", fail2banUnit); err != nil {
			return err
		}
	}
	return r.sys.systemctl(ctx, "restart", fail2banUnit)
}

// check waits: fail2ban is started before it listens to its client.
func (fail2banStep) check(ctx context.Context, r *run) error {
	deadline := time.Now().Add(jailTime)
	for {
		_, err := r.sys.run(ctx, "fail2ban-client", "status", "sshd")
		if err == nil {
			return nil
		}
		units, unitErr := collectUnits(ctx, &r.sys.reader)
		if unitErr != nil || time.Now().After(deadline) || !units[fail2banUnit].Active {
			return fail2banError(ctx, r.sys, errors.Join(fmt.Errorf("the jail sshd of fail2ban is not up: %w", err), unitErr))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(jailPause):
		}
	}
}

func fail2banError(ctx context.Context, s *system, err error) error {
	out, logErr := s.run(ctx, "journalctl", "--unit="+fail2banUnit, "--lines=12", "--no-pager", "--output=cat")
	if logErr != nil {
		return errors.Join(err, logErr)
	}
	return fmt.Errorf("%w\nthe last lines of %s:\n%s\nhint: journalctl -u fail2ban", err, fail2banUnit, strings.TrimSpace(out))
}
