package fakegemini

import (
	"cmp"
	"slices"
	"strings"
)

// Tokens are counted roughly, four bytes each, media at a fixed price: enough to be consistent and to grow with the text.

const mediaTokens = 258

// modalities are in the order in which details list them.
var modalities = []string{"TEXT", "IMAGE", "VIDEO", "AUDIO", "DOCUMENT"}

// modalityTokens is one line of a count's details.
type modalityTokens struct {
	Modality   string `json:"modality"`
	TokenCount int    `json:"tokenCount"`
}

func textTokens(n int) int { return (n + 3) / 4 }

// tally counts tokens by modality.
type tally map[string]int

func (t tally) total() int {
	n := 0
	for _, tokens := range t {
		n += tokens
	}
	return n
}

// details lists what was counted; a tally of nothing is one token of text.
func (t tally) details() []modalityTokens {
	var out []modalityTokens
	for m, n := range t {
		out = append(out, modalityTokens{Modality: m, TokenCount: n})
	}
	slices.SortFunc(out, func(a, b modalityTokens) int {
		return cmp.Compare(slices.Index(modalities, a.Modality), slices.Index(modalities, b.Modality))
	})
	return out
}

func (t tally) part(p Part) {
	switch {
	case p.Text != nil:
		t["TEXT"] += textTokens(len(*p.Text))
	case p.InlineData != nil:
		t.media(p.InlineData.MimeType)
	case p.FileData != nil:
		t.media(p.FileData.MimeType)
	case p.FunctionCall != nil:
		t["TEXT"] += textTokens(len(p.FunctionCall.Name) + len(p.FunctionCall.Args) + 8)
	case p.FunctionResponse != nil:
		t.response(*p.FunctionResponse)
	default:
		t["TEXT"]++
	}
}

func (t tally) response(r FunctionResponse) {
	t["TEXT"] += textTokens(len(r.Name) + len(r.Response) + 8)
	for _, p := range r.Parts {
		if p.InlineData != nil {
			t.media(p.InlineData.MimeType)
		} else if p.FileData != nil {
			t.media(p.FileData.MimeType)
		}
	}
}

// media counts one file by its type; one without a known type is a document.
func (t tally) media(mimeType string) {
	kind, _, _ := strings.Cut(mimeType, "/")
	if m := strings.ToUpper(kind); slices.Contains(modalities, m) {
		t[m] += mediaTokens
		return
	}
	t["DOCUMENT"] += mediaTokens
}

func (t tally) contents(contents []Content) {
	for _, c := range contents {
		for _, p := range c.Parts {
			t.part(p)
		}
	}
}

func partTokens(p Part) int {
	t := tally{}
	t.part(p)
	return t.total()
}

// promptTally counts a whole prompt, at least one token.
func promptTally(b *GenerateContentRequest) tally {
	t := tally{}
	if b == nil {
		b = &GenerateContentRequest{}
	}
	if b.SystemInstruction != nil {
		t.contents([]Content{*b.SystemInstruction})
	}
	t.contents(b.Contents)
	for _, d := range (&asked{body: b}).functions() {
		t["TEXT"] += textTokens(len(d.Name) + len(d.Description) + len(d.ParametersJSONSchema) + 16)
	}
	if t.total() == 0 {
		t["TEXT"] = 1
	}
	return t
}

func promptTokens(b *GenerateContentRequest) int { return promptTally(b).total() }

func promptDetails(b *GenerateContentRequest) []modalityTokens { return promptTally(b).details() }
