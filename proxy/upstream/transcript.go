package upstream

import (
	"bytes"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// transcript is what was said, in its order. Neighbouring texts of a kind are one, since they may be cut elsewhere when
// they are said again.
type transcript []utterance

type utterance struct {
	kind gemini.EventKind
	said []byte
}

func isText(k gemini.EventKind) bool { return k == gemini.EventText || k == gemini.EventThought }

// gist is what an event says, so that two can be compared; ids and signatures may differ.
func gist(ev *gemini.Event) []byte {
	switch ev.Kind {
	case gemini.EventText, gemini.EventThought:
		return []byte(ev.Text.String())
	case gemini.EventCall:
		return append([]byte(ev.Call.Name+" "), ev.Call.Args...)
	case gemini.EventImage:
		return []byte(ev.Blob.Data)
	case gemini.EventCode:
		return []byte(ev.Code.Code)
	case gemini.EventCodeResult:
		return []byte(ev.CodeResult.Output)
	default:
		return ev.Server
	}
}

// with adds an event.
func (t transcript) with(ev *gemini.Event) transcript {
	said := gist(ev)
	last := len(t) - 1
	switch {
	case !isText(ev.Kind) || len(said) > 0 && (last < 0 || t[last].kind != ev.Kind):
		return append(t, utterance{ev.Kind, said})
	case len(said) > 0:
		t[last].said = append(t[last].said, said...)
	}
	return t
}

// size is in bytes.
func (t transcript) size() (n int) {
	for _, u := range t {
		n += len(u.said)
	}
	return n
}

func (t transcript) clone() transcript {
	out := make(transcript, len(t))
	for i, u := range t {
		out[i] = utterance{u.kind, bytes.Clone(u.said)}
	}
	return out
}

// repeats takes from the transcript, which is not empty, what an event says again. again means that the event says no more
// than that; of a text that goes on, the rest is left in the event. fits is false when the event says something else.
func (t *transcript) repeats(ev *gemini.Event) (again, fits bool) {
	said, want := gist(ev), &(*t)[0]
	switch {
	case isText(ev.Kind) && len(said) == 0:
		return true, true
	case want.kind != ev.Kind:
		return false, false
	case !isText(ev.Kind):
		*t = (*t)[1:]
		return true, bytes.Equal(said, want.said)
	}
	n := min(len(said), len(want.said))
	if !bytes.Equal(said[:n], want.said[:n]) {
		return false, false
	}
	if want.said = want.said[n:]; len(want.said) == 0 {
		*t = (*t)[1:]
	}
	if n == len(said) {
		return true, true
	}
	ev.Text = gemini.Quote(string(said[n:]))
	return false, len(*t) == 0
}
