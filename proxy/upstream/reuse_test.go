package upstream

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// What reads an answer serves others after it: of an answer that was left in its middle nothing comes up in the next one, and what
// was read of it stays as it was.
func TestAReaderServesFurtherAnswers(t *testing.T) {
	var asked atomic.Int64
	frame := func(n int64) string {
		return fmt.Sprintf("data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"answer %d %s\"}]}}]}\r\n\r\n", n, strings.Repeat("x", 300))
	}
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		n := asked.Add(1)
		for range 3 {
			_, _ = io.WriteString(w, frame(n))
		}
		_, _ = io.WriteString(w, frame(n)[:200]) // whoever has left meanwhile does not read it
	})
	var texts []string
	for i := 1; i <= 6; i++ {
		s, err := c.Open(t.Context(), lease(t), hello())
		if err != nil {
			t.Fatal(err)
		}
		for range i % 4 {
			ev, err := s.Next()
			if err != nil {
				t.Fatal(err)
			}
			text := ev.Text
			texts = append(texts, string(text))
			defer func() {
				if want := fmt.Sprintf("answer %d ", i); !strings.Contains(string(text), want) {
					t.Errorf("the text of %s became %.40s", want, text)
				}
			}()
		}
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	of := []int{1, 2, 2, 3, 3, 3, 5, 6, 6}
	if len(texts) != len(of) {
		t.Fatalf("%d texts, want %d", len(texts), len(of))
	}
	for at, text := range texts {
		if want := fmt.Sprintf("answer %d ", of[at]); !strings.Contains(text, want) {
			t.Errorf("text %d is %.40s, want %s", at, text, want)
		}
	}
}
