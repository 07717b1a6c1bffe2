package front

import (
	"unicode/utf8"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Shaper stands between Gemini's events and the encoder of one attempt. It does what a client may ask for and Gemini
// cannot do: pass on one call only, stop at more sequences than Gemini looks for, and keep to a limit that thoughts do not
// count for. nil passes everything.
type Shaper struct {
	room   int // tokens to pass on, 0 is all
	passed gemini.Estimate
	single bool
	called bool
	stops  []stop
	held   string // the end of the visible text, which may be the beginning of a stop sequence
}

// NewShaper is nil when the client asked for nothing of that.
func NewShaper(call *Call) *Shaper {
	if !call.SingleCall && len(call.Stops) == 0 && call.Room == 0 {
		return nil
	}
	s := &Shaper{single: call.SingleCall, room: call.Room}
	for _, text := range call.Stops {
		if text != "" {
			s.stops = append(s.stops, newStop(text))
		}
	}
	return s
}

// Shape appends to dst what becomes of ev. done says that a stop sequence or the limit ended the answer, and the last event in
// dst tells which; nothing of the answer counts after it but its usage.
func (s *Shaper) Shape(dst []gemini.Event, ev gemini.Event) (_ []gemini.Event, done bool) {
	if s == nil {
		return append(dst, ev), false
	}
	from := len(dst)
	if dst, done = s.shape(dst, ev); s.room == 0 {
		return dst, done
	}
	for i := from; i < len(dst); i++ {
		if !s.fits(&dst[i]) {
			return append(dst[:i], s.cut(&dst[i])...), true
		}
	}
	return dst, done
}

// fits counts an event, and reports whether there was room for it.
func (s *Shaper) fits(ev *gemini.Event) bool {
	if ev.Kind != gemini.EventText && ev.Kind != gemini.EventCall {
		return true
	}
	before := s.passed
	if s.passed.Note(ev); s.passed.Said() <= s.room {
		return true
	}
	s.passed = before
	return false
}

// cut is the end of an answer at its limit: of a text as much as there is room for, of a call nothing, since half a call is
// none.
func (s *Shaper) cut(ev *gemini.Event) []gemini.Event {
	var end []gemini.Event
	if ev.Kind == gemini.EventText {
		text := ev.Text.String()
		n := min((s.room-s.passed.Said())*4, len(text))
		for n > 0 && n < len(text) && !utf8.RuneStart(text[n]) {
			n--
		}
		end = appendText(end, gemini.Event{Kind: gemini.EventText}, text[:n])
	}
	return append(end, gemini.Event{Kind: gemini.EventFinish, Finish: gemini.FinishMaxTokens})
}

func (s *Shaper) shape(dst []gemini.Event, ev gemini.Event) (_ []gemini.Event, done bool) {
	switch ev.Kind {
	case gemini.EventText:
		if len(s.stops) > 0 {
			return s.text(dst, ev)
		}
	case gemini.EventUsage, gemini.EventCheckpoint, gemini.EventGrounding:
	case gemini.EventCall:
		if s.single && s.called {
			return dst, false
		}
		s.called = true
		dst = s.Release(dst)
	default:
		dst = s.Release(dst)
	}
	return append(dst, ev), false
}

// text passes on what can no longer belong to a stop sequence. The sequence that is complete first ends the answer, as it
// would end the model's writing; of two that are complete at once the longer one.
func (s *Shaper) text(dst []gemini.Event, ev gemini.Event) (_ []gemini.Event, done bool) {
	text := ev.Text.String()
	for i := range len(text) {
		hit := -1
		for j := range s.stops {
			if s.stops[j].feed(text[i]) && (hit < 0 || len(s.stops[j].text) > len(s.stops[hit].text)) {
				hit = j
			}
		}
		if hit < 0 {
			continue
		}
		sequence := s.stops[hit].text
		all := s.held + text[:i+1]
		s.held = ""
		dst = appendText(dst, ev, all[:len(all)-len(sequence)])
		return append(dst, gemini.Event{Kind: gemini.EventFinish, Finish: gemini.FinishStop, StopSequence: sequence}), true
	}
	keep := 0
	for j := range s.stops {
		keep = max(keep, s.stops[j].begun)
	}
	if s.held == "" && keep == 0 {
		return append(dst, ev), false
	}
	all := s.held + text
	s.held = all[len(all)-keep:]
	return appendText(dst, ev, all[:len(all)-keep]), false
}

// appendText gives ev another text. Without one it goes on only for its signature.
func appendText(dst []gemini.Event, ev gemini.Event, text string) []gemini.Event {
	if text == "" && ev.Signature == "" {
		return dst
	}
	ev.Text = gemini.Quote(text)
	return append(dst, ev)
}

// Release appends what is held back to dst, where the answer goes on with something else or breaks off: a sequence does not
// go on beyond the text it began in.
func (s *Shaper) Release(dst []gemini.Event) []gemini.Event {
	if s == nil {
		return dst
	}
	dst = appendText(dst, gemini.Event{Kind: gemini.EventText}, s.held)
	s.held = ""
	for j := range s.stops {
		s.stops[j].begun = 0
	}
	return dst
}

// stop finds a sequence in a text that comes byte by byte, in time that does not depend on how often it begins in vain
// (Knuth, Morris and Pratt).
type stop struct {
	text  string
	begun int   // how many bytes of the sequence the text so far ends with
	back  []int // back[n] is how many bytes it still ends with when the byte after the first n does not fit
}

func newStop(text string) stop {
	back := make([]int, len(text))
	for i, n := 1, 0; i < len(text); i++ {
		back[i] = n
		for n > 0 && text[i] != text[n] {
			n = back[n]
		}
		if text[i] == text[n] {
			n++
		}
	}
	return stop{text: text, back: back}
}

// feed takes the next byte and reports whether it completes the sequence, after which nothing may be fed.
func (s *stop) feed(c byte) bool {
	for s.begun > 0 && s.text[s.begun] != c {
		s.begun = s.back[s.begun]
	}
	if s.text[s.begun] == c {
		s.begun++
	}
	return s.begun == len(s.text)
}
