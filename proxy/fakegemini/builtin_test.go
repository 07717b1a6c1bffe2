package fakegemini

import (
	"encoding/json"
	"strings"
	"testing"
)

const (
	serverCall  = `{"toolCall":{"id":"s1","toolType":"GOOGLE_SEARCH_WEB","args":{"queries":["a"]}}`
	serverReply = `{"toolResponse":{"id":"s1","toolType":"GOOGLE_SEARCH_WEB","response":{"search_suggestions":"<b>"}}`
)

// toolSig signs a server-side part for a test, given as JSON without its end.
func toolSig(t *testing.T, s *Server, model, part string) string {
	t.Helper()
	var p Part
	if err := json.Unmarshal([]byte(part+"}"), &p); err != nil {
		t.Fatal(err)
	}
	sum, err := toolSum(p)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := s.signer.sign(model, signTool, sum)
	if err != nil {
		t.Fatal(err)
	}
	return string(sig)
}

// echoPairs plays on fakes with the same secret, so that what one has signed the next one takes.
func echoPairs(t *testing.T, f pair) {
	signer := New(Options{})
	signed := func(model, p string) string {
		return p + `,"thoughtSignature":"` + toolSig(t, signer, model, p) + `"}`
	}
	turn := func(parts ...string) string {
		return `{"role":"model","parts":[` + strings.Join(parts, ",") + `,{"functionCall":{"name":"Read"},"thoughtSignature":"<call Read>"}]}`
	}
	good := turn(signed(m38, serverCall), signed(m38, serverReply))
	const want = "sent back exactly as they were received"
	bad := func(contents string) {
		f(RuleToolEcho, gen(m38, talk(hi, contents, gaveA)), 400, want, gen(m38, talk(hi, good, gaveA)))
	}
	bad(turn(serverCall+"}", signed(m38, serverReply)))
	bad(turn(signed(m38, serverCall), strings.Replace(signed(m38, serverReply), "<b>", "<i>", 1)))
	bad(turn(signed("gemini-3.6-flash", serverCall), signed(m38, serverReply)))
	bad(turn(serverCall+`,"thoughtSignature":"<text>"}`, signed(m38, serverReply)))
	f(RuleToolEcho, gen(m38, talk(hi, turn(serverCall+"}"), gaveA)), 400, want, gen(m38, talk(hi, turn(serverCall+`,"thoughtSignature":"skip_thought_signature_validator"}`), gaveA)))
	f(RuleToolEcho, gen(m38, talk(hi, turn(serverCall+"}"), gaveA)), 400, want, gen(m38, talk(hi, turn(serverCall+"}"), gaveA, hi)))
	f(RuleToolEcho, gen(m38, talk(hi, turn(serverCall+"}"), gaveA)), 400, want, gen(m25, talk(hi, turn(serverCall+"}"), gaveA)))
	f(RuleToolEcho, gen(m38, talk(hi, turn(serverCall+"}"), gaveA)), 400, want, gen(m38, talk(hi, strings.ReplaceAll(good, "<b>", `\u003cb\u003e`), gaveA)))
}

const searchOnly = `,"tools":[{"googleSearch":{}}]`

// TestBuiltInAnswers: scripted metadata and parts go out as Google has them, and come back signed.
func TestBuiltInAnswers(t *testing.T) {
	c := start(t, Options{})
	const answer = "Zürich is in Switzerland."
	c.s.Enqueue(Answer{ToolUse: 7, Chunks: []Chunk{
		ServerCall("s1", "GOOGLE_SEARCH_WEB", `{"queries":["zürich"]}`), ServerResponse("s1", "GOOGLE_SEARCH_WEB", `{"search_suggestions":"<b>"}`),
		Text(answer).Fetched(FetchedURL{"https://example.com/", FetchPaid}),
		Text("").Ends("STOP").Grounded(Grounding{Queries: []string{"zürich"}, Sources: []GroundingSource{Web("example.com", "https://example.com/")}, Supports: []Support{Supports(answer, "Switzerland", 0)}})}})
	frames := c.frames(c.ok(m38, "streamGenerateContent?alt=sse", talk(hi)))
	if len(frames) != 4 {
		t.Fatalf("%d frames", len(frames))
	}
	for i, p := range []Part{frames[0].Candidates[0].Content.Parts[0], frames[1].Candidates[0].Content.Parts[0]} {
		if p.ThoughtSignature == "" || !p.isServerTool() {
			t.Errorf("part %d: %+v", i, p)
		}
	}
	f := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
	}
	f("pages", string(frames[2].Candidates[0].URLContext), `{"urlMetadata":[{"retrievedUrl":"https://example.com/","urlRetrievalStatus":"URL_RETRIEVAL_STATUS_PAYWALL"}]}`)
	f("grounding", string(frames[3].Candidates[0].GroundingMetadata), `{"webSearchQueries":["zürich"],"groundingChunks":[{"web":{"uri":"https://example.com/","title":"example.com"}}],`+
		`"groundingSupports":[{"segment":{"startIndex":14,"endIndex":25,"text":"Switzerland"},"groundingChunkIndices":[0]}]}`)
	if u := frames[3].UsageMetadata; u.ToolUse != 7 || u.Total != u.Prompt+u.Candidates+u.Thoughts+7 {
		t.Errorf("usage %+v", u)
	}
	c.s.Enqueue(Reply(RunCode("print(1)"), CodeOutput("OUTCOME_OK", "1\n"), Text("1")))
	whole := c.response(c.ok(m25, "generateContent", talk(hi))).Candidates[0].Content.Parts
	if len(whole) != 3 || whole[0].ExecutableCode.Code != "print(1)" || whole[1].CodeExecutionResult.Output != "1\n" {
		t.Errorf("code: %+v", whole)
	}
}

