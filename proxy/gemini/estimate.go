package gemini

import "bytes"

// SetPlain says that no text has a character that stands as \uXXXX, so that EstimateTokens need not look for any.
func (req *Request) SetPlain(plain bool) { req.plain = plain }

// EstimateTokens guesses the length of a prompt, in tokens, where Google has not counted it: four bytes a token, which gives
// a Chinese, Japanese or Korean character, three bytes, three quarters of one. JSON may have them escaped, as six bytes.
func (req *Request) EstimateTokens() int {
	n := 0
	for i := range req.Contents {
		n += req.Contents[i].bytes(req.plain)
	}
	if req.SystemInstruction != nil {
		n += req.SystemInstruction.bytes(req.plain)
	}
	for i := range req.Tools {
		for _, d := range req.Tools[i].FunctionDeclarations {
			n += len(d.Name) + len(d.Description) + len(d.ParametersJSONSchema) + len(d.Parameters)
		}
	}
	return max(n/4, 1)
}

// Estimate guesses the usage of an answer whose usage Google does not tell. The zero value is ready.
type Estimate struct{ said, thought int } // bytes

// Note takes an event of the answer.
func (e *Estimate) Note(ev *Event) {
	n := max(len(ev.Text)-len(`""`), 0) - 3*bytes.Count(ev.Text, unicodeEscape)
	switch {
	case ev.Call != nil:
		n += len(ev.Call.Name) + len(ev.Call.Args)
	case ev.Blob != nil:
		n += mediaBytes
	case ev.Code != nil:
		n += len(ev.Code.Code)
	}
	if ev.Kind == EventThought {
		e.thought += n
	} else {
		e.said += n
	}
}

// Said is how many tokens the answer has so far, without its thoughts.
func (e *Estimate) Said() int { return (e.said + 3) / 4 }

// Usage is the estimate for an answer to a prompt of so many tokens.
func (e *Estimate) Usage(prompt int) Usage {
	u := Usage{Prompt: prompt, Candidates: e.Said(), Thoughts: (e.thought + 3) / 4}
	u.Total = u.Prompt + u.Candidates + u.Thoughts
	return u
}

// mediaBytes is what an image or a page counts for, about 260 tokens.
const mediaBytes = 1040

// unicodeEscape begins a character that stands as \uXXXX.
var unicodeEscape = []byte(`\u`)

func (c *Content) bytes(plain bool) int {
	n := 0
	for i := range c.Parts {
		p := &c.Parts[i]
		if n += len(p.Text); !plain {
			n -= 3 * bytes.Count(p.Text, unicodeEscape)
		}
		if p.InlineData != nil || p.FileData != nil {
			n += mediaBytes
		}
		if p.FunctionCall != nil {
			n += len(p.FunctionCall.Name) + len(p.FunctionCall.Args)
		}
		if p.FunctionResponse != nil {
			n += len(p.FunctionResponse.Response.Text()) + mediaBytes*len(p.FunctionResponse.Parts)
		}
	}
	return n
}
