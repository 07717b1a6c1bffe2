package chat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"charm.land/bubbles/v2/textarea"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/manage/client/markdown"
)

// screen is the bottom of the terminal: the input, or, while an answer or a command is under way, how far it is.
type screen struct {
	ctx     context.Context
	talk    *talk
	history *history
	colour  bool
	say     func(string)  // prints above, from any goroutine but the program's own
	send    func(tea.Msg) // to Update, from there too
	busy    sync.WaitGroup

	input  textarea.Model
	width  int
	height int
	stop   context.CancelFunc // of what is under way, nil if nothing is
	began  time.Time
	tail   string // of the answer, not complete yet
	hint   string // below the input
	left   bool
}

// Messages of what is under way.
type (
	tailMsg string
	doneMsg struct{ leave bool }
	tickMsg struct{}
)

const (
	maxInput    = 10      // rows
	maxTyped    = 1 << 20 // characters
	prompt      = "› "
	plainWidth  = 80
	plainHeight = 24
)

func newScreen(ctx context.Context, o Options, h *history) *screen {
	input := textarea.New()
	input.Prompt, input.ShowLineNumbers, input.CharLimit = prompt, false, maxTyped
	input.DynamicHeight, input.MinHeight, input.MaxHeight, input.MaxContentHeight = true, 1, maxInput, maxTyped
	input.KeyMap.InsertNewline.SetKeys("alt+enter", "shift+enter", "ctrl+j")
	plain := textarea.StyleState{}
	if o.Colour {
		plain.Prompt, plain.Placeholder = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Cyan), lipgloss.NewStyle().Faint(true)
	}
	input.SetStyles(textarea.Styles{Focused: plain, Blurred: plain})
	input.SetVirtualCursor(false)
	input.Placeholder = "Ask something, or /help"
	input.SetWidth(plainWidth)
	return &screen{
		ctx: ctx, history: h, colour: o.Colour, input: input, width: plainWidth, height: plainHeight,
		talk: &talk{client: o.Client, model: o.Model, system: o.System, whole: o.Whole},
	}
}

// Init tells who is there.
func (s *screen) Init() tea.Cmd {
	return tea.Batch(s.input.Focus(), tea.Println(s.dim(fmt.Sprintf("%s at %s · /help lists the commands, Ctrl-D leaves", s.talk.model, s.talk.client.Profile.URL))))
}

// Update takes what happened.
func (s *screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		s.width, s.height = msg.Width, msg.Height
		s.input.SetWidth(msg.Width)
		return s, nil
	case tailMsg:
		s.tail = string(msg)
		return s, nil
	case tickMsg:
		if s.stop == nil {
			return s, nil
		}
		return s, tick()
	case doneMsg:
		s.stop, s.tail = nil, ""
		if msg.leave {
			return s, s.leave()
		}
		return s, nil
	case tea.KeyPressMsg:
		if s.stop != nil {
			return s, s.whileBusy(msg)
		}
		return s, s.key(msg)
	}
	if s.stop != nil {
		return s, nil
	}
	var cmd tea.Cmd
	s.input, cmd = s.input.Update(msg)
	return s, cmd
}

func (s *screen) leave() tea.Cmd {
	s.left = true
	return tea.Quit
}

// whileBusy stops what is under way.
func (s *screen) whileBusy(key tea.KeyPressMsg) tea.Cmd {
	if text := key.String(); text == "ctrl+c" || text == "esc" {
		s.stop()
	}
	return nil
}

// key takes what is typed into the input.
func (s *screen) key(key tea.KeyPressMsg) tea.Cmd {
	typed := s.input.Value()
	hint := s.hint
	s.hint = ""
	switch key.String() {
	case "ctrl+c":
		if typed == "" && hint == "" {
			s.hint = "Ctrl-D or /exit leaves"
		}
		s.input.Reset()
		return nil
	case "ctrl+d":
		if typed == "" {
			return s.leave()
		}
	case "enter":
		if before, ok := strings.CutSuffix(typed, "\\"); ok {
			s.input.SetValue(before + "\n")
			return nil
		}
		return s.enter(typed)
	case "tab":
		completed, several := complete(typed)
		if completed != typed {
			s.input.SetValue(completed)
		} else if len(several) > 0 {
			s.hint = markdown.Clean(strings.Join(several, "  "))
		}
		return nil
	case "up":
		if s.input.Line() == 0 && s.input.LineInfo().RowOffset == 0 {
			return s.recall(-1)
		}
	case "down":
		if s.input.Line() == s.input.LineCount()-1 && s.input.LineInfo().RowOffset == s.input.LineInfo().Height-1 {
			return s.recall(1)
		}
	}
	var cmd tea.Cmd
	s.input, cmd = s.input.Update(key)
	return cmd
}

