package fakegemini

import "encoding/json"

// The types of this file are the whole of what a request may say: the reader (read.go) refuses every name that is not
// here. Go names are Google's message names, json tags are the camelCase field names; the snake_case spelling that
// Google also takes is derived from them.

// Bytes is a base64 text in either alphabet, with or without padding. It is kept as it came.
type Bytes string

// Object is the raw text of a JSON object (google.protobuf.Struct).
type Object json.RawMessage

// MarshalJSON returns the object as it is, {} when empty.
func (o Object) MarshalJSON() ([]byte, error) {
	if len(o) == 0 {
		return []byte("{}"), nil
	}
	return o, nil
}

// UnmarshalJSON keeps the raw text.
func (o *Object) UnmarshalJSON(raw []byte) error {
	*o = append((*o)[:0], raw...)
	return nil
}

// Value is the raw text of any JSON value (google.protobuf.Value).
type Value json.RawMessage

// MarshalJSON returns the value as it is, null when empty.
func (v Value) MarshalJSON() ([]byte, error) {
	if len(v) == 0 {
		return []byte("null"), nil
	}
	return v, nil
}

// UnmarshalJSON keeps the raw text.
func (v *Value) UnmarshalJSON(raw []byte) error {
	*v = append((*v)[:0], raw...)
	return nil
}

// GenerateContentRequest is the body of generateContent and streamGenerateContent.
type GenerateContentRequest struct {
	Model             string            `json:"model,omitempty"`
	Contents          []Content         `json:"contents,omitempty"`
	SystemInstruction *Content          `json:"systemInstruction,omitempty"`
	Tools             []Tool            `json:"tools,omitempty"`
	ToolConfig        *ToolConfig       `json:"toolConfig,omitempty"`
	SafetySettings    []SafetySetting   `json:"safetySettings,omitempty"`
	GenerationConfig  *GenerationConfig `json:"generationConfig,omitempty"`
	CachedContent     string            `json:"cachedContent,omitempty"`
	ServiceTier       ServiceTier       `json:"serviceTier,omitempty"`
	Store             *bool             `json:"store,omitempty"`
	ContinuationToken string            `json:"continuationToken,omitempty"`
}

// CountTokensRequest is the body of countTokens: one of its two fields.
type CountTokensRequest struct {
	Contents               []Content               `json:"contents,omitempty"`
	GenerateContentRequest *GenerateContentRequest `json:"generateContentRequest,omitempty"`
}

// EmbedContentRequest is the body of embedContent, and one of batchEmbedContents.
type EmbedContentRequest struct {
	Model                string   `json:"model,omitempty"`
	Content              *Content `json:"content,omitempty"`
	TaskType             TaskType `json:"taskType,omitempty"`
	Title                string   `json:"title,omitempty"`
	OutputDimensionality *int32   `json:"outputDimensionality,omitempty"`
}

// BatchEmbedContentsRequest is the body of batchEmbedContents.
type BatchEmbedContentsRequest struct {
	Requests []EmbedContentRequest `json:"requests,omitempty"`
}

// Content is one turn.
type Content struct {
	Role  string `json:"role,omitempty"`
	Parts []Part `json:"parts,omitempty"`
}

// Part holds one data field and metadata.
type Part struct {
	Text                *string              `json:"text,omitempty" oneof:"data"`
	InlineData          *Blob                `json:"inlineData,omitempty" oneof:"data"`
	FileData            *FileData            `json:"fileData,omitempty" oneof:"data"`
	FunctionCall        *FunctionCall        `json:"functionCall,omitempty" oneof:"data"`
	FunctionResponse    *FunctionResponse    `json:"functionResponse,omitempty" oneof:"data"`
	ExecutableCode      *ExecutableCode      `json:"executableCode,omitempty" oneof:"data"`
	CodeExecutionResult *CodeExecutionResult `json:"codeExecutionResult,omitempty" oneof:"data"`
	ToolCall            *ToolCall            `json:"toolCall,omitempty" oneof:"data"`
	ToolResponse        *ToolResponse        `json:"toolResponse,omitempty" oneof:"data"`

	Thought            bool             `json:"thought,omitempty"`
	ThoughtSignature   Bytes            `json:"thoughtSignature,omitempty"`
	VideoMetadata      *VideoMetadata   `json:"videoMetadata,omitempty"`
	MediaResolution    *MediaResolution `json:"mediaResolution,omitempty"`
	PartMetadata       Object           `json:"partMetadata,omitempty"`
	MediaProcessing    Object           `json:"mediaProcessing,omitempty"`
	SpeechMetadata     Object           `json:"speechMetadata,omitempty"`
	AudioTranscription Object           `json:"audioTranscription,omitempty"`
}

