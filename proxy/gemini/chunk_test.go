package gemini

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// describe writes events as one line each.
func describe(events []Event) string {
	var b strings.Builder
	for _, ev := range events {
		switch ev.Kind {
		case EventText:
			fmt.Fprintf(&b, "text %s", []byte(ev.Text))
		case EventThought:
			fmt.Fprintf(&b, "thought %s", []byte(ev.Text))
		case EventCall:
			fmt.Fprintf(&b, "call %s#%s %s", ev.Call.Name, ev.Call.ID, ev.Call.Args)
		case EventImage:
			fmt.Fprintf(&b, "image %s %s", ev.Blob.MimeType, ev.Blob.Data)
		case EventUsage:
			fmt.Fprintf(&b, "usage %v", ev.Usage)
		case EventCode:
			fmt.Fprintf(&b, "code %s %s", ev.Code.Language, ev.Code.Code)
		case EventCodeResult:
			fmt.Fprintf(&b, "result %s %s", ev.CodeResult.Outcome, ev.CodeResult.Output)
		case EventServerCall, EventServerResult:
			fmt.Fprintf(&b, "server %s", ev.Server)
		case EventGrounding:
			fmt.Fprintf(&b, "grounding %+v", *ev.Grounding)
		case EventCheckpoint:
			fmt.Fprintf(&b, "checkpoint %s", ev.Continuation)
		case EventFinish:
			fmt.Fprintf(&b, "finish %s %s blocked=%v", ev.Finish, ev.Message, ev.PromptBlocked)
		}
		if ev.Signature != "" {
			fmt.Fprintf(&b, " sig=%s", ev.Signature)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestChunk(t *testing.T) {
	var d Decoder
	f := func(chunk string, want ...string) {
		t.Helper()
		events, err := d.Chunk([]byte(chunk), nil)
		if err != nil {
			t.Errorf("%s: %v", chunk, err)
		}
		if got := strings.TrimSuffix(describe(events), "\n"); got != strings.Join(want, "\n") {
			t.Errorf("%s\ngot\n%s\nwant\n%s", chunk, got, strings.Join(want, "\n"))
		}
	}
	part := func(p string) string { return `{"candidates":[{"content":{"parts":[` + p + `]}}]}` }

	f(`{}`)
	f(`null`)
	f(`{"candidates":[]}`)
	f(`{"candidates":null,"usageMetadata":null,"promptFeedback":null}`)
	f(`{"candidates":[{}]}`)
	f(`{"candidates":[{"content":{}}]}`)
	f(`{"candidates":[{"content":null,"index":"x"}]}`)
	f(`{"candidates":[{"content":{"role":"model","parts":null}}]}`)
	f(`{"candidates":"x","more":[{"y":1}]}`)
	f(`{"candidates":[{"continuationToken":"t"}]}`, `checkpoint t`)
	f(`{"candidates":[{"groundingMetadata":{"webSearchQueries":["q"],"groundingChunks":[{"web":{"uri":"u","title":"t"}},{"retrievedContext":{}}],`+
		`"groundingSupports":[{"segment":{"endIndex":3,"text":"abc"},"groundingChunkIndices":[0,9]},{}]},`+
		`"urlContextMetadata":{"urlMetadata":[{"retrievedUrl":"r","urlRetrievalStatus":"S"}]}}]}`,
		`grounding {Queries:[q] Sources:[{URI:u Title:t} {URI: Title:}] Supports:[{Start:0 End:3 Text:abc Sources:[0 9]} {Start:0 End:0 Text: Sources:[]}] URLs:[{URL:r Status:S}]}`)
	f(part(`{"text":"a\u00e9"}`), `text "a\u00e9"`)
	f(part(`{"text":""}`))
	f(part(`{"text":"","thoughtSignature":"S"}`), `text "" sig=S`)
	f(part(`{"thoughtSignature":"S"}`))
	f(part(`{"thought":true,"text":"t"},{"text":"u"}`), `thought "t"`, `text "u"`)
	f(part(`{"text":5}`))
	f(part(`{"functionCall":{"name":"f"}}`), `call f# {}`)
	f(part(`{"functionCall":{"name":"f","args":null}}`), `call f# {}`)
	f(part(`{"functionCall":{"name":"f","args":[1]}}`), `call f# {}`)
	f(part(`{"functionCall":{"id":"i","name":"f","args":{"b":1,"a":"<&>"}},"thoughtSignature":"S"}`),
		`call f#i {"b":1,"a":"<&>"} sig=S`)
	f(part(`{"executableCode":{"language":"PYTHON","code":"1"}},{"codeExecutionResult":{"output":"2"}},{"toolCall":{"id":"a"}},{"future":{}},{},{"text":"x"}`), `code PYTHON 1`, `result  2`, `server {"id":"a"}`, `text "x"`)
	f(part(`{"inlineData":{"mimeType":"image/png","data":"AA=="}}`), `image image/png AA==`)
	f(`{"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":null,"thoughtsTokenCount":"x","totalTokenCount":-1}}`,
		`usage {7 0 0 0 0 0}`)
	f(`{"usageMetadata":{"promptTokenCount":1,"cachedContentTokenCount":2,"candidatesTokenCount":3,"thoughtsTokenCount":4,"toolUsePromptTokenCount":5,"totalTokenCount":6}}`,
		`usage {1 2 3 4 5 6}`)
	f(`{"usageMetadata":{"promptTokenCount":1},"candidates":[{"finishReason":"STOP","finishMessage":"m","content":{"parts":[{"text":"x"}]}}]}`,
		`text "x"`, `usage {1 0 0 0 0 0}`, `finish STOP m blocked=false`)
	f(`{"candidates":[{"finishReason":"FINISH_REASON_UNSPECIFIED"}]}`)
	f(`{"promptFeedback":{"blockReason":"SAFETY"}}`, `finish SAFETY  blocked=true`)
	f(`{"promptFeedback":{"blockReason":"BLOCK_REASON_UNSPECIFIED"}}`)
	f(`{"promptFeedback":{"safetyRatings":[]}}`)
	f(`[{"candidates":[{"content":{"parts":[{"text":"x"}]}}]},{}]`, `text "x"`)
	f(`{"candidates":[{"content":{"parts":[{"text":"one"}]}},{"content":{"parts":[{"text":"two"}]}}]}`, `text "one"`)
	f(part(`{"text":"half \ud83d"}`), `text "half \ufffd"`)
}

func TestChunkWithAnError(t *testing.T) {
	var d Decoder
	f := func(chunk string, code int) {
		t.Helper()
		_, err := d.Chunk([]byte(chunk), nil)
		var apiErr *APIError
		if !errors.As(err, &apiErr) || apiErr.Code != code {
			t.Errorf("%s: %v, want code %d", chunk, err, code)
		}
	}
	f(`{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}`, 503)
	f(`{"error":{"message":"m","status":"RESOURCE_EXHAUSTED"}}`, 429)
	f(`[{"error":{"code":429}}]`, 429)
	f(`{"candidates":[],"error":{}}`, 500)
	f(`{"error":"words"}`, 500)

	for _, chunk := range []string{"", "x", `{"a"`, `{} {}`, "<html>"} {
		_, err := d.Chunk([]byte(chunk), nil)
		var apiErr *APIError
		if err == nil || errors.As(err, &apiErr) {
			t.Errorf("%q: %v, want an error of form", chunk, err)
		}
	}
}

func TestChunkOwnsItsBytes(t *testing.T) {
	var d Decoder
	data := []byte(`{"candidates":[{"content":{"parts":[{"text":"abc"}]}}]}`)
	events, err := d.Chunk(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	if got := string(events[0].Text); got != `"abc"` {
		t.Errorf("text is %s after the payload was overwritten", got)
	}
}

func FuzzChunk(f *testing.F) {
	f.Add([]byte(`{"candidates":[{"content":{"parts":[{"text":"a"},{"functionCall":{"name":"f","args":{}}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1}}`))
	f.Add([]byte(`[{"error":{"code":429,"details":[{"@type":"x.RetryInfo","retryDelay":"1s"}]}}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var d Decoder
		events, err := d.Chunk(data, nil)
		if err == nil && !json.Valid(data) {
			t.Errorf("%q was taken", data)
		}
		for _, ev := range events {
			if len(ev.Text) > 0 && ev.Text[0] != '"' {
				t.Errorf("text %q is no literal", ev.Text)
			}
			if ev.Kind == EventCall && (ev.Call == nil || ev.Call.Args[0] != '{') {
				t.Errorf("call %+v has no object", ev.Call)
			}
			if ev.Kind == 0 {
				t.Errorf("an event of no kind in %q", data)
			}
		}
	})
}

func BenchmarkChunk(b *testing.B) {
	chunk := []byte(`{"candidates":[{"content":{"role":"model","parts":[{"text":"` + strings.Repeat("word ", 20) +
		`"}]},"index":0}],"usageMetadata":{"promptTokenCount":90,"candidatesTokenCount":24,"totalTokenCount":145},"modelVersion":"gemini-3.8-flash","responseId":"abc"}`)
	var d Decoder
	var events []Event
	var err error
	b.ReportAllocs()
	for b.Loop() {
		if events, err = d.Chunk(chunk, events[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
