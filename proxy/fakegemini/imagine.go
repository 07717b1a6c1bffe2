package fakegemini

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// The built-in model: what the fake says without a script. It is small and says the same to the same request. A prompt
// that names a declared function, or asks for tools, or runs under mode ANY, gets calls; function responses get a text
// that quotes them; Google's own tools are used where they fit (imagine_tools.go); everything else gets a text about the prompt.

// imagine makes the answer to a legal request.
func imagine(m Model, b *GenerateContentRequest, delay time.Duration) Answer {
	q := &asked{body: b, model: m}
	results := answered(b.Contents)
	prompt := lastText(b.Contents)
	a, left := q.thought(prompt)
	calls := wantedCalls(b, prompt)
	switch {
	case left == 0:
		a.Chunks = append(a.Chunks, Finish("MAX_TOKENS"))
	case len(calls) > 0 && len(results) == 0:
		a.Chunks = append(a.Chunks, Calls(calls...))
	case len(results) == 0 && q.useBuiltIns(&a, prompt, left):
	default:
		a.Chunks = append(a.Chunks, q.spoken(reply(q, results, prompt), left)...)
	}
	for i := range a.Chunks {
		a.Chunks[i].Delay = Duration(delay)
	}
	return a
}

// thinkingTokens is what a level costs before the first word.
var thinkingTokens = map[ThinkingLevel]int{"": 0, "MINIMAL": 0, "LOW": 16, "MEDIUM": 64, "HIGH": 256, "XHIGH": 512}

// thought starts an answer with what thinking costs, shown when the request asks for it, and returns how many output
// tokens are left.
func (q *asked) thought(prompt string) (Answer, int) {
	cost := thinkingTokens[q.model.Thinking.Default]
	t := q.thinking()
	if t != nil && t.ThinkingLevel != "" {
		cost = thinkingTokens[t.ThinkingLevel]
	}
	if t != nil && t.ThinkingBudget != nil && *t.ThinkingBudget >= 0 {
		cost = min(int(*t.ThinkingBudget), thinkingTokens["HIGH"])
	}
	left := q.model.Output
	if n := q.config().MaxOutputTokens; n != nil {
		left = int(*n)
	}
	cost = min(cost, left)
	if t == nil || !t.IncludeThoughts || cost == 0 {
		return Answer{Thoughts: cost}, left - cost
	}
	text := fmt.Sprintf("**Reading the request**\n\nThe user wrote %d words. I work out what is wanted.\n\n", len(strings.Fields(prompt)))
	return Answer{Thoughts: max(0, cost-textTokens(len(text))), Chunks: []Chunk{Thought(text)}}, left - cost
}

// spoken cuts a text at the first stop sequence and at the end of the tokens, and into chunks.
func (q *asked) spoken(text string, left int) []Chunk {
	for _, stop := range q.config().StopSequences {
		if before, _, found := strings.Cut(text, stop); found && stop != "" {
			text = before
		}
	}
	over := textTokens(len(text)) > left
	if over {
		text = strings.ToValidUTF8(text[:4*left], "")
	}
	var out []Chunk
	for _, piece := range pieces(text) {
		out = append(out, Text(piece))
	}
	if over {
		out[len(out)-1].FinishReason = "MAX_TOKENS"
	}
	return out
}

// answered are the function responses since the model last spoke. Clients add texts of their own behind them.
func answered(contents []Content) []FunctionResponse {
	var out []FunctionResponse
	for i := len(contents) - 1; i >= 0 && !contents[i].isModel(); i-- {
		out = append(contents[i].responses(), out...)
	}
	return out
}

// clientWords starts the texts that a client puts in by itself; they name every tool there is and ask for none.
const clientWords = "<system-"

// lastText is the text of the last user content that has some, without the client's own words.
func lastText(contents []Content) string {
	for i := len(contents) - 1; i >= 0; i-- {
		var text []string
		for _, p := range contents[i].Parts {
			if p.Text != nil && !p.Thought && !contents[i].isModel() && !strings.HasPrefix(*p.Text, clientWords) {
				text = append(text, *p.Text)
			}
		}
		if len(text) > 0 {
			return strings.Join(text, "\n")
		}
	}
	return ""
}

// reply is the text of an answer: JSON where that is asked for, the function responses quoted, or the prompt repeated.
func reply(q *asked, responses []FunctionResponse, prompt string) string {
	if text, ok := structured(q.config()); ok {
		return text
	}
	if len(responses) == 0 {
		return fmt.Sprintf("You said: %s\n\nThis is %s, a stand-in that runs on your own machine. It repeats what it was told, so that you can see that the whole way works.", clip(prompt), q.model.ID)
	}
	var b strings.Builder
	b.WriteString("The tools have answered.")
	for _, r := range responses {
		fmt.Fprintf(&b, " %s returned %s.", r.Name, clip(string(r.Response)))
	}
	return b.String()
}

// pieces cuts a text into chunks of some 40 bytes, between words.
func pieces(text string) []string {
	var out []string
	for len(text) > 60 {
		cut := strings.IndexByte(text[40:], ' ')
		if cut < 0 {
			break
		}
		out, text = append(out, text[:40+cut]), text[40+cut:]
	}
	return append(out, text)
}

var toolWords = regexp.MustCompile(`(?i)\buse (the|a|your) tools?\b|\bparallel\b`)

// wantedCalls are the calls that a prompt asks for: of every function it names, else of the first ones.
func wantedCalls(b *GenerateContentRequest, prompt string) []FunctionCall {
	q := &asked{body: b}
	config := q.calling()
	functions := callable(q.functions(), config)
	if len(functions) == 0 || config.Mode == "NONE" {
		return nil
	}
	var calls []FunctionCall
	for _, f := range functions {
		if names(prompt, f.Name) {
			calls = append(calls, inventCall(f))
		}
	}
	switch {
	case len(calls) > 0:
		return calls[:min(len(calls), 2)]
	case strings.Contains(strings.ToLower(prompt), "parallel"):
		return []FunctionCall{inventCall(functions[0]), inventCall(functions[min(1, len(functions)-1)])}
	case config.Mode == "ANY" || toolWords.MatchString(prompt):
		return []FunctionCall{inventCall(functions[0])}
	}
	return nil
}

// callable narrows functions to the allowed names.
func callable(functions []FunctionDeclaration, config FunctionCallingConfig) []FunctionDeclaration {
	if len(config.AllowedFunctionNames) == 0 {
		return functions
	}
	var out []FunctionDeclaration
	for _, f := range functions {
		for _, name := range config.AllowedFunctionNames {
			if f.Name == name {
				out = append(out, f)
			}
		}
	}
	return out
}

// names tells whether a text names a function, as a word of its own and in its own spelling.
func names(text, name string) bool {
	found, err := regexp.MatchString(`(^|[^A-Za-z0-9_])`+regexp.QuoteMeta(name)+`($|[^A-Za-z0-9_])`, text)
	return err == nil && found
}
