package fronttest_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/front/anthropic"
	"github.com/gemini-claude-adapter/gca/proxy/front/chat"
	"github.com/gemini-claude-adapter/gca/proxy/front/fronttest"
	"github.com/gemini-claude-adapter/gca/proxy/front/responses"
)

// codecs are the protocols by the names of their files.
func codecs() map[string]front.Codec {
	return map[string]front.Codec{"anthropic": anthropic.Codec{}, "chat": chat.Codec{}, "responses": responses.Codec{}}
}

// TestConversations holds the protocols to each other: the same conversation, written in each, is one request to Gemini.
func TestConversations(t *testing.T) {
	paths, err := filepath.Glob("testdata/conversations/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no conversations: %v", err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range []string{"gemini-2.5-flash", "gemini-3-flash-preview", "gemini-3.8-flash", "gemini-4-neon"} {
			t.Run(filepath.Base(path)+"/"+target, func(t *testing.T) { sameRequest(t, archive, target) })
		}
	}
}

func sameRequest(t *testing.T, archive *txtar.Archive, target string) {
	var first []byte
	for name, codec := range codecs() {
		call := fronttest.Decode(t, codec, target, file(t, archive, name+".json"))
		got := call.Request.AppendJSON(nil)
		if first == nil {
			first = got
		}
		if !bytes.Equal(got, first) {
			t.Errorf("%s makes\n%s\nanother one makes\n%s", name, fronttest.Indent(t, got), fronttest.Indent(t, first))
		}
	}
}

func file(t *testing.T, archive *txtar.Archive, name string) string {
	for _, f := range archive.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	t.Fatalf("the conversation has no %s", name)
	return ""
}
