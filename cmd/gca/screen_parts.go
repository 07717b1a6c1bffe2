package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/manage/locale"
	"github.com/gemini-claude-adapter/gca/provision"
	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// part is one line of a deploy on a terminal: the upload, a group of steps, the last look.
type part struct {
	name   string
	since  time.Time // here; a part that is shown again from its beginning began earlier
	spent  time.Duration
	steps  int
	title  string // of its only step
	detail string // what it is at
}

// enter begins a part, and ends the one before. The lock must be held.
func (s *screen) enter(name, detail string) {
	if s.display != displayLive {
		return
	}
	if s.part == nil || s.part.name != name {
		s.finish(true)
		s.part = &part{name: name, since: time.Now()}
	}
	s.part.detail = detail
	s.draw()
}

// draw shows what is under way. The lock must be held.
func (s *screen) draw() {
	if s.part == nil {
		return
	}
	waited := time.Since(s.part.since).Truncate(time.Second)
	s.keep(s.line.show(fmt.Sprintf("  … %s %5s  %s", s.name(s.part.name), fmt.Sprintf("%.0fs", waited.Seconds()), s.part.detail)))
}

// finish ends the part that is under way with a line that stays. The lock must be held.
func (s *screen) finish(well bool) {
	p := s.part
	if p == nil {
		return
	}
	s.part = nil
	mark := s.good.Sprint("✓")
	if !well {
		mark = s.bad.Sprint("✗")
	}
	took := max(p.spent, time.Millisecond)
	if p.steps == 0 {
		took = time.Since(p.since)
	}
	what := p.title
	switch {
	case p.steps == 0:
		what = p.detail
	case p.steps > 1:
		what = s.io.lang.Count(p.steps, "step")
	}
	s.put(line{}, fmt.Sprintf("  %s %s %s  %s", mark, s.name(p.name), s.dim.Sprintf("%5s", span(took)), fit(what, maxWidth-21)))
}

// name is the column of a part's name.
func (s *screen) name(part string) string { return pad(s.io.lang.Say(part), 10) }

func (s *screen) step(step converge.StepInfo, e converge.StepEvent) {
	l := line{Type: "step", ID: e.ID, Group: string(step.Group), State: string(e.State), Text: visible(e.Note), Seconds: e.Seconds}
	title := s.io.lang.Text(visible(step.Title))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.display != displayLive {
		s.put(l, stepLine(title, e))
		return
	}
	s.enter(string(step.Group), title)
	if e.State == converge.StepStart {
		return
	}
	s.part.steps, s.part.title = s.part.steps+1, title
	s.part.spent += seconds(e.Seconds)
	if e.State == converge.StepFailed {
		s.part.steps = 1 // the one that matters
		s.finish(false)
	}
}

func stepLine(title string, e converge.StepEvent) string {
	switch e.State {
	case converge.StepStart:
		return "  … " + title
	case converge.StepDone:
		if e.Seconds < 0.1 {
			return "  ✓ " + title
		}
		return fmt.Sprintf("  ✓ %s  %s", title, span(seconds(e.Seconds)))
	case converge.StepFailed:
		return "  ✗ " + title
	}
	return ""
}

// transfer is how an upload goes.
type transfer struct {
	begun   time.Time
	shown   time.Time
	resumed int64 // bytes that were there already
}

const shownEvery = 100 * time.Millisecond

func (s *screen) uploaded(done, total int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.sent.begun.IsZero() {
		s.sent.begun, s.sent.resumed = now, done
		if done > 0 {
			s.put(line{Type: "progress", Text: resumed(locale.Words{}, done, total)}, "  "+resumed(s.io.lang, done, total))
		}
	}
	if done < total && now.Sub(s.sent.shown) < shownEvery {
		return
	}
	s.sent.shown = now
	text := s.io.lang.Say("%.1f of %.1f MB", float64(done)/1e6, float64(total)/1e6)
	if took := now.Sub(s.sent.begun); took > shownEvery {
		text += fmt.Sprintf(" · %.1f MB/s", float64(done-s.sent.resumed)/1e6/took.Seconds())
	}
	s.enter("upload", text)
	if done == total && s.part != nil { // a question may come next
		s.part.title, s.part.steps, s.part.spent = text, 1, now.Sub(s.sent.begun)
		s.finish(true)
	}
}

func resumed(w locale.Words, done, total int64) string {
	return w.Say("resumed at %.1f of %.1f MB", float64(done)/1e6, float64(total)/1e6)
}

