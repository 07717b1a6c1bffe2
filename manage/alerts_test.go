//go:build unix

package manage

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/manage/alerts"
	"github.com/gemini-claude-adapter/gca/proxy/config"
)

func TestReportAlerts(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	s := &alerts.State{Checked: now.Add(-time.Minute), Rules: []alerts.Standing{
		{Rule: alerts.Disk, Firing: true, Since: now.Add(-time.Hour), What: "91% of the disk at / is used", Cure: "du"},
		{Rule: alerts.Health, Since: now.Add(-2 * time.Hour), What: "it did not answer"},
	}, Lines: []alerts.Line{
		{Channel: "mail", Sent: now.Add(-time.Hour)},
		{Channel: "slack"},
		{Channel: "telegram", Queue: []alerts.Notice{{}}, Tries: 3, Problem: "the bot is blocked", Since: now.Add(-time.Hour), Next: now.Add(8 * time.Minute)},
	}}
	var got strings.Builder
	if err := reportAlerts(s, unread, "active", now).Print(&got, now); err != nil {
		t.Fatal(err)
	}
	want := `
last look   1 minute ago; every two minutes (timer active)
rules       no-keys      ok
            few-keys     ok
            health       ok, over since 2026-11-30 10:00 UTC
            errors       ok
            quota        ok
            certificate  ok
            renewal      ok
            disk         FIRING since 2026-11-30 11:00 UTC
            backup       ok
            restart      ok
            spend        ok
channels    mail         last sent 2026-11-30 11:00 UTC
            slack        nothing sent yet
            telegram     FAILING since 2026-11-30 11:00 UTC, 1 notice waiting, next try 12:08 UTC
problems    91% of the disk at / is used
            cure: du
            alerts do not arrive by telegram since 2026-11-30 11:00 UTC: the bot is blocked
            cure: sudo gemini-manage alerts test
`
	if "\n"+got.String() != want {
		t.Errorf("got:\n%s", got.String())
	}
}

// The channels are those of the settings as they are now, whatever the last look knew.
func TestReportAlerts_now(t *testing.T) {
	f := func(env, want string) {
		t.Helper()
		cfg, err := config.ParseEnv(env)
		must(t, err)
		s := &alerts.State{Lines: []alerts.Line{{Channel: "webhook", Sent: time.Unix(1, 0)}, {Channel: "telegram"}}}
		r := reportAlerts(s, func() (alerts.Settings, alerts.Ways, error) { return cfg.Alerts, alerts.Ways{}, nil }, "active", time.Unix(2, 0))
		if got := r.line(); got != want || len(r.Channels) > 0 && r.Channels[0].Sent.IsZero() {
			t.Errorf("got %q, want %q; %+v", got, want, r.Channels)
		}
	}
	f("ALERT_WEBHOOK_URL=https://a.example.com/x\nALERT_SLACK_URL=https://b.example.com/x\n", "told by webhook, slack")
	f("", "nobody is told: no channel is set")
}

// A channel that lacks a setting can never deliver: nobody is told by it, and the cure completes it.
func TestReportAlerts_half(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	f := func(line, what, cure string, lines ...alerts.Line) {
		t.Helper()
		r := reportAlerts(&alerts.State{Checked: now, Lines: lines}, unread, "active", now)
		if got := r.line(); got != line {
			t.Errorf("got %q, want %q", got, line)
		}
		if want := []Problem{{what, cure}}; !slices.Equal(r.Problems, want) {
			t.Errorf("got %v, want %v", r.Problems, want)
		}
	}
	chat := alerts.Line{Channel: "telegram", Missing: "ALERT_TELEGRAM_CHAT"}
	f("told by webhook", "alerts cannot be told by telegram: ALERT_TELEGRAM_CHAT is not set", "sudo gemini-manage config set ALERT_TELEGRAM_CHAT=ID", alerts.Line{Channel: "webhook"}, chat)
	f("nobody is told: no channel is complete", "alerts cannot be told by telegram: ALERT_TELEGRAM_TOKEN is not set", "sudo gemini-manage config set ALERT_TELEGRAM_TOKEN=-",
		alerts.Line{Channel: "telegram", Missing: "ALERT_TELEGRAM_TOKEN"})
	f("nobody is told: no channel is complete", "alerts cannot be told by mail: ALERT_MAIL_TO is not set", "sudo gemini-manage config set ALERT_MAIL_TO=YOU@EXAMPLE.COM", alerts.Line{Channel: "mail", Missing: "ALERT_MAIL_TO"})
}

