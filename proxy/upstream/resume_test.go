package upstream

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// part is a chunk with one part, and a token if there is one.
func part(p, token string) string {
	return fmt.Sprintf(`{"candidates":[{"content":{"parts":[%s]},"continuationToken":%q}]}`, p, token)
}

func text(s string) string { return fmt.Sprintf(`{"text":%q}`, s) }

func finish(reason, token string) string {
	return fmt.Sprintf(`{"candidates":[{"finishReason":%q,"continuationToken":%q}]}`, reason, token)
}

func usage(prompt, candidates, thoughts int) string {
	return fmt.Sprintf(`{"usageMetadata":{"promptTokenCount":%d,"candidatesTokenCount":%d,"thoughtsTokenCount":%d}}`, prompt, candidates, thoughts)
}

const (
	hangUp = "hang up" // breaks the connection
	refuse = "refuse"  // answers 503 when it comes first
)

// long asks a server that gives one of segments after the other, and describes the answer and the tokens that were sent.
func long(t *testing.T, segments ...[]string) (answer, tokens string, last gemini.Usage) {
	t.Helper()
	var mu sync.Mutex
	var asked []string
	ask := func(token string) int {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, token)
		return len(asked) - 1
	}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, token, _ := strings.Cut(string(body), `,"continuationToken":`)
		n := ask(token)
		if n >= len(segments) {
			t.Errorf("asked for a segment more with %s", token)
			return
		}
		for _, chunk := range segments[n] {
			switch chunk {
			case hangUp:
				panic(http.ErrAbortHandler)
			case refuse:
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			fmt.Fprintf(w, "data: %s\r\n\r\n", chunk)
			w.(http.Flusher).Flush()
		}
	})
	s, err := c.Open(t.Context(), lease(t), hello())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	var out strings.Builder
	for {
		ev, err := s.Next()
		if err != nil {
			if err != io.EOF {
				out.WriteString(" [" + kind(t, err).String() + "]")
			}
			mu.Lock()
			defer mu.Unlock()
			if len(asked) != len(segments) {
				t.Errorf("%d of %d segments were asked for", len(asked), len(segments))
			}
			return out.String(), strings.Join(asked, " "), last
		}
		switch ev.Kind {
		case gemini.EventUsage:
			last = ev.Usage
		case gemini.EventText:
			out.WriteString(ev.Text.String())
		case gemini.EventThought:
			out.WriteString("(" + ev.Text.String() + ")")
		case gemini.EventCall:
			out.WriteString("<" + ev.Call.Name + ">")
		case gemini.EventFinish:
			out.WriteString(" " + string(ev.Finish))
		default:
			t.Errorf("an event of kind %d", ev.Kind)
		}
	}
}

