package proxy

import (
	"encoding/json"
	"io"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/store"
)

// BenchmarkStreamedChunk is one piece of text on its way from the reader of Gemini's answer to the client's connection.
func BenchmarkStreamedChunk(b *testing.B) {
	f := func(name string, pick func(fronts) front.Codec, path string) {
		b.Run(name, func(b *testing.B) {
			cfg := config.Default()
			s, err := New(cfg, Deps{Logger: slog.New(slog.DiscardHandler), Store: store.NewMemory(store.DefaultLimits())})
			if err != nil {
				b.Fatal(err)
			}
			codec := pick(s.fronts)
			call, err := codec.Decode([]byte(ask(path, true)))
			if err != nil {
				b.Fatal(err)
			}
			if err := front.Prepare(call, "gemini-3.8-flash", nil); err != nil {
				b.Fatal(err)
			}
			x := &exchange{s: s, call: call, codec: codec, access: &access{}, committed: true}
			x.followed = &followed{ctx: b.Context(), cancel: func(error) {}, watcher: s.watcher}
			a := &answer{x: x, encoder: codec.Encoder(call, front.Meta{ID: randomID(), Created: time.Now()})}
			ev := gemini.Event{Kind: gemini.EventText, Text: gemini.Quote("a piece of text as it comes, some sixty characters of it")}
			b.ReportAllocs()
			b.ResetTimer()
			x.pulled = &pulled{x: x, first: make(chan handed)}
			close(x.pulled.first)
			x.pulled.next, x.pulled.stop = iter.Pull(func(yield func([]gemini.Event) bool) {
				x.yield = yield
				for range b.N {
					x.pass(&ev)
				}
				x.pause()
			})
			if _, err := a.WriteTo(io.Discard); err != nil {
				b.Fatal(err)
			}
		})
	}
	f("anthropic", func(f fronts) front.Codec { return f.anthropic }, messages)
	f("chat", func(f fronts) front.Codec { return f.chat }, completions)
	f("responses", func(f fronts) front.Codec { return f.responses }, replies)
}

// BenchmarkRequest is a small request with its answer, client and fake included.
func BenchmarkRequest(b *testing.B) {
	for _, path := range []string{messages, completions} {
		b.Run(path, func(b *testing.B) {
			r := start(b, "a b c", nil)
			r.fake.Respond(func(fg.Recorded) (fg.Answer, bool) { return fg.Say("hello"), true })
			body := ask(path, false)
			b.ReportAllocs()
			for b.Loop() {
				if got := r.do("POST", path, body); got.status != 200 {
					b.Fatal(got.status)
				}
			}
		})
	}
}

// BenchmarkTranslate is a request of 100 KB on its way from the client's bytes to Gemini's, tools known. What encoding/json takes to
// say that it is JSON is the measure.
func BenchmarkTranslate(b *testing.B) {
	f := func(name, path string, body []byte) {
		b.Run(name, func(b *testing.B) {
			translate := translator(b, path)
			translate(body)
			translate(body)
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				translate(body)
			}
		})
	}
	for _, path := range []string{messages, completions, replies} {
		f(strings.Trim(strings.Split(path, "?")[0], "/"), path, longRequest(path, 40))
	}
	f("thinking", messages, thoughtful(longRequest(messages, 40), strings.Repeat("Ab+/", 200)))
	b.Run("valid", func(b *testing.B) {
		body := longRequest(messages, 40)
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if !json.Valid(body) {
				b.Fatal("no JSON")
			}
		}
	})
}

// BenchmarkAnswer is a whole answer of 200 pieces, in one.
func BenchmarkAnswer(b *testing.B) {
	f := func(name string, codec front.Codec, path string) {
		b.Run(name, func(b *testing.B) {
			call, err := codec.Decode([]byte(ask(path, false)))
			if err == nil {
				err = front.Prepare(call, "gemini-3.8-flash", nil)
			}
			if err != nil {
				b.Fatal(err)
			}
			ev := gemini.Event{Kind: gemini.EventText, Text: gemini.Quote("a piece of text as it comes, some sixty characters of it")}
			usage := gemini.Event{Kind: gemini.EventUsage, Usage: gemini.Usage{Prompt: 900, Candidates: 200, Total: 1100}}
			end := gemini.Event{Kind: gemini.EventFinish, Finish: gemini.FinishStop}
			var out []byte
			b.ReportAllocs()
			for b.Loop() {
				e := codec.Encoder(call, front.Meta{ID: "abcdefghijklmnopqrstuvwx", Created: time.Unix(0, 0)})
				out = out[:0]
				for range 200 {
					out = e.Event(out, &ev)
				}
				out = e.End(e.Event(e.Event(out, &usage), &end))
			}
		})
	}
	all := newFronts()
	f("anthropic", all.anthropic, messages)
	f("chat", all.chat, completions)
	f("responses", all.responses, replies)
}
