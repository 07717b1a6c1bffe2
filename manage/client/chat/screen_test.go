package chat

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"

	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/manage/client/clienttest"
	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const (
	columns, rows = 90, 30
	patience      = 20 * time.Second
)

// person sits at a terminal with a chat.
type person struct {
	t       *testing.T
	adapter *clienttest.Adapter
	keys    *os.File // the terminal's other end
	ended   chan error

	mu      sync.Mutex
	screen  *vt.SafeEmulator
	changed chan struct{} // closed at the next change
}

// sit starts a chat of the given colours and history.
func sit(t *testing.T, history string, colour bool) *person {
	t.Helper()
	p := &person{t: t, adapter: clienttest.Start(t), ended: make(chan error, 1), screen: vt.NewSafeEmulator(columns, rows), changed: make(chan struct{})}
	keys, terminal, err := pty.Open()
	if err == nil {
		err = pty.Setsize(terminal, &pty.Winsize{Rows: rows, Cols: columns})
	}
	if err != nil {
		t.Fatal(err)
	}
	p.keys = keys
	c := client.New(client.Profile{URL: p.adapter.URL, Token: clienttest.Token})
	ctx, cancel := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	reading.Go(p.read)
	var answering sync.WaitGroup
	answering.Go(func() { _, _ = io.Copy(keys, p.screen) }) // what the terminal answers to questions; ends with the emulator
	go func() {
		p.ended <- Run(ctx, Options{Client: c, Model: "gemini-3.8-flash", History: history, Colour: colour, In: terminal, Out: terminal, Environ: []string{"TERM=xterm-256color"}})
	}()
	t.Cleanup(func() {
		cancel()
		err := errors.Join(terminal.Close(), keys.Close())
		reading.Wait()
		err = errors.Join(err, p.screen.InputPipe().(io.Closer).Close())
		answering.Wait()
		c.Close()
		if err != nil {
			t.Error(err)
		}
	})
	p.sees("Ask something, or /help")
	return p
}

