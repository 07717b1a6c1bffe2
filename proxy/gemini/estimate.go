package gemini

import "bytes"

// EstimateTokens guesses the length of a prompt, in tokens, where Google has not counted it: four bytes a token, which gives
// a Chinese, Japanese or Korean character, three bytes, three quarters of one. JSON may have them escaped, as six bytes.
func (req *Request) EstimateTokens() int {
	n := 0
	for i := range req.Contents {
		n += contentBytes(&req.Contents[i])
	}
	if req.SystemInstruction != nil {
		n += contentBytes(req.SystemInstruction)
	}
	for i := range req.Tools {
		for _, d := range req.Tools[i].FunctionDeclarations {
			n += len(d.Name) + len(d.Description) + len(d.ParametersJSONSchema) + len(d.Parameters)
		}
	}
	return max(n/4, 1)
}

// mediaBytes is what an image or a page counts for, about 260 tokens.
const mediaBytes = 1040

// unicodeEscape begins a character that stands as \uXXXX.
var unicodeEscape = []byte(`\u`)

func contentBytes(c *Content) int {
	n := 0
	for i := range c.Parts {
		p := &c.Parts[i]
		n += len(p.Text) - 3*bytes.Count(p.Text, unicodeEscape)
		if p.InlineData != nil || p.FileData != nil {
			n += mediaBytes
		}
		if p.FunctionCall != nil {
			n += len(p.FunctionCall.Name) + len(p.FunctionCall.Args)
		}
		if p.FunctionResponse != nil {
			n += len(p.FunctionResponse.Response) + mediaBytes*len(p.FunctionResponse.Parts)
		}
	}
	return n
}
