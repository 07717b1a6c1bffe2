package fakegemini

import (
	"encoding/json"
	"strings"
)

// What Google's own tools leave in an answer: grounding, fetched pages, code and its output, and, beside functions on
// Gemini 3 and later, the calls of the tools themselves.

// Grounding is groundingMetadata: what was searched for, what was found, and which piece of the answer rests on what.
type Grounding struct {
	Queries  []string          `json:"webSearchQueries,omitempty"`
	Entry    *SearchEntry      `json:"searchEntryPoint,omitempty"`
	Sources  []GroundingSource `json:"groundingChunks,omitempty"`
	Supports []Support         `json:"groundingSupports,omitempty"`
}

// SearchEntry is the HTML that Google wants shown beside a grounded answer.
type SearchEntry struct {
	Rendered string `json:"renderedContent"`
}

// GroundingSource is one source.
type GroundingSource struct {
	Web *WebSource `json:"web,omitempty"`
}

// WebSource is a page: an address that redirects to it, and usually its domain as the title.
type WebSource struct {
	URI   string `json:"uri,omitempty"`
	Title string `json:"title,omitempty"`
}

// Support ties a piece of the answer to sources, by their index.
type Support struct {
	Segment    Segment   `json:"segment"`
	Sources    []int     `json:"groundingChunkIndices,omitempty"`
	Confidence []float64 `json:"confidenceScores,omitempty"`
}

// Segment is a piece of the answer's text, in bytes of UTF-8; a start of 0 is left out.
type Segment struct {
	Part  int    `json:"partIndex,omitempty"`
	Start int    `json:"startIndex,omitempty"`
	End   int    `json:"endIndex,omitempty"`
	Text  string `json:"text,omitempty"`
}

// Web is a source.
func Web(title, uri string) GroundingSource { return GroundingSource{Web: &WebSource{uri, title}} }

// Supports is the support of a piece that stands somewhere in the answer. A piece that doesn't is a fault of the test and
// panics.
func Supports(answer, piece string, sources ...int) Support {
	start := strings.Index(answer, piece)
	if start < 0 {
		panic("BUG: the answer does not have the piece " + piece)
	}
	return Support{Segment: Segment{Start: start, End: start + len(piece), Text: piece}, Sources: sources}
}

// Grounded returns the chunk with groundingMetadata; Google has it on the last one.
func (c Chunk) Grounded(g Grounding) Chunk { c.Grounding = rawJSON(g); return c }

// FetchedURL is one page of urlContextMetadata.
type FetchedURL struct {
	URL    string      `json:"retrievedUrl"`
	Status FetchStatus `json:"urlRetrievalStatus"`
}

// FetchStatus tells how fetching a page went.
type FetchStatus string

// The ends of a fetch.
const (
	Fetched     FetchStatus = "URL_RETRIEVAL_STATUS_SUCCESS"
	FetchFailed FetchStatus = "URL_RETRIEVAL_STATUS_ERROR"
	FetchPaid   FetchStatus = "URL_RETRIEVAL_STATUS_PAYWALL"
	FetchUnsafe FetchStatus = "URL_RETRIEVAL_STATUS_UNSAFE"
)

// Fetched returns the chunk with urlContextMetadata; Google has it on an early one.
func (c Chunk) Fetched(pages ...FetchedURL) Chunk {
	c.URLContext = rawJSON(struct {
		Pages []FetchedURL `json:"urlMetadata"`
	}{pages})
	return c
}

func rawJSON(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return data
}

// RunCode is a chunk of Python that the model wrote.
func RunCode(code string) Chunk {
	return Chunk{Parts: []Part{{ExecutableCode: &ExecutableCode{Language: "PYTHON", Code: code}}}}
}

// CodeOutput is a chunk of what that code printed; outcome is OUTCOME_OK, OUTCOME_FAILED or OUTCOME_DEADLINE_EXCEEDED.
func CodeOutput(outcome Outcome, output string) Chunk {
	return Chunk{Parts: []Part{{CodeExecutionResult: &CodeExecutionResult{Outcome: outcome, Output: output}}}}
}

// ServerCall is a chunk with the call of a tool that Google runs; args is the text of a JSON object, "" leaves it out.
func ServerCall(id string, tool ToolType, args string) Chunk {
	call := &ToolCall{ID: id, ToolType: tool}
	if args != "" {
		call.Args = Object(args)
	}
	return Chunk{Parts: []Part{{ToolCall: call}}}
}

// ServerResponse is a chunk with the answer of such a tool.
func ServerResponse(id string, tool ToolType, response string) Chunk {
	r := &ToolResponse{ID: id, ToolType: tool}
	if response != "" {
		r.Response = Object(response)
	}
	return Chunk{Parts: []Part{{ToolResponse: r}}}
}
