package proxy

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
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
	FirstID string      `json:"first_id"`
	LastID  string      `json:"last_id"`
}

// maxInput is the same for every text model since Gemini 2.5 (Gemini API docs).
const maxInput = 1_048_576

// describe makes the entry of a name; not ok is a name that means nothing.
func (m *models) describe(id string) (modelInfo, bool) {
	target, ok := m.resolve(id)
	if !ok {
		return modelInfo{}, false
	}
	info := modelInfo{
		ID: id, Object: "model", Type: "model", DisplayName: target, OwnedBy: "google",
		MaxInputTokens: maxInput, MaxTokens: gemini.FamilyOf(target).OutputLimit,
	}
	day := unknownDay
	for _, p := range published {
		if p.id == target {
			info.DisplayName, day = p.name, cmp.Or(p.day, unknownDay)
		}
	}
	if id != target {
		info.DisplayName += " (" + id + ")"
	}
	created, err := time.Parse(time.DateOnly, day)
	if err != nil {
		panic("BUG: the table of models has the day " + day)
	}
	info.Created, info.CreatedAt = created.Unix(), created.Format(time.RFC3339)
	return info, true
}

func (s *Server) listModels(in *inbound) {
	list := modelList{Object: "list", Data: []modelInfo{}}
	for _, name := range s.models.names() {
		if info, ok := s.models.describe(name); ok {
			list.Data = append(list.Data, info)
		}
	}
	list.FirstID, list.LastID = list.Data[0].ID, list.Data[len(list.Data)-1].ID
	reply(in, fasthttp.StatusOK, list)
}

func (s *Server) showModel(in *inbound) {
	id := strings.TrimPrefix(string(in.Path()), "/v1/models/")
	info, ok := s.models.describe(id)
	if !ok {
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

type health struct {
	Status     string `json:"status"`
	ActiveKeys int    `json:"active_keys"`
	TotalKeys  int    `json:"total_keys"`
	Version    string `json:"version"`
}

// health is healthy while every key serves every model, degraded while some do, and else unhealthy.
func (s *Server) health(in *inbound) {
	h := health{Status: "healthy", Version: s.deps.Version}
	for _, k := range s.pool.Snapshot() {
		h.TotalKeys++
		if k.State == keys.Healthy || k.State == keys.Limited {
			h.ActiveKeys++
		}
		if k.State != keys.Healthy {
			h.Status = "degraded"
		}
	}
	if h.ActiveKeys == 0 {
		h.Status = "unhealthy"
		reply(in, fasthttp.StatusServiceUnavailable, h)
		return
	}
	reply(in, fasthttp.StatusOK, h)
}
