package upstream

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// A body's memory is not given away before whoever sends it is done, which may be after the call was given up.
func TestABodyIsKeptUntilItIsSent(t *testing.T) {
	c := new(Client)
	r := c.Encode("models/m", &gemini.Request{Contents: []gemini.Content{{Parts: []gemini.Part{{Text: gemini.Quote(strings.Repeat("x", largeBody))}}}}})
	want := string(r.body)
	req, err := http.NewRequest("POST", "http://127.0.0.1", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.content().of(req)
	again, err := req.GetBody() // of another connection
	if err != nil || req.ContentLength != int64(len(want)) {
		t.Fatal(err, req.ContentLength)
	}
	r.Release()
	for _, body := range []io.ReadCloser{req.Body, again} {
		if r.body == nil {
			t.Fatal("the memory is given away while it is read")
		}
		if got, err := io.ReadAll(body); err != nil || string(got) != want {
			t.Errorf("%q, %v", got, err)
		}
		for range 2 {
			if err := body.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if r.body != nil {
		t.Error("the memory is kept")
	}
}
