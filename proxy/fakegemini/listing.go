package fakegemini

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// ModelEntry is one model as the models endpoints list it.
type ModelEntry struct {
	Name        string   `json:"name"`
	Version     string   `json:"version"`
	DisplayName string   `json:"displayName"`
	Description string   `json:"description"`
	InputLimit  int      `json:"inputTokenLimit"`
	OutputLimit int      `json:"outputTokenLimit"`
	Methods     []string `json:"supportedGenerationMethods"`
	Temperature float64  `json:"temperature"`
	TopP        float64  `json:"topP"`
	TopK        int      `json:"topK"`
	MaxTemp     float64  `json:"maxTemperature"`
	Thinking    bool     `json:"thinking,omitempty"`
}

type modelList struct {
	Models []ModelEntry `json:"models"`
	Next   string       `json:"nextPageToken,omitempty"`
}

const (
	defaultPageSize = 50
	maxPageSize     = 1000
)

// entry describes a model under the id that was asked for.
func entry(id string, m Model) ModelEntry {
	words := strings.Fields(strings.ReplaceAll(id, "-", " "))
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	name := cmp.Or(m.Display, strings.Join(words, " "))
	return ModelEntry{Name: "models/" + id, Version: "001", DisplayName: name, Description: name + " of the fake", InputLimit: m.Input, OutputLimit: m.Output,
		Methods: m.Methods, Temperature: 1, TopP: 0.95, TopK: 64, MaxTemp: 2, Thinking: m.Thinking.thinks()}
}

// list answers one page; the page token is the id of the first model of the page.
func (x *exchange) list() {
	query := x.req.URL.Query()
	size := defaultPageSize
	if text := query.Get("pageSize"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			x.fail(Err(400, "Invalid value at 'page_size' (TYPE_INT32), \""+text+"\""))
			return
		}
		size = min(cmp.Or(n, defaultPageSize), maxPageSize)
	}
	first := 0
	if token := query.Get("pageToken"); token != "" {
		first = slices.IndexFunc(x.s.models, func(m Model) bool { return m.ID == token })
	}
	if first < 0 {
		x.fail(Err(400, "Request contains an invalid argument."))
		return
	}
	page := modelList{Models: []ModelEntry{}}
	last := min(first+size, len(x.s.models))
	for _, m := range x.s.models[first:last] {
		if full, ok := x.s.models.find(m.ID); ok {
			page.Models = append(page.Models, entry(m.ID, full))
		}
	}
	if last < len(x.s.models) {
		page.Next = x.s.models[last].ID
	}
	x.plain(http.StatusOK, page)
}
