package manage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/manage/alerts"
	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// AlertsTimer is the unit that has the alerts looked after.
const AlertsTimer = "gemini-adapter-alerts.timer"

// How the alerts stand is a file in a folder of the adapter's user, by whom the timer looks.
const (
	alertsDir  = "/var/lib/gca-alerts"
	alertsName = "state.json"
	alertsFile = alertsDir + "/" + alertsName
)

// late is from when on the last look is too long ago; the timer looks every two minutes.
const late = 10 * time.Minute

// AlertsReport is what `alerts` shows; its JSON form is schema 1.
type AlertsReport struct {
	Schema   int           `json:"schema"`
	Checked  time.Time     `json:"checked,omitzero"` // the last look
	Timer    string        `json:"timer"`            // systemd's state of it
	Rules    []AlertRule   `json:"rules"`
	Channels []alerts.Line `json:"channels"`
	Problems []Problem     `json:"problems"`
}

// AlertRule is how one rule stands.
type AlertRule struct {
	Rule   alerts.Rule `json:"rule"`
	Firing bool        `json:"firing"`
	Since  time.Time   `json:"since,omitzero"` // since when it fires, or when it was over
	What   string      `json:"what,omitempty"`
	Cure   string      `json:"cure,omitempty"`
}

// Alerts tells how the alerts stand. Any user may ask.
func Alerts(ctx context.Context) (*AlertsReport, error) {
	if err := mustBeInstalled(ctx); err != nil {
		return nil, err
	}
	timer, err := readUnit(ctx, AlertsTimer)
	if err != nil {
		return nil, err
	}
	s, err := loadAlerts(alertsDir)
	if err != nil {
		return nil, err
	}
	return reportAlerts(s, alertSettings, timer.Active, time.Now()), nil
}

// loadAlerts reads how the alerts stand; where nobody has looked yet the state is empty. Root reads it too, so what the adapter's
// user could have put in the file's place is neither followed nor waited for.
func loadAlerts(dir string) (*alerts.State, error) {
	s, err := readAlerts(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &alerts.State{Schema: 1}, nil
	case err != nil:
		file := dir + "/" + alertsName
		return nil, fmt.Errorf("cannot read how the alerts stand: %s: %w\nhint: sudo rm %[1]s   # they begin anew", file, err)
	}
	return s, nil
}

func readAlerts(dir string) (s *alerts.State, err error) {
	folder, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	f, _, err := openPlain(folder, alertsName)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return alerts.Read(f)
}

// reportAlerts gives s the channels of the settings as they are now, which the last look did not know. Who may not read them sees
// those of the last look.
func reportAlerts(s *alerts.State, settings func() (alerts.Settings, alerts.Ways, error), timer string, now time.Time) *AlertsReport {
	if set, ways, err := settings(); err == nil {
		s.Enqueue(alerts.Channels(set, ways), nil)
	}
	r := &AlertsReport{Schema: 1, Checked: s.Checked, Timer: timer, Channels: s.Lines, Problems: []Problem{}}
	if r.Channels == nil {
		r.Channels = []alerts.Line{}
	}
	standing := map[alerts.Rule]alerts.Standing{}
	for _, one := range s.Rules {
		standing[one.Rule] = one
	}
	for _, rule := range alerts.Rules() {
		one := AlertRule{Rule: rule}
		if st := standing[rule]; st.Firing {
			one = AlertRule{rule, true, st.Since, st.What, st.Cure}
			r.Problems = append(r.Problems, Problem{st.What, st.Cure})
		} else {
			one.Since = st.Since
		}
		r.Rules = append(r.Rules, one)
	}
	r.Problems = append(r.Problems, alertTrouble(s, timer, now)...)
	return r
}

