package alerts

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

const every = 2 * time.Minute

// begun is noon in Los Angeles, so that half of Google's day is gone.
func begun() time.Time { return time.Date(2026, 11, 30, 20, 0, 0, 0, time.UTC) }

// well is a look that finds nothing wrong.
func well(now time.Time) Look {
	return Look{
		Time: now, Entrance: &Entrance{Active: 3, Total: 3}, Service: &Service{Boot: "boot-1"}, Backup: &Trouble{},
		Stats: &control.Stats{Now: now, Status: control.Status{Started: begun().Add(-time.Hour), Requests: 1000}},
		Cert:  &Cert{NotBefore: now.AddDate(0, 0, -30), NotAfter: now.AddDate(0, 0, 60)},
		Disks: []Volume{{"/", 100, 50}},
	}
}

func settings(t *testing.T, env string) Settings {
	t.Helper()
	cfg, err := config.ParseEnv(env)
	if err != nil {
		t.Fatal(err)
	}
	return cfg.Alerts
}

// rig is a server whose alerts go out by mail and by a webhook, with a state that every look reads and writes anew.
type rig struct {
	t    *testing.T
	file string
	set  Settings
	ways Ways
	mail *mailServer
	sink *sink
	now  time.Time
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, file: filepath.Join(t.TempDir(), "state.json"), mail: newMailServer(t, false), sink: newSink(t, "ok"), now: begun()}
	r.set = settings(t, "ALERT_SMTP_URL=smtp://me@example.com:app-password@"+r.mail.addr+"\nALERT_MAIL_TO=owner@example.com\n"+
		"ALERT_WEBHOOK_URL="+r.sink.url.String()+"/hook/secret-path\nALERT_WEBHOOK_SECRET=sign-secret\nALERT_SPEND_USD=5\n")
	r.ways.Roots = r.mail.roots
	return r
}

// look does what the timer does.
func (r *rig) look(change func(*Look)) {
	r.t.Helper()
	r.now = r.now.Add(every)
	l := well(r.now)
	change(&l)
	s := r.state()
	channels := Channels(r.set, r.ways)
	s.Enqueue(channels, s.Advance(l, r.set))
	if err := s.Save(r.file); err != nil {
		r.t.Fatal(err)
	}
	s.Deliver(r.t.Context(), channels, "tokyo", r.now)
	if err := s.Save(r.file); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) looks(n int, change func(*Look)) {
	r.t.Helper()
	for range n {
		r.look(change)
	}
}

func (r *rig) state() *State {
	r.t.Helper()
	f, err := os.Open(r.file)
	if errors.Is(err, fs.ErrNotExist) {
		return &State{}
	}
	if err != nil {
		r.t.Fatal(err)
	}
	s, err := Read(f)
	if err := errors.Join(err, f.Close()); err != nil {
		r.t.Fatal(err)
	}
	return s
}

func nothing(*Look) {}

// breakages is what each rule is about, and a word of what is told.
func breakages() map[Rule]struct {
	change func(*Look)
	says   string
} {
	requests := int64(1000)
	return map[Rule]struct {
		change func(*Look)
		says   string
	}{
		NoKeys:  {func(l *Look) { l.Entrance.Active = 0 }, "no key is active, of 3"},
		FewKeys: {func(l *Look) { l.Entrance.Active = 1 }, "1 of 3 keys are active"},
		Health:  {func(l *Look) { l.Entrance.Problem = "connection refused" }, "does not answer: connection refused"},
		Errors:  {func(l *Look) { requests += 100; l.Stats.Requests, l.Stats.Errors = requests, requests/2 }, "requests failed in the last"},
		Quota: {func(l *Look) {
			l.Stats.KeyStats = []control.KeyStats{{ID: "k1", Quotas: []control.Quota{{Model: "gemini-x", Name: "requests_per_day", Limit: 100, Used: 90}}}}
		}, "gemini-x will not last (90 of 100 requests)"},
		Certificate: {func(l *Look) { l.Cert.NotAfter = l.Time.AddDate(0, 0, 13) }, "the certificate ends at"},
		Renewal:     {func(l *Look) { l.Cert.Renewal = Trouble{"the CA said no", "cert renew"} }, "the CA said no"},
		Disk:        {func(l *Look) { l.Disks[0].Free = 9 }, "91% of the disk"},
		Backup:      {func(l *Look) { l.Backup = &Trouble{"the backup failed", "backup"} }, "the backup failed"},
		Restart:     {func(l *Look) { l.Service.Restarts = 1 }, "systemd had to restart the adapter"},
		Spend:       {func(l *Look) { l.Stats.Today.Total.CostUSD = 7.25 }, "$7.25"},
	}
}

