// Package gemini is the core model of the proxy: the requests, answers and events of Google's Gemini API (v1beta,
// generateContent and streamGenerateContent). Every client protocol is a codec in and out of these types.
package gemini

import (
	"encoding/json"
	"slices"
)

// Role of a Content. The API knows no other two.
const (
	RoleUser  = "user"
	RoleModel = "model"
)

// Request is the body of generateContent and streamGenerateContent. Unknown names are refused by the API, so only fields
// that it documents stand here; empty ones are left out.
type Request struct {
	Contents          []Content         `json:"contents"`
	SystemInstruction *Content          `json:"systemInstruction,omitempty"`
	Tools             []Tool            `json:"tools,omitempty"`
	ToolConfig        *ToolConfig       `json:"toolConfig,omitempty"`
	SafetySettings    []SafetySetting   `json:"safetySettings,omitempty"`
	GenerationConfig  *GenerationConfig `json:"generationConfig,omitempty"`

	plain bool // see SetPlain
}

// Refers reports whether the request names media by URI, which Google may keep from some projects.
func (r *Request) Refers() bool {
	for i := range r.Contents {
		for j := range r.Contents[i].Parts {
			p := &r.Contents[i].Parts[j]
			byURI := func(part Part) bool { return part.FileData != nil }
			if p.FileData != nil || p.FunctionResponse != nil && slices.ContainsFunc(p.FunctionResponse.Parts, byURI) {
				return true
			}
		}
	}
	return false
}

// Content is one turn, or a part of one: consecutive user contents are legal. Parts must not be empty.
type Content struct {
	Role  string `json:"role,omitempty"`
	Parts []Part `json:"parts"`
}

// Part holds exactly one of Text, InlineData, FileData, FunctionCall, FunctionResponse, ToolCall and ToolResponse.
type Part struct {
	Text             Text              `json:"text,omitempty"`
	InlineData       *Blob             `json:"inlineData,omitempty"`
	FileData         *FileData         `json:"fileData,omitempty"`
	FunctionCall     *FunctionCall     `json:"functionCall,omitempty"`
	FunctionResponse *FunctionResponse `json:"functionResponse,omitempty"`
	// ToolCall and ToolResponse are a tool that Google ran, and what it gave: JSON objects, echoed as they came.
	ToolCall     json.RawMessage `json:"toolCall,omitempty"`
	ToolResponse json.RawMessage `json:"toolResponse,omitempty"`

	MediaResolution *MediaResolution `json:"mediaResolution,omitempty"` // beside media; Gemini 3 and later

	Thought bool `json:"thought,omitempty"` // Text is a thought summary
	// ServerID marks a Text that tells of what Google's own tools did; under this id the parts themselves may be known, which
	// then take its place. Never sent upstream.
	ServerID string `json:"-"`
	// ThoughtSignature is opaque: returned on the very part it came with, never decoded and encoded again.
	ThoughtSignature string `json:"thoughtSignature,omitempty"`
}

// MediaResolution says how closely the model looks at a medium: MEDIA_RESOLUTION_LOW, _MEDIUM, _HIGH or _ULTRA_HIGH.
type MediaResolution struct {
	Level string `json:"level"`
}

// Blob is inline media; Data is base64 as received.
type Blob struct {
	MimeType string `json:"mimeType"`
	Data     string `json:"data"`
}

// FileData names media by URI.
type FileData struct {
	FileURI  string `json:"fileUri"`
	MimeType string `json:"mimeType,omitempty"`

	Param string `json:"-"` // the client's field that the URI stood in, for errors; never sent upstream
}

// FunctionCall is a call that the model made. Args is a JSON object; absent means {}.
type FunctionCall struct {
	ID   string          `json:"id,omitempty"` // only when the model gave one
	Name string          `json:"name"`
	Args json.RawMessage `json:"args,omitempty"`

	ClientID string `json:"-"` // the id under which the client knows the call; never sent upstream
}

// FunctionResponse answers a FunctionCall.
type FunctionResponse struct {
	ID       string `json:"id,omitempty"` // the call's, when the model gave one
	Name     string `json:"name"`
	Response Result `json:"response"`
	Parts    []Part `json:"parts,omitempty"` // media results; Gemini 3 and later

	ClientID string `json:"-"` // the id of the call as the client knows it; never sent upstream
}

