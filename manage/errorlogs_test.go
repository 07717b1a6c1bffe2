package manage

import (
	"encoding/json"
	"testing"
	"time"
)

func TestTrouble(t *testing.T) {
	f := func(entry string, want bool, source, text string) {
		t.Helper()
		var e journalEntry
		if err := json.Unmarshal([]byte(entry), &e); err != nil {
			t.Fatal(err)
		}
		if line, ok := e.trouble(); ok != want || ok && (line.Source != source || line.Text != text) {
			t.Errorf("%s: got %+v, %v", entry, line, ok)
		}
	}
	own := func(message string) string {
		text, err := json.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		return `{"__REALTIME_TIMESTAMP":"1764000000000000","PRIORITY":"6","SYSLOG_IDENTIFIER":"gemini-adapter","MESSAGE":` + string(text) + `}`
	}
	f(own(`{"level":"INFO","status":200}`), false, "", "")
	f(own(`{"level":"INFO","status":404,"error":"no such path"}`), false, "", "")
	f(own(`{"level":"INFO","status":429}`), true, "adapter", `{"level":"INFO","status":429}`)
	f(own(`{"level":"INFO","status":503}`), true, "adapter", `{"level":"INFO","status":503}`)
	f(own(`{"level":"INFO","status":200,"error":"cut"}`), true, "adapter", `{"level":"INFO","status":200,"error":"cut"}`)
	f(own(`{"level":"WARN","msg":"x"}`), true, "adapter", `{"level":"WARN","msg":"x"}`)
	f(own(`{"level":"ERROR","msg":"x"}`), true, "adapter", `{"level":"ERROR","msg":"x"}`)
	f(own("panic: \x1b[2Joh"), true, "adapter", "panic: ?[2Joh")
	f(`{"__REALTIME_TIMESTAMP":"1","PRIORITY":"4","SYSLOG_IDENTIFIER":"systemd","MESSAGE":"Failed"}`, true, "systemd", "Failed")
	f(`{"__REALTIME_TIMESTAMP":"1","PRIORITY":"6","SYSLOG_IDENTIFIER":"systemd","MESSAGE":"Started"}`, false, "", "")
	f(`{"__REALTIME_TIMESTAMP":"1","PRIORITY":"4","SYSLOG_IDENTIFIER":"systemd","MESSAGE":"gemini-adapter.socket: Socket unit configuration has changed while unit has been running, no open socket file descriptor left. The socket unit is not functional until restarted."}`, false, "", "")
	f(`{"__REALTIME_TIMESTAMP":"1","PRIORITY":"6","SYSLOG_IDENTIFIER":"gemini-adapter","MESSAGE":[111,104,27]}`, true, "adapter", "oh?")
	f(`{"__REALTIME_TIMESTAMP":"1","PRIORITY":"6","SYSLOG_IDENTIFIER":"gemini-adapter","MESSAGE":null}`, true, "adapter", "")
	f(`{"PRIORITY":"3","SYSLOG_IDENTIFIER":"systemd","MESSAGE":"x"}`, false, "", "")
}

func TestParseNginx(t *testing.T) {
	lines := parseNginx("the rest of a line\n2026/11/23 02:14:00 [crit] 1#1: first\n  and more\n2026/11/23 02:14:05 [emerg] 1#1: \x1b[2Jsecond")
	at := time.Date(2026, 11, 23, 2, 14, 0, 0, time.Local)
	want := []LogLine{
		{1, at, "nginx", "[crit] 1#1: first", Error},
		{1, at, "nginx", "  and more", Error},
		{1, at.Add(5 * time.Second), "nginx", "[emerg] 1#1: ?[2Jsecond", Error},
	}
	if len(lines) != len(want) {
		t.Fatalf("got %+v", lines)
	}
	for i := range want {
		if lines[i] != want[i] {
			t.Errorf("line %d is %+v, want %+v", i, lines[i], want[i])
		}
	}
	if got := want[0].String(); got != at.Format("2006-01-02T15:04:05-0700")+" nginx: [crit] 1#1: first" {
		t.Errorf("a line reads %q", got)
	}
}
