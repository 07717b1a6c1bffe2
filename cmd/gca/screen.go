package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/fatih/color"

	"github.com/gemini-claude-adapter/gca/manage/locale"
	"github.com/gemini-claude-adapter/gca/provision"
)

// display is for whom a screen shows.
type display uint8

const (
	displayLines display = iota // a file or a pipe: one line a happening, nothing is written over
	displayLive                 // a person at a terminal
	displayJSON                 // a program
)

// screen shows a deploy: lines for a person on standard error, or JSON lines on standard output. It keeps the first error
// of a write, since a deploy must not stop for a screen that has gone.
type screen struct {
	io             *streams
	display        display
	good, bad, dim *color.Color
	begun          time.Time
	ended          chan struct{}
	ticking        sync.WaitGroup

	mu     sync.Mutex // guards what follows, and the outputs
	line   *statusLine
	part   *part // what is under way, nil between the parts
	sent   transfer
	told   time.Time // when a log was last told of waiting
	broken error
}

func newScreen(io *streams, asJSON bool) *screen {
	s := &screen{io: io, line: newStatusLine(io.err), begun: time.Now(), ended: make(chan struct{}),
		good: color.New(color.FgGreen), bad: color.New(color.FgRed), dim: color.New(color.Faint)}
	switch {
	case asJSON:
		s.display, s.line = displayJSON, &statusLine{}
	case s.line.live():
		s.display = displayLive
		s.ticking.Go(s.tick)
	}
	for _, c := range []*color.Color{s.good, s.bad, s.dim} {
		if s.display == displayLive && os.Getenv("NO_COLOR") == "" {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
	}
	return s
}

// tick keeps the time of what is under way going.
func (s *screen) tick() {
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-s.ended:
			return
		case <-ticker.C:
			s.mu.Lock()
			s.draw()
			s.mu.Unlock()
		}
	}
}

func (s *screen) ui() provision.UI {
	return provision.UI{
		Phase:     s.phase,
		Connected: s.connected,
		Uploaded:  s.uploaded,
		Step:      s.step,
		Progress:  s.progress,
		Silence:   s.silence,
		Warn:      s.warn,
	}
}

// rest takes the time that a person thought out of the deploy's.
func (s *screen) rest(since time.Time) { s.begun = s.begun.Add(time.Since(since)) }

// emit writes l as JSON, or text for a person; an empty text is nothing.
func (s *screen) emit(l line, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(l, text)
}

// put is emit with the lock held.
func (s *screen) put(l line, text string) {
	if s.display == displayJSON {
		if l.Type == "" { // for persons alone
			return
		}
		l.Schema = 1
		s.keep(json.NewEncoder(s.io.out).Encode(l))
		return
	}
	if text == "" {
		return
	}
	s.keep(s.line.clear())
	_, err := fmt.Fprintln(s.io.err, text)
	s.keep(err)
	s.draw()
}

func (s *screen) keep(err error) {
	if s.broken == nil {
		s.broken = err
	}
}

func (s *screen) warn(text string) {
	text = visible(text)
	s.emit(line{Type: "warning", Text: text}, s.bad.Sprint("  ! ")+hanging(s.io.lang.Text(text)))
}

// hanging has the lines after the first, such as a hint, stand below the first word of what "  ! " marks.
func hanging(text string) string { return strings.ReplaceAll(text, "\n", "\n    ") }

func (s *screen) connected(c provision.Connection) {
	ms := float64(c.RTT.Round(time.Millisecond/10)) / float64(time.Millisecond)
	s.emit(line{Type: "connected", Text: visible(c.Via), RTT: ms}, fmt.Sprintf("  %s · RTT %.3g ms", visible(c.Via), ms))
}

func (s *screen) phase(phase provision.Phase, detail string) {
	detail = visible(detail)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finish(true)
	lang, shown := s.io.lang, s.io.lang.Text(detail)
	text := map[provision.Phase]string{
		provision.PhaseConnect: lang.Say("connecting to %s", shown),
		provision.PhasePlan:    "  " + shown,
		provision.PhaseFollow:  "  " + lang.Say("this is what happened meanwhile:"),
		provision.PhaseApply:   lang.Say("applying %s", shown),
		provision.PhaseVerify:  lang.Say("looking at %s from here", shown),
		provision.PhaseUpload:  lang.Say("sending %s", shown),
	}[phase]
	if phase == provision.PhaseUpload {
		s.sent = transfer{}
	}
	if s.display == displayLive && (phase == provision.PhaseUpload || phase == provision.PhaseApply || phase == provision.PhaseVerify) {
		text = "" // the parts below speak for themselves
	}
	s.put(line{Type: "phase", Phase: string(phase), Text: detail}, text)
	if phase == provision.PhaseVerify {
		s.enter("verify", lang.Say("%s from here", shown))
	}
}

// silence tells of a connection on which nothing is heard.
func (s *screen) silence(host string, quiet time.Duration) {
	say := func(w locale.Words) string {
		return w.Say("nothing heard from %s for %.0f s: the link may be down; what was begun goes on there; Ctrl-C and deploy again costs nothing",
			host, quiet.Seconds())
	}
	s.emit(line{Type: "silence", Text: say(locale.Words{}), Seconds: quiet.Seconds()}, s.bad.Sprint("  ! ")+say(s.io.lang))
}

// end finishes what is under way, and returns the first error of a write.
func (s *screen) end(well bool) error {
	close(s.ended)
	s.ticking.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finish(well)
	s.keep(s.line.clear())
	return s.broken
}
