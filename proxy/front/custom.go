package front

import (
	"encoding/json"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// OpenAI's custom tools take free text where functions take JSON. To Gemini each is a function with one string, input.

const customSchema = `{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}`

// Grammar is what the input of a custom tool has to match: a definition in a syntax, lark or regex. The zero value is free
// text. Gemini has no such thing, so the model is told of it in words.
type Grammar struct {
	Syntax     string
	Definition gemini.Text
}

// CustomTool declares a custom tool.
func CustomTool(name string, description gemini.Text, grammar Grammar) Tool {
	if !grammar.Definition.Empty() {
		lead := "The input must match this grammar"
		if grammar.Syntax != "" {
			lead += " (" + grammar.Syntax + ")"
		}
		rule := grammar.Definition.Wrap(lead+":\n", "")
		if description.Empty() {
			description = rule
		} else {
			description = Join([]gemini.Text{description, rule})
		}
	}
	return Tool{Name: name, Description: description, Schema: json.RawMessage(customSchema), Custom: true}
}

// CustomArgs are the arguments of a call of a custom tool.
func (a *Arena) CustomArgs(input gemini.Text) json.RawMessage {
	const head, empty, tail = `{"input":`, `""`, `}`
	args := append(a.Bytes.Make(len(head) + max(len(input), len(empty)) + len(tail))[:0], head...)
	if input == nil {
		args = append(args, empty...)
	}
	return append(append(args, input...), tail...)
}

// CustomInput is the input of a call of a custom tool. Arguments without one, which the schema does not allow, are the input
// themselves, so that nothing gets lost.
func CustomInput(args json.RawMessage) gemini.Text {
	args = Object(args)
	var input gemini.Text
	w := gemini.NewWalker(append([]byte(nil), args...))
	w.Object("an object", func(name []byte) {
		if string(name) == "input" && w.Kind() == '"' {
			input = w.Text()
			return
		}
		w.Skip()
	})
	if input == nil || w.Done() != nil {
		return gemini.AppendQuoted(nil, args)
	}
	return input
}
