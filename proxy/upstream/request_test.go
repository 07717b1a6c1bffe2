package upstream

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"
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

func sized(n int) *gemini.Request {
	return &gemini.Request{Contents: []gemini.Content{{Parts: []gemini.Part{{Text: gemini.Quote(strings.Repeat("x", n))}}}}}
}

// A small body must not hold the memory of a large one as long as its stream is open.
func TestSmallBodiesDoNotHoldLargeMemory(t *testing.T) {
	c := new(Client)
	for range 10 {
		c.Encode("m", sized(4*largestKept)).Release()
		if small := c.Encode("m", sized(largeBody)); cap(small.buffer.B) > largestKept {
			t.Fatalf("a body of %d bytes holds %d", len(small.body), cap(small.buffer.B))
		}
	}
}

// HTTP/2 closes a body in a goroutine of its own, maybe while it is read: the memory must outlive the read. -race finds it if not.
func TestABodyIsClosedWhileItIsRead(t *testing.T) {
	c := new(Client)
	for range 200 {
		r := c.Encode("m", sized(2*largeBody))
		req, err := http.NewRequest("POST", "http://127.0.0.1", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.content().of(req)
		r.Release()
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := io.Copy(io.Discard, req.Body); err != nil && !errors.Is(err, fs.ErrClosed) {
				t.Error(err)
			}
		})
		both.Go(func() {
			if err := req.Body.Close(); err != nil {
				t.Error(err)
			}
			c.Encode("m", sized(2*largeBody)).Release() // writes where the first one lay
		})
		both.Wait()
		if _, err := req.GetBody(); !errors.Is(err, fs.ErrClosed) {
			t.Fatalf("a body that is given away can be read: %v", err)
		}
	}
}
