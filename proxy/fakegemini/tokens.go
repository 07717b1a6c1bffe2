package fakegemini

// Tokens are counted roughly, four bytes each, media at a fixed price: enough to be consistent and to grow with the text.

const mediaTokens = 258

func textTokens(n int) int { return (n + 3) / 4 }

func partTokens(p Part) int {
	switch {
	case p.Text != nil:
		return textTokens(len(*p.Text))
	case p.InlineData != nil || p.FileData != nil:
		return mediaTokens
	case p.FunctionCall != nil:
		return textTokens(len(p.FunctionCall.Name) + len(p.FunctionCall.Args) + 8)
	case p.FunctionResponse != nil:
		return textTokens(len(p.FunctionResponse.Name)+len(p.FunctionResponse.Response)+8) + mediaTokens*len(p.FunctionResponse.Parts)
	}
	return 1
}

// promptTokens counts a whole prompt; at least 1.
func promptTokens(b *GenerateContentRequest) int {
	if b == nil {
		return 1
	}
	n := 0
	contents := b.Contents
	if b.SystemInstruction != nil {
		contents = append([]Content{*b.SystemInstruction}, contents...)
	}
	for _, c := range contents {
		for _, p := range c.Parts {
			n += partTokens(p)
		}
	}
	for _, d := range (&asked{body: b}).functions() {
		n += textTokens(len(d.Name) + len(d.Description) + len(d.ParametersJSONSchema) + 16)
	}
	return max(1, n)
}
