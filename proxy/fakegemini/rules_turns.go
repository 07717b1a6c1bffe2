package fakegemini

import (
	"fmt"
	"slices"
	"strings"
)

// The order of turns. A content is a call turn when it holds a functionCall, a response turn when it holds a
// functionResponse. User contents may follow one another. On Gemini 3 and later several model contents in a row, each
// with a call, are one call turn.

func (c Content) isModel() bool { return c.Role == "model" }

func (c Content) calls() []FunctionCall {
	var out []FunctionCall
	for _, p := range c.Parts {
		if p.FunctionCall != nil {
			out = append(out, *p.FunctionCall)
		}
	}
	return out
}

func (c Content) responses() []FunctionResponse {
	var out []FunctionResponse
	for _, p := range c.Parts {
		if p.FunctionResponse != nil {
			out = append(out, *p.FunctionResponse)
		}
	}
	return out
}

// onlyResponses tells whether a content holds functionResponse parts and nothing else.
func (c Content) onlyResponses() bool { return len(c.Parts) > 0 && len(c.responses()) == len(c.Parts) }

func singleTurn(q *asked) *refusal {
	if c := q.body.Contents; len(c) == 1 && c[0].isModel() {
		return refuse(RuleSingleTurn, "Please ensure that single turn requests end with a user role or the role field is empty.")
	}
	return nil
}

func firstTurn(q *asked) *refusal {
	if first := q.body.Contents[0]; first.isModel() && len(first.calls()) == 0 {
		return refuse(RuleFirstTurn, "Please ensure that multiturn requests begin with a user turn.")
	}
	return nil
}

const callTurnText = "Please ensure that function call turn comes immediately after a user turn or after a function response turn."

func callTurn(q *asked) *refusal {
	for i, c := range q.body.Contents {
		if len(c.calls()) == 0 {
			continue
		}
		if !c.isModel() || i == 0 {
			return refuse(RuleCallTurn, callTurnText)
		}
		before := q.body.Contents[i-1]
		row := q.model.Family.CallRows && len(before.calls()) > 0
		if before.isModel() && !row {
			return refuse(RuleCallTurn, callTurnText)
		}
	}
	return nil
}

func responseTurn(q *asked) *refusal {
	for i, c := range q.body.Contents {
		if len(c.responses()) == 0 {
			continue
		}
		if c.isModel() || i == 0 || len(q.body.Contents[i-1].calls()) == 0 {
			return refuse(RuleResponseTurn, "Please ensure that function response turn comes immediately after a function call turn.")
		}
	}
	return nil
}

// step is one call turn with the responses that follow it.
type step struct {
	calls     []FunctionCall
	responses []FunctionResponse
	answered  int // index of the content with the responses
}

// steps lists the call turns in order.
func (q *asked) steps() []step {
	var out []step
	var open *step
	for i, c := range q.body.Contents {
		switch {
		case c.isModel() && len(c.calls()) > 0:
			if open == nil {
				open = &step{}
			}
			open.calls = append(open.calls, c.calls()...)
		case open != nil:
			open.responses, open.answered = c.responses(), i
			out = append(out, *open)
			open = nil
		}
	}
	if open != nil {
		out = append(out, *open)
	}
	return out
}

func responseCount(q *asked) *refusal {
	for _, s := range q.steps() {
		if len(s.calls) != len(s.responses) {
			return refuse(RuleResponseCount, "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.")
		}
	}
	return nil
}

func responseNames(q *asked) *refusal {
	for _, s := range q.steps() {
		open := map[string]int{}
		for _, c := range s.calls {
			open[c.Name]++
		}
		for _, r := range s.responses {
			if open[r.Name]--; open[r.Name] < 0 {
				return refuse(RuleResponseName, fmt.Sprintf("Please ensure that the name of a function response is that of a function call of the function call turn: %q at contents[%d].", r.Name, s.answered))
			}
		}
	}
	return nil
}

type callKey struct{ id, name string }

// responseIDs holds responses with an id to a call that has it. One without goes to a call of its name, as responseNames sees to:
// Google's own SDK for Python answers so (google-genai 3.6, automatic function calling).
func responseIDs(q *asked) *refusal {
	for _, s := range q.steps() {
		open := map[callKey]int{}
		for _, c := range s.calls {
			open[callKey{c.ID, c.Name}]++
		}
		for _, r := range s.responses {
			if r.ID == "" {
				continue
			}
			key := callKey{r.ID, r.Name}
			if open[key]--; open[key] < 0 {
				return refuse(RuleResponseID, fmt.Sprintf("Please ensure that the id of a function response is that of its function call: %q of %q at contents[%d].", r.ID, r.Name, s.answered))
			}
		}
	}
	return nil
}

func responseMedia(q *asked) *refusal {
	if q.model.Family.ResponseMedia {
		return nil
	}
	var found *refusal
	q.eachPart(func(i, j int, p Part) {
		if p.FunctionResponse != nil && len(p.FunctionResponse.Parts) > 0 {
			found = refuse(RuleResponseMedia, fmt.Sprintf("Multimodal function responses are not supported for this model: contents[%d].parts[%d].function_response.parts.", i, j))
		}
	})
	return found
}

// responseMediaTypes are those that functionResponse.parts take on Gemini 3; Gemini 4 takes office documents too.
var responseMediaTypes = []string{"image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"}

const officeTypes = "application/vnd.o" // openxmlformats-officedocument, oasis.opendocument

func responseTypes(q *asked) *refusal {
	var lines []string
	q.eachPart(func(i, j int, p Part) {
		if p.FunctionResponse == nil {
			return
		}
		for k, rp := range p.FunctionResponse.Parts {
			office := q.model.Family.SharedTokenLimit && strings.HasPrefix(rp.mimeType(), officeTypes)
			if !office && !slices.Contains(responseMediaTypes, rp.mimeType()) {
				lines = append(lines, fmt.Sprintf("contents[%d].parts[%d].function_response.parts[%d]: unsupported mime type %q", i, j, k, rp.mimeType()))
			}
		}
	})
	return q.violations(RuleResponseType, lines)
}

func (p FunctionResponsePart) mimeType() string {
	switch {
	case p.InlineData != nil:
		return p.InlineData.MimeType
	case p.FileData != nil:
		return p.FileData.MimeType
	}
	return ""
}

// pdfSize looks at the size of base64, of which three quarters are media.
func pdfSize(q *asked) *refusal {
	var found *refusal
	q.eachPart(func(_, _ int, p Part) {
		if b := p.InlineData; b != nil && b.MimeType == "application/pdf" && int64(len(b.Data))/4*3 > q.maxPDF {
			found = refuse(RulePDFSize, "The document is too large: a PDF may have 50 MB.")
		}
	})
	return found
}

func lastTurn(q *asked) *refusal {
	contents := q.body.Contents
	if q.model.Family.ModelLast || !contents[len(contents)-1].isModel() {
		return nil
	}
	return refuse(RuleLastTurn, "Please ensure that multiturn requests end with a user role or a function response.")
}
