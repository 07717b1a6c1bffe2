package fakegemini

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestRecords(t *testing.T) {
	c := start(t, Options{})
	body := talk(hi)
	c.ok(m25, "streamGenerateContent?alt=sse", body)
	if _, _, err := c.post(m25, "generateContent", "k2", `{"contents":[]}`); err != nil {
		t.Fatal(err)
	}
	all := c.s.Requests()
	if len(all) != 2 || len(c.s.Refusals()) != 1 {
		t.Fatalf("%d requests, %d refusals", len(all), len(c.s.Refusals()))
	}
	r := all[0]
	if r.Seq != 1 || r.Method != http.MethodPost || r.Path != "/v1beta/models/"+m25+":streamGenerateContent" || r.Query.Get("alt") != "sse" ||
		r.Key != "k" || r.Header.Get("X-Goog-Api-Key") != "k" || r.Model != m25 || r.Verb != verbStream || string(r.Body) != body ||
		*r.Request.Contents[0].Parts[0].Text != "hi" || r.Request.Tools[0].FunctionDeclarations[1].Name != "Write" || r.Refused != "" || r.Status != 200 {
		t.Errorf("recorded %+v", r)
	}
	last, ok := c.s.Last()
	if !ok || last.Seq != 2 || last.Refused != RuleContents || !strings.Contains(last.Reason, "contents is not specified") || last.Status != 400 {
		t.Errorf("recorded %+v", last)
	}
	for seq := 1; seq <= 2; seq++ {
		if end, err := c.s.WaitEnd(c.context(), seq); end != Completed || err != nil {
			t.Errorf("request %d: %q %v", seq, end, err)
		}
	}
}

func TestRefusalsLeaveKeysAndModelsOut(t *testing.T) {
	c := start(t, Options{Keys: []string{"k"}})
	for _, try := range [][2]string{{m25, "other"}, {"gemini-9", "k"}} {
		if _, _, err := c.post(try[0], "generateContent", try[1], talk(hi)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.s.Refusals()); n != 0 {
		t.Errorf("%d refusals, want 0", n)
	}
}

// TestClientLeavesInItsBody: half a body is no broken rule.
func TestClientLeavesInItsBody(t *testing.T) {
	c := start(t, Options{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "POST /v1beta/models/"+m25+":generateContent?key=k HTTP/1.1\r\nHost: fake\r\nContent-Length: 100\r\n\r\n{\"contents\""); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if end, err := c.s.WaitEnd(c.context(), 1); end != Cancelled || err != nil || len(c.s.Refusals()) != 0 {
		t.Errorf("ended as %q %v with %d refusals", end, err, len(c.s.Refusals()))
	}
}

func TestRecordBounds(t *testing.T) {
	r := &records{}
	for range maxRecords + 5 {
		r.open(&Recorded{})
	}
	if len(r.list) != maxRecords || r.list[0].Seq != 6 {
		t.Errorf("%d records, the first is number %d", len(r.list), r.list[0].Seq)
	}
	old := &Recorded{}
	r.open(old)
	r.update(old, func(x *Recorded) { x.Body = make([]byte, maxRecordBytes) })
	fresh := &Recorded{}
	r.open(fresh)
	r.update(fresh, func(x *Recorded) { x.Body = make([]byte, 1) })
	if len(r.list) != 1 || r.list[0] != fresh || r.bytes != 1 {
		t.Errorf("%d records of %d bytes, want the newest one alone", len(r.list), r.bytes)
	}
	r.update(old, func(x *Recorded) { x.Body = nil })
	if r.bytes != 1 {
		t.Errorf("%d bytes after an update of a record that is gone", r.bytes)
	}
}

func TestWaitForGivesUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(Options{}).WaitFor(ctx, func(Recorded) bool { return false }); err == nil {
		t.Error("waiting went on without a context")
	}
}
