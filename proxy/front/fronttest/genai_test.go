package fronttest

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// What any front makes of a request is one that Google's own SDK could have written.
func TestRequestsDecodeStrictly(t *testing.T) {
	paths, err := filepath.Glob("../*/testdata/decode/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	checked := map[string]int{}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			if !strings.HasPrefix(f.Name, "out") || !bytes.HasPrefix(f.Data, []byte("{")) {
				continue
			}
			checked[strings.Split(filepath.ToSlash(path), "/")[1]]++
			if err := Strictly(f.Data); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	for _, front := range []string{"anthropic", "chat", "responses"} {
		if checked[front] < 5 {
			t.Errorf("%d requests of %s", checked[front], front)
		}
	}
	for _, bad := range []string{`{"contents":[{"parts":[{"txt":"x"}]}]}`, `{"tools":[{"function":{}}]}`, `{"generationConfig":{"max_tokens":1}}`, `{"stream":true}`} {
		if Strictly([]byte(bad)) == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