// alertTrouble is what keeps alerts from being told.
func alertTrouble(s *alerts.State, timer string, now time.Time) []Problem {
	var all []Problem
	for _, line := range s.Lines {
		switch {
		case line.Missing != "":
			all = append(all, Problem{fmt.Sprintf("alerts cannot be told by %s: %s is not set", line.Channel, line.Missing), "sudo gemini-manage config set " + alertExample(line.Missing)})
		case line.Problem != "":
			all = append(all, Problem{fmt.Sprintf("alerts do not arrive by %s since %s: %s", line.Channel, minute(line.Since), line.Problem), "sudo gemini-manage alerts test"})
		}
	}
	switch {
	case len(s.Lines) == 0: // nobody wants to be alerted
	case timer != "active":
		all = append(all, Problem{"nobody is alerted, since " + AlertsTimer + " is " + timer, "sudo systemctl enable --now " + AlertsTimer})
	case !s.Checked.IsZero() && now.Sub(s.Checked) > late:
		all = append(all, Problem{"nobody is alerted: the last look was " + ago(now.Sub(s.Checked)) + " ago", "journalctl -u gemini-adapter-alerts -n 20"})
	}
	return all
}

// alertExample is a setting of a channel as it is typed, with - for one that is asked for, since it is secret.
func alertExample(name string) string {
	switch name {
	case "ALERT_MAIL_TO":
		return name + "=YOU@EXAMPLE.COM"
	case "ALERT_TELEGRAM_CHAT":
		return name + "=ID"
	}
	return name + "=-"
}

// Print writes the report for a person.
func (r *AlertsReport) Print(w io.Writer, now time.Time) error {
	p := &printer{w: w}
	looked := "not yet"
	if !r.Checked.IsZero() {
		looked = ago(now.Sub(r.Checked)) + " ago"
	}
	p.line("last look", "%s; every two minutes (timer %s)", looked, r.Timer)
	name := "rules"
	for _, rule := range r.Rules {
		state := "ok"
		if rule.Firing {
			state = "FIRING since " + minute(rule.Since)
		} else if !rule.Since.IsZero() {
			state = "ok, over since " + minute(rule.Since)
		}
		p.line(name, "%-12s %s", rule.Rule, state)
		name = ""
	}
	name = "channels"
	for _, line := range r.Channels {
		p.line(name, "%-12s %s", line.Channel, channelState(line))
		name = ""
	}
	if len(r.Channels) == 0 {
		p.line(name, "none: nobody is told")
		p.line("", "cure: %s", "sudo gemini-manage config set ALERT_TELEGRAM_TOKEN=- ALERT_TELEGRAM_CHAT=ID")
	}
	printProblems(p, r.Problems)
	return p.err
}

func channelState(l alerts.Line) string {
	switch {
	case l.Missing != "":
		return l.Missing + " is not set"
	case l.Problem != "":
		return fmt.Sprintf("FAILING since %s, %s waiting, next try %s", minute(l.Since), count(len(l.Queue), "notice"), l.Next.UTC().Format("15:04 UTC"))
	case l.Sent.IsZero():
		return "nothing sent yet"
	}
	return "last sent " + minute(l.Sent)
}

// alertSettings are the settings as far as they can be read; one that is wrong counts as not set, so that a mistake elsewhere
// keeps nobody from being told.
func alertSettings() (alerts.Settings, alerts.Ways, error) {
	text, err := ReadEnv()
	if err != nil {
		return alerts.Settings{}, alerts.Ways{}, err
	}
	cfg, err := config.ParseEnv(text)
	if cfg == nil {
		return alerts.Settings{}, alerts.Ways{}, fmt.Errorf("%s: %w\nhint: gemini-manage config edit", EnvFile, err)
	}
	return cfg.Alerts, alerts.Ways{Proxy: cfg.ProxyURL}, nil
}

// CheckAlerts is what the timer does: it looks once, and tells what changed. A channel that fails is no error: it is tried again.
func CheckAlerts(ctx context.Context) error {
	if os.Geteuid() == 0 {
		return errors.New("the alerts are looked after by the adapter's user, in its own folder\nhint: systemctl start gemini-adapter-alerts.service")
	}
	set, ways, err := alertSettings()
	if err != nil {
		return err
	}
	s, err := loadAlerts(alertsDir)
	if err != nil {
		return err
	}
	look, channels := takeLook(ctx), alerts.Channels(set, ways)
	s.Enqueue(channels, s.Advance(look, set))
	if err := s.Save(alertsFile); err != nil { // first, so that a notice is not lost with this process
		return err
	}
	s.Deliver(ctx, channels, hostName(), look.Time)
	return s.Save(alertsFile)
}

