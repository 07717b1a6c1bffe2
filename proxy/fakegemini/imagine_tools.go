package fakegemini

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The built-in model with Google's own tools. Search alone grounds every answer; beside functions, and code and pages,
// are used when the prompt asks for them.

var (
	searchWords = regexp.MustCompile(`(?i)\b(search|look up|latest|news)\b`)
	codeWords   = regexp.MustCompile(`(?i)\b(code|python|calculate|compute)\b`)
	addresses   = regexp.MustCompile(`https?://[^\s"'<>)\]]+`)
)

// toolTokens is what one page or one output costs to read.
const toolTokens = 40

// maxPages bounds the pages that one answer reads.
const maxPages = 20

// has tells whether a tool of Google's own is declared.
func (q *asked) has(is func(Tool) bool) bool {
	for _, t := range q.body.Tools {
		if is(t) {
			return true
		}
	}
	return false
}

func searchTool(t Tool) bool { return t.GoogleSearch != nil || t.GoogleSearchRetrieval != nil }
func pagesTool(t Tool) bool  { return t.URLContext != nil }
func codeTool(t Tool) bool   { return t.CodeExecution != nil }

// useBuiltIns answers with the tools that fit the prompt; false when none does.
func (q *asked) useBuiltIns(a *Answer, prompt string, left int) bool {
	mixed, flag := q.mixed()
	switch pages := addresses.FindAllString(prompt, maxPages); {
	case q.config().ResponseMimeType == mimeJSON:
		return false
	case q.has(codeTool) && codeWords.MatchString(prompt):
		a.ToolUse = toolTokens
		a.Chunks = append(a.Chunks, RunCode("print(6 * 7)"), CodeOutput("OUTCOME_OK", "42\n"))
		a.Chunks = append(a.Chunks, q.spoken("The code printed 42.", left)...)
	case q.has(pagesTool) && len(pages) > 0:
		q.readPages(a, pages, left)
	case q.has(searchTool) && (!mixed || flag && searchWords.MatchString(prompt)):
		q.search(a, prompt, left, mixed)
	default:
		return false
	}
	return true
}

func (q *asked) readPages(a *Answer, pages []string, left int) {
	var g Grounding
	var read []FetchedURL
	for _, p := range pages {
		g.Sources = append(g.Sources, Web(p, p))
		read = append(read, FetchedURL{p, Fetched})
	}
	a.ToolUse = toolTokens * len(pages)
	text := "I read " + strings.Join(pages, " and ") + ". It is an example."
	g.Supports = []Support{Supports(text, "It is an example.", 0)}
	before := len(a.Chunks)
	q.grounded(a, text, g, left)
	a.Chunks[before] = a.Chunks[before].Fetched(read...)
}

// search answers with two pages that the fake made up.
func (q *asked) search(a *Answer, prompt string, left int, asParts bool) {
	query := searchQuery(prompt)
	var g Grounding
	g.Queries = []string{query}
	g.Entry = &SearchEntry{Rendered: `<div class="container"><a class="chip" href="https://www.google.com/search">` + query + `</a></div>`}
	for _, domain := range []string{"example.com", "example.org"} {
		id := base64.RawURLEncoding.EncodeToString([]byte(domain + " " + query))
		g.Sources = append(g.Sources, Web(domain, "https://vertexaisearch.cloud.google.com/grounding-api-redirect/"+id))
	}
	first, second := fmt.Sprintf("The page at example.com explains “%s” at length.", query), "The one at example.org lists three examples."
	text := first + " " + second
	g.Supports = []Support{Supports(text, first, 0), Supports(text, second, 1)}
	a.ToolUse = toolTokens * len(g.Sources)
	if asParts {
		a.Chunks = append(a.Chunks, ServerCall("search01", "GOOGLE_SEARCH_WEB", `{"queries":[`+strconv.Quote(query)+`]}`),
			ServerResponse("search01", "GOOGLE_SEARCH_WEB", string(rawJSON(searchSuggestions{g.Entry.Rendered}))))
	}
	q.grounded(a, text, g, left)
}

type searchSuggestions struct {
	HTML string `json:"search_suggestions"`
}

// searchQuery is what a prompt asks to search for: what follows "query:", else the first line.
func searchQuery(prompt string) string {
	if _, after, found := strings.Cut(prompt, "query:"); found {
		prompt = after
	}
	line, _, _ := strings.Cut(strings.TrimSpace(prompt), "\n")
	if len(line) > 80 {
		line = strings.ToValidUTF8(line[:80], "")
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("\"\\<>", r) || r < ' ' {
			return ' '
		}
		return r
	}, line)
}

// grounded speaks a text with its grounding on the last chunk; a text that is cut short has none.
func (q *asked) grounded(a *Answer, text string, g Grounding, left int) {
	chunks := q.spoken(text, left)
	said := ""
	for _, c := range chunks {
		said += *c.Parts[0].Text
	}
	if said == text {
		if q.model.Family.EndsWithEmpty {
			chunks = append(chunks, Text("").Ends("STOP"))
		}
		last := &chunks[len(chunks)-1]
		*last = last.Grounded(g)
	}
	a.Chunks = append(a.Chunks, chunks...)
}