// The command that sets a channel is one line.
func TestReportAlerts_none(t *testing.T) {
	var got strings.Builder
	if err := reportAlerts(&alerts.State{}, unread, "active", time.Time{}).Print(&got, time.Time{}); err != nil {
		t.Fatal(err)
	}
	const want = "channels    none: nobody is told\n            cure: sudo gemini-manage config set ALERT_TELEGRAM_TOKEN=- ALERT_TELEGRAM_CHAT=ID\n"
	if !strings.HasSuffix(got.String(), want) {
		t.Errorf("got\n%s", &got)
	}
}

// What is not delivered names the setting that may be wrong, and no secret.
func TestTryAlert(t *testing.T) {
	f := func(env string, want AlertTest) {
		t.Helper()
		cfg, err := config.ParseEnv(env)
		must(t, err)
		want.Schema = 1
		if got := tryAlert(t.Context(), alerts.Channels(cfg.Alerts, alerts.Ways{})[0]); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	f("ALERT_WEBHOOK_URL=http://127.0.0.1:1/hidden-hook", AlertTest{Channel: "webhook", Problem: "connection refused by 127.0.0.1:1", Cure: "gemini-manage config set ALERT_WEBHOOK_URL=-   # if it is not right"})
	f("ALERT_TELEGRAM_TOKEN=1:hidden", AlertTest{Channel: "telegram", Problem: "ALERT_TELEGRAM_CHAT is not set", Cure: "gemini-manage config set ALERT_TELEGRAM_CHAT=ID"})
}

func TestAlertTrouble(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	f := func(s alerts.State, timer, want string) {
		t.Helper()
		s.Lines = []alerts.Line{{Channel: "mail"}}
		all := alertTrouble(&s, timer, now)
		if want == "" && len(all) > 0 || want != "" && (len(all) != 1 || !strings.Contains(all[0].What, want)) {
			t.Errorf("got %v, want %q", all, want)
		}
	}
	f(alerts.State{}, "active", "")
	if all := alertTrouble(&alerts.State{}, "inactive", now); len(all) > 0 {
		t.Errorf("nobody wants to be alerted: %v", all)
	}
	f(alerts.State{Checked: now.Add(-3 * time.Minute)}, "active", "")
	f(alerts.State{Checked: now.Add(-time.Hour)}, "active", "the last look was 1 hour ago")
	f(alerts.State{Checked: now.Add(-time.Hour)}, "inactive", "gemini-adapter-alerts.timer is inactive")
}

func TestParseMeminfo(t *testing.T) {
	m := parseMeminfo("MemTotal:        1000000 kB\nMemFree: 1 kB\nMemAvailable:    250000 kB\nodd\n")
	if m == nil || m.Total != 1000000<<10 || m.Available != 250000<<10 {
		t.Errorf("got %+v", m)
	}
	if m := parseMeminfo("MemTotal: x kB\n"); m != nil {
		t.Errorf("got %+v", m)
	}
}

func TestRoom(t *testing.T) {
	r := Room{Disks: []DiskRoom{{"/", 100 << 30, 5 << 30}}, Memory: &MemoryRoom{1 << 30, 10 << 20}}
	if got := r.Line(); got != "/ 95% used, 5.0 GB free; memory 10 MB free of 1.0 GB" {
		t.Errorf("got %q", got)
	}
	if all := r.Problems(); len(all) != 2 {
		t.Errorf("got %v", all)
	}
	if all := readRoom().Disks; len(all) == 0 || all[0].Total <= 0 {
		t.Errorf("here: %v", all)
	}
}

func TestLoadAlerts(t *testing.T) {
	dir := t.TempDir()
	for _, none := range []string{dir, filepath.Join(dir, "none")} {
		if s, err := loadAlerts(none); err != nil || s.Schema != 1 {
			t.Errorf("nobody has looked yet: %v, %v", s, err)
		}
	}
	file := filepath.Join(dir, alertsName)
	must(t, (&alerts.State{Rules: []alerts.Standing{{Rule: alerts.Disk, Firing: true}}}).Save(file))
	if s, err := loadAlerts(dir); err != nil || len(s.Firing()) != 1 {
		t.Errorf("got %v, %v", s, err)
	}
	// What the adapter's user puts there instead is not followed by root, nor waited for.
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	f := func(plant func() error, want string) {
		t.Helper()
		must(t, os.Rename(file, elsewhere))
		must(t, plant())
		if _, err := loadAlerts(dir); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "hint: sudo rm "+file) {
			t.Errorf("got %v, want %q", err, want)
		}
		must(t, os.Remove(file))
		must(t, os.Rename(elsewhere, file))
	}
	f(func() error { return os.Symlink(elsewhere, file) }, "not a plain file")
	f(func() error { return syscall.Mkfifo(file, 0o644) }, "not a plain file")
	f(func() error { return os.Link(elsewhere, file) }, "not a plain file")
	f(func() error { return os.Mkdir(file, 0o755) }, "not a plain file")
	f(func() error { return os.WriteFile(file, []byte("{"), 0o644) }, "unexpected EOF")
}
