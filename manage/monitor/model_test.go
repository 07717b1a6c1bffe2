package monitor

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// press types on a model's keyboard, and carries out what that starts.
func press(t *testing.T, m *model, keys ...string) {
	t.Helper()
	named := map[string]tea.Key{"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "down": {Code: tea.KeyDown}, "up": {Code: tea.KeyUp}, "pgdown": {Code: tea.KeyPgDown},
		"pgup": {Code: tea.KeyPgUp}, "backspace": {Code: tea.KeyBackspace}}
	for _, name := range keys {
		key, ok := named[name]
		if !ok {
			key = tea.Key{Code: []rune(name)[0], Text: name}
		}
		if _, cmd := m.Update(tea.KeyPressMsg(key)); cmd != nil {
			m.Update(cmd())
		}
	}
}

func TestModel(t *testing.T) {
	var reset []string
	var refuse error
	m := &model{ctx: t.Context(), Screen: *busy(80, 24, false), source: Source{Reset: func(_ context.Context, id string) error {
		reset = append(reset, id)
		return refuse
	}}}
	shows := func(has bool, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if strings.Contains(m.View().Content, text) != has {
				t.Errorf("%q: want %v in\n%s", text, has, m.View().Content)
			}
		}
	}
	first := func(want string) {
		t.Helper()
		if got := strings.Split(m.View().Content, "\n")[headLines+1]; !strings.HasPrefix(got, want) {
			t.Errorf("the first key is %q, want %q", got, want)
		}
	}
	first("old ")
	for _, want := range []string{"0a1b2c3d-1111 ", "0a1b2c3d-1111 ", "0a1b2c3d-1111 ", "0a1b2c3d-1111 ", "old "} {
		press(t, m, "s")
		first(want)
	}
	press(t, m, "r")
	first("0a1b2c3d-1111 ")
	press(t, m, "r", "x")
	shows(false, "another chance")
	press(t, m, "down", "down")
	shows(true, "> spare")
	press(t, m, "x")
	shows(true, "give 1a1b2c3d-2222 another chance at once?")
	press(t, m, "n")
	shows(false, "another chance")
	press(t, m, "x", "y")
	shows(true, "1a1b2c3d-2222 is reset")
	refuse = errors.New("the disk is full\nhint: \x1b[2J")
	press(t, m, "up", "x", "y")
	shows(true, "the disk is full hint: ?[2J", "> old")
	if strings.Join(reset, " ") != "1a1b2c3d-2222 2a1b2c3d-3333" {
		t.Errorf("reset %q", reset)
	}
	press(t, m, "/", "Q", "u", "o", "x", "backspace")
	shows(true, "filter: Quo_", "spare", "KEY 1 of 4: Quo")
	shows(false, "0a1b2c3d-1111   ")
	press(t, m, "enter")
	shows(true, "q quit", "KEY 1 of 4")
	press(t, m, "esc", "pgdown")
	shows(true, "> 0a1b2c3d-1111")
	press(t, m, "pgup")
	shows(true, "> old")
	press(t, m, "/", "z", "z", "z")
	shows(true, "KEY 0 of 4")
	press(t, m, "enter", "down", "x")
	shows(false, "another chance")
	press(t, m, "/", "esc")
	shows(true, "spare")
	m.Update(tea.WindowSizeMsg{Width: 120, Height: 40})
	if n := strings.Count(m.View().Content, "\n"); n != 39 {
		t.Errorf("a larger terminal has %d lines", n)
	}
	for _, key := range []tea.Key{{Code: 'q', Text: "q"}, {Code: 'c', Mod: tea.ModCtrl}} {
		if _, cmd := m.Update(tea.KeyPressMsg(key)); cmd == nil || cmd() != tea.Quit() {
			t.Errorf("%v does not quit", key)
		}
	}
}

// screen is a terminal that counts what it is sent.
type screen struct {
	mu   sync.Mutex
	got  bytes.Buffer
	want string
	came chan int // bytes until want, once
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got.Write(p)
	if s.want != "" && strings.Contains(s.got.String(), s.want) {
		s.came <- s.got.Len()
		s.want = ""
	}
	return len(p), nil
}

// until waits for text that is sent from now on, after do, and returns how many bytes came until then.
func (s *screen) until(t *testing.T, text string, do func()) int {
	t.Helper()
	s.mu.Lock()
	s.got.Reset()
	s.want = text
	s.mu.Unlock()
	do()
	select {
	case n := <-s.came:
		return n
	case <-time.After(20 * time.Second):
		s.mu.Lock()
		defer s.mu.Unlock()
		t.Fatalf("%q never came, but %q", text, s.got.String())
		return 0
	}
}

// A link is sent what changed, and no more.
func TestRun_sendsWhatChanged(t *testing.T) {
	keyboard, typed := io.Pipe()
	out := &screen{came: make(chan int, 1)}
	samples, ended := make(chan manage.Sample), make(chan error, 1)
	source := Source{Watch: func(ctx context.Context, tell func(manage.Sample) error) error {
		for {
			select {
			case s := <-samples:
				if err := tell(s); err != nil {
					return err
				}
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}}
	go func() {
		ended <- Run(t.Context(), source, Options{In: keyboard, Out: out, Server: "tokyo", Every: time.Second}, tea.WithWindowSize(80, 24))
	}()
	whole := out.until(t, "reset key", func() { samples <- sampled(1) })
	next := sampled(1)
	next.Time = next.Time.Add(time.Second)
	next.Stats.Keys = append([]control.Key{}, next.Stats.Keys...)
	next.Stats.Keys[2].Reason = "unpaid"
	changed := out.until(t, "unpaid", func() { samples <- next })
	if changed*3 > whole {
		t.Errorf("a change of a few words sends %d bytes, a whole screen %d", changed, whole)
	}
	if _, err := typed.Write([]byte("q")); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// The end of the source is the end of the dashboard, with its reason.
func TestRun_lost(t *testing.T) {
	gone := errors.New("the server is gone")
	keyboard, _ := io.Pipe()
	f := func(ctx context.Context, want error, watch func(context.Context, func(manage.Sample) error) error) {
		t.Helper()
		if err := Run(ctx, Source{Watch: watch}, Options{In: keyboard, Out: io.Discard}, tea.WithWindowSize(80, 24)); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	f(t.Context(), gone, func(_ context.Context, tell func(manage.Sample) error) error {
		return errors.Join(tell(sampled(1)), gone)
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	f(ctx, gone, func(ctx context.Context, tell func(manage.Sample) error) error {
		err := tell(sampled(1))
		cancel(gone)
		<-ctx.Done()
		return errors.Join(err, context.Cause(ctx))
	})
}
