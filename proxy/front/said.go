package front

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Between what Google's own tools did and the call after it the model may say something, and it all must come back in its
// order. Clients send the text as one with what was said before, so Record.Before ends in how many bytes of it came after.

const saidHead, saidTail = `,{"said":`, `}]`

// appendSaid adds that to the list of parts.
func appendSaid(list string, said int) string {
	if list == "" || said == 0 {
		return list
	}
	return list[:len(list)-1] + saidHead + strconv.Itoa(said) + saidTail
}

// cutSaid takes it off again; 0 where there is none.
func cutSaid(list string) (parts string, said int) {
	i := strings.LastIndex(list, saidHead)
	if i < 0 {
		return list, 0
	}
	n, err := strconv.Atoi(strings.TrimSuffix(list[i+len(saidHead):], saidTail))
	if err != nil || n < 0 {
		return list, 0
	}
	return list[:i] + "]", n
}

// insertBefore puts more before the last said bytes of the texts at the end of parts, or before all of these texts where there
// are no more.
func insertBefore(parts []gemini.Part, said int, more []gemini.Part) []gemini.Part {
	at := len(parts)
	for len(more) > 0 && said > 0 && at > 0 && parts[at-1].Text != nil {
		at--
		if parts[at].ServerID != "" {
			continue // not the model's own words
		}
		text := parts[at].Text.String()
		from := len(text) - said
		if said -= len(text); from > 0 && utf8.RuneStart(text[from]) && parts[at].ThoughtSignature == "" {
			before, after := parts[at], parts[at]
			before.Text, after.Text = gemini.Quote(text[:from]), gemini.Quote(text[from:])
			parts = slices.Replace(parts, at, at+1, before, after)
			at++
		}
	}
	return slices.Insert(parts, at, more...)
}