// Blob is inline media.
type Blob struct {
	MimeType string `json:"mimeType,omitempty"`
	Data     Bytes  `json:"data,omitempty"`
}

// FileData names media elsewhere.
type FileData struct {
	MimeType string `json:"mimeType,omitempty"`
	FileURI  string `json:"fileUri,omitempty"`
}

// FunctionCall is a call of a declared function; Args may be absent.
type FunctionCall struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
	Args Object `json:"args,omitempty"`
}

// FunctionResponse is the answer to one call.
type FunctionResponse struct {
	ID           string                 `json:"id,omitempty"`
	Name         string                 `json:"name,omitempty"`
	Response     Object                 `json:"response,omitempty"`
	Parts        []FunctionResponsePart `json:"parts,omitempty"`
	WillContinue bool                   `json:"willContinue,omitempty"`
	Scheduling   Scheduling             `json:"scheduling,omitempty"`
}

// FunctionResponsePart is media in a function's answer.
type FunctionResponsePart struct {
	InlineData *Blob     `json:"inlineData,omitempty" oneof:"data"`
	FileData   *FileData `json:"fileData,omitempty" oneof:"data"`
}

// ExecutableCode is code that the model wrote.
type ExecutableCode struct {
	ID       string   `json:"id,omitempty"`
	Language Language `json:"language,omitempty"`
	Code     string   `json:"code,omitempty"`
}

// CodeExecutionResult is what that code did.
type CodeExecutionResult struct {
	ID      string  `json:"id,omitempty"`
	Outcome Outcome `json:"outcome,omitempty"`
	Output  string  `json:"output,omitempty"`
}

// ToolCall is a server-side tool use, echoed by the client.
type ToolCall struct {
	ID       string   `json:"id,omitempty"`
	ToolType ToolType `json:"toolType,omitempty"`
	Args     Object   `json:"args,omitempty"`
}

// ToolResponse is its answer.
type ToolResponse struct {
	ID       string   `json:"id,omitempty"`
	ToolType ToolType `json:"toolType,omitempty"`
	Response Object   `json:"response,omitempty"`
}

// VideoMetadata cuts a video; offsets are durations ("1.5s").
type VideoMetadata struct {
	StartOffset string   `json:"startOffset,omitempty"`
	EndOffset   string   `json:"endOffset,omitempty"`
	FPS         *float64 `json:"fps,omitempty"`
}

// MediaResolution is the resolution of one part.
type MediaResolution struct {
	Level     MediaLevel `json:"level,omitempty"`
	NumTokens *int32     `json:"numTokens,omitempty"`
}

// Tool holds declarations or one built-in tool.
type Tool struct {
	FunctionDeclarations  []FunctionDeclaration `json:"functionDeclarations,omitempty"`
	GoogleSearch          *GoogleSearch         `json:"googleSearch,omitempty"`
	GoogleSearchRetrieval Object                `json:"googleSearchRetrieval,omitempty"`
	URLContext            Object                `json:"urlContext,omitempty"`
	CodeExecution         Object                `json:"codeExecution,omitempty"`
	GoogleMaps            Object                `json:"googleMaps,omitempty"`
	FileSearch            Object                `json:"fileSearch,omitempty"`
	ComputerUse           Object                `json:"computerUse,omitempty"`
	MCPServers            []Object              `json:"mcpServers,omitempty"`
}

// GoogleSearch is the search tool; nothing need be set.
type GoogleSearch struct {
	SearchTypes     Object `json:"searchTypes,omitempty"`
	TimeRangeFilter Object `json:"timeRangeFilter,omitempty"`
}

// builtIn tells whether the tool names one that Google runs itself.
func (t Tool) builtIn() bool {
	return t.GoogleSearch != nil || t.GoogleSearchRetrieval != nil || t.URLContext != nil || t.CodeExecution != nil ||
		t.GoogleMaps != nil || t.FileSearch != nil || t.ComputerUse != nil
}

// FunctionDeclaration declares a function with a proto schema or a JSON schema.
type FunctionDeclaration struct {
	Name                 string   `json:"name,omitempty"`
	Description          string   `json:"description,omitempty"`
	Behavior             Behavior `json:"behavior,omitempty"`
	Parameters           *Schema  `json:"parameters,omitempty"`
	ParametersJSONSchema Value    `json:"parametersJsonSchema,omitempty"`
	Response             *Schema  `json:"response,omitempty"`
	ResponseJSONSchema   Value    `json:"responseJsonSchema,omitempty"`
}

