// Package native knows what is needed to pass calls of Google's own API through as they are: what a path names, what a body
// refers to, and how errors are told.
package native

import (
	"net/url"
	"strings"
)

// Path is what the path of a call names.
type Path struct {
	Model      string // of models/{model} and models/{model}:{verb}, else ""
	Verb       string // generateContent and the like, "" if there is none
	Collection string // models, files, cachedContents and the like
	// Resource is the name of what the call is about, "files/abc"; "" for a model and for a whole collection.
	Resource string
	Upload   bool // bytes are sent, or the sending begins
}

// Parse reads /v1beta/models/{model}:{verb} and its kin: everything below /v1beta and /v1alpha, the uploads and downloads of
// both, and what is done with a model below /v1, where other protocols are at home too. path is decoded.
func Parse(path string) (Path, bool) {
	var p Path
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return p, false
	}
	if after, ok := strings.CutPrefix(rest, "upload/"); ok {
		p.Upload, rest = true, after
	} else if after, ok := strings.CutPrefix(rest, "download/"); ok {
		rest = after
	}
	version, name, ok := strings.Cut(rest, "/")
	if !ok || name == "" || strings.ContainsAny(name, "\x00\r\n ?#") {
		return p, false
	}
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name, p.Verb = name[:i], name[i+1:]
	}
	p.name(strings.TrimSuffix(name, "/"))
	switch version {
	case "v1beta", "v1alpha":
		return p, p.Collection != "openai"
	case "v1":
		return p, !p.Upload && p.Verb != "" && (p.Model != "" || p.Collection == "tunedModels")
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
