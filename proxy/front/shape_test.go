package front

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// shape describes what a call's client gets of events, text in quotes and neighbours apart.
func shape(call *Call, events ...gemini.Event) string {
	s := NewShaper(call)
	var out []string
	var shaped []gemini.Event
	var done bool
	for i := 0; i < len(events) && !done; i++ {
		shaped, done = s.Shape(shaped[:0], events[i])
		for _, ev := range shaped {
			switch ev.Kind {
			case gemini.EventText:
				out = append(out, string(ev.Text)+ev.Signature)
			case gemini.EventThought:
				out = append(out, "thought")
			case gemini.EventCall:
				out = append(out, "call "+ev.Call.Name)
			case gemini.EventUsage:
				out = append(out, "usage")
			case gemini.EventFinish:
				out = append(out, strings.TrimSpace(string(ev.Finish)+" "+ev.StopSequence))
			}
		}
	}
	if done {
		out = append(out, "done")
	}
	return strings.Join(out, ", ")
}

func say(literal string) gemini.Event {
	return gemini.Event{Kind: gemini.EventText, Text: gemini.Text(literal)}
}

func TestShaperStops(t *testing.T) {
	thought := gemini.Event{Kind: gemini.EventThought, Text: gemini.Text(`"END"`)}
	call := gemini.Event{Kind: gemini.EventCall, Call: &gemini.FunctionCall{Name: "f"}}
	usage := gemini.Event{Kind: gemini.EventUsage}
	finish := gemini.Event{Kind: gemini.EventFinish, Finish: gemini.FinishStop}
	signed := say(`"b E"`)
	signed.Signature = "#S"
	f := func(stops string, want string, events ...gemini.Event) {
		t.Helper()
		if got := shape(&Call{Stops: strings.Fields(stops)}, events...); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", stops, got, want)
		}
	}
	f("", `"a END", STOP`, say(`"a END"`), finish)
	f("END", `"a ", STOP END, done`, say(`"a END b"`), usage, finish)
	f("END", `"a ", STOP END, done`, say(`"a E"`), say(`"N"`), say(`"D b"`), finish)
	f("END", `STOP END, done`, say(`"END"`), finish)
	f("END", `"a ", usage, "EN", STOP`, say(`"a EN"`), usage, finish)
	f("END", `"a ", "EN", call f, "D", STOP`, say(`"a EN"`), call, say(`"D"`), finish)
	f("END", `"a ", "EN", thought, "D", STOP`, say(`"a EN"`), thought, say(`"D"`), finish)
	f("END", `"a EE", "EN ", STOP END, done`, say(`"a EEEN"`), say(`" END"`))
	f("END", `"b "#S, STOP END, done`, signed, say(`"ND"`))
	f("END", `""#S, STOP`, gemini.Event{Kind: gemini.EventText, Text: gemini.Text(`""`), Signature: "#S"}, finish)
	f("END", `"a\u00e9 \"", STOP`, say(`"a\u00e9 \""`), finish) // literals that hold nothing pass as they are
	f("é\"", `"a", STOP é", done`, say(`"a\u00e9\"b"`))
	f("aab", `"a", STOP aab, done`, say(`"aa"`), say(`"ab"`))
	f("abcd bc", `"a", STOP bc, done`, say(`"abcd"`)) // what is complete first
	f("bc abc", `STOP abc, done`, say(`"abc"`))       // of two at once the longer one
	f("ab b", `STOP ab, done`, say(`"a"`), say(`"b"`))
}

func TestShaperPassesOneCall(t *testing.T) {
	named := func(name string) gemini.Event {
		return gemini.Event{Kind: gemini.EventCall, Call: &gemini.FunctionCall{Name: name}}
	}
	finish := gemini.Event{Kind: gemini.EventFinish, Finish: gemini.FinishStop}
	f := func(single bool, want string) {
		t.Helper()
		if got := shape(&Call{SingleCall: single}, say(`"x"`), named("f"), named("g"), say(`"y"`), named("h"), finish); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f(true, `"x", call f, "y", STOP`)
	f(false, `"x", call f, call g, "y", call h, STOP`)
}

// FuzzShaper cuts a text anywhere: what comes out is the text up to the first stop sequence.
func FuzzShaper(f *testing.F) {
	f.Add("one END two", "END", "E", []byte{3, 2, 1})
	f.Add("aaaaab", "aab", "aaab", []byte{1, 1, 1, 1, 1})
	f.Add("é\n\"<&>\u2028", "\"<", "\n\"", []byte{1})
	f.Fuzz(func(t *testing.T, text, a, b string, cuts []byte) {
		if !utf8.ValidString(text) || !utf8.ValidString(a) || !utf8.ValidString(b) {
			return
		}
		call := &Call{Stops: []string{a, b}}
		want, wantStop := firstStop(text, call.Stops)
		shaper := NewShaper(call)
		var out []gemini.Event
		done := false
		for _, piece := range pieces(text, cuts) {
			if out, done = shaper.Shape(out, gemini.Event{Kind: gemini.EventText, Text: gemini.Quote(piece)}); done {
				break
			}
		}
		if !done {
			out, _ = shaper.Shape(out, gemini.Event{Kind: gemini.EventFinish, Finish: gemini.FinishStop})
		}
		var got strings.Builder
		for _, ev := range out {
			got.WriteString(ev.Text.String())
		}
		if stop := out[len(out)-1].StopSequence; got.String() != want || stop != wantStop || done != (stop != "") {
			t.Errorf("%q with %q: %q, stopped by %q; want %q, %q", text, call.Stops, got.String(), stop, want, wantStop)
		}
	})
}

// firstStop cuts text where the first of stops is complete.
func firstStop(text string, stops []string) (before, stop string) {
	stops = slices.Clone(stops)
	slices.SortFunc(stops, func(a, b string) int { return len(b) - len(a) })
	for end := range len(text) + 1 {
		for _, s := range stops {
			if s != "" && strings.HasSuffix(text[:end], s) {
				return text[:end-len(s)], s
			}
		}
	}
	return text, ""
}

// pieces cuts text into pieces of as many characters as cuts say.
func pieces(text string, cuts []byte) (out []string) {
	runes := []rune(text)
	for _, c := range cuts {
		n := min(int(c), len(runes))
		out = append(out, string(runes[:n]))
		runes = runes[n:]
	}
	return append(out, string(runes))
}

func BenchmarkShaper(b *testing.B) {
	for _, stops := range [][]string{nil, {"END"}} {
		b.Run(fmt.Sprint(len(stops)), func(b *testing.B) {
			shaper := NewShaper(&Call{Stops: stops})
			ev := gemini.Event{Kind: gemini.EventText, Text: gemini.Quote(strings.Repeat("word ", 20))}
			var out []gemini.Event
			b.ReportAllocs()
			for b.Loop() {
				out, _ = shaper.Shape(out[:0], ev)
			}
		})
	}
}
