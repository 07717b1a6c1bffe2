package proxy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/store"
)

// Cases 80 to 86: thought signatures, against a Gemini that refuses a call of the current turn without its own one. The
// conversation has five steps with calls in one turn; parallel ones and calls with and without ids of Gemini's are among
// them.

func TestE080_ThinkingBlocksKept(t *testing.T) {
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprintf("stream=%v", stream), func(t *testing.T) {
			r := start(t, "a b", nil)
			r.fake.Enqueue(told()...)
			calls, last := anthropicLoop(t, loop{stream: stream, thinking: true, where: func(int) *rig { return r }})
			checkTold(t, r.fake, calls, last)
		})
	}
}

func TestE081_ThinkingBlocksDropped(t *testing.T) {
	for _, thinking := range []bool{false, true} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("thinking=%v,stream=%v", thinking, stream), func(t *testing.T) {
				r := start(t, "a b", nil)
				r.fake.Enqueue(told()...)
				calls, last := anthropicLoop(t, loop{stream: stream, thinking: thinking, forgets: true, where: func(int) *rig { return r }})
				checkTold(t, r.fake, calls, last)
			})
		}
	}
}

func TestE082_Restart(t *testing.T) {
	t.Run("store kept, thinking dropped", restartWithStore)
	t.Run("store lost, thinking dropped", restartWithout)
	t.Run("store lost, thinking kept", func(t *testing.T) {
		fake, base := fg.Start(t, fg.Options{})
		fake.Enqueue(told()...)
		_, last := anthropicLoop(t, loop{stream: true, thinking: true, where: func(int) *rig { return startAt(t, fake, base, "a b", nil) }})
		line := history(fake.Requests()[5].Request.Contents)
		if last != "All read." || len(fake.Refusals()) != 0 || strings.Count(line, "<real>") != 5 || strings.Contains(line, "<dummy>") {
			t.Errorf("ends with %q, refused: %+v, asked %s", last, fake.Refusals(), line)
		}
	})
}

func restartWithStore(t *testing.T) {
	fake, base := fg.Start(t, fg.Options{})
	fake.Enqueue(told()...)
	kept := store.NewMemory(store.DefaultLimits())
	calls, last := anthropicLoop(t, loop{thinking: true, forgets: true, where: func(int) *rig {
		return startAt(t, fake, base, "a b", func(_ *config.Config, s *Server) {
			if s != nil {
				s.deps.Store = kept
			}
		})
	}})
	checkTold(t, fake, calls, last)
}

func restartWithout(t *testing.T) {
	fake, base := fg.Start(t, fg.Options{})
	fake.Enqueue(told()...)
	_, last := anthropicLoop(t, loop{forgets: true, where: func(int) *rig { return startAt(t, fake, base, "a b", nil) }})
	requests := fake.Requests()
	if last != "All read." || len(fake.Refusals()) != 0 || len(requests) != 6 {
		t.Fatalf("ends with %q, refused: %+v", last, fake.Refusals())
	}
	for i, q := range requests {
		line := history(q.Request.Contents)
		if dummies := strings.Count(line, "<dummy>"); dummies != i || strings.Contains(line, "<real>") || strings.Count(line, "[Now both. read({\"path\":\"/c\"})<dummy> list({})]") != max(0, min(i-2, 1)) {
			t.Errorf("request %d: %s", i+1, line)
		}
	}
}

func TestE083_FirstOfParallelCalls(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Enqueue(told()...)
	anthropicLoop(t, loop{thinking: true, where: func(int) *rig { return r }})
	has(t, history(r.fake.Requests()[5].Request.Contents),
		`m[read({"path":"/a \"quoted\" \u003cä\u003e"})<real> read({"path":"/b"})]`, `m[list({})<real>]`, `m[Now both. read({"path":"/c"})<real> list({})]`)
}

func TestE084_CorruptedOnce(t *testing.T) {
	r := start(t, "a b", nil)
	r.fake.Enqueue(told()...)
	_, last := anthropicLoop(t, loop{stream: true, thinking: true, where: func(step int) *rig {
		if step == 3 {
			r.fake.RotateSignatures()
		}
		return r
	}})
	var refused []string
	for i, q := range r.fake.Requests() {
		if q.Refused == "" {
			continue
		}
		refused = append(refused, string(q.Refused))
		next := r.fake.Requests()[i+1]
		if next.Key != q.Key || strings.Contains(history(next.Request.Contents), "<real>") {
			t.Errorf("mended with key %s: %s", next.Key, history(next.Request.Contents))
		}
	}
	// each step of the turn that follows is refused once, and mended
	if got := strings.Join(refused, " "); got != "signature-invalid signature-invalid signature-invalid" || last != "All read." {
		t.Errorf("ends with %q, refused: %s", last, got)
	}
}

// calling starts a conversation with a call, and gives what a client would send next, but for its model.
func (r *rig) calling(model, thinking string) (next string) {
	r.t.Helper()
	r.fake.Enqueue(fg.Reply(fg.Calls(fg.Call("a", `{}`), fg.Call("b", `{}`))))
	m := message(r.t, r.claude(model, twoTools+`,`+thinking+oneUser).body)
	return twoTools + `,` + thinking + `"messages":[{"role":"user","content":"q"},` + sentBack(r.t, m) + `]`
}

