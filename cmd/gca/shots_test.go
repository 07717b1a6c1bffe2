package main

import (
	"fmt"
	"html"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"

	"github.com/gemini-claude-adapter/gca/manage/client/clienttest"
	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// shotsVariable names the folder that pictures go to: make shots.
const shotsVariable = "GCA_SHOTS"

const (
	shotWidth, shotHeight = 88, 100 // of the terminal; lines that stay empty are cut off
	maxShot               = 200 << 10
	cellWidth, lineHeight = 8.4, 18.0
)

// shot is the picture of a terminal after a command, as SVG.
func shot(t *testing.T, command, printed string) string {
	t.Helper()
	e := vt.NewEmulator(shotWidth, shotHeight)
	drained := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, e) // what it answers to questions
		drained <- err
	}()
	if _, err := e.WriteString("\x1b[1m$ " + command + "\x1b[0m\r\n" + printed); err != nil {
		t.Fatal(err)
	}
	var lines []string
	last := 0
	for y := range shotHeight {
		lines = append(lines, drawLine(e, y))
		if lines[y] != "" {
			last = y
		}
	}
	answers, ok := e.InputPipe().(io.Closer) // the emulator's own Close must not meet a Read
	if !ok {
		t.Fatal("the emulator's answers cannot be closed")
	}
	if err := answers.Close(); err != nil {
		t.Error(err)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	width, height := shotWidth*cellWidth+24, float64(last+1)*lineHeight+28
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14">
<rect width="100%%" height="100%%" rx="8" fill="#16181d"/>
%s</svg>
`, width, height, strings.Join(lines[:last+1], ""))
}

// drawLine draws a line of a terminal, a text for each run of cells of one style; "" is an empty line.
func drawLine(e *vt.Emulator, y int) string {
	var b strings.Builder
	for x := 0; x < shotWidth; {
		style := styleAt(e, x, y)
		from, text := x, ""
		for ; x < shotWidth && styleAt(e, x, y) == style; x++ {
			if cell := e.CellAt(x, y); cell != nil && cell.Content != "" {
				text += cell.Content
			}
		}
		if strings.TrimSpace(text) != "" {
			fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" xml:space="preserve" textLength="%.1f"%s>%s</text>`+"\n",
				12+float64(from)*cellWidth, 26+float64(y)*lineHeight, float64(x-from)*cellWidth, style, html.EscapeString(text))
		}
	}
	return b.String()
}

// styleAt is how SVG says the style of a cell.
func styleAt(e *vt.Emulator, x, y int) string {
	const bold, faint = 1, 2 // attributes of ultraviolet's cells
	fill, more := "#d7dae0", ""
	if cell := e.CellAt(x, y); cell != nil {
		if cell.Style.Fg != nil {
			fill = hexColor(cell.Style.Fg)
		}
		if cell.Style.Attrs&bold != 0 {
			more += ` font-weight="bold"`
		}
		if cell.Style.Attrs&faint != 0 {
			more += ` opacity="0.6"`
		}
	}
	return ` fill="` + fill + `"` + more
}

// onDark are the eight colours of a terminal such that each can be read on the picture's background.
var onDark = [8]string{"#5c6370", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d7dae0"}

func hexColor(c color.Color) string {
	if basic, ok := c.(ansi.BasicColor); ok {
		return onDark[basic%8]
	}
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}

// album keeps pictures, in which nothing is of this machine.
type album struct {
	dir   string
	names *strings.Replacer
}

var shownToken = regexp.MustCompile(`gca-[A-Za-z0-9_-]{20,}`)

func newAlbum(t *testing.T, names ...string) album {
	t.Helper()
	dir := os.Getenv(shotsVariable)
	if dir == "" {
		dir = t.TempDir()
	}
	return album{dir, strings.NewReplacer(names...)}
}

func (a album) add(t *testing.T, name, command, printed string, wants ...string) {
	t.Helper()
	wantText(t, printed, wants...)
	picture := shot(t, command, shownToken.ReplaceAllString(a.names.Replace(printed), "gca-…"))
	host, err := os.Hostname()
	if err != nil || strings.Contains(picture, "gca-lab") || len(host) > 3 && strings.Contains(picture, host) || len(picture) > maxShot {
		t.Errorf("%s: %v, %d bytes; it shows something of this machine, or is too large:\n%s", name, err, len(picture), printed)
	}
	if err := os.WriteFile(filepath.Join(a.dir, name+".svg"), []byte(picture), 0o644); err != nil {
		t.Error(err)
	}
}

const sized = "stty cols 88 rows 24; "

// The pictures of the README: a deploy, status and monitor on a lab server.
func TestLab_Shots(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	r.on("mkdir -p /etc/gemini-adapter; echo GEMINI_BASE_URL=" + r.base + " >/etc/gemini-adapter/adapter.env")
	r.sshHome("Host " + documented + "\n HostName " + r.server.Addr + "\n IdentityFile " + r.server.KeyFile + "\n")
	a := newAlbum(t, r.server.Addr, documented, r.server.KeyFile, "~/.ssh/id_ed25519", r.home, "~")
	person := newReader(t, r.gca, r.home)
	person.mute = true // what it says of its cursor would move what is drawn
	command := "gca deploy root@" + documented
	deployed := person.run(t, sized+command, answer{"Gemini API keys", strings.Join(goodKeys, ",")}, answer{"Do this to", "yes"})
	a.add(t, "deploy", command, deployed.out, "The adapter serves at")
	for range 3 {
		r.ok(nil, "ask", "hello")
	}
	for name, command := range map[string]string{"status": "gca status root@" + documented, "monitor": "gca monitor --once root@" + documented} {
		a.add(t, name, command, person.run(t, sized+command).out, "active")
	}
}

// The picture of a conversation.
func TestShots_Chat(t *testing.T) {
	t.Parallel()
	adapter := clienttest.Start(t)
	r := newReader(t, buildOnce(t), t.TempDir())
	if got := r.run(t, tokenVariable+"="+clienttest.Token+" gca connect "+adapter.URL); got.code != exitOK {
		t.Fatal(got.out)
	}
	adapter.Fake.Enqueue(fakegemini.Say("A goroutine is a function that runs **beside** the others, in the same program:\n\n", "```go\ngo func() {\n\tdone <- work()\n}()\n```\n\n", "- it starts with a few KB of stack\n- `<-done` waits for it\n"))
	got := r.run(t, sized+"gca chat", answer{"Ask something", "what is a goroutine?"}, answer{"waits for it", "\x04"})
	newAlbum(t, adapter.URL, "https://"+documented).add(t, "chat", "gca chat", got.out, "goroutine")
}
