// Package fronttest holds what the tests of every client protocol share: one set of scripted answers of Gemini, and golden
// files of what a codec makes of them.
package fronttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Target is the model that the scripts' answers come from.
const Target = "gemini-3.8-flash"

// Script is an answer of Gemini as it came, a frame a line.
type Script struct {
	Name   string
	Frames string
}

// Scripts are the answers that every codec must render.
func Scripts() []Script {
	return []Script{
		{"text", `
data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Hel"}]},"index":0}],"usageMetadata":{"promptTokenCount":12,"totalTokenCount":12}}
data: {"candidates":[{"content":{"role":"model","parts":[{"text":"lo \u00e9 \"<&>\"\n"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":1000,"cachedContentTokenCount":600,"candidatesTokenCount":50,"thoughtsTokenCount":30,"toolUsePromptTokenCount":10,"totalTokenCount":1090}}`},
		{"thought", `
data: {"candidates":[{"content":{"parts":[{"text":"**Plan**","thought":true}]}}]}
data: {"candidates":[{"content":{"parts":[{"text":" done","thought":true},{"text":"Answer"}]}}]}
data: {"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"Sig+Text/=="}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":1,"thoughtsTokenCount":31,"totalTokenCount":41}}`},
		{"parallel_calls", `
data: {"candidates":[{"content":{"parts":[{"text":"musing","thought":true}]}}]}
data: {"candidates":[{"content":{"parts":[{"functionCall":{"id":"grBScFvZ","name":"Read","args":{"path":"/a<b>&\u00fc.go","n":1.0}},"thoughtSignature":"Sig1+/="},{"functionCall":{"id":"x1","name":"Read","args":{"z":1,"a":2}}},{"functionCall":{"name":"Now"}}]}}]}
data: {"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP","finishMessage":"Model generated function call(s)."}],"usageMetadata":{"promptTokenCount":90,"candidatesTokenCount":24,"thoughtsTokenCount":31,"totalTokenCount":145}}`},
		{"text_and_call", `
data: {"candidates":[{"content":{"parts":[{"text":"I will look."},{"functionCall":{"name":"default_api:Read","args":{}},"thoughtSignature":"Sig2"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":6,"totalTokenCount":11}}`},
		{"max_tokens", `
data: {"candidates":[{"content":{"role":"model"},"finishReason":"MAX_TOKENS"}],"usageMetadata":{"promptTokenCount":5,"thoughtsTokenCount":2,"totalTokenCount":7}}`},
		{"refusal", `
data: {"candidates":[{"content":{"parts":[{"text":"Well"}]}}]}
data: {"candidates":[{"content":{},"finishReason":"SAFETY"}],"usageMetadata":{"promptTokenCount":5,"totalTokenCount":5}}`},
		{"blocked", `
data: {"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":5,"totalTokenCount":5}}`},
		{"empty", `
data: {"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"totalTokenCount":5}}`},
		{"malformed_after_text", `
data: {"candidates":[{"content":{"parts":[{"text":"Now I call"}]}}]}
data: {"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"Malformed function call: x"}]}`},
		{"malformed_after_call", `
data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"Now","args":{}},"thoughtSignature":"S"}]}}]}
data: {"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}`},
		{"cut", `
data: {"candidates":[{"content":{"parts":[{"text":"half an ans"}]}}]}`},
		{"unknown_reason", `
data: {"candidates":[{"content":{"parts":[{"text":"fine"},{"executableCode":{"code":"1"}}]},"finishReason":"FOO"}]}`},
		{"grounding", `
data: {"candidates":[{"content":{"parts":[{"text":"searching","thought":true}]},"urlContextMetadata":{"urlMetadata":[{"retrievedUrl":"https://go.dev/doc","urlRetrievalStatus":"URL_RETRIEVAL_STATUS_SUCCESS"},{"retrievedUrl":"https://x.y/","urlRetrievalStatus":"URL_RETRIEVAL_STATUS_PAYWALL"}]}}]}
data: {"candidates":[{"content":{"parts":[{"text":"\u4f60\u597d. Go 1.26 is "}]}}]}
data: {"candidates":[{"content":{"parts":[{"text":"out. Get it."}]},"finishReason":"STOP","groundingMetadata":{"webSearchQueries":["go release","go \"1.26\""],"groundingChunks":[{"web":{"uri":"https://a.example/r?x=1","title":"go.dev"}},{"retrievedContext":{"text":"no page"}},{"web":{"uri":"https://b.example/z"}}],"groundingSupports":[{"segment":{"startIndex":8,"endIndex":23,"text":"Go 1.26 is out."},"groundingChunkIndices":[0,2]},{"segment":{"endIndex":7,"text":"\u4f60\u597d."},"groundingChunkIndices":[1,0]},{"segment":{"startIndex":24,"endIndex":99,"text":"Get it. And more"},"groundingChunkIndices":[2]},{"segment":{"startIndex":3,"endIndex":9,"text":"nowhere"},"groundingChunkIndices":[0]}]}}],"usageMetadata":{"promptTokenCount":20,"toolUsePromptTokenCount":7,"candidatesTokenCount":9,"totalTokenCount":36}}`},
		{"code", `
data: {"candidates":[{"content":{"parts":[{"text":"I compute."},{"executableCode":{"language":"PYTHON","code":"print(\"<1>\")\n"},"thoughtSignature":"SigC"}]}}]}
data: {"candidates":[{"content":{"parts":[{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"<1>\n"}},{"executableCode":{"language":"PYTHON","code":"1/0"}},{"codeExecutionResult":{"outcome":"OUTCOME_FAILED","output":"ZeroDivisionError"}},{"executableCode":{"language":"PYTHON","code":"x"}}]}}]}
data: {"candidates":[{"content":{"parts":[{"text":"Done."}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":20,"totalTokenCount":25}}`},
		{"server_call", `
data: {"candidates":[{"content":{"parts":[{"toolCall":{"id":"w1","toolType":"GOOGLE_SEARCH_WEB","args":{"queries":["a <b>","c"]}},"thoughtSignature":"SigT1"},{"toolResponse":{"id":"w1","toolType":"GOOGLE_SEARCH_WEB","response":{"search_suggestions":"<div>"}},"thoughtSignature":"SigT2"}]}}]}
data: {"candidates":[{"content":{"parts":[{"text":"Found it."},{"functionCall":{"id":"x2","name":"Read","args":{"p":1}},"thoughtSignature":"SigT3"},{"toolCall":{"id":"w2","toolType":"GOOGLE_SEARCH_WEB","args":{"queries":["d"]}},"thoughtSignature":"SigT4"},{"toolResponse":{"id":"w2","toolType":"GOOGLE_SEARCH_WEB"},"thoughtSignature":"SigT5"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":20,"totalTokenCount":25}}`},
		{"server_call_text", `
data: {"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"toolCall":{"id":"w1","toolType":"GOOGLE_SEARCH_WEB","args":{"queries":["q"]}},"thoughtSignature":"SigT1"},{"toolResponse":{"id":"w1","toolType":"GOOGLE_SEARCH_WEB","response":{}},"thoughtSignature":"SigT2"},{"text":"Yes."}]},"finishReason":"STOP","groundingMetadata":{"webSearchQueries":["q"],"groundingChunks":[{"web":{"uri":"https://a.example/","title":"a"}}]}}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":20,"totalTokenCount":25}}`},
		{"image", `
data: {"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"iVBORw=="}}]},"finishReason":"STOP"}]}`},
	}
}

