package proxy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// Cases 87 to 102: OpenAI's Chat Completions.

// complete asks a model for a completion, with more fields.
func (r *rig) complete(model, fields string) result {
	r.t.Helper()
	got := r.do("POST", completions, `{"model":"`+model+`",`+fields+`}`)
	if got.status != 200 {
		r.t.Fatalf("%s: %d %s", fields, got.status, got.body)
	}
	return got
}

// completes asks and tells what Gemini got: its history, as a line.
func (r *rig) completes(model, fields string) string {
	r.t.Helper()
	r.complete(model, fields)
	return history(r.asked().Contents)
}

// deltas are a stream's frames without what all chunks share: delta, finish_reason, and whatever is no chunk.
func deltas(t testing.TB, stream string) string {
	t.Helper()
	var out []string
	heads := map[string]bool{}
	for _, data := range dataLines(stream) {
		var c struct {
			ID, Object, Model string
			Created           int64
			Choices           []struct {
				Delta        json.RawMessage
				FinishReason *string `json:"finish_reason"`
			}
		}
		if !strings.HasPrefix(data, `{"id":`) {
			out = append(out, data)
			continue
		}
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			t.Fatalf("%v in %s", err, data)
		}
		heads[fmt.Sprint(c.ID, c.Object, c.Model, c.Created)] = true
		switch {
		case len(c.Choices) == 0:
			out = append(out, data[strings.Index(data, `"choices"`):len(data)-1])
		case c.Choices[0].FinishReason != nil:
			out = append(out, string(c.Choices[0].Delta)+*c.Choices[0].FinishReason)
		default:
			out = append(out, string(c.Choices[0].Delta))
		}
	}
	if len(heads) > 1 {
		t.Errorf("the chunks differ in what they share: %v", heads)
	}
	return strings.Join(out, "\n")
}

// choice is the message and the reason of an answer in one piece.
type choice struct {
	Message struct {
		Content, Refusal *string
		ToolCalls        json.RawMessage `json:"tool_calls"`
		FunctionCall     json.RawMessage `json:"function_call"`
		Annotations      json.RawMessage
	}
	FinishReason string `json:"finish_reason"`

	raw string // of the message
}

func onlyChoice(t testing.TB, body string) choice {
	t.Helper()
	var c struct{ Choices []choice }
	var raw struct {
		Choices []struct{ Message json.RawMessage }
	}
	if err := json.Unmarshal([]byte(body), &c); err != nil || len(c.Choices) != 1 {
		t.Fatalf("%v in %s", err, body)
	}
	if err := json.Unmarshal([]byte(body), &raw); err != nil {
		t.Fatal(err)
	}
	c.Choices[0].raw = string(raw.Choices[0].Message)
	return c.Choices[0]
}

const (
	twoFunctions = `"tools":[{"type":"function","function":{"name":"a"}},{"type":"function","function":{"name":"b c"}}]`
	upstreamName = "b_c_47d8a4a8" // of "b c"
	roleDelta    = `{"role":"assistant","content":"","refusal":null}`
)

func TestE087_DeveloperAndSystem(t *testing.T) {
	r := start(t, "a", nil)
	same(t, r.completes("gpt-5", `"messages":[{"role":"developer","content":"one"},{"role":"system","content":[{"type":"text","text":"two"},{"type":"text","text":"three"}]},{"role":"user","content":"q"},{"role":"system","content":"late"}]`),
		"u[q <system-message>\nlate\n</system-message>]")
	same(t, history([]fg.Content{{Role: "system", Parts: r.asked().SystemInstruction.Parts}}), "s[one two three]")
}

func TestE088_StreamWithUsage(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Enqueue(fg.Reply(fg.Text("Hel"), fg.Text("lo").Ends("STOP").With(fg.Usage{Prompt: 10, Cached: 4, Candidates: 3, Thoughts: 2, ToolUse: 1, Total: 16})))
	got := r.complete("gpt-5", oneUser+`,"stream":true,"stream_options":{"include_usage":true}`)
	same(t, deltas(t, got.body), roleDelta+"\n"+`{"content":"Hel"}`+"\n"+`{"content":"lo"}`+"\n{}stop\n"+
		`"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":5,"total_tokens":16,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},`+
		`"completion_tokens_details":{"reasoning_tokens":2,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`+"\n[DONE]")
	if n := strings.Count(got.body, `"usage":null`); n != 4 {
		t.Errorf("%d chunks say that their usage is null", n)
	}
}

