package proxy

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// modelInfo is a model in a shape that Anthropic's and OpenAI's SDKs both read.
type modelInfo struct {
	ID             string `json:"id"`
	Object         string `json:"object"`
	Type           string `json:"type"`
	DisplayName    string `json:"display_name"`
	Created        int64  `json:"created"`
	CreatedAt      string `json:"created_at"`
	OwnedBy        string `json:"owned_by"`
	MaxInputTokens int    `json:"max_input_tokens"`
	MaxTokens      int    `json:"max_tokens"`
}

type modelList struct {
	Object  string      `json:"object"`
	Data    []modelInfo `json:"data"`
	HasMore bool        `json:"has_more"`
	FirstID *string     `json:"first_id"` // null in an empty page
	LastID  *string     `json:"last_id"`
}

// maxInput is what text models take since Gemini 2.5 (Gemini API docs), as long as nothing else is known.
const maxInput = 1_048_576

// entry is what is known of a model: Google's own word first, then the registry's, then that of its family.
func (m *models) entry(id string) modelEntry {
	e := modelEntry{ID: id, Name: id, Input: maxInput, Output: gemini.FamilyOf(id).OutputLimit}
	if known := m.registry.find(id); known != nil {
		e = *known
	}
	listed := m.listed.Load().models[id]
	e.Input, e.Output = cmp.Or(max(listed.Input, 0), e.Input), cmp.Or(max(listed.Output, 0), e.Output)
	if e.Name == id {
		e.Name = cmp.Or(listed.Display, id)
	}
	return e
}

// describe makes the entry of a name; not ok is a name that means nothing, or a model that
// neither Google nor the registry has.
func (m *models) describe(id string) (modelInfo, bool) {
	target, ok := m.resolve(id)
	if !ok || m.lacks(target) && m.registry.find(target) == nil {
		return modelInfo{}, false
	}
	entry := m.entry(target)
	info := modelInfo{
		ID: id, Object: "model", Type: "model", DisplayName: entry.Name, OwnedBy: "google",
		MaxInputTokens: entry.Input, MaxTokens: entry.Output,
	}
	if id != target {
		info.DisplayName += " (" + id + ")"
	}
	created, err := time.Parse(time.DateOnly, cmp.Or(entry.Day, unknownDay))
	if err != nil {
		panic("BUG: the registry of models has the day " + entry.Day)
	}
	info.Created, info.CreatedAt = created.Unix(), created.Format(time.RFC3339)
	return info, true
}

// listModels answers in a shape that Anthropic's and OpenAI's clients both read, whatever headers they send.
func (s *Server) listModels(in *inbound) {
	var all []modelInfo
	for _, name := range s.models.names() {
		if info, ok := s.models.describe(name); ok && in.mayUse(name) {
			all = append(all, info)
		}
	}
	list, refusal := page(all, in.QueryArgs())
	if refusal != nil {
		s.refuse(in, refusal)
		return
	}
	reply(in, fasthttp.StatusOK, list)
}

// maxPage is the largest limit of a page, as Anthropic's API docs have it.
const maxPage = 1000

// page cuts the list as Anthropic's clients ask for it, with limit, after_id and before_id. Without a limit it is whole.
func page(all []modelInfo, query *fasthttp.Args) (modelList, *front.Error) {
	at := func(param string) (int, *front.Error) {
		id := string(query.Peek(param))
		i := slices.IndexFunc(all, func(m modelInfo) bool { return m.ID == id })
		if i < 0 && id != "" {
			return 0, front.Invalidf(param, "expected the id of a model in the list")
		}
		return i, nil
	}
	after, refusal := at("after_id")
	before, refusedToo := at("before_id")
	if refusal = cmp.Or(refusal, refusedToo); refusal != nil {
		return modelList{}, refusal
	}
	list := modelList{Object: "list", Data: all[after+1:]}
	size := len(all)
	if limit, err := query.GetUint("limit"); err == nil && limit > 0 {
		size = min(limit, maxPage)
	}
	if before >= 0 {
		list.Data = all[min(after+1, before):before]
		list.HasMore = len(list.Data) > size
		list.Data = list.Data[max(len(list.Data)-size, 0):]
	} else {
		list.HasMore = len(list.Data) > size
		list.Data = list.Data[:min(size, len(list.Data))]
	}
	if n := len(list.Data); n > 0 {
		list.FirstID, list.LastID = &list.Data[0].ID, &list.Data[n-1].ID
	} else {
		list.Data = []modelInfo{}
	}
	return list, nil
}

func (s *Server) showModel(in *inbound) {
	id := strings.TrimPrefix(string(in.Path()), "/v1/models/")
	info, ok := s.models.describe(id)
	if !ok || !in.mayUse(id) {
		s.refuse(in, unknownModel(id))
		return
	}
	reply(in, fasthttp.StatusOK, info)
}

// reply writes v as JSON.
func reply[T any](in *inbound, status int, v T) {
	body, err := json.Marshal(v)
	if err != nil {
		panic("BUG: a reply has no JSON form: " + err.Error())
	}
	in.SetStatusCode(status)
	in.SetContentType("application/json")
	in.SetBody(body)
}
