package fakegemini

// An enum of the request is a string type that lists its values; the reader refuses any other value, and takes a number
// as proto JSON does (the position in the list).
type enum interface{ values() []string }

// ServiceTier is the tier of one call; its values are lower case.
type ServiceTier string

func (ServiceTier) values() []string { return []string{"unspecified", "standard", "flex", "priority"} }

// Mode is the function calling mode.
type Mode string

func (Mode) values() []string {
	return []string{"MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"}
}

// ThinkingLevel is how hard a model of Gemini 3 or later thinks.
type ThinkingLevel string

func (ThinkingLevel) values() []string {
	return []string{"THINKING_LEVEL_UNSPECIFIED", "LOW", "HIGH", "MEDIUM", "MINIMAL", "XHIGH"}
}

// SchemaType is the type of a schema; lower case is taken too.
type SchemaType string

func (SchemaType) values() []string {
	return []string{"TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"}
}

// Behavior of a function; for the live API, read and ignored here.
type Behavior string

func (Behavior) values() []string { return []string{"UNSPECIFIED", "BLOCKING", "NON_BLOCKING"} }

// Scheduling of a function's answer; for the live API, read and ignored here.
type Scheduling string

func (Scheduling) values() []string {
	return []string{"SCHEDULING_UNSPECIFIED", "SILENT", "WHEN_IDLE", "INTERRUPT"}
}

// Language of executable code.
type Language string

func (Language) values() []string { return []string{"LANGUAGE_UNSPECIFIED", "PYTHON"} }

// Outcome of executed code.
type Outcome string

func (Outcome) values() []string {
	return []string{"OUTCOME_UNSPECIFIED", "OUTCOME_OK", "OUTCOME_FAILED", "OUTCOME_DEADLINE_EXCEEDED"}
}

// ToolType names a server-side tool.
type ToolType string

func (ToolType) values() []string {
	return []string{"TOOL_TYPE_UNSPECIFIED", "GOOGLE_SEARCH_WEB", "GOOGLE_SEARCH_IMAGE", "URL_CONTEXT", "GOOGLE_MAPS", "FILE_SEARCH", "MEDIA_PROCESSING"}
}

// MediaLevel is a media resolution.
type MediaLevel string

func (MediaLevel) values() []string {
	return []string{"MEDIA_RESOLUTION_UNSPECIFIED", "MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_MEDIUM", "MEDIA_RESOLUTION_HIGH", "MEDIA_RESOLUTION_ULTRA_HIGH"}
}

// HarmCategory is what a safety setting is about.
type HarmCategory string

func (HarmCategory) values() []string {
	return []string{"HARM_CATEGORY_UNSPECIFIED", "HARM_CATEGORY_DEROGATORY", "HARM_CATEGORY_TOXICITY", "HARM_CATEGORY_VIOLENCE", "HARM_CATEGORY_SEXUAL",
		"HARM_CATEGORY_MEDICAL", "HARM_CATEGORY_DANGEROUS", "HARM_CATEGORY_HARASSMENT", "HARM_CATEGORY_HATE_SPEECH", "HARM_CATEGORY_SEXUALLY_EXPLICIT",
		"HARM_CATEGORY_DANGEROUS_CONTENT", "HARM_CATEGORY_CIVIC_INTEGRITY", "HARM_CATEGORY_JAILBREAK"}
}

// HarmThreshold is where a category is blocked.
type HarmThreshold string

func (HarmThreshold) values() []string {
	return []string{"HARM_BLOCK_THRESHOLD_UNSPECIFIED", "BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH", "BLOCK_NONE", "OFF"}
}

// Modality is a kind of output.
type Modality string

func (Modality) values() []string { return []string{"MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO"} }

// TaskType is what an embedding is for.
type TaskType string

func (TaskType) values() []string {
	return []string{"TASK_TYPE_UNSPECIFIED", "RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT", "SEMANTIC_SIMILARITY", "CLASSIFICATION", "CLUSTERING",
		"QUESTION_ANSWERING", "FACT_VERIFICATION", "CODE_RETRIEVAL_QUERY"}
}

// protoEnums gives the enums whose name on the wire isn't simply their Go name.
var protoEnums = map[string]string{
	"Mode": "FunctionCallingConfig.Mode", "ThinkingLevel": "ThinkingConfig.ThinkingLevel", "SchemaType": "Type",
	"Behavior": "FunctionDeclaration.Behavior", "Scheduling": "FunctionResponse.Scheduling", "Language": "ExecutableCode.Language",
	"Outcome": "CodeExecutionResult.Outcome", "MediaLevel": "MediaResolution.Level", "HarmThreshold": "SafetySetting.HarmBlockThreshold",
	"Modality": "GenerationConfig.Modality", "ServiceTier": "ServiceTier", "ToolType": "ToolType", "HarmCategory": "HarmCategory",
}
