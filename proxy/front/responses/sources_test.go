package responses

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

func TestSearch(t *testing.T) {
	text := func(s string) gemini.Event { return gemini.Event{Kind: gemini.EventText, Text: gemini.Quote(s)} }
	grounding := gemini.Event{Kind: gemini.EventGrounding, Grounding: &gemini.Grounding{
		Queries: []string{"who won", "final 2026"},
		Sources: []gemini.Source{{URI: "https://a.example/1", Title: "A"}, {URI: "https://b.example/2"}},
		Supports: []gemini.Support{
			{Start: 0, End: 11, Text: "Größe: 7 m", Sources: []int{0}},
			{Start: 14, End: 20, Text: "Ende.", Sources: []int{0, 1}},
		},
	}}
	server := gemini.Event{Kind: gemini.EventServerCall,
		Server: []byte(`{"id":"s1","toolType":"GOOGLE_SEARCH_WEB","args":{"queries":["who won"]}}`), Signature: "SrvSig"}
	f := func(request string, want string, events ...gemini.Event) {
		t.Helper()
		last := checkStream(t, answer(t, request, events...))
		var got []string
		for _, it := range last.Output {
			switch it.Type {
			case "message":
				words := it.Content[0].Text
				for _, a := range it.Content[0].Annotations {
					words += fmt.Sprintf(" [%s %s %s]", string([]rune(it.Content[0].Text)[a.StartIndex:a.EndIndex]), a.URL, a.Title)
				}
				got = append(got, words)
			case "web_search_call":
				got = append(got, fmt.Sprint(it.AsWebSearchCall().Action.Queries, len(it.AsWebSearchCall().Action.Sources)))
			default:
				got = append(got, it.Type)
			}
		}
		if s := strings.Join(got, " | "); s != want {
			t.Errorf("the answer is\n%s, want\n%s", s, want)
		}
	}
	search, call := requests()["search"], callEvent("Read", `{}`, "Sig")
	f(search, "Größe: 7 m. Ende. [Größe: 7 m https://a.example/1 A] [Ende. https://a.example/1 A] [Ende. https://b.example/2 b.example]"+
		" | [who won final 2026] 2", text("Größe: "), text("7 m. Ende."), grounding)
	f(search, "Größe: 7 m. | reasoning | function_call |  Ende. [Ende. https://a.example/1 A] [Ende. https://b.example/2 b.example]"+
		" | [who won final 2026] 2", text("Größe: 7 m."), call, text(" Ende."), grounding)
	f(search, "[who won] 0 | Größe: 7 m. [Größe: 7 m https://a.example/1 A]", server, text("Größe: 7 m."), grounding)
	f(requests()["plain"], "Größe: 7 m.", server, text("Größe: 7 m."), grounding)
}

// TestServerPartsComeBackWithTheCall: Google wants to see again what its own tools did before a call.
func TestServerPartsComeBackWithTheCall(t *testing.T) {
	request := strings.Replace(head, `"tools":[`, `"tools":[{"type":"web_search"},`, 1)
	server := gemini.Event{Kind: gemini.EventServerCall, Server: []byte(`{"id":"s1","toolType":"GOOGLE_SEARCH_WEB"}`), Signature: "SrvSig"}
	last := checkStream(t, answer(t, request+asCodex, server, callEvent("Read", `{}`, "Sig")))
	next := strings.Replace(request, `"input":"hi"`, `"input":[{"role":"user","content":"hi"},`+strings.TrimPrefix(last.JSON.Output.Raw(), "["), 1)
	out := prepared(t, next+asCodex)
	want := `{"toolCall":{"id":"s1","toolType":"GOOGLE_SEARCH_WEB"},"thoughtSignature":"SrvSig"},{"functionCall":{"name":"Read","args":{}},"thoughtSignature":"Sig"}`
	if !strings.Contains(out, want) {
		t.Errorf("want %s in\n%s", want, out)
	}
}
