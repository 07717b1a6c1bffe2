package responses

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	sdk "github.com/openai/openai-go/v3/responses"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/front/fronttest"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

const everyTool = `{"model":"m","input":"hi","reasoning":{"summary":"auto"},"include":["reasoning.encrypted_content"],"tools":[{"type":"function","name":"f"},` +
	`{"type":"custom","name":"c"},{"type":"local_shell"},{"type":"shell"},{"type":"apply_patch"},{"type":"tool_search","execution":"client"},{"type":"web_search"},{"type":"code_interpreter"}]}`

// made is the event that two bytes stand for; words is what it may say.
func made(what, how byte, n int, words string) gemini.Event {
	text := words
	if len(text) > 0 {
		text = text[:int(how)%(len(text)+1)]
	}
	ev := gemini.Event{Text: gemini.Quote(text)}
	if how%3 == 0 {
		ev.Signature = "Sig+/=" + text
	}
	switch what % 10 {
	case 0, 1:
		ev.Kind = gemini.EventText
	case 2:
		ev.Kind = gemini.EventThought
	case 3, 4:
		names := []string{"f", "c", "local_shell", "shell", "apply_patch", "tool_search", "default_api:f", "nobody's"}
		args := []json.RawMessage{nil, json.RawMessage(`{}`), json.RawMessage(`{"input":` + string(ev.Text) + `}`),
			json.RawMessage(`{"command":` + string(ev.Text) + `,"commands":[` + string(ev.Text) + `],"path":7}`), json.RawMessage(text)}
		ev.Kind = gemini.EventCall
		ev.Call = &gemini.FunctionCall{Name: names[int(how)%len(names)], Args: args[int(how/7)%len(args)], ClientID: fmt.Sprint("call_", n)}
	case 5:
		ev.Kind, ev.Blob = gemini.EventImage, &gemini.Blob{MimeType: "image/png", Data: "iVBORw=="}
	case 6:
		ev.Kind, ev.Usage = gemini.EventUsage, gemini.Usage{Prompt: int(how), Candidates: n}
	case 7:
		ev.Kind, ev.Code = gemini.EventCode, &gemini.ExecutableCode{Language: "PYTHON", Code: ev.Text}
	case 8:
		ev.Kind, ev.Server = gemini.EventServerCall, json.RawMessage(`{"toolType":"GOOGLE_SEARCH_WEB","args":{"queries":[`+string(ev.Text)+`]}}`)
	case 9:
		ev.Kind = gemini.EventGrounding
		ev.Grounding = &gemini.Grounding{Queries: []string{text}, Sources: []gemini.Source{{URI: text, Title: text}},
			Supports: []gemini.Support{{Start: int(how) - 9, End: int(how), Sources: []int{0, n}}}}
	}
	return ev
}

// FuzzEncode checks that whatever Gemini says, the stream is one that OpenAI's SDK reads, its bytes split anyhow, and that it
// keeps the order of OpenAI's own; and that an answer in one piece is what the stream ends with.
func FuzzEncode(f *testing.F) {
	f.Add([]byte{0, 9, 2, 8, 3, 0, 3, 8, 6, 1}, "Hello <ä>\n", byte(0), 1)
	f.Add([]byte{2, 200, 4, 7, 0, 255, 9, 20, 0, 7, 8, 8}, "日本 🙂 \\ \"", byte(1), 7)
	f.Add([]byte{3, 15, 3, 22, 3, 1, 7, 4, 5, 5}, `{"input":"x\ny"}`, byte(2), 64)
	f.Add([]byte{0, 3}, "half", byte(3), 3)
	f.Add([]byte{2, 9, 3, 14}, "*** Begin Patch\r\n", byte(4), 2)
	f.Fuzz(func(t *testing.T, script []byte, words string, ending byte, split int) {
		if len(script) > 200 || len(words) > 20_000 {
			return
		}
		call := fronttest.Decode(t, Codec{}, fronttest.Target, everyTool)
		whole := Codec{}.Encoder(call, fronttest.Meta())
		streaming := *call
		streaming.Stream = true
		e := Codec{}.Encoder(&streaming, fronttest.Meta())
		var stream []byte
		for i := 0; i+1 < len(script); i += 2 {
			ev := made(script[i], script[i+1], i, words)
			stream = e.Event(stream, &ev)
			whole.Event(nil, &ev)
			if script[i+1]%5 == 0 {
				stream = e.Ping(stream)
			}
		}
		if ending%5 == 4 {
			stream = e.Fail(stream, &front.Error{Kind: front.RateLimited, Message: words})
			readStream(t, bySplit(stream, split&0xff+1))
			return
		}
		reason := []gemini.FinishReason{gemini.FinishStop, gemini.FinishMaxTokens, "SAFETY", "FOO"}[ending%5]
		finish := gemini.Event{Kind: gemini.EventFinish, Finish: reason, PromptBlocked: ending >= 128}
		stream = e.End(e.Event(stream, &finish))
		last := checkStream(t, stream)
		whole.Event(nil, &finish)
		if body := checkBody(t, whole.End(nil)); body.JSON.Output.Raw() != last.JSON.Output.Raw() || body.Status != last.Status {
			t.Fatalf("the stream ends with\n%s\nthe body is\n%s", last.RawJSON(), body.RawJSON())
		}
		want := readStream(t, bytes.NewReader(stream))
		got := readStream(t, bySplit(stream, split&0xff+1))
		if !slices.EqualFunc(got, want, func(a, b sdk.ResponseStreamEventUnion) bool { return a.RawJSON() == b.RawJSON() }) {
			t.Fatalf("in pieces of %d bytes it reads otherwise", split&0xff+1)
		}
	})
}
