package fronttest

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"google.golang.org/genai"
)

// generateContentRequest is the body of generateContent in the types of Google's own SDK, which knows no such type itself.
type generateContentRequest struct {
	Contents          []*genai.Content        `json:"contents"`
	SystemInstruction *genai.Content          `json:"systemInstruction"`
	Tools             []*genai.Tool           `json:"tools"`
	ToolConfig        *genai.ToolConfig       `json:"toolConfig"`
	SafetySettings    []*genai.SafetySetting  `json:"safetySettings"`
	GenerationConfig  *genai.GenerationConfig `json:"generationConfig"`
	ContinuationToken string                  `json:"continuationToken"`
}

var signatures = regexp.MustCompile(`"thoughtSignature":\s*"[^"]*"`)

// strictly decodes a request with no name that the SDK does not know. Signatures are the makers' own, and not for us to read.
func strictly(body []byte) error {
	dec := json.NewDecoder(bytes.NewReader(signatures.ReplaceAll(body, []byte(`"thoughtSignature":"c2ln"`))))
	dec.DisallowUnknownFields()
	return dec.Decode(&generateContentRequest{})
}

// What any front makes of a request is one that Google's own SDK could have written.
func TestRequestsDecodeStrictly(t *testing.T) {
	paths, err := filepath.Glob("../*/testdata/decode/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	checked := map[string]int{}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			if !strings.HasPrefix(f.Name, "out") || !bytes.HasPrefix(f.Data, []byte("{")) {
				continue
			}
			checked[strings.Split(filepath.ToSlash(path), "/")[1]]++
			if err := strictly(f.Data); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	for _, front := range []string{"anthropic", "chat", "responses"} {
		if checked[front] < 5 {
			t.Errorf("%d requests of %s", checked[front], front)
		}
	}
	for _, bad := range []string{`{"contents":[{"parts":[{"txt":"x"}]}]}`, `{"tools":[{"function":{}}]}`, `{"generationConfig":{"max_tokens":1}}`, `{"stream":true}`} {
		if strictly([]byte(bad)) == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