// Events decodes a script; calls get the ids prefix + "1", "2" and so on.
func (s Script) Events(t testing.TB, prefix string) []gemini.Event {
	t.Helper()
	wire := strings.ReplaceAll(strings.TrimSpace(s.Frames), "\n", "\r\n\r\n") + "\r\n\r\n"
	reader := gemini.NewReader(strings.NewReader(wire))
	var decoder gemini.Decoder
	var events []gemini.Event
	for {
		payload, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("script %s: %v", s.Name, err)
		}
		if events, err = decoder.Chunk(payload, events); err != nil {
			t.Fatalf("script %s: %v", s.Name, err)
		}
	}
	n := 0
	for i := range events {
		if events[i].Kind == gemini.EventCall {
			n++
			events[i].Call.ClientID = fmt.Sprintf("%s%d", prefix, n)
		}
	}
	return events
}

// Meta is a fixed one.
func Meta() front.Meta {
	return front.Meta{ID: "abcdefghijklmnopqrstuvwx", Created: time.Unix(1760000000, 0), Request: "req_test"}
}

// Decode decodes and prepares body for the target.
func Decode(t testing.TB, codec front.Codec, target, body string) *front.Call {
	t.Helper()
	call, err := codec.Decode([]byte(body))
	if err != nil {
		t.Fatalf("Decode(%s): %v", body, err)
	}
	if err := front.Prepare(call, target, nil); err != nil {
		t.Fatalf("Prepare(%s): %v", body, err)
	}
	return call
}

