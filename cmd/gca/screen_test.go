package main

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gemini-claude-adapter/gca/manage/locale"
	"github.com/gemini-claude-adapter/gca/provision"
	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// onTerminal is a screen whose terminal is a buffer, without a clock that draws.
func onTerminal(out *bytes.Buffer) *screen {
	s := newScreen(&streams{out: &bytes.Buffer{}, err: out}, false)
	s.display, s.line = displayLive, &statusLine{out: out, width: func() int { return maxWidth }}
	return s
}

// aDeploy is what a deploy tells.
func aDeploy(s *screen) {
	install := converge.StepInfo{ID: "package:nginx", Group: converge.GroupPackages, Title: "install nginx"}
	write := converge.StepInfo{ID: "file:/etc/a", Group: converge.GroupNginx, Title: "write /etc/a"}
	reload := converge.StepInfo{ID: "nginx:nginx", Group: converge.GroupNginx, Title: "reload Nginx"}
	s.phase(provision.PhaseConnect, "root@host")
	s.connected(provision.Connection{Via: "root@host, key \x1b[31mid", RTT: 104 * time.Millisecond})
	s.phase(provision.PhaseUpload, "gca 1")
	s.uploaded(3_100_000, 7_200_000)
	s.uploaded(7_200_000, 7_200_000)
	s.phase(provision.PhasePlan, "Debian")
	s.phase(provision.PhaseApply, "3 steps")
	s.step(install, converge.StepEvent{ID: install.ID, State: converge.StepStart})
	s.progress(converge.ProgressEvent{ID: install.ID, Text: "waiting for the dpkg lock: unattended-upgr (pid 1519), 40 s so far",
		Wait: &converge.Wait{What: "the dpkg lock", Holder: "unattended-upgr (pid 1519)", Seconds: 40}})
	s.progress(converge.ProgressEvent{ID: install.ID, Text: strings.Repeat("a long line ", 20)})
	s.step(install, converge.StepEvent{ID: install.ID, State: converge.StepDone, Seconds: 12})
	for _, step := range []converge.StepInfo{write, reload} {
		s.step(step, converge.StepEvent{ID: step.ID, State: converge.StepStart})
		s.step(step, converge.StepEvent{ID: step.ID, State: converge.StepDone, Seconds: 0.2})
	}
	s.warn("something odd\x07\nhint: look at it")
	s.phase(provision.PhaseVerify, "http://host")
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")

func TestScreen_terminal(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	var out bytes.Buffer
	s := onTerminal(&out)
	aDeploy(s)
	if err := s.end(true); err != nil {
		t.Fatal(err)
	}
	var stays []string // what is left when each line was written over by its successors
	for text := range strings.SplitSeq(out.String(), "\n") {
		for part := range strings.SplitSeq(text, "\r") {
			if plain := escapes.ReplaceAllString(part, ""); utf8.RuneCountInString(plain) > maxWidth {
				t.Errorf("%d characters wide: %q", utf8.RuneCountInString(plain), plain)
			}
		}
		last := text[strings.LastIndex(text, "\r")+1:]
		stays = append(stays, strings.TrimRight(strings.TrimPrefix(last, "\x1b[K"), " "))
	}
	want := []string{
		"connecting to root@host",
		"  root@host, key \uFFFD[31mid · RTT 104 ms",
		"  resumed at 3.1 of 7.2 MB",
		"  ✓ upload      0.0s  7.2 of 7.2 MB",
		"  Debian",
		"  ✓ packages     12s  install nginx",
		"  ! something odd\uFFFD",
		"    hint: look at it",
		"  ✓ nginx       0.4s  2 steps",
		"  ✓ verify      0.0s  http://host from here",
		"",
	}
	if got := strings.Join(stays, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
	for _, passing := range []string{"awaits the dpkg lock: unattended-upgr (pid 1519), 40 s\x1b[K", "… nginx         0s  reload Nginx", "3.1 of 7.2 MB"} {
		if !strings.Contains(out.String(), passing) {
			t.Errorf("%q was never shown:\n%q", passing, out.String())
		}
	}
}

func TestScreen_failure(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	var out bytes.Buffer
	s := onTerminal(&out)
	step := converge.StepInfo{ID: "unit:x", Group: converge.GroupAdapter, Title: "start the adapter"}
	s.step(step, converge.StepEvent{ID: step.ID, State: converge.StepStart})
	s.step(step, converge.StepEvent{ID: step.ID, State: converge.StepFailed, Seconds: 3, Note: "no"})
	if err := s.end(false); err != nil || !strings.HasSuffix(out.String(), "  ✗ adapter     3.0s  start the adapter\n") {
		t.Errorf("got %q, error %v", out.String(), err)
	}
}

// Without a terminal nothing is written over, and no byte is a command to a terminal.
func TestScreen_lines(t *testing.T) {
	var out bytes.Buffer
	s := newScreen(&streams{out: &bytes.Buffer{}, err: &out}, false)
	aDeploy(s)
	if err := s.end(true); err != nil {
		t.Fatal(err)
	}
	noControl(t, out.String())
	const want = `connecting to root@host
  root@host, key �[31mid · RTT 104 ms
sending gca 1
  resumed at 3.1 of 7.2 MB
  Debian
applying 3 steps
  … install nginx
    waiting for the dpkg lock: unattended-upgr (pid 1519), 40 s so far
  ✓ install nginx  12s
  … write /etc/a
  ✓ write /etc/a  0.2s
  … reload Nginx
  ✓ reload Nginx  0.2s
  ! something odd�
    hint: look at it
looking at http://host from here
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

// noControl checks that text can be shown anywhere.
func noControl(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		if r < ' ' && r != '\n' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			t.Errorf("%q is in the output", r)
			return
		}
	}
}

// broken is a screen that has gone.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("the screen has gone") }

func TestScreen_gone(t *testing.T) {
	s := newScreen(&streams{out: broken{}, err: broken{}}, true)
	aDeploy(s)
	if err := s.end(true); err == nil || err.Error() != "the screen has gone" {
		t.Errorf("got %v", err)
	}
}

func TestSpan(t *testing.T) {
	f := func(d time.Duration, want string) {
		t.Helper()
		if got := span(d); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
	f(0, "0.0s")
	f(340*time.Millisecond, "0.3s")
	f(9900*time.Millisecond, "9.9s")
	f(12*time.Second, "12s")
	f(59700*time.Millisecond, "1m00s")
	f(125*time.Second, "2m05s")
}

// A deploy speaks its person's language, in columns that hold; JSON does not.
func TestScreen_Chinese(t *testing.T) {
	var out bytes.Buffer
	s := onTerminal(&out)
	s.io.lang = locale.Chinese()
	plan := provision.Plan{Host: "root@vps", Steps: []converge.StepInfo{{ID: "package:nginx", Group: converge.GroupPackages, Title: "install nginx and ufw"}}}
	if _, err := s.plan(plan, func(details func()) (bool, error) { details(); return true, nil }); err != nil {
		t.Fatal(err)
	}
	s.phase(provision.PhaseApply, "1 step")
	s.step(plan.Steps[0], converge.StepEvent{ID: "package:nginx", State: converge.StepStart})
	s.step(plan.Steps[0], converge.StepEvent{ID: "package:nginx", State: converge.StepDone, Seconds: 2})
	s.warn("few Gemini keys: 1; with three or more, from different Google projects, one can rest while another works")
	if err := s.end(true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"root@vps 的部署计划： 1 个步骤", "\n  + 软件包       1  安装 nginx and ufw", "软件包      2.0s  安装 nginx and ufw", "Gemini 密钥偏少：1 个"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("want %q in:\n%s", want, out.String())
		}
	}
}

// Chinese characters take two columns.
func TestFit(t *testing.T) {
	f := func(text string, width int, want string) {
		t.Helper()
		if got := fit(text, width); got != want {
			t.Errorf("%q in %d columns is %q, want %q", text, width, got, want)
		}
	}
	f("short", 5, "short")
	f("longer", 5, "long…")
	f("安装软件包", 10, "安装软件包")
	f("安装软件包", 9, "安装软件…")
	if got := pad("软件包", 8) + "|"; got != "软件包  |" {
		t.Errorf("padded: %q", got)
	}
}

// Who meets a deploy at work is told whose it is, and what is waited for.
func TestUnfinished(t *testing.T) {
	f := func(r converge.Running, waits bool, want string) {
		t.Helper()
		r.Release, r.By, r.Total = "0.1.0-abc", "203.0.113.9", 43
		if got := unfinished(locale.Words{}, r, 8*time.Second, waits); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if got := unfinished(locale.Chinese(), r, 8*time.Second, waits); strings.ContainsAny(strings.ReplaceAll(got, "install", ""), "hjkow") {
			t.Errorf("in Chinese: %s", got)
		}
	}
	f(converge.Running{State: converge.RunApplying, Done: 3, Step: "install nginx", Attached: true, Yours: true}, true,
		"a deploy of this server is at work: release 0.1.0-abc, begun 8.0s ago from 203.0.113.9, which is yours: perhaps in another terminal, 3 of 43 steps done, at: install nginx; waiting for up to 25 s to see whether somebody is still there")
	f(converge.Running{State: converge.RunApplying, Done: 3, Step: "install nginx", Attached: true}, false,
		"a deploy of this server is at work: release 0.1.0-abc, begun 8.0s ago from 203.0.113.9, 3 of 43 steps done, at: install nginx")
	f(converge.Running{State: converge.RunApplied, Done: 43, Yours: true}, false,
		"an unfinished deploy of release 0.1.0-abc is on this server: begun 8.0s ago from 203.0.113.9, 43 of 43 steps done; it waits to be finished from here")
}
