// Package chat is a conversation on a terminal: an input of several lines with a history, answers that appear as they come, with
// their Markdown shown, and commands that begin with a slash.
//
// What is said scrolls up like any program's output and stays in the terminal; only the lines at the bottom, the input or the
// answer's end that is not complete yet, are drawn anew. One goroutine at a time prints: that of the answer under way, or that of
// a command.
package chat

import (
	"context"
	"errors"
	"os"

	tea "charm.land/bubbletea/v2"

	"github.com/gemini-claude-adapter/gca/manage/client"
)

// Options of a chat.
type Options struct {
	Client  *client.Client
	Model   string
	System  string
	Whole   bool   // show answers when they are whole, not as they come
	History string // the file that keeps what was typed, "" for none
	Colour  bool
	In, Out *os.File // the terminal
	Environ []string
}

// Run talks until the person leaves.
func Run(ctx context.Context, o Options) error {
	history, err := loadHistory(o.History)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := newScreen(ctx, o, history)
	program := tea.NewProgram(s, tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out), tea.WithEnvironment(o.Environ), tea.WithoutSignalHandler())
	s.send = program.Send
	s.say = func(text string) { program.Send(tea.Println(text)()) } // unlike Program.Println it does not wait for one that has ended
	_, err = program.Run()
	cancel()
	s.busy.Wait()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		err = context.Canceled
	}
	return errors.Join(err, history.broken)
}
