package fronttest

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gemini-claude-adapter/gca/proxy/front"
)

// earlier is a model that takes less than Target, so that requests are made anew for it.
const earlier = "gemini-2.5-flash"

// DecodeAgain decodes the files in.json of testdata/decode over and over, several at once, with a codec that uses memory again: what
// goes to Google is the same as with one that does not, whatever was decoded before.
func DecodeAgain(t *testing.T, fresh, reusing front.Codec) {
	paths, err := filepath.Glob(filepath.Join("testdata", "decode", "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	bodies, want := make([][]byte, len(paths)), make([]string, len(paths))
	for i, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bodies[i] = a.Files[0].Data
		want[i] = madeOf(fresh, bytes.Clone(bodies[i]))
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 8 {
				for _, i := range rand.Perm(len(bodies)) {
					if got := madeOf(reusing, bytes.Clone(bodies[i])); got != want[i] {
						t.Errorf("%s\nbecomes %s\nwant %s", paths[i], got, want[i])
						return
					}
				}
			}
		})
	}
	wait.Wait()
}

// madeOf is what goes to Google of a request, for one model after the other. Its memory is others' then, the body's too.
func madeOf(codec front.Codec, body []byte) string {
	call, err := codec.Decode(body)
	if err != nil {
		return err.Error()
	}
	var made strings.Builder
	for _, target := range []string{Target, earlier, Target} {
		if err := front.Prepare(call, target, nil); err != nil {
			made.WriteString(err.Error())
			continue
		}
		made.Write(call.Request.AppendJSON(nil))
	}
	made.WriteString(call.Conversation + call.LeftOut.String())
	call.Release()
	clear(body)
	return made.String()
}