func TestE085_AnotherModel(t *testing.T) {
	for _, thinking := range []string{thinks, ""} {
		r := start(t, "a", nil)
		next := r.calling("gemini-3.6-flash", thinking)
		has(t, r.sent(opus, next), "m[a({})<dummy> b({})]")
		has(t, r.sent("gemini-3.6-flash", next), "m[a({})<real> b({})]")
		next = r.calling(flash25, thinking)
		has(t, r.sent(opus, next), "m[a({})<dummy> b({})]")
		if len(r.fake.Refusals()) != 0 {
			t.Errorf("%+v", r.fake.Refusals())
		}
	}
}

func TestE086_RealAndDummy(t *testing.T) {
	for _, thinking := range []string{thinks, ""} {
		r := start(t, "a", nil)
		next := r.calling(flash25, thinking)
		has(t, r.sent(flash25, next), "m[a({})<real> b({})]")
		next = r.calling(opus, thinking)
		hasNot(t, r.sent(flash25, next), "<dummy>", "<real>")
		has(t, r.sent(opus, next), "m[a({})<real> b({})]")
	}
}

// What Google's own tools did beside a call comes back word for word: by the client's blocks, and by the server's memory.
func TestServerPartsComeBack(t *testing.T) {
	tools := `"tools":[{"name":"a"},{"type":"web_search_20250305","name":"web_search"}],`
	said := fg.Reply(fg.Text("I look."), fg.ServerCall("w1", "GOOGLE_SEARCH_WEB", `{"queries":["x <y>"]}`), fg.ServerResponse("w1", "GOOGLE_SEARCH_WEB", `{"search_suggestions":"<div>"}`),
		fg.Calls(fg.Call("a", `{}`)), fg.ServerCall("w2", "GOOGLE_SEARCH_WEB", `{"queries":["z"]}`), fg.ServerResponse("w2", "GOOGLE_SEARCH_WEB", ``).Grounded(fg.Grounding{
			Queries: []string{"x <y>", "z"}, Sources: []fg.GroundingSource{fg.Web("go.dev", "https://go.dev/")}}))
	for _, thinking := range []string{thinks, ""} {
		for _, stream := range []string{streams, ""} {
			fake, base := fg.Start(t, fg.Options{})
			fake.Enqueue(said)
			r := startAt(t, fake, base, "a", nil)
			m := message(t, r.claude(opus, stream+tools+thinking+oneUser).body)
			next := tools + thinking + `"messages":[{"role":"user","content":"q"},` + sentBack(t, m) + `,{"role":"user","content":[{"type":"tool_result","tool_use_id":"` + callID(t, m) + `","content":"A"}]}]`
			const want = `u[q] m[I look. toolCall:w1<real> toolResponse:w1<real> a({})<real> toolCall:w2<real> toolResponse:w2<real>] u[a={"output":"A"}]`
			same(t, r.sent(opus, next), want)
			same(t, startAt(t, fake, base, "a", nil).sent(opus, next), want) // by the blocks alone
			if len(fake.Refusals()) != 0 {
				t.Errorf("refused: %+v", fake.Refusals())
			}
			// where they cannot go back, words do
			has(t, r.sent(flash25, next), "[web_search] x <y>\n- go.dev: https://go.dev/\n[web_search] z")
		}
	}
}

// So does what the model said between Google's own tools and a call: clients have it as one text with what came before.
func TestWordsBetweenServerPartsAndCalls(t *testing.T) {
	tools := `"tools":[{"name":"a"},{"type":"web_search_20250305","name":"web_search"}],`
	search := []fg.Chunk{fg.ServerCall("w1", "GOOGLE_SEARCH_WEB", `{"queries":["x"]}`), fg.ServerResponse("w1", "GOOGLE_SEARCH_WEB", ``)}
	call := fg.Calls(fg.Call("a", `{}`)).Grounded(fg.Grounding{Queries: []string{"x"}, Sources: []fg.GroundingSource{fg.Web("go.dev", "https://go.dev/")}})
	f := func(want string, chunks ...fg.Chunk) {
		t.Helper()
		for _, fields := range []string{thinks, "", thinks + streams, streams} {
			fake, base := fg.Start(t, fg.Options{})
			fake.Enqueue(fg.Reply(chunks...))
			r := startAt(t, fake, base, "a", nil)
			m := message(t, r.claude(opus, tools+fields+oneUser).body)
			next := tools + thinks + `"messages":[{"role":"user","content":"q"},` + sentBack(t, m) + `,{"role":"user","content":[{"type":"tool_result","tool_use_id":"` + callID(t, m) + `","content":"A"}]}]`
			same(t, r.sent(opus, next), `u[q] m[`+want+` a({})<real>] u[a={"output":"A"}]`)
		}
	}
	const both = "toolCall:w1<real> toolResponse:w1<real>"
	f("I look. "+both+" Fünd.", fg.Text("I look."), search[0], search[1], fg.Text("Fü"), fg.Text("nd."), call)
	f(both+" Found.", search[0], search[1], fg.Text("Found."), call)
}
