package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/upstream"
)

const (
	maxListed  = 500 // models that are kept of Google's list
	maxListers = 3   // keys that are asked for it
)

// listing is Google's own list of its models, as far as it was read. It never changes.
type listing struct {
	ids    []string // of those that answer, in Google's order
	models map[string]listedModel
	thinks bool // the list tells which models think
}

// listedModel is an entry of models.list (Gemini API docs).
type listedModel struct {
	Name    string   `json:"name"` // models/ID
	Display string   `json:"displayName"`
	Input   int      `json:"inputTokenLimit"`
	Output  int      `json:"outputTokenLimit"`
	Methods []string `json:"supportedGenerationMethods"`
	Thinks  bool     `json:"thinking"` // absent where it does not
}

// parseListing reads an answer of models.list; entries that are not usable are left out.
func parseListing(answer []byte) (*listing, error) {
	var list struct {
		Models []listedModel `json:"models"`
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return nil, err
	}
	l := &listing{models: map[string]listedModel{}}
	for _, m := range list.Models[:min(len(list.Models), maxListed)] {
		id := strings.TrimPrefix(m.Name, "models/")
		if _, again := l.models[id]; again || !isModelID(id) {
			continue
		}
		m.Display = bounded(m.Display, 100)
		l.models[id], l.thinks = m, l.thinks || m.Thinks
		if slices.Contains(m.Methods, "generateContent") && (strings.HasPrefix(id, "gemini-") || strings.HasPrefix(id, "gemma-")) {
			l.ids = append(l.ids, id)
		}
	}
	return l, nil
}

// lists reports whether Google was seen to have the model.
func (m *models) lists(id string) bool {
	_, ok := m.listed.Load().models[id]
	return ok
}

// limits is what Prepare must know of a model beyond its family. A list that says of no model that it thinks says it of none.
func (m *models) limits(id string) front.Limits {
	list := m.listed.Load()
	listed, known := list.models[id]
	return front.Limits{Output: m.entry(id).Output, NoThought: known && list.thinks && !listed.Thinks}
}

// lacks reports whether Google's list was read, and does not have the model.
func (m *models) lacks(id string) bool {
	l := m.listed.Load()
	_, ok := l.models[id]
	return len(l.models) > 0 && !ok
}

// keepListing reads Google's list now and every few hours, until ctx ends. Nothing waits for it: without it the registry's
// own facts hold.
func (s *Server) keepListing(ctx context.Context) {
	if s.pace.listing == 0 {
		return
	}
	for {
		pause := s.pace.listing
		if err := s.readListing(ctx); err != nil {
			s.log.Debug("cannot read Google's list of models", "error", err.Error())
			pause /= 12
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// readListing asks with a few keys, one after another: some may be dead without anybody's knowing. What comes of it teaches
// nothing about them.
func (s *Server) readListing(ctx context.Context) error {
	failed := errors.New("no key is configured")
	var tried []string
	for range min(len(s.settings().Keys), maxListers) {
		lease, err := s.pool.Acquire(ctx, keys.Want{Conversation: "models.list", Avoid: tried}, time.Time{})
		if err != nil {
			return err
		}
		answer, err := s.upstream.Call(ctx, lease, upstream.ListModels, "", nil)
		lease.Done(keys.None())
		if err == nil {
			return s.keepList(answer)
		}
		tried = append(tried, lease.KeyID())
		failed = err
	}
	return failed
}

// keepList remembers an answer of models.list.
func (s *Server) keepList(answer []byte) error {
	list, err := parseListing(answer)
	if err != nil {
		return err
	}
	s.models.listed.Store(list)
	return nil
}
