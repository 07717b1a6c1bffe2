// Package monitor is the live dashboard of `monitor`: how the keys stand, what is served, and what goes wrong, on a terminal.
//
// What it shows are the samples of manage.Watch, on the server straight from there, on a laptop through SSH. Frame draws them as
// text; bubbletea sends what differs from the frame before to the terminal, so that a slow link is enough.
package monitor

import (
	"context"
	"errors"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/gemini-claude-adapter/gca/manage"
)

// Source is where samples come from.
type Source struct {
	// Watch tells samples until ctx ends. It is called once; its error is why there are no more.
	Watch func(ctx context.Context, tell func(manage.Sample) error) error
	// Reset gives a key another chance. It is called for a person, from another goroutine than Watch.
	Reset func(ctx context.Context, id string) error
}

// Options say what a monitor looks like.
type Options struct {
	In     io.Reader // the terminal
	Out    io.Writer // likewise
	Server string    // its name
	Every  time.Duration
	Colour bool
}

// framesPerSecond bounds what a burst of samples and keys sends.
const framesPerSecond = 10

// Run shows the dashboard until the person leaves it, which is no error, or the source ends. More options of bubbletea's are for
// what is no terminal.
func Run(ctx context.Context, source Source, o Options, more ...tea.ProgramOption) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	program := tea.NewProgram(&model{ctx: ctx, source: source, Screen: Screen{Server: o.Server, Every: o.Every, Colour: o.Colour}},
		append(more, tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out), tea.WithoutSignalHandler(), tea.WithFPS(framesPerSecond))...)
	ended := make(chan error, 1)
	go func() {
		err := source.Watch(ctx, func(s manage.Sample) error {
			program.Send(s)
			return context.Cause(ctx)
		})
		cancel(err)
		ended <- err
	}()
	_, err := program.Run()
	left := err == nil
	cancel(errLeft)
	if watched := <-ended; !left && watched != nil {
		return watched
	}
	return err
}

var errLeft = errors.New("the person left")
