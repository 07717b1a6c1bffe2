package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/fatih/color"
	"github.com/mattn/go-isatty"

	"github.com/gemini-claude-adapter/gca/provision"
	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// screen shows a deploy: lines for a person on standard error, or JSON lines on standard output. It keeps the first error
// of a write, since a deploy must not stop for a screen that has gone.
type screen struct {
	io     *streams
	mu     sync.Mutex
	json   bool
	live   bool // a terminal: the last line may be written over
	dirty  bool // a line that may be written over is on the screen
	good   *color.Color
	bad    *color.Color
	dim    *color.Color
	broken error
	shown  time.Time
}

func newScreen(io *streams, asJSON bool) *screen {
	out, ok := io.err.(*os.File)
	s := &screen{io: io, json: asJSON, live: ok && isatty.IsTerminal(out.Fd()) && !asJSON,
		good: color.New(color.FgGreen), bad: color.New(color.FgRed), dim: color.New(color.Faint)}
	if !s.live {
		for _, c := range []*color.Color{s.good, s.bad, s.dim} {
			c.DisableColor()
		}
	}
	return s
}

// line is one JSON line of a deploy.
type line struct {
	Schema  int      `json:"schema"`
	Type    string   `json:"type"` // phase, plan, step, progress, warning, error; the last one of a deploy that ended well is a deployResult
	Phase   string   `json:"phase,omitempty"`
	ID      string   `json:"id,omitempty"`
	State   string   `json:"state,omitempty"`
	Text    string   `json:"text,omitempty"`
	Seconds float64  `json:"seconds,omitempty"`
	Steps   []string `json:"steps,omitzero"` // of a plan; an empty one is up to date
	Code    int      `json:"code,omitempty"` // of an error: the exit code
}

func (s *screen) ui() provision.UI {
	return provision.UI{
		Phase:    s.phase,
		Uploaded: s.uploaded,
		Step:     s.step,
		Progress: s.progress,
		Warn: func(text string) {
			s.emit(line{Type: "warning", Text: text}, s.bad.Sprint("  ! ")+text)
		},
	}
}

// emit writes l as JSON, or text for a person; an empty text is nothing.
func (s *screen) emit(l line, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.json {
		l.Schema = 1
		s.keep(json.NewEncoder(s.io.out).Encode(l))
		return
	}
	s.clear()
	if text != "" {
		_, err := fmt.Fprintln(s.io.err, text)
		s.keep(err)
	}
}

// clean leaves a clean line.
func (s *screen) clean() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
}

func (s *screen) keep(err error) {
	if s.broken == nil {
		s.broken = err
	}
}

func (s *screen) clear() {
	if s.dirty {
		_, err := fmt.Fprint(s.io.err, "\r\x1b[K")
		s.keep(err)
		s.dirty = false
	}
}

// over writes a line that the next one replaces; without a terminal nothing.
func (s *screen) over(text string) {
	if !s.live {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	if runes := []rune(text); len(runes) > 78 {
		text = string(runes[:78])
	}
	_, err := fmt.Fprint(s.io.err, text)
	s.keep(err)
	s.dirty = true
}

// end leaves a clean line and returns the first error of a write.
func (s *screen) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	return s.broken
}

func (s *screen) phase(phase provision.Phase, detail string) {
	text := map[provision.Phase]string{
		provision.PhaseConnect: "connecting to " + detail,
		provision.PhaseUpload:  "sending " + detail,
		provision.PhasePlan:    "looking at the server: " + detail,
		provision.PhaseApply:   "applying " + detail,
		provision.PhaseVerify:  "asking " + detail + "/health from here",
	}[phase]
	s.emit(line{Type: "phase", Phase: string(phase), Text: detail}, text)
}

func (s *screen) uploaded(done, total int64) {
	if time.Since(s.shown) < 100*time.Millisecond && done < total {
		return
	}
	s.shown = time.Now()
	if done == total { // a question may come next
		s.clean()
		return
	}
	s.over(fmt.Sprintf("  %.1f of %.1f MB", float64(done)/1e6, float64(total)/1e6))
}

// plan shows the steps and asks. A server that is up to date needs no question.
func (s *screen) plan(host string, confirm func() (bool, error)) func([]converge.StepInfo, []string) (bool, error) {
	return func(steps []converge.StepInfo, notes []string) (bool, error) {
		l := line{Type: "plan", Steps: []string{}}
		text := fmt.Sprintf("plan for %s:", host)
		for _, step := range steps {
			l.Steps = append(l.Steps, step.ID)
			text += "\n  + " + step.Title
		}
		if len(steps) == 0 {
			text = ""
		}
		s.emit(l, text)
		for _, note := range notes {
			s.emit(line{Type: "warning", Text: note}, s.bad.Sprint("  ! ")+note)
		}
		if len(steps) == 0 {
			return true, nil
		}
		return confirm()
	}
}

func (s *screen) step(step converge.StepInfo, e converge.StepEvent) {
	l := line{Type: "step", ID: e.ID, State: string(e.State), Text: e.Note, Seconds: e.Seconds}
	switch e.State {
	case converge.StepStart:
		if s.json {
			s.emit(l, "")
		}
		s.over("  … " + step.Title)
	case converge.StepDone:
		text := s.good.Sprint("  ✓ ") + step.Title
		if e.Seconds >= 0.1 {
			text += s.dim.Sprintf("  %.1fs", e.Seconds)
		}
		s.emit(l, text)
	case converge.StepFailed:
		s.emit(l, s.bad.Sprint("  ✗ ")+step.Title)
	}
}

func (s *screen) progress(text string) {
	if s.json {
		s.emit(line{Type: "progress", Text: text}, "")
		return
	}
	s.over("    " + text)
}

// deployResult is the last JSON line of a deploy.
type deployResult struct {
	Schema      int    `json:"schema"`
	Type        string `json:"type"`
	URL         string `json:"url"`
	Changed     int    `json:"changed"`
	Release     string `json:"release"`
	ClientToken string `json:"client_token,omitempty"`
}

func (s *screen) result(r provision.Result) error {
	return json.NewEncoder(s.io.out).Encode(deployResult{1, "result", r.URL, r.Changed, r.Release, r.ClientToken})
}
