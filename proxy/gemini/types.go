// Package gemini is the core model of the proxy: the requests, answers and events of Google's Gemini API (v1beta,
// generateContent and streamGenerateContent). Every client protocol is a codec in and out of these types.
package gemini

import "encoding/json"

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
}

// Content is one turn, or a part of one: consecutive user contents are legal. Parts must not be empty.
type Content struct {
	Role  string `json:"role,omitempty"`
	Parts []Part `json:"parts"`
}

// Part holds exactly one of Text, InlineData, FileData, FunctionCall and FunctionResponse.
type Part struct {
	Text             Text              `json:"text,omitempty"`
	InlineData       *Blob             `json:"inlineData,omitempty"`
	FileData         *FileData         `json:"fileData,omitempty"`
	FunctionCall     *FunctionCall     `json:"functionCall,omitempty"`
	FunctionResponse *FunctionResponse `json:"functionResponse,omitempty"`

	Thought bool `json:"thought,omitempty"` // Text is a thought summary
	// ThoughtSignature is opaque: returned on the very part it came with, never decoded and encoded again.
	ThoughtSignature string `json:"thoughtSignature,omitempty"`
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
}

// FunctionCall is a call that the model made. Args is a JSON object; absent means {}.
type FunctionCall struct {
	ID   string          `json:"id,omitempty"` // only when the model gave one
	Name string          `json:"name"`
	Args json.RawMessage `json:"args,omitempty"`

	ClientID string `json:"-"` // the id under which the client knows the call; never sent upstream
}

// FunctionResponse answers a FunctionCall. Response is a JSON object, by convention {"output": …} or {"error": …}.
type FunctionResponse struct {
	ID       string          `json:"id,omitempty"` // the call's, when the model gave one
	Name     string          `json:"name"`
	Response json.RawMessage `json:"response"`
	Parts    []Part          `json:"parts,omitempty"` // media results; Gemini 3 and later

	ClientID string `json:"-"` // the id of the call as the client knows it; never sent upstream
}

// Tool carries one kind of tool.
type Tool struct {
	FunctionDeclarations []FunctionDeclaration `json:"functionDeclarations,omitempty"`
}

// FunctionDeclaration declares a function. Name starts with a letter or an underscore, then [A-Za-z0-9_.:-], 64 characters
// at most to be safe; ParametersJSONSchema is ordinary JSON Schema.
type FunctionDeclaration struct {
	Name                 string          `json:"name"`
	Description          Text            `json:"description,omitempty"`
	ParametersJSONSchema json.RawMessage `json:"parametersJsonSchema,omitempty"`
}

// ToolConfig must not be sent without function declarations.
type ToolConfig struct {
	FunctionCallingConfig *FunctionCallingConfig `json:"functionCallingConfig,omitempty"`
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

// GenerationConfig holds the scalars. MaxOutputTokens counts thoughts too; five StopSequences at most.
type GenerationConfig struct {
	Temperature        *float64        `json:"temperature,omitempty"`
	TopP               *float64        `json:"topP,omitempty"`
	TopK               *int            `json:"topK,omitempty"`
	MaxOutputTokens    int             `json:"maxOutputTokens,omitempty"`
	StopSequences      []string        `json:"stopSequences,omitempty"`
	Seed               *int32          `json:"seed,omitempty"`
	ResponseMimeType   string          `json:"responseMimeType,omitempty"`
	ResponseJSONSchema json.RawMessage `json:"responseJsonSchema,omitempty"`
	ThinkingConfig     *ThinkingConfig `json:"thinkingConfig,omitempty"`
}

// ThinkingConfig holds a budget (2.5) or a level (3 and later), never both.
type ThinkingConfig struct {
	IncludeThoughts bool   `json:"includeThoughts,omitempty"`
	ThinkingBudget  *int   `json:"thinkingBudget,omitempty"`
	ThinkingLevel   string `json:"thinkingLevel,omitempty"` // MINIMAL, LOW, MEDIUM, HIGH, XHIGH
}
