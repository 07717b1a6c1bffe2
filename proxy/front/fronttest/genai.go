package fronttest

import (
	"bytes"
	"encoding/json"
	"regexp"

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

// Strictly decodes the body of generateContent and reports any name in it that Google's own SDK does not know. Signatures are
// the makers' own, and not for us to read.
func Strictly(body []byte) error {
	dec := json.NewDecoder(bytes.NewReader(signatures.ReplaceAll(body, []byte(`"thoughtSignature":"c2ln"`))))
	dec.DisallowUnknownFields()
	return dec.Decode(&generateContentRequest{})
}