// Each rule is told once by each channel when it begins and once when it is over, however long it lasts; nothing secret is in it.
func TestRules(t *testing.T) {
	all := breakages()
	for _, rule := range Rules() {
		t.Run(string(rule), func(t *testing.T) {
			r := newRig(t)
			r.looks(2, nothing)
			r.looks(12, all[rule].change)
			r.looks(12, nothing)
			mails, posts := r.mail.taken(), r.sink.taken()
			if len(mails) != 2 || len(posts) != 2 {
				t.Fatalf("%d mails and %d posts\n%q\n%v", len(mails), len(posts), mails, posts)
			}
			for i, word := range []string{"ALERT " + string(rule) + ": ", "over  " + string(rule) + ": "} {
				for _, text := range []string{strings.ReplaceAll(mails[i], "=\r\n", ""), posts[i].body} {
					if !strings.Contains(text, word) || !strings.Contains(text, all[rule].says) || !strings.Contains(text, "tokyo") {
						t.Errorf("%q and %q are not in %q", word, all[rule].says, text)
					}
					for _, secret := range []string{"app-password", "secret-path", "sign-secret"} {
						if strings.Contains(text, secret) {
							t.Errorf("%s is in %q", secret, text)
						}
					}
				}
			}
			if firing := r.state().Firing(); len(firing) > 0 {
				t.Errorf("still firing: %v", firing)
			}
		})
	}
}

// What is wrong for one look alone, and what comes and goes, is no flood.
func TestState_Advance_steady(t *testing.T) {
	r := newRig(t)
	down := breakages()[Health].change
	r.look(nothing)
	r.look(down)
	r.looks(3, nothing)
	if got := r.sink.taken(); len(got) != 0 {
		t.Errorf("one bad look was told: %v", got)
	}
	for range 10 {
		r.looks(2, down)
		r.looks(3, nothing)
	}
	r.looks(6, nothing)
	if got := r.sink.taken(); len(got) != 2 {
		t.Errorf("what came and went ten times was told %d times", len(got))
	}
}

// What cannot be seen neither fires nor is over.
func TestState_Advance_unseen(t *testing.T) {
	r := newRig(t)
	r.looks(3, breakages()[Spend].change)
	r.looks(20, func(l *Look) { *l = Look{Time: l.Time} })
	if firing := r.state().Firing(); len(firing) != 1 || firing[0].Rule != Spend {
		t.Errorf("firing: %v", firing)
	}
	if got := r.sink.taken(); len(got) != 1 {
		t.Errorf("told %d times", len(got))
	}
}

func TestState_Advance_reboot(t *testing.T) {
	r := newRig(t)
	r.looks(2, nothing)
	r.looks(20, func(l *Look) { l.Service.Boot = "boot-2" })
	got := r.sink.taken()
	if len(got) != 2 || !strings.Contains(got[0].body, "the server started anew") {
		t.Errorf("got %v", got)
	}
}

