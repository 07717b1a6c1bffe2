package fakegemini

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// admin calls an admin path and reads the answer into out, when out isn't nil.
func (c *client) admin(method, path, body string, status int, out any) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.context(), method, c.url+"/_fake/"+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.Body.Close() != nil || res.StatusCode != status {
		c.t.Fatalf("%s %s: %d %v %s, want %d", method, path, res.StatusCode, err, raw, status)
	}
	if out != nil && json.Unmarshal(raw, out) != nil {
		c.t.Fatalf("%s %s: %s", method, path, raw)
	}
}

func TestAdmin(t *testing.T) {
	c := start(t, Options{})
	script, err := json.Marshal(AdminAnswers{Answers: []Answer{Fail(ErrQuotaPerDay(m25)), Reply(Text("one"), Calls(Call("Read", `{"a":1}`))), Say("a", "b").LockStep("g")}})
	if err != nil {
		t.Fatal(err)
	}
	c.admin("POST", "answers", string(script), 204, nil)
	c.admin("POST", "answers", `{"answers":[{"delay":"soon"}]}`, 400, nil)
	c.admin("POST", "answers", `{"answers":[{"dely":"1s"}]}`, 400, nil)
	c.admin("POST", "answers", `{"answers":[{"raw":{"status":1,"body":""}}]}`, 400, nil)
	if status, text, err := c.post(m25, "generateContent", "k", talk(hi)); status != 429 || !strings.Contains(text, "PerDay") || err != nil {
		t.Errorf("scripted error: %d %v %s", status, err, text)
	}
	if got := sketch(c.response(c.ok(m25, "generateContent", talk(hi)))); got != `text one signed;call Read{"a":1};STOP` {
		t.Errorf("scripted answer: %s", got)
	}
	c.admin("POST", "gates/g/arrived", "", 409, nil)
	res, err := c.open(c.context(), m25, "streamGenerateContent?alt=sse", "k", talk(hi))
	if err != nil {
		t.Fatal(err)
	}
	body := bufio.NewReader(res.Body)
	for range 2 {
		if _, err := body.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		if _, err := body.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		c.admin("POST", "gates/g/arrived", "", 204, nil)
	}
	var gate AdminGate
	if c.admin("GET", "gates/g", "", 200, &gate); gate.Sent != 2 {
		t.Errorf("%d chunks were sent at the gate", gate.Sent)
	}
}

func TestAdminKeysAndRecords(t *testing.T) {
	c := start(t, Options{})
	c.admin("POST", "keys", `{"key":"k","rule":{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"},"times":1}}`, 204, nil)
	c.admin("POST", "keys", `{"key":"dead","rule":{"error":{"code":500,"message":"no"}}}`, 204, nil)
	for _, want := range []int{403, 200} {
		if status, _, err := c.post(m25, "generateContent", "k", talk(hi)); status != want || err != nil {
			t.Errorf("%d %v, want %d", status, err, want)
		}
	}
	c.admin("DELETE", "keys?key=dead", "", 204, nil)
	if status, _, err := c.post(m25, "generateContent", "dead", `{}`); status != 400 || err != nil {
		t.Errorf("a healed key: %d %v", status, err)
	}
	var all, refused AdminRequests
	c.admin("GET", "requests", "", 200, &all)
	c.admin("GET", "requests?refused=true", "", 200, &refused)
	if len(all.Requests) != 3 || len(refused.Requests) != 1 || string(all.Requests[0].Body) != talk(hi) || refused.Requests[0].Refused != RuleContents {
		t.Errorf("%d requests, %d refused", len(all.Requests), len(refused.Requests))
	}
	c.admin("POST", "signatures/rotate", "", 204, nil)
	c.admin("POST", "reset", "", 204, nil)
	if c.admin("GET", "requests", "", 200, &all); len(all.Requests) != 0 {
		t.Errorf("%d requests after a reset", len(all.Requests))
	}
	c.admin("GET", "nothing", "", 404, nil)
}
