package manage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Services that timers of the adapter start.
const (
	BackupService = "gemini-adapter-backup.service"
	CertService   = "gemini-adapter-cert.service"
	AlertsService = "gemini-adapter-alerts.service"
)

// lastRun is how systemd saw the last run of a service that a timer starts.
type lastRun struct {
	Failed bool
	Result string    // systemd's word for how: exit-code, signal, timeout, oom-kill, …
	Ended  time.Time // zero where it is not known
}

// judgeRuns takes in the runs of timers that failed, as far as what the service left behind does not say it better, or was mended since.
func (r *Report) judgeRuns(ctx context.Context, now time.Time) error {
	var failed []error
	judge := func(service string, told bool, mended time.Time, cure string) {
		run, err := readRun(ctx, service)
		failed = append(failed, err)
		if run.Failed && !told && !(mended.After(run.Ended) && !run.Ended.IsZero()) {
			r.problem(fmt.Sprintf("the last run of %s failed (%s)%s", service, run.Result, at(run.Ended)), cure)
		}
	}
	var backup LastBackup
	if r.Backup != nil {
		backup = *r.Backup
	}
	judge(BackupService, len(backup.Problems(now)) > 0, backup.Made, "sudo systemctl start "+BackupService+"; journalctl -u gemini-adapter-backup -n 20")
	told, renewed := false, time.Time{}
	if r.Certificate != nil && r.Certificate.Last != nil {
		told, renewed = len(r.Certificate.Problems) > 0, r.Certificate.Last.Time
	}
	judge(CertService, told, renewed, "sudo gemini-manage cert renew --due; journalctl -u gemini-adapter-cert -n 20")
	judge(AlertsService, false, time.Time{}, "sudo systemctl start "+AlertsService+"; journalctl -u gemini-adapter-alerts -n 20")
	return errors.Join(failed...)
}

func at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " at " + minute(t)
}

func readRun(ctx context.Context, service string) (lastRun, error) {
	cmd := exec.CommandContext(ctx, "systemctl", "show", service, "--property=ActiveState,Result,InactiveEnterTimestamp")
	cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		return lastRun{}, fmt.Errorf("cannot ask systemd for %s: %w", service, err)
	}
	return parseRun(string(out)), nil
}

func parseRun(text string) lastRun {
	var run lastRun
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "ActiveState":
			run.Failed = value == "failed"
		case "Result":
			run.Result = value
		case "InactiveEnterTimestamp":
			if ended, err := time.Parse("Mon 2006-01-02 15:04:05 MST", value); err == nil {
				run.Ended = ended
			}
		}
	}
	return run
}