// A channel that fails keeps its line, is asked less and less often, and then gets everything in one message.
func TestState_Deliver_retry(t *testing.T) {
	r := newRig(t)
	r.look(nothing)
	r.sink.say(500, "broken at https://hook/secret-path")
	r.looks(12, breakages()[Disk].change)
	line := r.line(Webhook)
	if line.Tries < 3 || line.Tries > 6 || !strings.Contains(line.Problem, "500") || strings.Contains(line.Problem, "secret-path") || line.Since.IsZero() {
		t.Errorf("after 24 minutes: %+v", line)
	}
	r.looks(8, nothing)
	r.sink.say(200, "ok")
	r.looks(40, nothing)
	got := r.sink.taken()
	if len(got) != 1 || !strings.Contains(got[0].body, "ALERT disk") || !strings.Contains(got[0].body, "over  disk") {
		t.Errorf("got %v", got)
	}
	if line := r.line(Webhook); line.Problem != "" || line.Tries != 0 || line.Sent.IsZero() {
		t.Errorf("afterwards: %+v", line)
	}
	if mails := r.mail.taken(); len(mails) != 2 {
		t.Errorf("the other channel got %d mails", len(mails))
	}
}

func (r *rig) line(name string) Line {
	r.t.Helper()
	lines := r.state().Lines
	i := slices.IndexFunc(lines, func(l Line) bool { return l.Channel == name })
	if i < 0 {
		r.t.Fatalf("there is no %s in %v", name, lines)
	}
	return lines[i]
}

// Who is added while something is wrong is told of it; who is taken away is forgotten.
func TestState_Enqueue(t *testing.T) {
	r := newRig(t)
	both := r.set
	r.set.Webhook = nil
	r.looks(4, breakages()[Disk].change)
	r.set = both
	r.looks(4, breakages()[Disk].change)
	if got := r.sink.taken(); len(got) != 1 || !strings.Contains(got[0].body, "ALERT disk") {
		t.Errorf("the new channel got %v", got)
	}
	r.set.SMTP, r.set.MailTo = nil, nil
	r.look(nothing)
	if lines := r.state().Lines; len(lines) != 1 || lines[0].Channel != Webhook {
		t.Errorf("lines: %v", lines)
	}
}

// A channel that lacks a setting is not tried; what waits for it is sent at once when the setting is there.
func TestState_Enqueue_half(t *testing.T) {
	s := newSink(t, `{"ok":true}`)
	half := settings(t, "ALERT_TELEGRAM_URL="+s.url.String()+"\nALERT_TELEGRAM_TOKEN=1:x\n")
	whole := half
	whole.TelegramChat = "7"
	state, now := &State{Lines: []Line{{Channel: Telegram, Tries: 3, Problem: "no such chat", Next: begun().Add(longWait)}}}, begun()
	state.Enqueue(Channels(half, Ways{}), []Notice{{Rule: Disk, Firing: true, What: "x"}})
	state.Deliver(t.Context(), Channels(half, Ways{}), "tokyo", now)
	if l := state.Lines[0]; l.Missing != "ALERT_TELEGRAM_CHAT" || len(l.Queue) != 1 || l.Problem != "" {
		t.Errorf("by half: %+v", l)
	}
	state.Enqueue(Channels(whole, Ways{}), nil)
	state.Deliver(t.Context(), Channels(whole, Ways{}), "tokyo", now)
	if l := state.Lines[0]; l.Missing != "" || len(l.Queue) != 0 || !l.Sent.Equal(now) || len(s.taken()) != 1 {
		t.Errorf("whole: %+v, %v", l, s.taken())
	}
}

func TestState_Enqueue_bounded(t *testing.T) {
	s := &State{}
	channels := Channels(settings(t, "ALERT_SLACK_URL=https://hooks.example.com/services/x\n"), Ways{})
	for range 3 * maxLine {
		s.Enqueue(channels, []Notice{{Rule: Disk, Firing: true, What: "x"}})
	}
	if l := s.Lines[0]; len(l.Queue) != maxLine || l.Dropped != 2*maxLine-1 {
		t.Errorf("%d wait, %d dropped", len(l.Queue), l.Dropped)
	}
}
