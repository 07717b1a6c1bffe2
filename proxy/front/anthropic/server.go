package anthropic

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Tools that the provider runs itself leave their blocks in the history, whoever the provider was. For Gemini they become
// words; where they are of our own making, the ids tell Prepare what Google's own parts were.

// isServerTool reports whether the block is the use or the result of a tool that the client did not run.
func (b *block) isServerTool() bool {
	switch b.kind {
	case "server_tool_use", "mcp_tool_use", "mcp_tool_result":
		return true
	}
	return b.kind != "tool_result" && strings.HasSuffix(b.kind, "_tool_result")
}

// telling is a run of such blocks, in words.
type telling struct {
	words strings.Builder
	ids   []string
}

func (t *telling) add(b *block) {
	words := b.serverResult()
	if strings.HasSuffix(b.kind, "_use") {
		t.ids = append(t.ids, b.id)
		words = b.serverUse()
	}
	if words == "" {
		return
	}
	if t.words.Len() > 0 {
		t.words.WriteByte('\n')
	}
	t.words.WriteString(words)
}

// end appends what was told, with all its ids for the time being, and begins anew.
func (t *telling) end(parts []gemini.Part) []gemini.Part {
	if t.words.Len() > 0 {
		parts = append(parts, gemini.Part{Text: gemini.Quote(t.words.String()), ServerID: strings.Join(t.ids, " ")})
	}
	*t = telling{}
	return parts
}

// ours leaves to each telling the one id that something is carried for, or any, which still tells it from the model's words.
func (d *decoder) ours(parts []gemini.Part) {
	if !slices.ContainsFunc(parts, func(p gemini.Part) bool { return p.ServerID != "" }) {
		return // as nearly always
	}
	carried := d.carriedIDs()
	for i := range parts {
		if parts[i].ServerID == "" {
			continue
		}
		known := ""
		for id := range strings.SplitSeq(parts[i].ServerID, " ") {
			if known == "" && carried[id] {
				known = id
			}
		}
		first, _, _ := strings.Cut(parts[i].ServerID, " ")
		parts[i].ServerID = cmp.Or(known, first)
	}
}

// carriedIDs are those of what the request carried so far.
func (d *decoder) carriedIDs() map[string]bool {
	if d.carried == nil {
		d.carried = map[string]bool{}
	}
	for ; d.noted < len(d.call.Carried); d.noted++ {
		d.carried[d.call.Carried[d.noted].ClientID] = true
	}
	return d.carried
}

// serverUse says what was asked of the tool.
func (b *block) serverUse() string {
	var input struct{ Query, URL, Code string }
	if json.Unmarshal(b.input, &input) != nil {
		return "[" + b.name + " " + string(b.input) + "]"
	}
	switch {
	case input.Query != "":
		return "[" + b.name + "] " + input.Query
	case input.URL != "":
		return "[" + b.name + "] " + input.URL
	case input.Code != "":
		return "[" + b.name + "]\n```\n" + input.Code + "\n```"
	}
	return "[" + b.name + " " + string(b.input) + "]"
}

// serverResult says what a tool gave, "" if there is nothing to say.
func (b *block) serverResult() string {
	var lines []string
	for i := range b.content {
		lines = append(lines, b.content[i].serverLine())
	}
	if b.object != nil {
		lines = append(lines, resultWords(b.object)...)
	}
	return strings.Join(nonEmpty(lines), "\n")
}

// serverLine is an item of a result.
func (b *block) serverLine() string {
	switch {
	case b.kind == "web_search_result":
		return "- " + b.title.String() + ": " + b.url.String()
	case b.toolName != "":
		return "Loaded tool: " + b.toolName
	}
	return b.text.String()
}

// resultWords reads a result that is one object: a page, a file, what code wrote, tools that were found, or an error.
func resultWords(object json.RawMessage) []string {
	var r struct {
		ErrorCode string `json:"error_code"`
		Stdout    string
		Stderr    string
		Text      string
		Tools     []struct {
			Name string `json:"tool_name"`
		} `json:"tool_references"`
		Lines   []string // of an edit
		Content json.RawMessage
	}
	if json.Unmarshal(object, &r) != nil {
		return nil
	}
	lines := append([]string{r.Text, r.Stdout, r.Stderr}, r.Lines...)
	for _, t := range r.Tools {
		lines = append(lines, "Loaded tool: "+t.Name)
	}
	if r.ErrorCode != "" {
		lines = append(lines, "error: "+r.ErrorCode)
	}
	return append(lines, contentWords(r.Content)...)
}

// contentWords reads what a result has as its content: a file as one text, or a page.
func contentWords(content json.RawMessage) []string {
	var text string
	var page struct {
		Title  string
		Source struct{ Type, Data string }
	}
	switch {
	case len(content) == 0 || json.Unmarshal(content, &text) == nil:
		return []string{text}
	case json.Unmarshal(content, &page) != nil:
		return nil
	case page.Source.Type != "text":
		return []string{page.Title}
	}
	return []string{page.Title, page.Source.Data}
}

func nonEmpty(lines []string) []string {
	kept := lines[:0]
	for _, l := range lines {
		if strings.TrimSpace(l) != "" {
			kept = append(kept, l)
		}
	}
	return kept
}
