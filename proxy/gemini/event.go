package gemini

// EventKind is the closed set of things that happen in an answer.
type EventKind uint8

const (
	EventText    EventKind = iota + 1 // Text, Signature
	EventThought                      // Text, Signature
	EventCall                         // Call, Signature
	EventImage                        // Blob, Signature
	EventUsage                        // Usage: totals so far, the last one counts as a whole
	EventFinish                       // Finish, Message, PromptBlocked
)

// Event is one thing that an answer's stream said. A thought signature is a field of the part that it came with; an empty
// text may carry one and opens no output.
type Event struct {
	Kind          EventKind
	Text          Text
	Signature     string
	Call          *FunctionCall
	Blob          *Blob
	Usage         Usage
	Finish        FinishReason
	Message       string // Google's words beside the finish reason
	PromptBlocked bool   // Finish is promptFeedback.blockReason: there was no candidate at all
}

// FinishReason is Google's word for why the answer ended. Unknown values are possible.
type FinishReason string

// Usage counts tokens, absent counters being 0. Prompt includes Cached; Candidates excludes Thoughts.
type Usage struct {
	Prompt     int `json:"promptTokenCount"`
	Cached     int `json:"cachedContentTokenCount"`
	Candidates int `json:"candidatesTokenCount"`
	Thoughts   int `json:"thoughtsTokenCount"`
	ToolUse    int `json:"toolUsePromptTokenCount"`
	Total      int `json:"totalTokenCount"`
}
