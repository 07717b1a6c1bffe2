package proxy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"
	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/front"
)

func TestModels(t *testing.T) {
	r := start(t, "a", func(cfg *config.Config, _ *Server) {
		cfg.ModelMap = []config.ModelRule{{Pattern: "my-model", Target: "gemini-2.5-pro"}, {Pattern: "team-*", Target: "gemini-2.5-pro"}}
	})
	got := r.do("GET", "/v1/models?limit=1000", "")
	var list modelList
	if err := json.Unmarshal([]byte(got.body), &list); err != nil || got.status != 200 || list.Object != "list" {
		t.Fatalf("%d %v %s", got.status, err, got.body)
	}
	ids := map[string]modelInfo{}
	for _, m := range list.Data {
		ids[m.ID] = m
		if m.Object != "model" || m.Type != "model" || m.CreatedAt == "" || m.MaxTokens == 0 {
			t.Errorf("%+v", m)
		}
	}
	for _, id := range []string{"my-model", "claude-gemini-3.8-flash", "gemini-3.8-flash", "gemini-4-hydrogen"} {
		if _, ok := ids[id]; !ok {
			t.Errorf("%s is not in the list", id)
		}
	}
	if list.FirstID == nil || list.LastID == nil || list.HasMore || len(ids) != len(list.Data) {
		t.Errorf("first %v, last %v, more %v, %d of %d are distinct", list.FirstID, list.LastID, list.HasMore, len(ids), len(list.Data))
	}
	f := func(id string, status int, want string) {
		t.Helper()
		got := r.do("GET", "/v1/models/"+id, "")
		if got.status != status {
			t.Errorf("%s: %d", id, got.status)
		}
		has(t, got.body, want)
	}
	f("claude-gemini-3.8-flash", 200, `"id":"claude-gemini-3.8-flash"`)
	f("claude-opus-5-5", 200, `"display_name":"Gemini 3.8 Flash (claude-opus-5-5)"`)
	f("gemini-4-hydrogen", 200, `"created":0,"created_at":"1970-01-01T00:00:00Z"`)
	f("gemini-99-unheard", 200, `"created":0,"created_at":"1970-01-01T00:00:00Z"`)
	f("gemini-4-neon", 200, `"created_at":"2026-11-18T00:00:00Z"`)
	f("llama-3", 404, "llama-3")
}

func TestPage(t *testing.T) {
	var all []modelInfo
	for _, id := range strings.Fields("a b c d e") {
		all = append(all, modelInfo{ID: id})
	}
	f := func(query, want string, more bool) {
		t.Helper()
		var args fasthttp.Args
		args.Parse(query)
		list, refusal := page(all, &args)
		if refusal != nil {
			t.Fatal(query, refusal)
		}
		var ids []string
		for _, m := range list.Data {
			ids = append(ids, m.ID)
		}
		if got := strings.Join(ids, ""); got != want || list.HasMore != more {
			t.Errorf("%s: %s, more %v", query, got, list.HasMore)
		}
		if want != "" && (*list.FirstID != ids[0] || *list.LastID != ids[len(ids)-1]) {
			t.Errorf("%s: from %s to %s", query, *list.FirstID, *list.LastID)
		}
	}
	f("", "abcde", false)
	f("limit=2", "ab", true)
	f("limit=5", "abcde", false)
	f("limit=2&after_id=b", "cd", true)
	f("limit=2&after_id=d", "e", false)
	f("after_id=e", "", false)
	f("limit=2&before_id=d", "bc", true)
	f("limit=3&before_id=d", "abc", false)
	f("before_id=a", "", false)
	f("after_id=a&before_id=d", "bc", false)
	f("after_id=d&before_id=b", "", false)
	f("limit=0", "abcde", false)
	f("limit=many", "abcde", false)
	for _, query := range []string{"after_id=z", "before_id=z"} {
		var args fasthttp.Args
		args.Parse(query)
		if _, refusal := page(all, &args); refusal == nil || refusal.Kind != front.Invalid {
			t.Errorf("%s: %v", query, refusal)
		}
	}
}

func TestModelsThroughTheClients(t *testing.T) {
	r := start(t, "a", nil)
	want := r.server.models.names()
	var got []string
	claude := anthropic.NewClient(anthropicoption.WithBaseURL(r.url), anthropicoption.WithAPIKey(testToken))
	pager := claude.Models.ListAutoPaging(t.Context(), anthropic.ModelListParams{Limit: anthropic.Int(3)})
	for pager.Next() {
		got = append(got, pager.Current().ID)
	}
	if err := pager.Err(); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	got = nil
	gpt := openai.NewClient(openaioption.WithBaseURL(r.url+"/v1"), openaioption.WithAPIKey(testToken))
	all := gpt.Models.ListAutoPaging(t.Context())
	for all.Next() {
		got = append(got, all.Current().ID)
	}
	if err := all.Err(); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}
