package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// cut makes events of text, of as many characters as cuts say; every third piece is empty.
func cut(text string, cuts []byte) (out []gemini.Event) {
	runes := []rune(text)
	for i, c := range append(cuts, 255) {
		n := min(int(c), len(runes))
		if i == len(cuts) {
			n = len(runes)
		}
		out = append(out, gemini.Event{Kind: gemini.EventText, Text: gemini.Quote(string(runes[:n]))})
		if runes = runes[n:]; i%3 == 0 {
			out = append(out, gemini.Event{Kind: gemini.EventText, Text: gemini.Quote("")})
		}
	}
	return out
}

// FuzzResume breaks an answer off anywhere and brings all of it again, cut elsewhere: the reader gets it once. If something
// else comes, it does not fit.
func FuzzResume(f *testing.F) {
	f.Add("one two three", 5, 9, []byte{2, 1}, []byte{4})
	f.Add("é\"\n", 2, 2, []byte{}, []byte{1, 1})
	f.Fuzz(func(t *testing.T, text string, first, second int, a, b []byte) {
		runes := []rune(text)
		if !utf8.ValidString(text) || first < 0 || second < first || second > len(runes) {
			return
		}
		r := &resume{token: "t"}
		var got strings.Builder
		say := func(events []gemini.Event) bool {
			for i := range events {
				pass, fits := r.content(&events[i])
				if !fits {
					return false
				}
				if pass {
					got.WriteString(events[i].Text.String())
				}
			}
			return true
		}
		for _, part := range []string{string(runes[:first]), string(runes[:second]), text} {
			r.expected = r.passed.clone()
			if !say(cut(part, a)) {
				t.Fatalf("%q does not fit", part)
			}
			a, b = b, a
		}
		if got.String() != text {
			t.Errorf("the reader has %q, want %q", got.String(), text)
		}
		r.expected = r.passed.clone()
		if len(text) > 0 && say(cut("\x00"+text, a)) && text[0] != 0 {
			t.Errorf("something else fits behind %q", text)
		}
	})
}

// idleWatch is one of a call whose head is there.
func idleWatch(cancel context.CancelCauseFunc) *watch {
	w := newWatch(cancel, time.Hour)
	w.end()
	return w
}

// FuzzStream reads anything in place of an answer: it ends, and in one of the ways that are known.
func FuzzStream(f *testing.F) {
	f.Add([]byte("data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"continuationToken\":\"t\"}]}\n\ndata: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n"))
	f.Add([]byte("data: {\"candidates\":[{\"finishReason\":\"CONTINUATION\",\"continuationToken\":\"t\"}]}\n\n"))
	f.Add([]byte("[{\"error\":{\"code\":503}}]"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		c := New(Options{BaseURL: nowhere(), FirstByte: time.Second, Idle: time.Second})
		defer c.Close()
		body := io.NopCloser(bytes.NewReader(wire))
		s := &Stream{client: c, ctx: t.Context(), lease: lease(t), request: hello(), segment: &segment{
			ctx: t.Context(), cancel: func(error) {}, watch: idleWatch(func(error) {}), idle: time.Second, body: body, reader: gemini.NewReader(body),
		}}
		for n := 0; ; n++ {
			ev, err := s.Next()
			if err != nil {
				var e *Error
				if err != io.EOF && !errors.As(err, &e) {
					t.Errorf("%T: %v", err, err)
				}
				return
			}
			if ev.Kind == gemini.EventCheckpoint || n > len(wire) {
				t.Errorf("event %d is %+v", n, ev)
			}
		}
	})
}
