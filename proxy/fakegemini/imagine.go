package fakegemini

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// The built-in model: what the fake says without a script. It is small and says the same to the same request. A prompt
// that names a declared function, or asks for tools, or runs under mode ANY, gets calls; function responses get a text
// that quotes them; everything else gets a text about the prompt.

// imagine makes the answer to a legal request.
func imagine(m Model, b *GenerateContentRequest, delay time.Duration) Answer {
	a := Answer{}
	last := b.Contents[len(b.Contents)-1]
	prompt := lastText(b.Contents)
	t := (&asked{body: b}).thinking()
	if t != nil && t.IncludeThoughts && m.Thinking.thinks() {
		a.Chunks = append(a.Chunks, Thought(fmt.Sprintf("**Reading the request**\n\nThe user wrote %d words. I work out what is wanted.\n\n", len(strings.Fields(prompt)))))
	}
	if calls := wantedCalls(b, prompt); len(calls) > 0 && len(last.responses()) == 0 {
		a.Chunks = append(a.Chunks, Calls(calls...))
	} else {
		for _, piece := range pieces(stopped(b, reply(m, last, prompt))) {
			a.Chunks = append(a.Chunks, Text(piece))
		}
	}
	for i := range a.Chunks {
		a.Chunks[i].Delay = Duration(delay)
	}
	return a
}

// lastText is the text of the last user content that has some.
func lastText(contents []Content) string {
	for i := len(contents) - 1; i >= 0; i-- {
		var text []string
		for _, p := range contents[i].Parts {
			if p.Text != nil && !p.Thought && !contents[i].isModel() {
				text = append(text, *p.Text)
			}
		}
		if len(text) > 0 {
			return strings.Join(text, "\n")
		}
	}
	return ""
}

func reply(m Model, last Content, prompt string) string {
	responses := last.responses()
	if len(responses) == 0 {
		return fmt.Sprintf("You said: %s\n\nThis is %s, a stand-in that runs on your own machine. It repeats what it was told, so that you can see that the whole way works.", clip(prompt), m.ID)
	}
	var b strings.Builder
	b.WriteString("The tools have answered.")
	for _, r := range responses {
		fmt.Fprintf(&b, " %s returned %s.", r.Name, clip(string(r.Response)))
	}
	return b.String()
}

// stopped honours the stop sequences of a request, as far as a text goes.
func stopped(b *GenerateContentRequest, text string) string {
	for _, stop := range (&asked{body: b}).config().StopSequences {
		if before, _, found := strings.Cut(text, stop); found && stop != "" {
			text = before
		}
	}
	return text
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
