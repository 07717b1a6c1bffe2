package anthropic

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// What Google's own tools did is shown as the blocks that Anthropic's tools leave, if the client asked for the tool. Google
// tells of searches and pages last, so a stream has their blocks at its end.

// served is what is known of those tools so far.
type served struct {
	ground   gemini.Grounding
	searches []string // queries of search calls, for answers without grounding
	codes    int      // server_tool_use blocks of code
	running  bool     // the last one has no result yet
}

// The kinds of ids of server_tool_use blocks.
const (
	searchID = 's'
	fetchID  = 'f'
	codeID   = 'c'
)

func (e *encoder) serverID(kind byte, n int) string {
	return "srvtoolu_" + e.meta.ID + string(kind) + strconv.Itoa(n)
}

// server takes the events of Google's own tools.
func (e *encoder) server(dst []byte, ev *gemini.Event) []byte {
	switch ev.Kind {
	case gemini.EventServerCall, gemini.EventServerResult:
		e.records.Note(ev)
		e.noteSearch(ev)
	case gemini.EventGrounding:
		e.served.ground.Add(ev.Grounding)
	case gemini.EventCode:
		return e.code(dst, ev)
	case gemini.EventCodeResult:
		return e.codeResult(dst, ev)
	}
	return dst
}

func (e *encoder) noteSearch(ev *gemini.Event) {
	var call struct {
		ToolType string
		Args     struct{ Queries []string }
	}
	if ev.Kind != gemini.EventServerCall || json.Unmarshal(ev.Server, &call) != nil || call.ToolType != "GOOGLE_SEARCH_WEB" {
		return
	}
	e.served.searches = append(e.served.searches, strings.Join(call.Args.Queries, "; "))
}

// queries are the searches to show, one for each pair of blocks.
func (e *encoder) queries() []string {
	g := &e.served.ground
	switch {
	case !e.call.BuiltIn.Search:
		return nil
	case len(g.Queries) > 0:
		return g.Queries
	case len(e.served.searches) > 0:
		return e.served.searches
	case len(g.Sources) > 0:
		return []string{""}
	}
	return nil
}

// pages are the fetches to show.
func (e *encoder) pages() []gemini.RetrievedURL {
	if !e.call.BuiltIn.Fetch {
		return nil
	}
	return e.served.ground.URLs
}

// pairs writes the uses of Google's own tools, each with its result.
func (e *encoder) pairs(dst []byte) []byte {
	for i, query := range e.queries() {
		id := e.serverID(searchID, i)
		input := append(gemini.AppendQuoted([]byte(`{"query":`), query), '}')
		dst = e.use(dst, "server_tool_use", id, "web_search", input)
		dst = e.whole(dst, append(e.appendSources(appendResult(nil, "web_search", id), i == 0), '}'))
	}
	for i, page := range e.pages() {
		id := e.serverID(fetchID, i)
		input := append(gemini.AppendQuoted([]byte(`{"url":`), page.URL), '}')
		dst = e.use(dst, "server_tool_use", id, "web_fetch", input)
		dst = e.whole(dst, append(e.appendPage(appendResult(nil, "web_fetch", id), page), '}'))
	}
	return dst
}

// appendResult begins a result block, up to its content.
func appendResult(dst []byte, tool, id string) []byte {
	dst = append(append(append(dst, `{"type":"`...), tool...), `_tool_result","tool_use_id":"`...)
	return append(append(dst, id...), `","content":`...)
}

// appendSources writes what was found: all of it in the first result, since Google does not say which query found what.
// The first page carries what must come back with the conversation.
func (e *encoder) appendSources(dst []byte, first bool) []byte {
	dst = append(dst, '[')
	if !first {
		return append(dst, ']')
	}
	var carried []front.Record
	if record, ok := e.records.Server(e.serverID(searchID, 0)); ok {
		carried = append(carried, record)
	}
	open := len(dst)
	for _, s := range e.served.ground.Sources {
		if s.URI == "" {
			continue
		}
		if len(dst) > open {
			dst = append(dst, ',')
		}
		dst = gemini.AppendQuoted(append(dst, `{"type":"web_search_result","url":`...), s.URI)
		dst = gemini.AppendQuoted(append(dst, `,"title":`...), front.SourceTitle(s))
		dst = append(append(dst, `,"encrypted_content":"`...), front.Seal(e.call.Target, carried...)...)
		dst = append(dst, `","page_age":null}`...)
		carried = nil
	}
	return append(dst, ']')
}

// appendPage writes how reading a page went. Google keeps the page's text to itself.
func (e *encoder) appendPage(dst []byte, page gemini.RetrievedURL) []byte {
	if page.Status != "URL_RETRIEVAL_STATUS_SUCCESS" {
		code := "url_not_accessible"
		if page.Status == "URL_RETRIEVAL_STATUS_UNSAFE" {
			code = "url_not_allowed"
		}
		return append(append(append(dst, `{"type":"web_fetch_tool_result_error","error_code":"`...), code...), `"}`...)
	}
	dst = gemini.AppendQuoted(append(dst, `{"type":"web_fetch_result","url":`...), page.URL)
	dst = e.meta.Created.UTC().AppendFormat(append(dst, `,"retrieved_at":"`...), time.RFC3339)
	dst = append(dst, `","content":{"type":"document","source":{"type":"text","media_type":"text/plain","data":`...)
	dst = gemini.AppendQuoted(dst, "The model has read this page; its text was not passed on.")
	return append(dst, `},"title":null}}`...)
}

// code writes code that the model has Google run.
func (e *encoder) code(dst []byte, ev *gemini.Event) []byte {
	if !e.call.BuiltIn.Code {
		return e.delta(dst, openText, front.CodeText(ev))
	}
	dst = e.codeEnd(e.close(dst))
	code := ev.Code.Code
	if code == nil {
		code = gemini.Text(`""`)
	}
	id := e.serverID(codeID, e.served.codes)
	e.served.codes++
	e.served.running = true
	return e.use(dst, "server_tool_use", id, "code_execution", append(append([]byte(`{"code":`), code...), '}'))
}

// codeResult writes what the code did.
func (e *encoder) codeResult(dst []byte, ev *gemini.Event) []byte {
	if !e.served.running {
		return e.delta(dst, openText, front.CodeText(ev))
	}
	e.served.running = false
	block := appendResult(nil, "code_execution", e.serverID(codeID, e.served.codes-1))
	output := ev.CodeResult.Output
	if output == nil {
		output = gemini.Text(`""`)
	}
	stdout, stderr, code := output, gemini.Text(`""`), "0"
	switch ev.CodeResult.Outcome {
	case "OUTCOME_DEADLINE_EXCEEDED":
		return e.whole(e.close(dst), append(block, `{"type":"code_execution_tool_result_error","error_code":"execution_time_exceeded"}}`...))
	case "OUTCOME_FAILED":
		stdout, stderr, code = stderr, stdout, "1"
	}
	block = append(append(block, `{"type":"code_execution_result","stdout":`...), stdout...)
	block = append(append(block, `,"stderr":`...), stderr...)
	block = append(append(block, `,"return_code":`...), code...)
	return e.whole(e.close(dst), append(block, `,"content":[]}}`...))
}

// codeEnd gives code whose result never came one that says so.
func (e *encoder) codeEnd(dst []byte) []byte {
	if !e.served.running {
		return dst
	}
	e.served.running = false
	block := appendResult(nil, "code_execution", e.serverID(codeID, e.served.codes-1))
	return e.whole(dst, append(block, `{"type":"code_execution_tool_result_error","error_code":"unavailable"}}`...))
}
