package converge

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	stallTime  = 10 * time.Second // of silence, until it is explained; and again after as much more
	maxCommand = 120              // bytes of a command in an explanation
)

// watch hears what a step does, tells it, and explains a long silence. All its methods may be called on nil, and from
// several goroutines.
type watch struct {
	id     string
	tell   func(Message)
	closed chan struct{}
	ended  sync.WaitGroup

	mu      sync.Mutex
	command string    // that runs, or empty
	since   time.Time // it runs
	last    string    // line that was heard
	told    time.Time // when the laptop was told something that was no explanation
}

func newWatch(id string, tell func(Message)) *watch {
	w := &watch{id: id, tell: tell, closed: make(chan struct{}), told: time.Now()}
	w.ended.Go(w.explain)
	return w
}

func (w *watch) close() {
	close(w.closed)
	w.ended.Wait()
}

type watchKey struct{}

func withWatch(ctx context.Context, w *watch) context.Context {
	return context.WithValue(ctx, watchKey{}, w)
}

// watchOf is the watch of the step that ctx belongs to, or nil.
func watchOf(ctx context.Context) *watch {
	w, _ := ctx.Value(watchKey{}).(*watch)
	return w
}

// say tells a line.
func (w *watch) say(text string) { w.send(ProgressEvent{Text: text}) }

// wait tells what the step waits for.
func (w *watch) wait(what Wait) {
	text := "waiting for " + what.What
	if what.Holder != "" {
		text += ", held by " + what.Holder
	}
	if what.Seconds > 0 {
		text += fmt.Sprintf(", %d s so far", what.Seconds)
	}
	w.send(ProgressEvent{Text: text, Wait: &what})
}

func (w *watch) send(e ProgressEvent) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last, w.told = e.Text, time.Now()
	e.ID = w.id
	w.tell(e)
}

// begin is told of a command that starts. What it returns is to be called at the command's end.
func (w *watch) begin(name string, args []string) (end func()) {
	if w == nil {
		return func() {}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.command, w.since, w.last = inShort(name, args), time.Now(), ""
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.command = ""
	}
}

// hear is told a line of the running command's output. It does not reach the laptop, unless a silence is explained with it.
func (w *watch) hear(line string) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = line
}

func (w *watch) explain() {
	tick := time.NewTicker(stallTime / 10)
	defer tick.Stop()
	explained := 0
	for {
		select {
		case <-w.closed:
			return
		case <-tick.C:
		}
		w.mu.Lock()
		silence := time.Since(w.told)
		n := int(silence / stallTime)
		if n > 0 && n != explained {
			w.tell(w.stall(silence))
		}
		explained = n
		w.mu.Unlock()
	}
}

func (w *watch) stall(silence time.Duration) ProgressEvent {
	s := Stall{Command: w.command, Last: w.last, Seconds: int(silence.Seconds())}
	text := fmt.Sprintf("nothing new for %d s", s.Seconds)
	if s.Command != "" {
		s.Since = w.since.UTC()
		text += fmt.Sprintf("; %s runs since %s", s.Command, s.Since.Format(time.TimeOnly+" MST"))
	}
	if s.Last != "" {
		text += "; its last line: " + s.Last
	}
	return ProgressEvent{ID: w.id, Text: text, Stall: &s}
}

// inShort is a command without its options, as a person would name it.
func inShort(name string, args []string) string {
	words := []string{name}
	for i, arg := range args {
		if !strings.HasPrefix(arg, "-") && (i == 0 || args[i-1] != "-o") {
			words = append(words, arg)
		}
	}
	text := strings.Join(words, " ")
	return strings.ToValidUTF8(text[:min(len(text), maxCommand)], "")
}
