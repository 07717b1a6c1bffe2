// Package native knows what is needed to pass calls of Google's own API through as they are: what a path names, what a body
// refers to, and how errors are told.
package native

import (
	"net/url"
	"slices"
	"strings"
)

// Path is what the path of a call names.
type Path struct {
	Version    string // of the API: v1beta, v1alpha or v1
	Model      string // of models/{model} and models/{model}:{verb}, else ""
	Verb       string // generateContent and the like, "" if there is none
	Collection string // models, files, cachedContents and the like
	// Resource is the name of what the call is about, "files/abc"; "" for a model and for a whole collection.
	Resource string
	Upload   bool // bytes are sent, or the sending begins
}

// elsewhere are the collections below /v1 that are other protocols', whoever asks.
var elsewhere = []string{"messages", "chat", "completions", "responses", "embeddings"}

// Parse reads /v1beta/models/{model}:{verb} and its kin: everything below /v1beta and /v1alpha, and the uploads and downloads
// of all versions. Below /v1 other protocols are at home too: there it takes what is done with a model, and, where a client
// of Google's asks, all that has no other owner. path is decoded.
func Parse(path string, googles bool) (Path, bool) {
	var p Path
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return p, false
	}
	media := false
	if after, ok := strings.CutPrefix(rest, "upload/"); ok {
		p.Upload, media, rest = true, true, after
	} else if after, ok := strings.CutPrefix(rest, "download/"); ok {
		media, rest = true, after
	}
	version, name, ok := strings.Cut(rest, "/")
	if !ok || name == "" || strings.ContainsAny(name, "\x00\r\n ?#") {
		return p, false
	}
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name, p.Verb = name[:i], name[i+1:]
	}
	p.name(strings.TrimSuffix(name, "/"))
	p.Version = version
	switch version {
	case "v1beta", "v1alpha":
		return p, p.Collection != "openai"
	case "v1":
		ofModel := p.Verb != "" && (p.Model != "" || p.Collection == "tunedModels")
		return p, media || ofModel || googles && !slices.Contains(elsewhere, p.Collection)
	}
	return p, false
}

func (p *Path) name(name string) {
	var id string
	p.Collection, id, _ = strings.Cut(name, "/")
	switch {
	case p.Collection == "models" && !strings.Contains(id, "/"):
		p.Model = id
	case id != "":
		p.Resource = name
	}
}

// Generates reports whether the call asks a model for an answer.
func (p *Path) Generates() bool {
	return p.Verb == "generateContent" || p.Verb == "streamGenerateContent"
}

// Work is what a call has a model do.
type Work struct {
	Model     string // which one, "" where that cannot be told
	Answers   bool   // in words: what it says counts, too
	Later     bool   // nothing in the answer of the call tells what it uses, since it is done later
	Elsewhere bool   // the client gets a credential of Google's, and uses that past this server
}

// Works reports whether a call has a model work, and which one: for an answer, for vectors, for a cache, for anything but a
// count. An interaction and a cache name it in their bodies.
func Works(method string, p Path, body []byte) (w Work, works bool) {
	switch p.Verb {
	case "batchGenerateContent", "asyncBatchEmbedContent", "updateGenerateContentBatch", "updateEmbedContentBatch", "predictLongRunning":
		w.Later = true
	}
	w.Elsewhere = p.Collection == "auth_tokens" || p.Collection == "authTokens"
	w.Answers = p.Generates()
	switch {
	case method != "POST":
	case p.Collection == "interactions" && p.Resource == "":
		w.Model, w.Later = workOf(body)
		w.Answers = true
		return w, true
	case p.Collection == "cachedContents" && p.Resource == "":
		w.Model, _ = workOf(body)
		return w, true
	case p.Verb == "" || p.Verb == "countTokens":
	case p.Model != "":
		w.Model = p.Model
		return w, true
	case p.Collection == "tunedModels" || p.Collection == "dynamic":
		w.Model = p.Resource
		return w, true
	}
	return w, false
}

// Streams reports whether the answer comes in pieces.
func (p *Path) Streams() bool { return strings.HasPrefix(p.Verb, "stream") }

// credentials are the parameters that Google reads one from.
func isCredential(name string) bool {
	return name == "key" || name == "access_token" || name == "oauth_token"
}

// Query takes the credentials out of a raw query and leaves everything else as it stands. keys are those that came as key=.
func Query(raw string) (rest string, keys []string) {
	if raw == "" {
		return "", nil
	}
	var kept []string
	for _, item := range strings.Split(raw, "&") {
		name, value, _ := strings.Cut(item, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || !isCredential(name) {
			kept = append(kept, item)
			continue
		}
		if value, err := url.QueryUnescape(value); err == nil && name == "key" && value != "" {
			keys = append(keys, value)
		}
	}
	return strings.Join(kept, "&"), keys
}
