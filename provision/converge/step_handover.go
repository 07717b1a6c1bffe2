package converge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// stageStep lays beside what is in force what the handover unit is to run by.
type stageStep struct {
	files   []fileStep // in nextConfig; none where the settings in force are meant
	tokens  bool       // beside files: the file tokens as it is in force by now
	release string     // the target of nextLink
}

func (st stageStep) before(_ context.Context, r *run) (reversal, error) {
	var rev reversal
	for _, at := range []linkStep{{nextConfig, restConfig}, {nextLink, restRelease}} {
		a, err := r.sys.pathReversal(at.path, false)
		if err != nil {
			return reversal{}, err
		}
		if a.Was.Kind != PathAbsent { // what somebody staged there is not worth keeping
			a.Was = &PathState{Kind: PathLink, Target: at.target}
		}
		rev.Undo = append(rev.Undo, a)
	}
	return rev, nil
}

func (st stageStep) apply(ctx context.Context, r *run) error {
	if err := r.sys.relink(nextLink, st.release); err != nil {
		return err
	}
	if len(st.files) == 0 {
		return r.sys.relink(nextConfig, restConfig)
	}
	if err := os.RemoveAll(r.sys.at(nextConfig)); err != nil {
		return err
	}
	if err := (dirStep{nextConfig, 0o750, rootUser, serviceUser}).apply(ctx, r); err != nil {
		return err
	}
	for _, file := range st.files {
		if err := file.apply(ctx, r); err != nil {
			return err
		}
	}
	if !st.tokens {
		return nil
	}
	o, err := r.sys.lookup(rootUser, serviceUser)
	if err != nil {
		return err
	}
	return r.sys.copyFile(tokensFile, nextConfig+"/tokens", tokensMode, o)
}

func (st stageStep) check(ctx context.Context, r *run) error {
	err := linkStep{nextLink, st.release}.check(ctx, r)
	for _, file := range st.files {
		err = errors.Join(err, file.check(ctx, r))
	}
	return err
}

// dir is where the handover unit reads its settings.
func (st stageStep) dir() string {
	if len(st.files) == 0 {
		return configDir
	}
	return nextConfig
}

// handoverStep has the handover unit serve beside the main one. If what is staged is sick, only this unit ever saw it.
type handoverStep struct {
	release string // that it has to be
	reread  bool   // a unit file changed
	stop    time.Duration
}

func (st handoverStep) before(context.Context, *run) (reversal, error) {
	return reversal{Settle: []action{{Op: opDaemonReload}, {Op: opHandoverEnd, Seconds: int(st.stop / time.Second)}}}, nil
}

func (st handoverStep) apply(ctx context.Context, r *run) error {
	if st.reread {
		if err := r.sys.systemctl(ctx, "daemon-reload"); err != nil {
			return err
		}
	}
	return r.sys.handOn(ctx, st.release, st.stop)
}

func (st handoverStep) check(ctx context.Context, r *run) error {
	units, err := collectUnits(ctx, &r.sys.reader)
	if err == nil && !units[handoverUnit].Active {
		err = unitError(ctx, r.sys, handoverUnit, fmt.Errorf("%s does not run", handoverUnit))
	}
	return err
}

// behindStep makes what was staged the main unit's own, while the handover unit serves.
type behindStep struct {
	release string
	enable  []string
	stop    time.Duration
}

func (st behindStep) before(ctx context.Context, r *run) (reversal, error) {
	units, err := collectUnits(ctx, &r.sys.reader)
	if err != nil {
		return reversal{}, err
	}
	rev := reversal{Settle: []action{{Op: opDaemonReload}}}
	if units[serviceUnit].Sub == "running" { // one that does not start goes on being started by systemd, with what is in force again
		rev.Settle = append(rev.Settle, action{Op: opHandBack, Seconds: int(st.stop / time.Second)})
	}
	for _, unit := range st.enable {
		if !units[unit].Enabled {
			rev.Undo = append(rev.Undo, action{Op: opDisable, Names: []string{unit}})
		}
	}
	return rev, nil
}

func (st behindStep) apply(ctx context.Context, r *run) error {
	s := r.sys
	if err := s.unstage(); err != nil {
		return err
	}
	if len(st.enable) > 0 {
		if err := s.systemctl(ctx, "enable", st.enable...); err != nil {
			return err
		}
	}
	units, err := collectUnits(ctx, &s.reader)
	if err == nil && !units[handoverUnit].Active {
		// The main one died meanwhile, and its new start ended the handover.
		err = s.startHandover(ctx, st.release)
	}
	if err != nil {
		return err
	}
	return s.restartBehind(ctx)
}

func (st behindStep) check(ctx context.Context, r *run) error {
	units, err := collectUnits(ctx, &r.sys.reader)
	if err == nil && !units[serviceUnit].Active && !units[handoverUnit].Active {
		err = unitError(ctx, r.sys, serviceUnit, errors.New("the adapter does not run"))
	}
	for _, unit := range st.enable {
		if err == nil && !units[unit].Enabled {
			err = fmt.Errorf("%s would not start at boot", unit)
		}
	}
	return err
}
