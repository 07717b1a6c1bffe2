package monitor

import (
	"context"
	"unicode"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"github.com/gemini-claude-adapter/gca/manage"
)

// model is the dashboard between two events.
type model struct {
	Screen
	ctx    context.Context // of the program, for what a key starts
	source Source
}

// wasReset is how a reset ended.
type wasReset struct {
	id  string
	err error
}

// Init starts nothing: samples come by themselves.
func (m *model) Init() tea.Cmd { return nil }

// Update takes in a sample, a key, or the terminal's size.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case manage.Sample:
		m.Add(msg)
	case tea.WindowSizeMsg:
		m.Width, m.Height = msg.Width, msg.Height
	case wasReset:
		m.note, m.trouble = msg.id+" is reset", false
		if msg.err != nil {
			m.note, m.trouble = oneLine(msg.err.Error()), true
		}
	case tea.KeyPressMsg:
		return m, m.press(msg)
	}
	return m, nil
}

// View is the frame.
func (m *model) View() tea.View {
	v := tea.NewView(m.Frame())
	v.AltScreen = true
	return v
}

// press obeys a key.
func (m *model) press(key tea.KeyPressMsg) tea.Cmd {
	if key.String() == "ctrl+c" {
		return tea.Quit
	}
	m.note = ""
	switch {
	case m.asked != "":
		return m.answer(key)
	case m.typing:
		m.edit(key)
		return nil
	}
	switch key.String() {
	case "q":
		return tea.Quit
	case "s":
		m.order = (m.order + 1) % orders
	case "r":
		m.reverse = !m.reverse
	case "/":
		m.typing = true
	case "esc":
		m.filter = ""
	case "down", "j":
		m.move(1)
	case "up", "k":
		m.move(-1)
	case "pgdown":
		m.move(m.Height / 2)
	case "pgup":
		m.move(-m.Height / 2)
	case "x":
		m.asked = m.chosen()
	}
	return nil
}

// answer is what a person says to a reset.
func (m *model) answer(key tea.KeyPressMsg) tea.Cmd {
	id := m.asked
	m.asked = ""
	if key.String() != "y" {
		return nil
	}
	m.note, m.trouble = "resetting "+id+" …", false
	return func() tea.Msg { return wasReset{id, m.source.Reset(m.ctx, id)} }
}

const longestFilter = 40 // characters

// edit changes the filter.
func (m *model) edit(key tea.KeyPressMsg) {
	switch key.String() {
	case "enter":
		m.typing = false
	case "esc":
		m.typing, m.filter = false, ""
	case "backspace":
		_, size := utf8.DecodeLastRuneInString(m.filter)
		m.filter = m.filter[:len(m.filter)-size]
	default:
		for _, c := range key.Text {
			if unicode.IsPrint(c) && utf8.RuneCountInString(m.filter) < longestFilter {
				m.filter += string(c)
			}
		}
	}
	m.cursor = ""
}