// Schema is Google's subset of OpenAPI 3.0.
type Schema struct {
	Type             SchemaType        `json:"type,omitempty"`
	Format           string            `json:"format,omitempty"`
	Title            string            `json:"title,omitempty"`
	Description      string            `json:"description,omitempty"`
	Nullable         bool              `json:"nullable,omitempty"`
	Enum             []string          `json:"enum,omitempty"`
	Items            *Schema           `json:"items,omitempty"`
	MinItems         *int64            `json:"minItems,omitempty"`
	MaxItems         *int64            `json:"maxItems,omitempty"`
	Properties       map[string]Schema `json:"properties,omitempty"`
	Required         []string          `json:"required,omitempty"`
	MinProperties    *int64            `json:"minProperties,omitempty"`
	MaxProperties    *int64            `json:"maxProperties,omitempty"`
	Minimum          *float64          `json:"minimum,omitempty"`
	Maximum          *float64          `json:"maximum,omitempty"`
	MinLength        *int64            `json:"minLength,omitempty"`
	MaxLength        *int64            `json:"maxLength,omitempty"`
	Pattern          string            `json:"pattern,omitempty"`
	Example          Value             `json:"example,omitempty"`
	AnyOf            []Schema          `json:"anyOf,omitempty"`
	PropertyOrdering []string          `json:"propertyOrdering,omitempty"`
	Default          Value             `json:"default,omitempty"`
}

// ToolConfig says how tools are used.
type ToolConfig struct {
	FunctionCallingConfig            *FunctionCallingConfig `json:"functionCallingConfig,omitempty"`
	RetrievalConfig                  Object                 `json:"retrievalConfig,omitempty"`
	IncludeServerSideToolInvocations bool                   `json:"includeServerSideToolInvocations,omitempty"`
}

// FunctionCallingConfig sets the mode; AllowedFunctionNames narrows ANY and VALIDATED.
type FunctionCallingConfig struct {
	Mode                 Mode     `json:"mode,omitempty"`
	AllowedFunctionNames []string `json:"allowedFunctionNames,omitempty"`
}

// SafetySetting sets one threshold.
type SafetySetting struct {
	Category  HarmCategory  `json:"category,omitempty"`
	Threshold HarmThreshold `json:"threshold,omitempty"`
}

// GenerationConfig is the knobs of one call.
type GenerationConfig struct {
	Temperature                *float64        `json:"temperature,omitempty"`
	TopP                       *float64        `json:"topP,omitempty"`
	TopK                       *int32          `json:"topK,omitempty"`
	MaxOutputTokens            *int32          `json:"maxOutputTokens,omitempty"`
	StopSequences              []string        `json:"stopSequences,omitempty"`
	CandidateCount             *int32          `json:"candidateCount,omitempty"`
	Seed                       *int32          `json:"seed,omitempty"`
	PresencePenalty            *float64        `json:"presencePenalty,omitempty"`
	FrequencyPenalty           *float64        `json:"frequencyPenalty,omitempty"`
	ResponseMimeType           string          `json:"responseMimeType,omitempty"`
	ResponseFormat             []Object        `json:"responseFormat,omitempty"`
	ResponseSchema             *Schema         `json:"responseSchema,omitempty"`
	ResponseJSONSchema         Value           `json:"responseJsonSchema,omitempty"`
	ResponseModalities         []Modality      `json:"responseModalities,omitempty"`
	ResponseLogprobs           *bool           `json:"responseLogprobs,omitempty"`
	Logprobs                   *int32          `json:"logprobs,omitempty"`
	ThinkingConfig             *ThinkingConfig `json:"thinkingConfig,omitempty"`
	MediaResolution            MediaLevel      `json:"mediaResolution,omitempty"`
	SpeechConfig               Object          `json:"speechConfig,omitempty"`
	ImageConfig                Object          `json:"imageConfig,omitempty"`
	EnableEnhancedCivicAnswers *bool           `json:"enableEnhancedCivicAnswers,omitempty"`
	AudioTranscriptionConfig   Object          `json:"audioTranscriptionConfig,omitempty"`
}

// ThinkingConfig steers thinking by budget (2.5) or level (3 and later).
type ThinkingConfig struct {
	IncludeThoughts bool          `json:"includeThoughts,omitempty"`
	ThinkingBudget  *int32        `json:"thinkingBudget,omitempty"`
	ThinkingLevel   ThinkingLevel `json:"thinkingLevel,omitempty"`
}
