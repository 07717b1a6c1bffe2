package gemini

// EstimateTokens guesses the length of a prompt, in tokens, where Google has not counted it: four bytes a token.
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
			n += len(d.Name) + len(d.Description) + len(d.ParametersJSONSchema)
		}
	}
	return max(n/4, 1)
}

// mediaBytes is what an image or a page counts for, about 260 tokens.
const mediaBytes = 1040

func contentBytes(c *Content) int {
	n := 0
	for i := range c.Parts {
		p := &c.Parts[i]
		n += len(p.Text)
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