func TestE089_StreamWithoutUsage(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Enqueue(fg.Say("x"), fg.Say("x"))
	for _, options := range []string{``, `,"stream_options":{"include_usage":false}`} {
		got := r.complete("gpt-5", oneUser+`,"stream":true`+options)
		same(t, deltas(t, got.body), roleDelta+"\n"+`{"content":"x"}`+"\n{}stop\n[DONE]")
		hasNot(t, got.body, "usage")
	}
}

func TestE090_ToolCallsInAStream(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Enqueue(fg.Reply(fg.Calls(fg.Call("a", `{"p":"ü\"\\"}`), fg.Call("a", ""))))
	got := r.complete("gpt-5", oneUser+`,"stream":true,`+twoFunctions)
	var names, args [2]string
	for _, line := range strings.Split(deltas(t, got.body), "\n") {
		var delta struct {
			ToolCalls []struct {
				Index    int
				ID, Type string
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
		if strings.HasPrefix(line, `{"tool_calls"`) {
			if err := json.Unmarshal([]byte(line), &delta); err != nil || len(delta.ToolCalls) != 1 {
				t.Fatalf("%v in %s", err, line)
			}
			c := delta.ToolCalls[0]
			names[c.Index] += c.Type + c.Function.Name + c.ID[:min(5, len(c.ID))]
			args[c.Index] += c.Function.Arguments
		}
	}
	same(t, fmt.Sprint(names, args), `[functionacall_ functionacall_] [{"p":"ü\"\\"} {}]`)
	has(t, deltas(t, got.body), `{"role":"assistant","content":null,"refusal":null}`, "{}tool_calls\n[DONE]")
	hasNot(t, got.body, dummySignature)
}

func TestE091_ResultsByID(t *testing.T) {
	r := start(t, "a", nil)
	same(t, r.completes("gpt-5", twoFunctions+`,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[`+
		`{"id":"1","type":"function","function":{"name":"a","arguments":"{\"z\":1,\"b\":2}"}},{"id":"2","type":"function","function":{"name":"b c","arguments":"{}"}}]},`+
		`{"role":"tool","tool_call_id":"2","content":[{"type":"text","text":"B"},{"type":"text","text":"C"}]},{"role":"tool","tool_call_id":"1","content":"A"}]`),
		`u[q] m[a({"z":1,"b":2})<dummy> `+upstreamName+`({})] u[a={"output":"A"} `+upstreamName+`={"output":"B\nC"}]`)

	// what the model then calls has the client's name
	r.fake.Enqueue(fg.Reply(fg.Calls(fg.Call(upstreamName, "{}"))))
	has(t, string(onlyChoice(t, r.complete("gpt-5", oneUser+","+twoFunctions).body).Message.ToolCalls), `"name":"b c"`)
}

func TestE092_SignatureOfTheClient(t *testing.T) {
	fake, base := fg.Start(t, fg.Options{})
	fake.Enqueue(fg.Reply(fg.Calls(fg.Call("a", `{"x":1}`), fg.Call("a", `{"x":2}`))))
	const asks = `"messages":[{"role":"user","content":"q"}`
	first := onlyChoice(t, startAt(t, fake, base, "a", nil).complete("gpt-5", asks+`],`+twoFunctions).body)
	has(t, string(first.Message.ToolCalls), `"extra_content":{"google":{"thought_signature":"`)
	var calls []struct{ ID string }
	if err := json.Unmarshal(first.Message.ToolCalls, &calls); err != nil || len(calls) != 2 {
		t.Fatalf("%v in %s", err, first.raw)
	}
	results := `,{"role":"tool","tool_call_id":"` + calls[0].ID + `","content":"A"},{"role":"tool","tool_call_id":"` + calls[1].ID + `","content":"B"}]`

	// a server that remembers nothing
	r := startAt(t, fake, base, "a", nil)
	same(t, r.completes("gpt-5", asks+`,`+first.raw+results), `u[q] m[a({"x":1})<real> a({"x":2})] u[a={"output":"A"} a={"output":"B"}]`)
	onMessage := strings.Replace(first.raw, `"role":"assistant"`, `"role":"assistant",`+extraContent(first.raw), 1)
	onMessage = strings.Replace(onMessage, ","+extraContent(first.raw)+"},", "},", 1)
	same(t, r.completes("gpt-5", asks+`,`+onMessage+results), `u[q] m[a({"x":1})<real> a({"x":2})] u[a={"output":"A"} a={"output":"B"}]`)
}

// extraContent is the first member extra_content of a message.
func extraContent(raw string) string {
	rest := raw[strings.Index(raw, `"extra_content"`):]
	return rest[:strings.Index(rest, "}}")+2]
}

func TestE093_LegacyFunctions(t *testing.T) {
	r := start(t, "a", nil)
	const functions = `"functions":[{"name":"a","parameters":{"type":"object","properties":{"x":{"type":"integer"}}}},{"name":"b"}]`
	two := fg.Reply(fg.Calls(fg.Call("a", `{"x":1}`), fg.Call("b", `{}`)))
	r.fake.Enqueue(two, two)
	got := onlyChoice(t, r.complete("gpt-4", oneUser+`,"function_call":{"name":"a"},`+functions).body)
	same(t, string(got.Message.FunctionCall)+got.FinishReason+string(got.Message.ToolCalls), `{"name":"a","arguments":"{\"x\":1}"}function_call`)
	same(t, string(r.asked().ToolConfig.FunctionCallingConfig.Mode)+strings.Join(r.asked().ToolConfig.FunctionCallingConfig.AllowedFunctionNames, " "), "ANYa")
	stream := r.complete("gpt-4", oneUser+`,"stream":true,`+functions).body
	same(t, deltas(t, stream), `{"role":"assistant","content":null,"refusal":null}`+"\n"+
		`{"function_call":{"name":"a","arguments":""}}`+"\n"+`{"function_call":{"arguments":"{\"x\":1}"}}`+"\n{}function_call\n[DONE]")

	same(t, r.completes("gpt-4", functions+`,"messages":[{"role":"user","content":"q"},`+got.raw+`,{"role":"function","name":"a","content":"one"}]`),
		`u[q] m[a({"x":1})<dummy>] u[a={"output":"one"}]`)
}

func TestE096_Stop(t *testing.T) {
	r := start(t, "a", nil)
	f := func(stop, want string) {
		t.Helper()
		r.complete("gpt-5", oneUser+`,"stop":`+stop)
		same(t, strings.Join(r.asked().GenerationConfig.StopSequences, "|"), want)
	}
	f(`null`, "")
	f(`"END"`, "END")
	f(`["a","b"]`, "a|b")
	f(`["a","","a"]`, "a")
	// the sixth one is found here
	r.fake.Enqueue(fg.Say("one t", "wo three"), fg.Say("one t", "wo three"))
	for _, stream := range []bool{false, true} {
		got := r.complete("gpt-5", oneUser+fmt.Sprintf(`,"stream":%v,"stop":["a","b","c","d","e ","two"]`, stream))
		same(t, said(t, completions, stream, got.body), "one ")
		has(t, got.body, `"finish_reason":"stop"`)
	}
}

func TestE097_BrokenArguments(t *testing.T) {
	r := start(t, "a", nil)
	f := func(arguments, want string) {
		t.Helper()
		same(t, r.completes("gpt-5", twoFunctions+`,"messages":[{"role":"user","content":"q"},{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"a"`+
			arguments+`}}]},{"role":"tool","tool_call_id":"1","content":"A"}]`), `u[q] m[a(`+want+`)<dummy>] u[a={"output":"A"}]`)
	}
	f(``, `{}`)
	f(`,"arguments":""`, `{}`)
	f(`,"arguments":null`, `{}`)
	f(`,"arguments":" {\"a\":1} "`, `{"a":1}`)
	f(`,"arguments":"{\"a\":"`, `{"_raw":"{\"a\":"}`)
	f(`,"arguments":"[1,2]"`, `{}`)
	f(`,"arguments":"7"`, `{}`)
	// two calls' arguments that a client joined into one
	f(`,"arguments":"{\"a\":1}{\"b\":2}"`, `{"_raw":"{\"a\":1}{\"b\":2}"}`)
}

func TestE099_FailureInTheMiddle(t *testing.T) {
	r := start(t, "a", nil)
	f := func(rest fg.Chunk, want string) {
		t.Helper()
		r.fake.Enqueue(fg.Reply(fg.Text("half"), rest).Unfinished())
		got := deltas(t, r.complete("gpt-5", oneUser+`,"stream":true,"stream_options":{"include_usage":true}`).body)
		has(t, got, `{"content":"half"}`, want)
		hasNot(t, got, "[DONE]", "}stop", `"choices":[]`)
		if !strings.HasSuffix(got, "}}") {
			t.Errorf("something follows the error: %s", got)
		}
	}
	f(fg.Hangup(), `{"error":{"message":"gemini`)
	f(fg.StreamError(fg.ErrOverloaded()), `"type":"service_unavailable_error","param":null,"code":"server_is_overloaded"}}`)
	f(fg.Text(" done"), `{"error":{"message":"gemini's answer ended in its middle`)
}

func TestE101_Media(t *testing.T) {
	r := start(t, "a", nil)
	const content = `"messages":[{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;charset=utf-8;base64,iVBORw==","detail":"low"}},` +
		`{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}},{"type":"input_audio","input_audio":{"data":"SUQz","format":"mp3"}},` +
		`{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERg=="}},{"type":"file","file":{"file_data":"data:text/plain;charset=utf-8;base64,aGk="}}]}]`
	const want = `u[see *image/png *audio/wav *audio/mp3 *application/pdf *text/plain]`
	same(t, r.completes("gpt-5", content), want)
	same(t, string(r.asked().Contents[0].Parts[1].InlineData.Data), "iVBORw==")
	has(t, string(lastBody(r)), `"mediaResolution":{"level":"MEDIA_RESOLUTION_LOW"}`)
	same(t, r.completes(flash25, content), want)
	hasNot(t, string(lastBody(r)), "mediaResolution")

	f := func(part, want string) {
		t.Helper()
		got := r.do("POST", completions, `{"model":"gpt-5","messages":[{"role":"user","content":[`+part+`]}]}`)
		if got.status != 400 {
			t.Errorf("%s: %d", part, got.status)
		}
		has(t, got.body, `"type":"invalid_request_error"`, want)
	}
	f(`{"type":"file","file":{"file_id":"file-1"}}`, `"param":"messages.0.content.0.file"`)
	f(`{"type":"file","file":{"file_data":"data:application/zip;base64,UEs="}}`, `"param":"messages.0.content.0.file.file_data"`)
	f(`{"type":"input_audio","input_audio":{"data":"AAAA","format":"pcm16"}}`, `"param":"messages.0.content.0.input_audio.format"`)
	f(`{"type":"image_url","image_url":{"url":"ftp://a.example/x.png"}}`, `"param":"messages.0.content.0.image_url.url"`)
}

func lastBody(r *rig) []byte {
	last, _ := r.fake.Last()
	return last.Body
}

// grounded enqueues an answer that rests on pages, twice.
func (r *rig) grounded(g fg.Grounding, pieces ...string) {
	answer := fg.Say(pieces...)
	answer.Chunks = append(answer.Chunks, fg.Text("").Ends("STOP").Grounded(g))
	r.fake.Enqueue(answer, answer)
}

// cited is what an answer cites, which must be the same whole and streamed, there in the last delta before the end.
func (r *rig) cited() string {
	r.t.Helper()
	const fields = oneUser + `,"web_search_options":{}`
	whole := string(onlyChoice(r.t, r.complete("gpt-5", fields).body).Message.Annotations)
	if r.asked().Tools[0].GoogleSearch == nil {
		r.t.Errorf("no search was asked for: %s", lastBody(r))
	}
	frames := strings.Split(deltas(r.t, r.complete("gpt-5", fields+`,"stream":true`).body), "\n")
	streamed := strings.TrimSuffix(strings.TrimPrefix(frames[len(frames)-3], `{"annotations":`), "}")
	if streamed != whole && whole != "[]" {
		r.t.Errorf("the stream cites\n%s\nthe body\n%s", streamed, whole)
	}
	var citations []struct {
		Type        string
		URLCitation struct {
			Start int `json:"start_index"`
			End   int `json:"end_index"`
			URL   string
			Title string
		} `json:"url_citation"`
	}
	if err := json.Unmarshal([]byte(whole), &citations); err != nil {
		r.t.Fatalf("%v in %s", err, whole)
	}
	var out []string
	for _, c := range citations {
		u := c.URLCitation
		out = append(out, fmt.Sprintf("%s %d-%d %s %s", c.Type, u.Start, u.End, u.URL, u.Title))
	}
	return strings.Join(out, "\n")
}

func TestE102_CitationsOverChinese(t *testing.T) {
	r := start(t, "a", nil)
	const answer = "北京今天晴,最高气温三十度。🙂 好天气"
	r.grounded(fg.Grounding{
		Queries:  []string{"北京天气"},
		Sources:  []fg.GroundingSource{fg.Web("weather.example", "https://g.example/1"), fg.Web("", "https://b.example/2")},
		Supports: []fg.Support{fg.Supports(answer, "今天晴", 0), fg.Supports(answer, "好天气", 1, 0)},
	}, answer[:9], answer[9:])
	same(t, r.cited(), "url_citation 2-5 https://g.example/1 weather.example\n"+
		"url_citation 16-19 https://b.example/2 b.example\nurl_citation 16-19 https://g.example/1 weather.example")
}
