package gemini

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

// many repeats a piece up to a megabyte between a head and a tail.
func many(head, piece, tail string) []byte {
	const size = 1 << 20
	n := size / (len(piece) + 1)
	return []byte(head + strings.TrimSuffix(strings.Repeat(piece+",", n), ",") + tail)
}

// TestHugeChunksTakeBoundedMemory counts what is allocated in all for each byte of a chunk, in the worst forms that there are.
func TestHugeChunksTakeBoundedMemory(t *testing.T) {
	f := func(name string, chunk []byte, perByte int) {
		t.Helper()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var d Decoder
		_, err := d.Chunk(chunk, nil)
		runtime.ReadMemStats(&after)
		if n := int(after.TotalAlloc-before.TotalAlloc) / len(chunk); n > perByte {
			t.Errorf("%s: %d bytes are allocated for each of the chunk's (%v)", name, n, err)
		}
	}
	const parts = `{"candidates":[{"content":{"parts":[`
	const ground = `{"candidates":[{"groundingMetadata":{"`
	f("texts", many(parts, `{"text":"a"}`, `]}}]}`), 100)
	f("calls", many(parts, `{"functionCall":{"name":"f"}}`, `]}}]}`), 100)
	f("empty parts", many(parts, `{}`, `]}}]}`), 8)
	f("candidates", many(`{"candidates":[`, `{}`, `]}`), 8)
	f("responses", many(`[`, `{"usageMetadata":{}}`, `]`), 100)
	f("queries", many(ground+`webSearchQueries":[`, `"a"`, `]}}]}`), 8)
	f("sources", many(ground+`groundingChunks":[`, `{}`, `]}}]}`), 8)
	f("supports", many(ground+`groundingSupports":[`, `{"segment":{}}`, `]}}]}`), 8)
	f("indexes", many(ground+`groundingSupports":[{"groundingChunkIndices":[`, `1`, `]}]}}]}`), 8)
	f("pages", many(`{"candidates":[{"urlContextMetadata":{"urlMetadata":[`, `{}`, `]}}]}`), 8)
	f("unknown fields", many(`{"x":[`, `{"y":[1]}`, `]}`), 8)
	f("escapes", many(parts+`{"text":"`, `\ud83d\\`, `"}]}}]}`), 8)
	f("an error's details", many(`{"error":{"code":429,"details":[`, `1`, `]}}`), 16)
	f("an error's words", many(`{"error":{"message":"`, `retry in 1`, `"}}`), 32)
	f("errors", many(`[`, `{"error":{}}`, `]`), 40)
}

func TestDeepChunksAreRefused(t *testing.T) {
	f := func(head, open, end string) {
		t.Helper()
		var d Decoder
		const depth = 1 << 20
		_, err := d.Chunk([]byte(head+strings.Repeat(open, depth)+strings.Repeat(end, depth)+"}"), nil)
		var format *FormatError
		if !errors.As(err, &format) {
			t.Errorf("%s%s…: %v", head, open, err)
		}
	}
	f(`{"x":`, `[`, `]`)
	f(`{"x":`, `{"a":`, `}`)
	f(`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":`, `{"a":`, `}`)
	f(`{"error":`, `[`, `]`)
}

func TestAChunkOfTooManyPartsIsRefused(t *testing.T) {
	chunk := func(n int) []byte {
		return []byte(`{"candidates":[{"content":{"parts":[` + strings.TrimSuffix(strings.Repeat(`{"text":"a"},`, n), ",") + `]}}]}`)
	}
	var d Decoder
	if events, err := d.Chunk(chunk(maxParts), nil); err != nil || len(events) != maxParts {
		t.Errorf("%d events, %v", len(events), err)
	}
	if _, err := d.Chunk(chunk(maxParts+1), nil); err == nil {
		t.Error("too many parts were taken")
	}
}
