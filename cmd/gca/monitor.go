package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/manage/monitor"
	"github.com/gemini-claude-adapter/gca/provision/remote"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

const (
	liveInterval = 2 * time.Second
	minInterval  = 200 * time.Millisecond
	maxInterval  = time.Hour
	maxSample    = 64 << 20 // bytes of one line from a server
)

type monitorFlags struct {
	group
	every      time.Duration
	once, json bool
}

func newMonitor(streams *streams, ssh *sshFlags) *cobra.Command {
	f := &monitorFlags{group: group{streams, ssh}}
	cmd := &cobra.Command{
		Use:   f.use("monitor", ""),
		Short: "Watch keys, traffic and errors live on a terminal",
		Args:  f.args(0, 0),
		Long: `monitor shows how the keys stand and when they come back, traffic, tokens, times, open streams and recent errors, as they
change: s sorts, r reverses, / filters, up and down choose a key, x gives it another chance at once, q leaves. It fits 80 columns by 24
lines, does without colour (NO_COLOR), and sends no more than what changed. --once prints one frame, --json a line of JSON
with all of /stats and the new errors for each look.`,
		Example: f.examples("monitor", "", "--interval 30s", "--once", "--json"),
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if ssh != nil {
				return f.fromAfar(cmd.Context(), given[0])
			}
			return f.here(cmd.Context())
		},
	}
	cmd.Flags().DurationVar(&f.every, "interval", liveInterval, "look every `TIME`, such as 30s")
	cmd.Flags().BoolVar(&f.once, "once", false, "print one frame, or with --json one line, and end")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON lines, schema 1")
	return f.finish(cmd)
}

func (f *monitorFlags) check() error {
	if f.every < minInterval || f.every > maxInterval {
		return &usageError{fmt.Sprintf("--interval %s: expected %s to %s", f.every, minInterval, maxInterval)}
	}
	if !f.once && !f.json && (!isTerminal(f.io.out) || !isTerminal(f.io.in)) {
		return &usageError{"a dashboard needs a terminal\nhint: --once prints one frame, --json a stream"}
	}
	return nil
}

// here watches this server.
func (f *monitorFlags) here(ctx context.Context) error {
	if f.once {
		s, err := manage.Look(ctx)
		if err != nil {
			return err
		}
		return f.print(s, hostname())
	}
	watch := func(ctx context.Context, tell func(manage.Sample) error) error {
		return manage.Watch(ctx, f.every, tell)
	}
	if f.json {
		out := json.NewEncoder(f.io.out)
		return watch(ctx, func(s manage.Sample) error { return out.Encode(s) })
	}
	reset := func(ctx context.Context, id string) error {
		_, err := manage.ChangeKey(ctx, id, control.Reset)
		return err
	}
	return monitor.Run(ctx, monitor.Source{Watch: watch, Reset: reset}, f.options(hostname()))
}

// hostname is this machine's, "" where it has none.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

func (f *monitorFlags) options(server string) monitor.Options {
	return monitor.Options{In: f.io.in, Out: f.io.out, Server: server, Every: f.every, Colour: colourful(f.io.out)}
}

// print shows a single look.
func (f *monitorFlags) print(s manage.Sample, server string) error {
	if f.json {
		return json.NewEncoder(f.io.out).Encode(s)
	}
	screen := monitor.Screen{Server: server, Width: 80, Height: 24, Colour: colourful(f.io.out)}
	if out, ok := f.io.out.(*os.File); ok && isTerminal(out) {
		if width, height, err := term.GetSize(int(out.Fd())); err == nil {
			screen.Width, screen.Height = width, height
		}
	}
	screen.Add(s)
	_, err := fmt.Fprintln(f.io.out, strings.TrimRight(screen.Frame(), "\n"))
	return err
}

// words are those of the same look on the server, as JSON.
func (f *monitorFlags) words() []string {
	words := []string{"monitor", "--json", "--interval", f.every.String()}
	if f.once {
		words = append(words, "--once")
	}
	return words
}

// fromAfar watches a server over one connection, on which keys are reset as well.
func (f *monitorFlags) fromAfar(ctx context.Context, target string) (err error) {
	if f.json {
		return f.ssh.runRemote(ctx, f.io, target, rootToRead, nil, f.io.out, f.words()...)
	}
	host, opts, err := f.ssh.parse(ctx, target, f.io)
	if err != nil {
		return err
	}
	conn, err := remote.Dial(ctx, host, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	far := &farServer{conn: conn, asks: opts.Prompts.Sudo != nil, named: f.ssh.named(target), words: f.words()}
	if f.once {
		err = far.watch(ctx, func(s manage.Sample) error { return f.print(s, host.Name()) })
	} else {
		err = monitor.Run(ctx, monitor.Source{Watch: far.watch, Reset: far.reset}, f.options(host.Name()))
	}
	_, told := f.io.err.Write(far.said.Bytes()) // not before the screen is the person's again
	return errors.Join(err, told)
}

// farServer is a server that is watched.
type farServer struct {
	conn  *remote.Conn
	asks  bool // for sudo's password
	named string
	words []string
	said  bytes.Buffer // by the command that watches, of errors
}

// watch tells the samples that gemini-manage prints there.
func (s *farServer) watch(ctx context.Context, tell func(manage.Sample) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines, out := io.Pipe()
	e := manageErrand(s.named, rootToRead, s.words...)
	e.stdout, e.stderr = out, manage.AtMost(&s.said, maxAnswer)
	ended := make(chan error, 1)
	go func() {
		err := e.over(ctx, s.conn, s.asks, s.named)
		out.CloseWithError(err)
		ended <- err
	}()
	told := eachSample(lines, tell)
	lines.CloseWithError(told)
	cancel()
	if err := <-ended; told == nil || errors.Is(told, err) {
		return err
	}
	return told
}

func eachSample(r io.Reader, tell func(manage.Sample) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxSample)
	for lines.Scan() {
		var s manage.Sample
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil || s.Schema != 1 || s.Time.IsZero() {
			return errors.New("the server's answer cannot be read: it may run another release\nhint: gca upgrade brings it to this one")
		}
		if err := tell(s); err != nil {
			return err
		}
	}
	return lines.Err()
}

// reset gives a key another chance.
func (s *farServer) reset(ctx context.Context, id string) error {
	var said bytes.Buffer
	e := manageErrand(s.named, rootAlways, "keys", "reset", "--json", "--", id)
	e.stdout, e.stderr = io.Discard, manage.AtMost(&said, maxAnswer)
	err := e.over(ctx, s.conn, s.asks, s.named)
	if words := strings.TrimSpace(said.String()); err != nil && words != "" {
		return errors.New(strings.TrimPrefix(words, "gemini-manage: "))
	}
	return err
}
