package front

import "github.com/gemini-claude-adapter/gca/proxy/gemini"

// matches knows which result of a history belongs to which call: calls and results stand in the order of the history, in which they
// are asked for as well.
type matches struct {
	calls   gemini.Slab[match]
	answers gemini.Slab[answered]
	open    map[string]int // by id, the call that the next result is for, from 1 on; 0 is none

	all       []match
	results   []answered
	nextCall  int // of all, to be asked for
	nextFound int // of results, likewise
}

// match is a call. Calls of one content with one id that have no result yet are a group, the first one first; such groups lie
// one on the other, the latest content's on top.
type match struct {
	call    *gemini.FunctionCall
	result  *gemini.FunctionResponse
	content int
	next    int // of the group; these three count from 1
	last    int // of the group, where this is the first
	below   int // the group below, likewise
}

type answered struct {
	response *gemini.FunctionResponse
	taken    bool
}

// match pairs by id. Where an id stands for several calls, a result belongs to the nearest earlier content with such
// a call unanswered, and there to the first; only then to a later one. The first result of a call wins.
func (m *matches) match(contents []gemini.Content) {
	calls, results := 0, 0
	for i := range contents {
		for j := range contents[i].Parts {
			switch p := &contents[i].Parts[j]; {
			case p.FunctionCall != nil:
				calls++
			case p.FunctionResponse != nil:
				results++
			}
		}
	}
	m.all, m.results, m.nextCall, m.nextFound = m.calls.Make(calls)[:0], m.answers.Make(results)[:0], 0, 0
	m.open = fresh(m.open)
	for i := range contents {
		for j := range contents[i].Parts {
			switch p := &contents[i].Parts[j]; {
			case p.FunctionCall != nil:
				m.wait(i, p.FunctionCall)
			case p.FunctionResponse != nil:
				m.results = append(m.results, answered{p.FunctionResponse, m.take(p.FunctionResponse)})
			}
		}
	}
	for i := range m.results {
		if r := &m.results[i]; !r.taken {
			r.taken = m.take(r.response)
		}
	}
}

func (m *matches) wait(content int, call *gemini.FunctionCall) {
	m.all = append(m.all, match{call: call, content: content, last: len(m.all) + 1})
	this := len(m.all)
	top := m.open[call.ClientID]
	if top != 0 && m.all[top-1].content == content {
		first := &m.all[top-1]
		m.all[first.last-1].next, first.last = this, this
		return
	}
	m.all[this-1].below, m.open[call.ClientID] = top, this
}

func (m *matches) take(response *gemini.FunctionResponse) bool {
	top := m.open[response.ClientID]
	if top == 0 {
		return false
	}
	first := &m.all[top-1]
	first.result = response
	if first.next == 0 {
		m.open[response.ClientID] = first.below
		return true
	}
	next := &m.all[first.next-1]
	next.last, next.below = first.last, first.below
	m.open[response.ClientID] = first.next
	return true
}

// of is the result of a call, nil if it got none.
func (m *matches) of(call *gemini.FunctionCall) *gemini.FunctionResponse {
	for m.all[m.nextCall].call != call {
		m.nextCall++
	}
	return m.all[m.nextCall].result
}

// taken reports whether a result belongs to a call.
func (m *matches) taken(response *gemini.FunctionResponse) bool {
	for m.results[m.nextFound].response != response {
		m.nextFound++
	}
	return m.results[m.nextFound].taken
}

func (m *matches) reset() (size int) {
	m.open, m.all, m.results = fresh(m.open), nil, nil
	return m.calls.Reset() + m.answers.Reset()
}
