package proxy

import (
	"context"

	"github.com/gemini-claude-adapter/gca/proxy/fetch"
	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// fetchURLs replaces what the client named by URL by what is there. Gemini gets what cannot be had itself, from its third
// generation on.
func (s *Server) fetchURLs(ctx context.Context, call *front.Call, target string) *front.Error {
	itself := gemini.FamilyOf(target).MediaResults
	if !s.settings().FetchURLs {
		return fetch.Leave(call.Request, itself, "FETCH_URLS=false keeps the adapter from getting it")
	}
	leftOut, refusal := s.fetcher.Resolve(ctx, call.Request, itself)
	if leftOut > 0 {
		call.LeftOut.Add("older_urls")
	}
	return refusal
}
