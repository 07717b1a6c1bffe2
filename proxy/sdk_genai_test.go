package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/genai"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// genaiClient is Google's own SDK, pointed at the adapter, with the client's token in place of a key.
func genaiClient(t *testing.T, r *rig) *genai.Client {
	t.Helper()
	c, err := genai.NewClient(t.Context(), &genai.ClientConfig{
		APIKey: testToken, Backend: genai.BackendGeminiAPI, HTTPClient: r.client, HTTPOptions: genai.HTTPOptions{BaseURL: r.url},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestToolLoopWithGooglesSDK(t *testing.T) {
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprintf("stream=%v", stream), func(t *testing.T) {
			r := start(t, "a b", nil)
			r.fake.Enqueue(told()...)
			calls, last := genaiLoop(t, r, stream)
			checkTold(t, r.fake, calls, last)
			if asked := r.keysAsked(); asked != strings.Repeat(asked[:1]+" ", 5)+asked[:1] {
				t.Errorf("a conversation went over the keys %s", asked)
			}
		})
	}
}

func genaiLoop(t *testing.T, r *rig, stream bool) (calls []string, last string) {
	t.Helper()
	var schema genai.Schema
	if err := json.Unmarshal([]byte(strings.ReplaceAll(readSchema, `"string"`, `"STRING"`)), &schema); err != nil {
		t.Fatal(err)
	}
	schema.Type = genai.TypeObject
	config := &genai.GenerateContentConfig{Tools: []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{
		{Name: "read", Parameters: &schema}, {Name: "list"},
	}}}}
	history := []*genai.Content{genai.NewContentFromText("read all", genai.RoleUser)}
	for range 10 {
		answer := genaiStep(t, r, stream, history, config)
		history = append(history, answer)
		results := &genai.Content{Role: genai.RoleUser}
		last = ""
		for _, p := range answer.Parts {
			if call := p.FunctionCall; call != nil {
				raw, err := json.Marshal(call.Args)
				if err != nil {
					t.Fatal(err)
				}
				calls = append(calls, call.Name+path(t, string(raw)))
				part := genai.NewPartFromFunctionResponse(call.Name, nil)
				if err := json.Unmarshal([]byte(`{"output":"result"}`), &part.FunctionResponse.Response); err != nil {
					t.Fatal(err)
				}
				part.FunctionResponse.ID = call.ID
				results.Parts = append(results.Parts, part)
			}
			if !p.Thought {
				last += p.Text
			}
		}
		if len(results.Parts) == 0 {
			return calls, last
		}
		history = append(history, results)
	}
	t.Fatal("the conversation does not end")
	return nil, ""
}

// genaiStep is one answer, whole.
func genaiStep(t *testing.T, r *rig, stream bool, history []*genai.Content, config *genai.GenerateContentConfig) *genai.Content {
	t.Helper()
	models := genaiClient(t, r).Models
	if !stream {
		answer, err := models.GenerateContent(t.Context(), "gemini-3.8-flash", history, config)
		if err != nil {
			t.Fatal(err)
		}
		return answer.Candidates[0].Content
	}
	whole := &genai.Content{Role: genai.RoleModel}
	var usage *genai.GenerateContentResponseUsageMetadata
	for answer, err := range models.GenerateContentStream(t.Context(), "gemini-3.8-flash", history, config) {
		if err != nil {
			t.Fatal(err)
		}
		usage = answer.UsageMetadata
		for _, p := range answer.Candidates[0].Content.Parts {
			if p.Text != "" || p.FunctionCall != nil {
				whole.Parts = append(whole.Parts, p)
			}
		}
	}
	if usage == nil || usage.TotalTokenCount == 0 {
		t.Errorf("usage %+v", usage)
	}
	return whole
}