func (s *screen) recall(step int) tea.Cmd {
	if text, ok := s.history.walk(step, s.input.Value()); ok {
		s.input.SetValue(text)
	}
	return nil
}

// enter asks what was typed, or carries it out.
func (s *screen) enter(typed string) tea.Cmd {
	text := strings.TrimSpace(typed)
	if text == "" {
		return nil
	}
	s.history.add(typed)
	s.input.Reset()
	width := s.width // may change meanwhile
	ctx, cancel := context.WithCancel(s.ctx)
	s.stop, s.began = cancel, time.Now()
	s.busy.Go(func() {
		defer cancel()
		s.say(s.echo(typed))
		leave := false
		if strings.HasPrefix(typed, "/") {
			leave = s.command(ctx, text)
		} else {
			s.answer(ctx, text, width)
		}
		s.send(doneMsg{leave})
	})
	return tick()
}

func tick() tea.Cmd {
	return tea.Tick(200*time.Millisecond, func(time.Time) tea.Msg { return tickMsg{} })
}

// command carries out a line that begins with a slash, and reports whether it ends the chat.
func (s *screen) command(ctx context.Context, line string) (leave bool) {
	said, err := run(ctx, s.talk, line)
	if said != "" {
		s.say(markdown.Clean(said))
	}
	if errors.Is(err, errLeave) {
		return true
	}
	s.complain(err)
	return false
}

// answer asks, and shows what comes.
func (s *screen) answer(ctx context.Context, text string, width int) {
	stream := markdown.NewStream(markdown.Style{Width: width, Colour: s.colour})
	show := func(shown string) {
		if shown != "" {
			s.say(strings.TrimSuffix(shown, "\n"))
		}
	}
	answer, err := s.talk.ask(ctx, text, func(piece string) {
		show(stream.Write(piece))
		s.send(tailMsg(stream.Tail()))
	})
	s.send(tailMsg(""))
	show(stream.Close())
	switch {
	case errors.Is(err, context.Canceled) && answer.Text != "":
		s.say(s.dim("(stopped; what came stays part of the conversation)"))
	case errors.Is(err, context.Canceled):
		s.say(s.dim("(stopped)"))
	case err != nil:
		s.complain(err)
	default:
		s.say(s.dim(summary(answer)))
	}
}

// summary is a line below an answer.
func summary(a client.Answer) string {
	line := fmt.Sprintf("%s · %d tokens in, %d out · %s, first text after %s", a.Model, a.Input, a.Output,
		a.Total.Round(10*time.Millisecond), a.FirstText.Round(10*time.Millisecond))
	if a.Stop != "end_turn" {
		line += " · ended early: " + a.Stop
	}
	return markdown.Clean(line) // the adapter's words
}

func (s *screen) complain(err error) {
	if err != nil {
		s.say(s.bad(markdown.Clean(err.Error())))
	}
}

// echo is what was typed as it stays on the screen.
func (s *screen) echo(typed string) string {
	lines := strings.Split(markdown.Clean(strings.TrimRight(typed, "\n")), "\n")
	return "\n" + s.painted("1;36", prompt) + strings.Join(lines, "\n  ") + "\n"
}

func (s *screen) dim(text string) string { return s.painted("2", text) }
func (s *screen) bad(text string) string { return s.painted("31", text) }

func (s *screen) painted(code, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// View draws the bottom.
func (s *screen) View() tea.View {
	switch {
	case s.left:
		return tea.NewView("")
	case s.stop != nil:
		return tea.NewView(s.progress())
	}
	view := tea.NewView("\n" + s.input.View())
	if s.hint != "" {
		view.Content += "\n" + s.dim(s.hint)
	}
	if cursor := s.input.Cursor(); cursor != nil {
		cursor.Y++
		view.Cursor = cursor
	}
	return view
}

// progress is the answer's end that may still change, as far as it fits, and how long it takes.
func (s *screen) progress() string {
	line := s.dim(fmt.Sprintf("%.0fs · Ctrl-C stops", time.Since(s.began).Seconds()))
	if s.tail == "" {
		return line
	}
	rows := strings.Split(lipgloss.Wrap(s.tail, s.width, ""), "\n")
	return strings.Join(rows[max(0, len(rows)-(s.height-2)):], "\n") + "\n" + line
}
