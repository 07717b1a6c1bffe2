package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// answer is what a person types when the terminal shows something.
type answer struct{ shown, typed string }

// typed runs gca at a terminal of its own, where a person answers. What it prints is all in out.
func (r *rig) typed(env []string, answers []answer, args ...string) result {
	r.t.Helper()
	return seat{env: append([]string{"HOME=" + r.home}, env...)}.run(r.t, command(r.gca, args...), answers...)
}

// command is a line of shell that becomes a program.
func command(program string, args ...string) string {
	line := "exec"
	for _, word := range append([]string{program}, args...) {
		line += " '" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return line
}

// seat is what a person sits at: a terminal of script's.
type seat struct {
	dir  string
	env  []string // HOME at least
	mute bool     // it does not say where its cursor is, as one with nobody behind it
}

// run runs a line of shell until it ends. All answers must have been asked for.
func (c seat) run(t testing.TB, line string, answers ...answer) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "script", "-q", "-e", "-c", line, "/dev/null")
	cmd.Dir = c.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TERM=xterm", "SHELL=/bin/sh"}, c.env...)
	keyboard, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	screen := &typist{keyboard: keyboard, answers: answers, mute: c.mute}
	screen.still = time.AfterFunc(stillness, screen.answer)
	defer screen.still.Stop()
	cmd.Stdout, cmd.Stderr = screen, screen
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%s: %v, %v\n%s", line, err, ctx.Err(), screen.seen.String())
	}
	if len(screen.answers) > 0 {
		t.Errorf("%s never showed %q:\n%s", line, screen.answers[0].shown, screen.seen.String())
	}
	return result{screen.seen.String(), "", cmd.ProcessState.ExitCode()}
}

// typist reads the screen, and types when it stands still: a program that draws loses what is typed meanwhile.
type typist struct {
	mu       sync.Mutex
	keyboard io.Writer
	answers  []answer
	seen     bytes.Buffer
	read     int // of seen, what was answered
	still    *time.Timer
	mute     bool
	err      error
}

const (
	stillness = 150 * time.Millisecond
	// A program that draws asks the terminal where its cursor is.
	askCursor, tellCursor = "\x1b[6n", "\x1b[1;1R"
)

func (s *typist) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.Write(b)
	s.still.Reset(stillness)
	if !s.mute {
		s.press(strings.Repeat(tellCursor, bytes.Count(b, []byte(askCursor))))
	}
	return len(b), s.err
}

// answer types what is due.
func (s *typist) answer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.answers) == 0 {
		return
	}
	if at := strings.Index(s.seen.String()[s.read:], s.answers[0].shown); at >= 0 {
		s.press(s.answers[0].typed + "\r")
		s.answers, s.read = s.answers[1:], s.seen.Len()
	}
}

func (s *typist) press(keys string) {
	if s.err == nil && keys != "" {
		_, s.err = io.WriteString(s.keyboard, keys)
	}
}

// A person at a terminal is asked for what was not given.
func TestTyped(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	before := r.on(everything)
	got := r.typed(nil, []answer{
		{r.server.HostKeys[0].Fingerprint + ". Is that right?", "y"},
		{"Gemini API keys", goodKeys[0] + ",hid den"},
		{"key 2 has white space inside", strings.Join(goodKeys, ",")}, // and is asked again
		{"Do this to " + r.target(), "n"},
	}, "deploy", "-i", r.server.KeyFile, "--gemini-base-url", r.base, r.target())
	if got.code != exitFailed || !strings.Contains(got.out, "nothing was changed") || strings.Contains(got.out, goodKeys[0]) {
		t.Errorf("exit code %d\n%s", got.code, got.out)
	}
	if after := r.on(everything); after != before {
		t.Errorf("a plan that was refused changed something:\n%s", differ(before, after))
	}
}