func TestErrorsWithGooglesSDK(t *testing.T) {
	f := func(want genai.APIError, model, token string, prepare func(*rig)) {
		t.Helper()
		r := start(t, "a", nil)
		if prepare != nil {
			prepare(r)
		}
		attempts := int32(1)
		c, err := genai.NewClient(t.Context(), &genai.ClientConfig{APIKey: token, HTTPClient: r.client,
			HTTPOptions: genai.HTTPOptions{BaseURL: r.url, RetryOptions: &genai.HTTPRetryOptions{Attempts: &attempts}}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Models.GenerateContent(t.Context(), model, genai.Text("x"), nil)
		var got genai.APIError
		if !errors.As(err, &got) || got.Code != want.Code || got.Status != want.Status || !strings.Contains(got.Message, want.Message) {
			t.Errorf("%v", err)
		}
		r.stop()
	}
	const model = "gemini-3.8-flash"
	failing := func(e *fg.APIError) func(*rig) {
		return func(r *rig) { r.fake.Key(keyNamed("a"), fg.KeyRule{Error: e}) }
	}
	f(genai.APIError{Code: 401, Status: "UNAUTHENTICATED", Message: "no valid client token"}, model, "wrong", nil)
	f(genai.APIError{Code: 404, Status: "NOT_FOUND", Message: "models/gemini-none is not found"}, "gemini-none", testToken, nil)
	f(genai.APIError{Code: 429, Status: "RESOURCE_EXHAUSTED", Message: "You exceeded your current quota"}, model, testToken, failing(daily()))
	f(genai.APIError{Code: 503, Status: "UNAVAILABLE", Message: "no usable Gemini API key: 1 invalid"}, model, testToken, failing(fg.ErrInvalidKey()))
	f(genai.APIError{Code: 400, Status: "FAILED_PRECONDITION", Message: "User location"}, model, testToken, failing(fg.ErrLocation()))
}

func TestTheRestWithGooglesSDK(t *testing.T) {
	r := start(t, "a b", nil)
	c := genaiClient(t, r)
	ctx := t.Context()
	names := 0
	for m, err := range c.Models.All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		names++
		one, err := c.Models.Get(ctx, m.Name, nil)
		if err != nil || one.InputTokenLimit != m.InputTokenLimit {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
	if names < 5 {
		t.Errorf("%d models", names)
	}
	count, err := c.Models.CountTokens(ctx, "gemini-3.8-flash", genai.Text("how long is this"), nil)
	if err != nil || count.TotalTokens == 0 {
		t.Errorf("%+v, %v", count, err)
	}
	vectors, err := c.Models.EmbedContent(ctx, "gemini-embedding-001", genai.Text("x"), nil)
	if err != nil || len(vectors.Embeddings) != 1 || len(vectors.Embeddings[0].Values) == 0 {
		t.Errorf("%v", err)
	}
	if n := len(r.fake.Refusals()); n != 0 {
		t.Errorf("%d refusals: %+v", n, r.fake.Refusals())
	}
}

// A file and a cache belong to the key that made them: whatever refers to them goes there, however often.
func TestFilesAndCachesWithGooglesSDK(t *testing.T) {
	r := start(t, "a b c d", nil)
	c := genaiClient(t, r)
	ctx := t.Context()
	file, err := c.Files.Upload(ctx, bytes.NewReader(bytes.Repeat([]byte("x"), 9<<20)), &genai.UploadFileConfig{MIMEType: "text/plain", DisplayName: "a"})
	if err != nil || file.SizeBytes == nil || *file.SizeBytes != 9<<20 {
		t.Fatalf("%+v, %v", file, err)
	}
	cache, err := c.Caches.Create(ctx, "gemini-3.6-flash", &genai.CreateCachedContentConfig{Contents: genai.Text(strings.Repeat("a long text ", 2000))})
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		part := genai.NewPartFromURI(file.URI, file.MIMEType)
		if _, err := c.Models.GenerateContent(ctx, "gemini-3.8-flash", []*genai.Content{genai.NewContentFromParts([]*genai.Part{part, {Text: fmt.Sprint(len(r.fake.Requests()))}}, genai.RoleUser)}, nil); err != nil {
			t.Error(err)
		}
		if _, err := c.Models.GenerateContent(ctx, "gemini-3.6-flash", genai.Text(fmt.Sprint(len(r.fake.Requests()))), &genai.GenerateContentConfig{CachedContent: cache.Name}); err != nil {
			t.Error(err)
		}
		if _, err := c.Files.Get(ctx, file.Name, nil); err != nil {
			t.Error(err)
		}
		if _, err := c.Caches.Get(ctx, cache.Name, nil); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Caches.Delete(ctx, cache.Name, nil); err != nil {
		t.Error(err)
	}
	if _, err := c.Files.Delete(ctx, file.Name, nil); err != nil {
		t.Error(err)
	}
	for _, q := range r.fake.Refusals() {
		t.Errorf("%s %s with key %s: %s", q.Method, q.Path, q.Key[len(q.Key)-1:], q.Reason)
	}
}
