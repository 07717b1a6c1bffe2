package proxy

import "strings"

// endpoint is what a path belongs to in metrics: a closed set, whatever paths clients invent.
type endpoint uint8

const (
	endpointOther endpoint = iota
	endpointMessages
	endpointCountTokens
	endpointChat
	endpointResponses
	endpointEmbeddings
	endpointModels
	endpointNative
	endpointHealth
	endpointStats
	endpointMetrics
	endpointAdmin
	endpointRoot
	endpoints
)

// endpointWords has the label of each endpoint, and the protocol that its clients speak.
var endpointWords = [endpoints]struct{ path, protocol string }{
	endpointOther:       {"other", "none"},
	endpointMessages:    {"/v1/messages", "anthropic"},
	endpointCountTokens: {"/v1/messages/count_tokens", "anthropic"},
	endpointChat:        {"/v1/chat/completions", "openai-chat"},
	endpointResponses:   {"/v1/responses", "openai-responses"},
	endpointEmbeddings:  {"/v1/embeddings", "openai-embeddings"},
	endpointModels:      {"/v1/models", "models"},
	endpointNative:      {"/v1beta", "gemini"},
	endpointHealth:      {"/health", "none"},
	endpointStats:       {"/stats", "none"},
	endpointMetrics:     {"/metrics", "none"},
	endpointAdmin:       {"/admin", "none"},
	endpointRoot:        {"/", "none"},
}

// endpointOf finds the endpoint of a path; native is one of Google's own API.
func endpointOf(path string, native bool) endpoint {
	switch {
	case native:
		return endpointNative
	case strings.HasPrefix(path, "/v1/models/"):
		return endpointModels
	case strings.HasPrefix(path, "/admin/"):
		return endpointAdmin
	case path == "/api/hello":
		return endpointRoot
	}
	for e := endpointOther + 1; e < endpoints; e++ {
		if endpointWords[e].path == path && e != endpointNative && e != endpointAdmin {
			return e
		}
	}
	return endpointOther
}

// methodNames are the methods that metrics tell apart; the last one stands for all others.
var methodNames = [...]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "other"}

func methodOf(name string) int {
	for i, m := range methodNames {
		if m == name {
			return i
		}
	}
	return len(methodNames) - 1
}