// AlertTest is how a channel took a test; its JSON form is schema 1.
type AlertTest struct {
	Schema  int    `json:"schema"`
	Channel string `json:"channel"`
	Problem string `json:"problem,omitempty"` // "" is delivered
	Cure    string `json:"cure,omitempty"`    // the command that sets what may be wrong
}

// ErrNoChannel is what TestAlerts returns where there is nobody to tell.
var ErrNoChannel = errors.New("no channel is set, so nobody is told\nhint: gemini-manage config set ALERT_TELEGRAM_TOKEN=- ALERT_TELEGRAM_CHAT=ID, or ALERT_SMTP_URL=- ALERT_MAIL_TO=YOU@EXAMPLE.COM")

// TestAlerts sends a test by every channel and tells how each took it; trying is told of each that is tried, and how long that takes at
// most. It needs root, or the group gemini.
func TestAlerts(ctx context.Context, trying func(channel string, most time.Duration) error, tell func(AlertTest) error) error {
	set, ways, err := alertSettings()
	if err != nil {
		return err
	}
	channels := alerts.Channels(set, ways)
	if len(channels) == 0 {
		return ErrNoChannel
	}
	for _, c := range channels {
		if alerts.Missing(c) == "" {
			if err := trying(c.Name(), alerts.SendTime); err != nil {
				return err
			}
		}
		if err := tell(tryAlert(ctx, c)); err != nil {
			return err
		}
	}
	return nil
}

func tryAlert(ctx context.Context, c alerts.Channel) AlertTest {
	result := AlertTest{Schema: 1, Channel: c.Name()}
	err := alerts.Try(ctx, c, hostName(), time.Now())
	switch missing := alerts.Missing(c); {
	case err == nil:
		return result
	case missing != "":
		result.Cure = "gemini-manage config set " + alertExample(missing)
	default:
		result.Cure = "gemini-manage config set " + alertExample(alertSetting(c.Name())) + "   # if it is not right"
	}
	result.Problem = err.Error()
	return result
}

// alertSetting is the setting that says where a channel leads.
func alertSetting(channel string) string {
	switch channel {
	case alerts.Mail:
		return "ALERT_SMTP_URL"
	case alerts.Telegram:
		return "ALERT_TELEGRAM_TOKEN"
	}
	return "ALERT_" + strings.ToUpper(channel) + "_URL"
}

// takeLook gathers what the rules are about. What cannot be seen is left out.
func takeLook(ctx context.Context) alerts.Look {
	l := alerts.Look{Time: time.Now().UTC().Truncate(time.Second)}
	l.Entrance, l.Cert = lookAtEntrance(ctx)
	if stats, err := first(hereAdapters(), func(one control.Client) (control.Stats, error) { return one.Stats(ctx, 0) }); err == nil {
		l.Stats = &stats
	}
	if u, err := readUnit(ctx, ServiceUnit); err == nil {
		boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
		if err == nil {
			l.Service = &alerts.Service{Restarts: u.Restarts, Boot: strings.TrimSpace(string(boot))}
		}
	}
	for _, d := range readRoom().Disks {
		l.Disks = append(l.Disks, alerts.Volume{Path: d.Path, Total: d.Total, Free: d.Free})
	}
	if last, err := ReadLastBackup(); err == nil {
		l.Backup = firstTrouble(last.Problems(l.Time))
	}
	return l
}

func firstTrouble(all []Problem) *alerts.Trouble {
	if len(all) == 0 {
		return &alerts.Trouble{}
	}
	return &alerts.Trouble{What: all[0].What, Cure: all[0].Cure}
}

// lookAtEntrance comes in as clients do.
func lookAtEntrance(ctx context.Context) (*alerts.Entrance, *alerts.Cert) {
	e, err := findEntrance(ctx, plainEntrance, secureEntrance)
	at := &alerts.Entrance{}
	if err == nil {
		health, failed := e.health(ctx)
		at.Active, at.Total, err = health.ActiveKeys, health.TotalKeys, failed
	}
	if err != nil {
		at.Problem = firstLine(err.Error())
	}
	if e == nil || e.leaf == nil {
		return at, nil
	}
	cert, err := certificate(ctx, e, time.Now())
	if err != nil {
		return at, nil
	}
	return at, &alerts.Cert{NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, Renewal: *firstTrouble(cert.Problems)}
}

// hostName is what the server calls itself.
func hostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "the server"
	}
	return name
}