// plan shows what would be done and asks. A server that is up to date needs no question.
func (s *screen) plan(plan provision.Plan, confirm func(details func()) (bool, error)) (bool, error) {
	l := line{Type: "plan", Steps: []string{}}
	for _, step := range plan.Steps {
		l.Steps = append(l.Steps, step.ID)
	}
	text := ""
	switch {
	case len(plan.Steps) == 0:
	case s.display == displayLive:
		text = s.planGroups(plan)
	default:
		text = s.planSteps(plan)
	}
	s.emit(l, text)
	for _, note := range plan.Notes {
		s.warn(note)
	}
	if len(plan.Steps) == 0 {
		return true, nil
	}
	return confirm(func() { s.emit(line{}, s.planSteps(plan)) })
}

// progress tells what the running step says and waits for. Without a terminal only waiting is told, now and then.
func (s *screen) progress(e converge.ProgressEvent) {
	text := visible(e.Text)
	l := line{Type: "progress", ID: e.ID, Text: text}
	if e.Wait != nil {
		l.Wait = &lineWait{e.Wait.What, e.Wait.Holder, e.Wait.Seconds}
	}
	if e.Stall != nil {
		l.Stall = &lineStall{e.Stall.Command, e.Stall.Last, e.Stall.Seconds}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.display == displayJSON:
		s.put(l, "")
	case s.part != nil:
		s.part.detail = s.io.lang.Text(text)
		if e.Wait != nil { // short enough for a terminal
			s.part.detail = visible(s.io.lang.Say("awaits %s: %s, %d s", e.Wait.What, e.Wait.Holder, e.Wait.Seconds))
		}
		s.draw()
	case s.display == displayLines && (e.Wait != nil || e.Stall != nil) && time.Since(s.told) >= toldEvery:
		s.told = time.Now()
		s.put(l, "    "+s.io.lang.Text(text))
	}
}

// toldEvery is how often a log hears that something still waits.
const toldEvery = 10 * time.Second

// running tells of the deploy that has not ended; waits says that another look is taken whether its laptop is still there, without
// which it is followed next.
func (s *screen) running(r converge.Running, waits bool) {
	age := time.Since(r.Since).Round(time.Second)
	text := visible(unfinished(locale.Words{}, r, age, waits))
	s.emit(line{Type: "running", ID: r.Release, State: string(r.State), Text: text, Seconds: age.Seconds()}, "  "+visible(unfinished(s.io.lang, r, age, waits)))
}

func unfinished(w locale.Words, r converge.Running, age time.Duration, waits bool) string {
	text := w.Say("an unfinished deploy of release %s is on this server: begun %s ago", r.Release, span(age))
	if r.Attached {
		text = w.Say("a deploy of this server is at work: release %s, begun %s ago", r.Release, span(age))
	}
	if r.By != "" {
		text += w.Say(" from %s", r.By)
	}
	if r.Yours && r.Attached {
		text += w.Say(", which is yours: perhaps in another terminal")
	}
	text += w.Say(", %d of %s done", r.Done, w.Count(r.Total, "step"))
	switch r.State {
	case converge.RunApplied:
		text += w.Say("; it waits to be finished from here")
	case converge.RunUndoing:
		text += w.Say("; it is being put back")
	case converge.RunApplying:
		text += w.Say(", at: %s", w.Text(r.Step))
	}
	if waits {
		text += w.Say("; waiting for up to 25 s to see whether somebody is still there")
	}
	return text
}

// planGroups is a plan in a line for each group.
func (s *screen) planGroups(plan provision.Plan) string {
	var b strings.Builder
	b.WriteString(s.io.lang.Say("plan for %s:", plan.Host) + " " + s.io.lang.Count(len(plan.Steps), "step"))
	for _, part := range plan.Parts() {
		titles := make([]string, 0, len(part.Steps))
		for _, step := range part.Steps {
			titles = append(titles, s.io.lang.Text(visible(step.Title)))
		}
		fmt.Fprintf(&b, "\n  + %s %3d  %s", s.name(string(part.Group)), len(titles), fit(strings.Join(titles, "; "), maxWidth-20))
	}
	return b.String()
}

// planSteps is a plan in a line for each step.
func (s *screen) planSteps(plan provision.Plan) string {
	var b strings.Builder
	b.WriteString(s.io.lang.Say("plan for %s:", plan.Host))
	for _, step := range plan.Steps {
		b.WriteString("\n  + " + s.io.lang.Text(visible(step.Title)))
	}
	return b.String()
}