func TestLongAnswers(t *testing.T) {
	type s = []string
	call, thought := `{"functionCall":{"name":"f","args":{"a":1}}}`, `{"text":"hm","thought":true}`
	f := func(answer, tokens string, segments ...s) {
		t.Helper()
		got, asked, _ := long(t, segments...)
		if want := strings.ReplaceAll(tokens, "'", `"`); got != answer || strings.ReplaceAll(asked, "}", "") != want {
			t.Errorf("got  %s, tokens %s\nwant %s, tokens %s", got, asked, answer, want)
		}
	}
	one, two, end := part(text("one "), ""), part(text("two"), ""), finish("STOP", "")
	f("one two STOP", " 'a'", s{one, finish("CONTINUATION", "a")}, s{two, end})
	f("one two STOP", " 'a' 'b\\n'", s{one, finish("CONTINUATION", "a")}, s{part(text(""), ""), finish("CONTINUATION", "b\n")}, s{two, end})
	f("one  CONTINUATION", "", s{one, finish("CONTINUATION", "")})
	f("one  MAX_TOKENS", "", s{one, finish("MAX_TOKENS", "a")})

	// going on fails
	f("one  CONTINUATION", " 'a'", s{one, finish("CONTINUATION", "a")}, s{refuse})
	f("one  CONTINUATION", " 'a' 'a' 'a' 'a'", s{one, finish("CONTINUATION", "a")}, s{hangUp}, s{hangUp}, s{}, s{hangUp})
	f("one two [cut]", " 'a' 'a' 'a' 'a'", s{one, finish("CONTINUATION", "a")}, s{two, hangUp}, s{hangUp}, s{hangUp}, s{hangUp})
	f("one  [overloaded]", " 'a'", s{one, finish("CONTINUATION", "a")}, s{`{"error":{"code":503}}`})

	// checkpoints
	saved := part(text("one "), "a")
	f("one two STOP", " 'a'", s{saved, hangUp}, s{two, end})
	f("one two STOP", " 'a'", s{saved}, s{two, end})
	f("one two STOP", " 'a'", s{saved, part(text("t"), ""), hangUp}, s{two, end})
	f("one two STOP", " 'a'", s{saved, part(text("t"), ""), part(text("wo"), ""), hangUp}, s{two, end})
	f("one two STOP", " 'a'", s{saved, two, hangUp}, s{part(text("tw"), ""), part(text("o"), ""), end})
	f("one two three STOP", " 'a' 'b'", s{saved, hangUp}, s{part(text("two "), "b"), part(text("th"), ""), hangUp}, s{part(text("three"), ""), end})
	f("one two three STOP", " 'a' 'b'", s{saved, part(text("two th"), ""), hangUp}, s{part(text("two"), "b"), hangUp}, s{part(text(" three"), ""), end})
	f("one two<f>(hm) STOP", " 'a'", s{saved, two, part(call, ""), hangUp}, s{two, part(call, ""), part(thought, ""), end})
	f("one two STOP", " 'a' 'a'", s{saved, hangUp}, s{part(text("tw"), ""), hangUp}, s{two, end})
	f("one  [cut]", " 'a' 'a' 'a'", s{saved, hangUp}, s{hangUp}, s{hangUp}, s{hangUp})
	f("one  [cut]", " 'a'", s{saved, hangUp}, s{refuse})

	// the resumed segment says something else
	f("one two [cut]", " 'a'", s{saved, two, hangUp}, s{part(text("tow"), ""), end})
	f("one two [cut]", " 'a'", s{saved, two, hangUp}, s{part(thought, ""), two, end})
	f("one two [cut]", " 'a'", s{saved, two, hangUp}, s{part(text("t"), ""), end})
	f("one <f> [cut]", " 'a'", s{saved, part(call, ""), hangUp}, s{part(`{"functionCall":{"name":"f","args":{"a":2}}}`, ""), end})

	// nothing to resume from, or no reason to
	f("one  [cut]", "", s{one, hangUp})
	f("one  STOP", "", s{saved, end, hangUp})
	f("one  SAFETY", "", s{saved, finish("SAFETY", "b")})
	f("one  [overloaded]", "", s{saved, `{"error":{"code":503}}`})
}

func TestALongAnswerCountsTheFirstPromptAndAllOutput(t *testing.T) {
	_, _, last := long(t,
		[]string{usage(99, 1, 1), part(text("one"), ""), usage(100, 10, 5), finish("CONTINUATION", "a")},
		[]string{usage(110, 2, 0), part(text("two"), "b"), usage(110, 20, 7), part(text("th"), ""), usage(110, 22, 7), hangUp},
		[]string{part(text("three"), ""), usage(130, 4, 0), finish("STOP", "")})
	// the checkpoint "b" came while the last count was {2, 0}
	if want := (gemini.Usage{Prompt: 100, Candidates: 16, Thoughts: 5, Total: 121}); last != want {
		t.Errorf("got %+v, want %+v", last, want)
	}
}

func TestTooMuchToRememberIsNotResumed(t *testing.T) {
	half := part(text(strings.Repeat("x", maxRemembered/2+1)), "")
	if got, tokens, _ := long(t, []string{part(text("one "), "a"), half, half, hangUp}); !strings.HasSuffix(got, "[cut]") || tokens != "" {
		t.Errorf("%s, tokens %s", got[len(got)-20:], tokens)
	}
	if got, _, _ := long(t, []string{part(text("one "), "a"), half, hangUp}, []string{half, finish("STOP", "")}); !strings.HasSuffix(got, "x STOP") {
		t.Errorf("%s", got[len(got)-20:])
	}
}