// TestServerToolsReturn plays a turn with a search and a function: all of it is taken back.
func TestServerToolsReturn(t *testing.T) {
	c := start(t, Options{})
	const rest = `],"tools":[` + tool + `,{"googleSearch":{}}],"toolConfig":{"includeServerSideToolInvocations":true}}`
	c.s.Enqueue(Reply(ServerCall("s1", "GOOGLE_SEARCH_WEB", `{"queries":["a & b"]}`), ServerResponse("s1", "GOOGLE_SEARCH_WEB", `{"search_suggestions":"<b>"}`), Calls(Call("Read", "{}"))))
	content, err := json.Marshal(c.response(c.ok(m38, "generateContent", `{"contents":[`+hi+rest)).Candidates[0].Content)
	if err != nil {
		t.Fatal(err)
	}
	var back Content
	if err := json.Unmarshal(content, &back); err != nil {
		t.Fatal(err)
	}
	gave := `{"role":"user","parts":[{"functionResponse":{"id":"` + back.calls()[0].ID + `","name":"Read","response":{}}}]}`
	c.ok(m38, "generateContent", `{"contents":[`+hi+`,`+string(content)+`,`+gave+rest)
	changed := strings.Replace(string(content), "a \\u0026 b", "a and b", 1)
	if status, _, err := c.post(m38, "generateContent", "k", `{"contents":[`+hi+`,`+changed+`,`+gave+rest); status != 400 || err != nil {
		t.Errorf("a changed query: %d %v", status, err)
	}
}

func TestImagineBuiltIns(t *testing.T) {
	c := start(t, Options{})
	ask := func(model, prompt, rest string) Candidate {
		t.Helper()
		return c.response(c.ok(model, "generateContent", `{"contents":[{"parts":[{"text":"`+prompt+`"}]}]`+rest+`}`)).Candidates[0]
	}
	for _, model := range []string{m25, m38, m4} {
		got := ask(model, "Perform a web search for the query: swiss cheese", searchOnly)
		var g Grounding
		if err := json.Unmarshal(got.GroundingMetadata, &g); err != nil {
			t.Fatal(err)
		}
		text := *got.Content.Parts[0].Text
		for _, s := range g.Supports {
			if text[s.Segment.Start:s.Segment.End] != s.Segment.Text || s.Sources[0] >= len(g.Sources) {
				t.Errorf("%s: support %+v of %q", model, s, text)
			}
		}
		if g.Queries[0] != "swiss cheese" || len(g.Sources) != 2 || got.FinishReason != "STOP" || len(g.Supports) != 2 {
			t.Errorf("%s: %+v", model, g)
		}
	}
	if got := ask(m38, "a", searchOnly[:len(searchOnly)-1]+`,{"urlContext":{}}]`); got.URLContext != nil {
		t.Errorf("pages without an address: %s", got.URLContext)
	}
	if got := ask(m38, "read https://example.com/a please", `,"tools":[{"urlContext":{}}]`); !strings.Contains(string(got.URLContext), `"retrievedUrl": "https://example.com/a"`) {
		t.Errorf("pages: %s", got.URLContext)
	}
	if got := ask(m38, "calculate it", `,"tools":[{"codeExecution":{}}]`).Content.Parts; got[0].ExecutableCode == nil || got[1].CodeExecutionResult == nil || got[2].Text == nil {
		t.Errorf("code: %+v", got)
	}
	const mixed = `,"tools":[` + tool + `,{"googleSearch":{}}],"toolConfig":{"includeServerSideToolInvocations":true}`
	if got := ask(m38, "search the news", mixed).Content.Parts; got[0].ToolCall == nil || got[1].ToolResponse == nil || got[0].ThoughtSignature == "" {
		t.Errorf("search beside functions: %+v", got)
	}
	if got := ask(m38, "hello", mixed); got.GroundingMetadata != nil {
		t.Errorf("a greeting was searched for: %s", got.GroundingMetadata)
	}
	if got := ask(m38, "a", searchOnly+`,"generationConfig":{"maxOutputTokens":66}`); got.GroundingMetadata != nil || got.FinishReason != "MAX_TOKENS" {
		t.Errorf("a cut answer: %+v", got)
	}
}

func TestSearchQuery(t *testing.T) {
	f := func(prompt, want string) {
		t.Helper()
		if got := searchQuery(prompt); got != want {
			t.Errorf("%q: got %q, want %q", prompt, got, want)
		}
	}
	f("hello", "hello")
	f("one\ntwo", "one")
	f("search for the query: \"a\" <b>", " a   b ")
	f(strings.Repeat("ü", 50), strings.Repeat("ü", 40))
}

func TestSupportsPanicsOnNonsense(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a piece that isn't in the answer has a support")
		}
	}()
	Supports("abc", "d")
}
