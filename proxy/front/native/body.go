package native

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxNames bounds what one body can make anybody look up.
const maxNames = 64

// references are the fields whose strings name something that belongs to the key which made it, and how to read the name.
// Google takes both spellings.
var references = map[string]func(string) string{
	"cachedContent": Resource, "cached_content": Resource,
	"fileUri": Resource, "file_uri": Resource, "fileName": Resource, "file_name": Resource,
	"continuationToken": Token, "continuation_token": Token,
	"fileSearchStoreNames": Resource, "file_search_store_names": Resource,
	"previousInteractionId": interaction, "previous_interaction_id": interaction,
}

// hints stand in every body that refers to something, but for those that escape the letters of a field.
var hints = [][]byte{
	[]byte(`"cachedContent"`), []byte(`"cached_content"`), []byte(`"fileUri"`), []byte(`"file_uri"`),
	[]byte(`"fileName"`), []byte(`"file_name"`), []byte(`"continuationToken"`), []byte(`"continuation_token"`),
	[]byte(`"fileSearchStoreNames"`), []byte(`"file_search_store_names"`),
	[]byte(`"previousInteractionId"`), []byte(`"previous_interaction_id"`),
}

// Names lists what a body refers to, as owners are kept for: "cachedContents/abc", "files/abc", Token(…). A body that is no
// JSON names what stands before its fault. The body is not changed.
func Names(body []byte) []string {
	if !hinted(body) {
		return nil
	}
	var names []string
	var read func(string) string // of the field that is being read, nil for one that names nothing
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for len(names) < maxNames {
		tok, err := dec.ReadToken()
		if err != nil {
			return names // the end, or a fault that Google tells of
		}
		if tok.Kind() != '"' {
			continue
		}
		if in, n := dec.StackIndex(dec.StackDepth()); in != '{' || n%2 == 0 {
			if read == nil {
				continue
			}
			if name := read(tok.String()); name != "" {
				names = append(names, name)
			}
			continue
		}
		if read = references[tok.String()]; read == nil && dec.PeekKind() == '"' && dec.SkipValue() != nil {
			return names
		}
	}
	return names
}

func hinted(body []byte) bool {
	for _, h := range hints {
		if bytes.Contains(body, h) {
			return true
		}
	}
	return false
}

// Resource is the name that a reference means: of an address of Google's the part behind the version, of a name itself. It
// is "" for all others, such as addresses of the rest of the web.
func Resource(reference string) string {
	name := reference
	if _, rest, ok := strings.Cut(reference, "://"); ok {
		host, path, _ := strings.Cut(rest, "/")
		path, _, _ = strings.Cut(path, "?")
		if name = unversioned(path); !strings.HasSuffix(host, ".googleapis.com") || name == "" {
			return ""
		}
	}
	name, _, _ = strings.Cut(name, ":")
	if collection, id, ok := strings.Cut(name, "/"); !ok || collection == "" || id == "" || len(name) > 300 {
		return ""
	}
	return name
}

// unversioned is what follows the version in the path of an address, "" where there is none.
func unversioned(path string) string {
	for _, version := range []string{"v1beta/", "v1/", "v1alpha/"} {
		if _, name, ok := strings.Cut("/"+path, "/"+version); ok {
			return name
		}
	}
	return ""
}

// interaction is the name of an interaction, which other fields call by its id alone.
func interaction(id string) string {
	if id == "" || len(id) > 300 {
		return ""
	}
	return "interactions/" + id
}

// Token is the name under which the owner of a continuation token, or of another opaque text, is kept.
func Token(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "token/" + hex.EncodeToString(sum[:16])
}

// Opening identifies a conversation by its first content, which every request of it repeats; "" where there is none.
func Opening(body []byte) string {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return ""
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return ""
		}
		if name.String() != "contents" {
			if dec.SkipValue() != nil {
				return ""
			}
			continue
		}
		if dec.PeekKind() == '[' {
			if _, err := dec.ReadToken(); err != nil {
				return ""
			}
		}
		first, err := dec.ReadValue()
		if err != nil {
			return ""
		}
		return Token(string(first))
	}
	return ""
}

// workOf is the model, or the agent, that the body of an interaction or a cache names, "" where it is none, or none that can be
// told for sure; later is one that is done in the background.
func workOf(body []byte) (model string, later bool) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowInvalidUTF8(true))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return "", true
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return "", true
		}
		field, kind := name.String(), dec.PeekKind()
		later = later || field == "background" && kind != 'f' && kind != 'n'
		if named := field == "model" || field == "agent"; named && kind == '"' && model == "" {
			value, err := dec.ReadToken()
			if err != nil {
				return "", true
			}
			model = value.String()
		} else if named || dec.SkipValue() != nil {
			return "", true
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return "", true
	}
	return model, later
}

var (
	made      = regexp.MustCompile(`"name"\s*:\s*"([A-Za-z]+/[A-Za-z0-9._/-]{1,280})"`)
	continued = regexp.MustCompile(`"continuationToken"\s*:\s*"([^"\\]+)"`)
	ids       = regexp.MustCompile(`"id"\s*:\s*"([^"\\]{1,300})"`)
)

// Interactions lists the names of what has an id in the answer of an interaction, itself among them. text may be any part of
// that answer.
func Interactions(text []byte) []string {
	var names []string
	for _, m := range ids.FindAllSubmatch(text, maxNames) {
		names = append(names, interaction(string(m[1])))
	}
	return names
}

// Made lists the names that an answer tells of, and the continuation tokens. text may be any part of an answer.
func Made(text []byte) []string {
	var names []string
	for _, m := range made.FindAllSubmatch(text, -1) {
		name := string(m[1])
		if _, after, _ := strings.Cut(name, "/"); strings.HasPrefix(name, "models/") && !strings.Contains(after, "/") {
			continue // everybody's
		}
		names = append(names, name)
	}
	for _, m := range continued.FindAllSubmatch(text, -1) {
		names = append(names, Token(string(m[1])))
	}
	return names
}