// Encode makes of events what a client gets, streamed or not: the codec's answer for call, or a failure.
func Encode(codec front.Codec, call *front.Call, stream bool, events []gemini.Event) []byte {
	c := *call
	c.Stream = stream
	encoder := codec.Encoder(&c, Meta())
	shaper := front.NewShaper(&c)
	var out []byte
	var tally gemini.Tally
	var shaped []gemini.Event
	var done bool
	for i := 0; i < len(events) && !done; i++ {
		tally.Note(&events[i])
		shaped, done = shaper.Shape(shaped[:0], events[i])
		for j := range shaped {
			out = encoder.Event(out, &shaped[j])
		}
	}
	if done || tally.Verdict() == gemini.Whole {
		return encoder.End(out)
	}
	failure := &front.Error{Kind: front.Overloaded, Message: "no usable answer"}
	if stream {
		return encoder.Fail(out, failure)
	}
	_, body := codec.Error(failure, "req_test")
	return body
}

// GoldenEncode renders each script for the call of each named request body and compares the bytes with
// testdata/encode/<script>.txtar.
func GoldenEncode(t *testing.T, codec front.Codec, requests map[string]string) {
	for _, script := range Scripts() {
		t.Run(script.Name, func(t *testing.T) {
			golden(t, filepath.Join("testdata", "encode", script.Name+".txtar"), func(*txtar.Archive) []txtar.File {
				var files []txtar.File
				for _, name := range slices.Sorted(maps.Keys(requests)) {
					call := Decode(t, codec, Target, requests[name])
					events := script.Events(t, codec.ToolIDPrefix())
					files = append(files,
						txtar.File{Name: name + ".stream", Data: Encode(codec, call, true, events)},
						txtar.File{Name: name + ".json", Data: append(Encode(codec, call, false, events), '\n')})
				}
				return files
			})
		})
	}
}

// GoldenDecode decodes the file in.json of each testdata/decode/*.txtar and compares the request that goes to Google with
// out.json, or the failure with the file error. The archive's comment names the model on its first line.
func GoldenDecode(t *testing.T, codec front.Codec) {
	paths, err := filepath.Glob(filepath.Join("testdata", "decode", "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			golden(t, path, func(a *txtar.Archive) []txtar.File {
				in := a.Files[0]
				target, _, _ := strings.Cut(string(a.Comment), "\n")
				call, err := codec.Decode(in.Data)
				if err == nil {
					err = front.Prepare(call, target, nil)
				}
				if err != nil {
					return []txtar.File{in, {Name: "error", Data: []byte(err.Error() + "\n")}}
				}
				return []txtar.File{in, {Name: "out.json", Data: Indent(t, call.Request.AppendJSON(nil))}}
			})
		})
	}
}

// Indent makes JSON readable and checks that it is JSON.
func Indent(t testing.TB, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, raw)
	}
	return append(b.Bytes(), '\n')
}

func golden(t *testing.T, path string, render func(*txtar.Archive) []txtar.File) {
	t.Helper()
	archive := &txtar.Archive{}
	want, err := os.ReadFile(path)
	if err == nil {
		archive = txtar.Parse(want)
	} else if !*update {
		t.Fatal(err)
	}
	got := txtar.Format(&txtar.Archive{Comment: archive.Comment, Files: render(archive)})
	if bytes.Equal(got, want) {
		return
	}
	if !*update {
		t.Errorf("%s differs (run with -update to accept):\n%s", path, got)
		return
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, got, 0o644); err != nil {
		t.Fatal(err)
	}
}