// read shows what the chat writes.
func (p *person) read() {
	buffer := make([]byte, 4096)
	for {
		n, err := p.keys.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		_, err = p.screen.Write(buffer[:n])
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// shown is the screen's text and what tells of its next change.
func (p *person) shown() (string, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var lines []string
	for line := range strings.SplitSeq(p.screen.String(), "\n") {
		lines = append(lines, strings.TrimRight(line, " \r"))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n") + "\n", p.changed
}

// waits until the screen is as f wants it.
func (p *person) waits(what string, f func(string) bool) {
	p.t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	for {
		text, changed := p.shown()
		if f(text) {
			return
		}
		select {
		case <-changed:
		case <-end.C:
			p.t.Fatalf("the screen never showed %s:\n%s", what, text)
		}
	}
}

func (p *person) sees(words string) {
	p.t.Helper()
	p.waits(words, func(text string) bool { return strings.Contains(text, words) })
}

func (p *person) types(keys string) {
	p.t.Helper()
	if _, err := p.keys.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// idle waits until the input is there again, after n answers.
func (p *person) idle(n int) {
	p.t.Helper()
	p.waits("the input again", func(text string) bool {
		return strings.Count(text, "first text after") == n && strings.Contains(text, "Ask something, or /help") && !strings.Contains(text, "Ctrl-C stops")
	})
}

func (p *person) leaves() {
	p.t.Helper()
	select {
	case err := <-p.ended:
		if err != nil {
			p.t.Errorf("the chat ended with %v", err)
		}
	case <-time.After(patience):
		text, _ := p.shown()
		p.t.Fatalf("the chat does not end:\n%s", text)
	}
}

const (
	ctrlC, ctrlD, ctrlJ = "\x03", "\x04", "\n"
	up, down, altEnter  = "\x1b[A", "\x1b[B", "\x1b\r"
)

const written = "# A title\n\nSome **bold** words, `code`, and 中文.\n\n- one\n- two\n\n```go\nfunc main() { return 42 } // it\n```\n\nThe end."

var padding = regexp.MustCompile(` *\r?\n`)

var variable = regexp.MustCompile(`127\.0\.0\.1:\d+|\d+(\.\d+)?m?s\b|\d+ (tokens in|out)`)

// A question of several lines, an answer whose Markdown is shown, and the way out, as the person sees it.
func TestChat(t *testing.T) {
	f := func(golden string, colour bool) {
		p := sit(t, "", colour)
		p.adapter.Fake.Enqueue(fakegemini.Say(strings.SplitAfter(written, " ")...))
		p.types("Show me" + altEnter + "everything" + ctrlJ + "you can\\\rin four lines\r")
		p.idle(1)
		text, _ := p.shown()
		if colour {
			p.mu.Lock()
			text = p.screen.Render()
			p.mu.Unlock()
			text = strings.TrimRight(padding.ReplaceAllString(text, "\n"), "\n") + "\n"
		}
		text = variable.ReplaceAllString(text, "N")
		if *update {
			if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || text != string(want) {
			t.Errorf("%s is not what is shown (error %v); -update rewrites it:\n%s", golden, err, text)
		}
		if asked := p.adapter.Fake.Requests(); !strings.Contains(string(asked[len(asked)-1].Body), `Show me\neverything\nyou can\nin four lines`) {
			t.Errorf("it asked %s", asked[len(asked)-1].Body)
		}
		p.types(ctrlD)
		p.leaves()
	}
	f("testdata/chat.plain.golden", false)
	f("testdata/chat.colour.golden", true)
}

// Ctrl-C stops the answer and not the chat; what came until then is part of the conversation.
func TestChat_stops(t *testing.T) {
	p := sit(t, "", false)
	p.adapter.Fake.Enqueue(fakegemini.Say("the first half ", "the second half").LockStep("gate"), fakegemini.Say("yes"))
	p.types("tell\r")
	p.sees("the first half")
	p.sees("Ctrl-C stops")
	p.types(ctrlC)
	p.sees("(stopped; what came stays part of the conversation)")
	p.sees("Ask something")
	p.types("half " + ctrlC) // empties the input
	p.types("go on\r")
	p.idle(1)
	asked := p.adapter.Fake.Requests()
	body := string(asked[len(asked)-1].Body)
	if !strings.Contains(body, "the first half") || strings.Contains(body, "half go on") {
		t.Errorf("it asked %s", body)
	}
	p.types(ctrlC)
	p.sees("Ctrl-D or /exit leaves")
	p.types("/exit\r")
	p.leaves()
}

// What was typed is there again with Up, in the next chat too.
func TestChat_history(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gca", "history")
	first := sit(t, file, false)
	first.types("one\r")
	first.idle(1)
	first.types("two" + ctrlJ + "lines\r")
	first.idle(2)
	first.types(ctrlD)
	first.leaves()
	second := sit(t, file, false)
	second.types("draft" + up)
	second.sees("› lines")
	second.types(up + up)
	second.sees("› one")
	second.types(down + down + down)
	second.sees("› draft")
	second.types(up + up + up + "!\r")
	second.sees("You said: one!")
	second.idle(1)
	second.types(ctrlD)
	second.leaves()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestChat_commands(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("note.txt", []byte("what the note says"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := sit(t, "", false)
	f := func(typed, want string) {
		t.Helper()
		p.types(typed + "\r")
		p.sees(want)
		p.waits("the input again", func(text string) bool { return strings.Contains(text, "Ask something") })
	}
	f("/hel\t", "/image PATH")
	f("/nosuch", "no such command: /nosuch")
	f("/save x.md", "there is nothing to save yet")
	f("/model", "this conversation's: gemini-3.8-flash")
	f("/model gemini-3.5-flash-lite", "the next answers are of gemini-3.5-flash-lite")
	f("/system be brief", "it counts from the next question on")
	f("/image note.txt", "note.txt is no image")
	f("/file no\t", "note.txt (text, 18 bytes) goes with the next question")
	f("what is in it?", "gemini-3.5-flash-lite · ")
	asked := p.adapter.Fake.Requests()
	if body := string(asked[len(asked)-1].Body); !strings.Contains(body, "what the note says") || !strings.Contains(body, "be brief") {
		t.Errorf("it asked %s", body)
	}
	f("/stats", "laptop today: ")
	f("/save talk.md", "saved in talk.md")
	f("/save talk.md", "talk.md is there already")
	f("/clear", "a new conversation")
	p.types(ctrlD)
	p.leaves()
	saved, err := os.ReadFile("talk.md")
	if err != nil || !strings.Contains(string(saved), "## You\n\nwhat is in it?\n\n(with note.txt (text, 18 bytes))\n\n## Answer\n\nYou said:") {
		t.Errorf("saved %s, %v", saved, err)
	}
}

// What the adapter refuses is told, and the chat goes on.
func TestChat_failures(t *testing.T) {
	p := sit(t, "", false)
	for _, key := range clienttest.Keys() {
		p.adapter.Fake.Key(key, fakegemini.KeyRule{Error: fakegemini.ErrInvalidKey()})
	}
	p.types("hello\r")
	p.sees("hint: gca keys list HOST says why")
	for _, key := range clienttest.Keys() {
		p.adapter.Fake.HealKey(key)
	}
	p.sees("Ask something")
	p.types(ctrlD)
	p.leaves()
}

// What an adapter says of its answer cannot command the terminal.
func TestSummary_visible(t *testing.T) {
	got := summary(client.Answer{Model: "m\x1b]0;owned\a", Stop: "\x1b[2J"})
	if strings.ContainsAny(got, "\x1b\a") || !strings.HasPrefix(got, "m]0;owned · ") {
		t.Errorf("got %q", got)
	}
}