// Result is what a function gave, in the form that Google's docs use: what it put out, or why it failed. Without either it is
// an empty object.
type Result struct {
	Output Text `json:"output,omitempty"`
	Error  Text `json:"error,omitempty"`
}

// Text is whichever there is, nil if neither.
func (r Result) Text() Text {
	if r.Output != nil {
		return r.Output
	}
	return r.Error
}

// Tool carries one kind of tool: functions that the client runs, or one of those that Google runs itself.
type Tool struct {
	FunctionDeclarations []FunctionDeclaration `json:"functionDeclarations,omitempty"`
	GoogleSearch         *struct{}             `json:"googleSearch,omitempty"`
	URLContext           *struct{}             `json:"urlContext,omitempty"`
	CodeExecution        *struct{}             `json:"codeExecution,omitempty"`
}

// BuiltIn reports whether Google runs the tool.
func (t *Tool) BuiltIn() bool {
	return t.GoogleSearch != nil || t.URLContext != nil || t.CodeExecution != nil
}

// FunctionDeclaration declares a function. Name starts with a letter or an underscore, then [A-Za-z0-9_.:-], 64 characters
// at most to be safe. One of the schemas is set: ParametersJSONSchema is ordinary JSON Schema, Parameters the subset of
// OpenAPI 3.0 that the API documents, in which unknown names are refused.
type FunctionDeclaration struct {
	Name                 string          `json:"name"`
	Description          Text            `json:"description,omitempty"`
	ParametersJSONSchema json.RawMessage `json:"parametersJsonSchema,omitempty"`
	Parameters           json.RawMessage `json:"parameters,omitempty"`
}

// ToolConfig: FunctionCallingConfig must not be sent without function declarations; IncludeServerSideToolInvocations is
// needed for functions beside built-in tools, and refused before Gemini 3.
type ToolConfig struct {
	FunctionCallingConfig            *FunctionCallingConfig `json:"functionCallingConfig,omitempty"`
	IncludeServerSideToolInvocations bool                   `json:"includeServerSideToolInvocations,omitempty"`
}

// FunctionCallingConfig says whether the model may or must call. AllowedFunctionNames goes with ANY and VALIDATED only.
type FunctionCallingConfig struct {
	Mode                 string   `json:"mode"` // AUTO, ANY, NONE, VALIDATED
	AllowedFunctionNames []string `json:"allowedFunctionNames,omitempty"`
}

// SafetySetting sets one category's threshold.
type SafetySetting struct {
	Category  string `json:"category"`
	Threshold string `json:"threshold"`
}

// GenerationConfig holds the scalars. MaxOutputTokens counts thoughts too; five StopSequences at most; of the two schemas
// one at most, ResponseSchema being the subset that FunctionDeclaration.Parameters takes.
type GenerationConfig struct {
	Temperature        *float64        `json:"temperature,omitempty"`
	TopP               *float64        `json:"topP,omitempty"`
	TopK               *int            `json:"topK,omitempty"`
	MaxOutputTokens    int             `json:"maxOutputTokens,omitempty"`
	StopSequences      []string        `json:"stopSequences,omitempty"`
	Seed               *int32          `json:"seed,omitempty"`
	ResponseMimeType   string          `json:"responseMimeType,omitempty"`
	ResponseJSONSchema json.RawMessage `json:"responseJsonSchema,omitempty"`
	ResponseSchema     json.RawMessage `json:"responseSchema,omitempty"`
	ThinkingConfig     *ThinkingConfig `json:"thinkingConfig,omitempty"`
}

// ThinkingConfig holds a budget (2.5) or a level (3 and later), never both.
type ThinkingConfig struct {
	IncludeThoughts bool   `json:"includeThoughts,omitempty"`
	ThinkingBudget  *int   `json:"thinkingBudget,omitempty"`
	ThinkingLevel   string `json:"thinkingLevel,omitempty"` // MINIMAL, LOW, MEDIUM, HIGH, XHIGH
}
