package converge

import (
	"context"
	"errors"
	"fmt"
)

// timer is a unit that starts another one at its times.
type timer struct {
	unit     string // its own name
	service  string // of what it starts
	template string // of the timer
	does     string // template of the service
	title    string // of the step that has systemd run it
	missed   string // what it means that the service failed
	words    query  // its last words
}

const unitDir = "/etc/systemd/system/"

func (t timer) file() string        { return unitDir + t.unit }
func (t timer) serviceFile() string { return unitDir + t.service }

// timers are all that a deploy may lay down.
func timers() []timer { return []timer{certificateTimer(), backupTimer(), alertsTimer()} }

func certificateTimer() timer {
	return timer{"gemini-adapter-cert.timer", "gemini-adapter-cert.service", TemplateCertTimer, TemplateCertService,
		"have systemd renew the certificate before half of its life is over",
		"there is no new certificate, and the one that is there ends some day", queryCertWords}
}

func backupTimer() timer {
	return timer{"gemini-adapter-backup.timer", "gemini-adapter-backup.service", TemplateBackupTimer, TemplateBackupService,
		"have systemd back the adapter up every day",
		"there is no new backup, or no copy of it elsewhere", queryBackupWords}
}

func alertsTimer() timer {
	return timer{"gemini-adapter-alerts.timer", "gemini-adapter-alerts.service", TemplateAlertsTimer, TemplateAlertsService,
		"have systemd look every two minutes whether anybody has to be alerted",
		"nobody is told of what has happened since", queryAlertsWords}
}

// alertsDir holds how the alerts stand. The adapter's user looks, so that what talks to the internet is not root.
const alertsDir = "/var/lib/gca-alerts"

// timer has systemd keep to a timer.
func (d *differ) timer(t timer) {
	service := d.file(fileStep{t.serviceFile(), []byte(d.texts[t.does]), 0o644, rootUser, false})
	own := d.file(fileStep{t.file(), []byte(d.texts[t.template]), 0o644, rootUser, false})
	unit := d.f.Units[t.unit]
	if service || own || !unit.Active || !unit.Enabled {
		d.add(KindUnit, t.unit, t.title, timerStep{t.unit})
	}
}

// timerStep has systemd run a timer, now and at boot.
type timerStep struct{ unit string }

func (st timerStep) before(ctx context.Context, r *run) (reversal, error) {
	units, err := collectUnits(ctx, &r.sys.reader)
	if err != nil {
		return reversal{}, err
	}
	rev := reversal{Settle: []action{{Op: opDaemonReload}}}
	if units[st.unit].Active {
		rev.Settle = append(rev.Settle, action{Op: opRestart, Names: []string{st.unit}})
	} else {
		rev.Undo = append(rev.Undo, action{Op: opStop, Names: []string{st.unit}})
	}
	if !units[st.unit].Enabled {
		rev.Undo = append(rev.Undo, action{Op: opDisable, Names: []string{st.unit}})
	}
	return rev, nil
}

func (st timerStep) apply(ctx context.Context, r *run) error {
	return errors.Join(r.sys.systemctl(ctx, "daemon-reload"), r.sys.systemctl(ctx, "enable", st.unit), r.sys.systemctl(ctx, "restart", st.unit))
}

func (st timerStep) check(ctx context.Context, r *run) error {
	units, err := collectUnits(ctx, &r.sys.reader)
	if err == nil && !(units[st.unit].Active && units[st.unit].Enabled) {
		err = fmt.Errorf("%s does not run", st.unit)
	}
	return err
}
