package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// raw sends a request as it is written and reads the answer.
func (r *rig) raw(request string) result {
	r.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		r.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		r.t.Fatalf("%q: %v", request, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return result{resp.StatusCode, resp.Header, string(body)}
}

func TestWithoutABody(t *testing.T) {
	r := start(t, "a", nil)
	f := func(path, want string) {
		t.Helper()
		for _, length := range []string{"", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n"} {
			request := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nx-api-key: %s\r\nConnection: close\r\n%s\r\n", path, testToken, length)
			if strings.HasPrefix(length, "Transfer") {
				request += "0\r\n\r\n"
			}
			got := r.raw(request)
			if got.status != 400 {
				t.Errorf("%s, %q: %d", path, length, got.status)
			}
			has(t, got.body, want, "the request body is empty")
		}
	}
	const anthropicError = `{"type":"error","error":{"type":"invalid_request_error"`
	f("/v1/messages", anthropicError)
	f("/v1/messages/count_tokens", anthropicError)
	f("/v1/chat/completions", `{"error":{"message":`)
}
