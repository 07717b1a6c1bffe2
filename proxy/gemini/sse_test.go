package gemini

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// payloads reads a whole stream.
func payloads(r io.Reader) (out []string, err error) {
	reader := NewReader(r)
	for {
		payload, err := reader.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, string(payload))
	}
}

func TestReaderYieldsPayloads(t *testing.T) {
	f := func(stream string, want ...string) {
		t.Helper()
		got, err := payloads(strings.NewReader(stream))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v, want %q", stream, got, err, want)
		}
	}
	f("")
	f("\r\n\n")
	f("data: {\"a\":1}\r\n\r\ndata: {}\r\n\r\n", `{"a":1}`, `{}`)
	f("data: {\"a\":1}\n\ndata: {}\n\n", `{"a":1}`, `{}`)
	f("data:{}\n\n", `{}`)
	f(": comment\n\nevent: x\nid: 1\ndata: {}\n\n:\n\n", `{}`)
	f("data: {\ndata: }\n\n", "{\n}")
	f("data: {}", `{}`)
	f("data: {}\r\n", `{}`)
	f("{\"error\":{\"code\":503}}\n", "{\"error\":{\"code\":503}}\n")
	f("data: {}\n\n{\"error\":{\"message\":\"}\"}}\n\n", `{}`, "{\"error\":{\"message\":\"}\"}}\n")
	f("[{\n  \"error\": {\n    \"code\": 429\n  }\n}\n]\n", "[{\n  \"error\": {\n    \"code\": 429\n  }\n}\n]\n")
	f("[{\"error\":{\"message\":\"a\\\"]\"}}]", "[{\"error\":{\"message\":\"a\\\"]\"}}]\n")
}

func TestReaderTellsACutFromAnEnd(t *testing.T) {
	whole := "data: {\"a\":1}\r\n\r\n"
	for cut := 1; cut < len(whole); cut++ {
		got, err := payloads(strings.NewReader(whole[:cut]))
		wantWhole := cut >= strings.Index(whole, "}")+1
		if wantWhole != (err == nil && len(got) == 1) {
			t.Errorf("cut at %d: %q, %v", cut, got, err)
		}
		if !wantWhole && (!errors.Is(err, io.ErrUnexpectedEOF) || len(got) > 0) {
			t.Errorf("cut at %d: %q, %v, want an unexpected end", cut, got, err)
		}
	}
}

func TestReaderTakesLongLinesUpToItsLimit(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", 8<<20) + `"}`
	got, err := payloads(strings.NewReader("data: " + long + "\r\n\r\n"))
	if err != nil || len(got) != 1 || got[0] != long {
		t.Fatalf("an 8 MB line: %d payloads, %v", len(got), err)
	}
	if _, err := payloads(io.LimitReader(endless{}, 64<<20)); !errors.Is(err, ErrFrameTooLarge) {
		t.Errorf("an endless line: %v", err)
	}
	lines := strings.Repeat("data: "+strings.Repeat("x", 1<<20)+"\n", 20)
	if _, err := payloads(strings.NewReader(lines)); !errors.Is(err, ErrFrameTooLarge) {
		t.Errorf("an endless frame: %v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte("d"), len(p))), nil }

func TestReaderPassesOnTheConnectionsError(t *testing.T) {
	broken := errors.New("reset")
	got, err := payloads(io.MultiReader(strings.NewReader("data: {}\n\ndata: {"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || len(got) != 1 {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestReadyMeansAWholeFrame(t *testing.T) {
	pr, pw := io.Pipe()
	go func() {
		_, err := io.WriteString(pw, "data: 1\n\ndata: 2\r\n\r\ndata: 3")
		pw.CloseWithError(err)
	}()
	r := NewReader(pr)
	if r.Ready() {
		t.Error("ready before anything was read")
	}
	for i, want := range []bool{true, false, false} {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if r.Ready() != want {
			t.Errorf("after frame %d: ready is %v", i+1, !want)
		}
	}
}

func TestReadyWantsData(t *testing.T) {
	f := func(rest string, want bool) {
		t.Helper()
		r := NewReader(strings.NewReader("data: 1\n\n" + rest))
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if r.Ready() != want {
			t.Errorf("%q: ready is %v", rest, !want)
		}
	}
	f(": keep-alive\n\n", false)
	f("\r\n\r\n", false)
	f("event: ping\n\n", false)
	f("data:\n\n", false)
	f(": keep-alive\n\ndata: 2\n\n", true)
	f("event: message\r\ndata: 2\r\n\r\n", true)
	f("data: 2\n: more\n", false)
}

const recorded = "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"**Plan**\",\"thought\":true}]}}],\"usageMetadata\":{\"promptTokenCount\":90}}\r\n\r\n" +
	": keep\r\n\r\n" +
	"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"é\\n\"},{\"functionCall\":{\"id\":\"a\",\"name\":\"Read\",\"args\":{\"p\":\"/a\"}},\"thoughtSignature\":\"S\"}]}}]}\r\n\r\n" +
	"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":91,\"candidatesTokenCount\":24}}\r\n\r\n"

// TestSplitAtEveryByte delivers the same stream in two pieces, cut at each byte, and byte by byte.
func TestSplitAtEveryByte(t *testing.T) {
	want := dump(t, strings.NewReader(recorded))
	for cut := range len(recorded) {
		r := io.MultiReader(strings.NewReader(recorded[:cut]), strings.NewReader(recorded[cut:]))
		if got := dump(t, r); got != want {
			t.Fatalf("cut at %d:\n%s\nwant\n%s", cut, got, want)
		}
	}
	if got := dump(t, iotest.OneByteReader(strings.NewReader(recorded))); got != want {
		t.Errorf("byte by byte:\n%s", got)
	}
	if got := dump(t, strings.NewReader(strings.ReplaceAll(recorded, "\r\n", "\n"))); got != want {
		t.Errorf("with LF:\n%s", got)
	}
}

func dump(t *testing.T, r io.Reader) string {
	t.Helper()
	var d Decoder
	var events []Event
	reader := NewReader(r)
	for {
		payload, err := reader.Next()
		if err == io.EOF {
			return describe(events)
		}
		if err == nil {
			events, err = d.Chunk(payload, events)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(recorded))
	f.Add([]byte("[{\n\"error\":{}}]\ndata: x"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		whole, err := payloads(bytes.NewReader(stream))
		bytewise, err2 := payloads(iotest.OneByteReader(bytes.NewReader(stream)))
		if !slices.Equal(whole, bytewise) || (err == nil) != (err2 == nil) {
			t.Errorf("%q: at once %q, %v, by byte %q, %v", stream, whole, err, bytewise, err2)
		}
	})
}

// BenchmarkReader reads frames as Google sends them.
func BenchmarkReader(b *testing.B) {
	stream := []byte(strings.Repeat(`data: {"candidates":[{"content":{"parts":[{"text":"`+strings.Repeat("word ", 20)+`"}]},"index":0}]}`+"\r\n\r\n", 100))
	b.ReportAllocs()
	b.SetBytes(int64(len(stream)))
	for b.Loop() {
		r := NewReader(bytes.NewReader(stream))
		for {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
