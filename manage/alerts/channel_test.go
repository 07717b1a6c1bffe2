package alerts

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func message() Message {
	n := Notice{Rule: Disk, Firing: true, Since: begun(), Time: begun(), What: "91% of the disk is used", Cure: "du"}
	return Message{Server: "tokyo", Time: begun(), Notices: []Notice{n}}
}

func hmacOf(key, text string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return h.Sum(nil)
}

// send has the one channel of the settings send.
func send(t *testing.T, env string, w Ways) error {
	t.Helper()
	channels := Channels(settings(t, env), w)
	if len(channels) != 1 {
		t.Fatalf("%d channels of %s", len(channels), env)
	}
	return channels[0].Send(t.Context(), message())
}

// The forms are those of each service's own documentation.
func TestChannel_chats(t *testing.T) {
	f := func(env, answer, path, body string) sunk {
		t.Helper()
		s := newSink(t, answer)
		if err := send(t, strings.ReplaceAll(env, "SINK", s.url.String()), Ways{}); err != nil {
			t.Fatalf("%s: %v", env, err)
		}
		got := s.taken()[0]
		if got.url.Path != path || !strings.Contains(got.body, body) || !strings.Contains(got.body, `[gca] tokyo: 91% of the disk is used\nALERT disk:`) {
			t.Errorf("%s got %s\n%s", env, got.url, got.body)
		}
		return got
	}
	f("ALERT_SLACK_URL=SINK/services/T/B/x", "ok", "/services/T/B/x", `{"text":"`)
	f("ALERT_TELEGRAM_URL=SINK\nALERT_TELEGRAM_TOKEN=123:abc\nALERT_TELEGRAM_CHAT=-77", `{"ok":true,"result":{}}`, "/bot123:abc/sendMessage", `{"chat_id":"-77","text":"`)
	f("ALERT_FEISHU_URL=SINK/open-apis/bot/v2/hook/x", `{"code":0,"msg":"success"}`, "/open-apis/bot/v2/hook/x", `{"msg_type":"text","content":{"text":"`)
	f("ALERT_DINGTALK_URL=SINK/robot/send?access_token=x", `{"errcode":0,"errmsg":"ok"}`, "/robot/send", `{"msgtype":"text","text":{"content":"`)

	signed := f("ALERT_FEISHU_URL=SINK/hook\nALERT_FEISHU_SECRET=s3cret", `{"code":0}`, "/hook", `"msg_type":"text"`)
	var feishu struct{ Timestamp, Sign string }
	if err := json.Unmarshal([]byte(signed.body), &feishu); err != nil {
		t.Fatal(err)
	}
	if want := base64.StdEncoding.EncodeToString(hmacOf(feishu.Timestamp+"\ns3cret", "")); feishu.Sign != want || feishu.Timestamp != "1796068800" {
		t.Errorf("Feishu: %+v, want %s", feishu, want)
	}
	signed = f("ALERT_DINGTALK_URL=SINK/robot/send?access_token=x\nALERT_DINGTALK_SECRET=SEC1", `{"errcode":0}`, "/robot/send", "")
	q := signed.url.Query()
	if want := base64.StdEncoding.EncodeToString(hmacOf("SEC1", "1796068800000\nSEC1")); q.Get("sign") != want || q.Get("timestamp") != "1796068800000" || q.Get("access_token") != "x" {
		t.Errorf("DingTalk: %v, want %s", q, want)
	}
}

func TestChannel_webhook(t *testing.T) {
	s := newSink(t, "")
	if err := send(t, "ALERT_WEBHOOK_URL="+s.url.String()+"/hook\nALERT_WEBHOOK_SECRET=s3cret", Ways{}); err != nil {
		t.Fatal(err)
	}
	got := s.taken()[0]
	want := "sha256=" + hex.EncodeToString(hmacOf("s3cret", got.header.Get("X-Gca-Timestamp")+"."+got.body))
	if got.header.Get("X-Gca-Signature") != want {
		t.Errorf("signature %s, want %s", got.header.Get("X-Gca-Signature"), want)
	}
	var body webhookBody
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || body.Schema != 1 || body.Server != "tokyo" || len(body.Notices) != 1 || body.Notices[0].Rule != Disk || !body.Notices[0].Firing {
		t.Errorf("body %s, %v", got.body, err)
	}
}

// What a service refuses in a 200, answers with an error, or sends elsewhere was not delivered; the error holds no secret.
func TestChannel_refused(t *testing.T) {
	f := func(env string, status int, answer, want string) {
		t.Helper()
		s := newSink(t, answer)
		s.say(status, answer)
		err := send(t, strings.ReplaceAll(env, "SINK", s.url.String()), Ways{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", env, err, want)
		}
	}
	f("ALERT_SLACK_URL=SINK/services/hidden", 403, "invalid_token", "answered 403 Forbidden: invalid_token")
	f("ALERT_SLACK_URL=SINK/services/hidden", 307, "", "answered 307")
	f("ALERT_TELEGRAM_URL=SINK\nALERT_TELEGRAM_TOKEN=1:hidden\nALERT_TELEGRAM_CHAT=7", 200, `{"ok":false,"description":"no chat, bot1:hidden"}`, "no chat, bot***")
	f("ALERT_TELEGRAM_URL=SINK\nALERT_TELEGRAM_TOKEN=1:hidden\nALERT_TELEGRAM_CHAT=7", 404, "/bot1:hidden/ is\nunknown", "/bot***/ is unknown")
	f("ALERT_FEISHU_URL=SINK/hidden-hook", 200, `{"code":19021,"msg":"sign match fail"}`, "sign match fail")
	f("ALERT_FEISHU_URL=SINK/hidden-hook", 200, `<html>`, "refused it: <html>")
	f("ALERT_DINGTALK_URL=SINK/send?access_token=hidden", 200, `{"errcode":310000,"errmsg":"keywords not in content"}`, "keywords not in content")
	f("ALERT_WEBHOOK_URL=http://127.0.0.1:1/hidden-hook", 0, "", "connection refused by 127.0.0.1:1")
	f("ALERT_SMTP_URL=smtp://x:hidden@127.0.0.1:1\nALERT_MAIL_TO=a@example.com", 0, "", "connection refused by 127.0.0.1:1")
	f("ALERT_TELEGRAM_TOKEN=1:hidden", 0, "", "ALERT_TELEGRAM_CHAT is not set")
	f("ALERT_TELEGRAM_CHAT=7", 0, "", "ALERT_TELEGRAM_TOKEN is not set")
	f("ALERT_MAIL_TO=a@example.com", 0, "", "ALERT_SMTP_URL is not set")
	f("ALERT_SMTP_URL=smtp://x:hidden@127.0.0.1:1", 0, "", "ALERT_MAIL_TO is not set")
}

// Telegram is reached by the proxy that leads to Gemini, since both are shut out in the same places.
func TestChannel_proxy(t *testing.T) {
	proxy := newSink(t, `{"ok":true}`)
	err := send(t, "ALERT_TELEGRAM_URL=http://telegram.invalid\nALERT_TELEGRAM_TOKEN=1:x\nALERT_TELEGRAM_CHAT=7", Ways{Proxy: proxy.url})
	if got := proxy.taken(); err != nil || len(got) != 1 || got[0].url.Host != "telegram.invalid" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestChannel_mail(t *testing.T) {
	f := func(implicit bool, login, want string) {
		t.Helper()
		server := newMailServer(t, implicit)
		scheme := map[bool]string{false: "smtp", true: "smtps"}[implicit]
		err := send(t, "ALERT_SMTP_URL="+scheme+"://"+login+"@"+server.addr+"\nALERT_MAIL_TO=a@example.com,b@example.com", Ways{Roots: server.roots})
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "wr0ng") || len(server.taken()) > 0 {
				t.Errorf("%s: %v, want %q", login, err, want)
			}
			return
		}
		got := server.taken()
		if err != nil || len(got) != 1 {
			t.Fatalf("%v, %q", err, got)
		}
		for _, line := range []string{"From: <me@example.com>", "a@example.com", "b@example.com", "Subject: ", "tokyo", "Auto-Submitted: auto-generated", "Date: Mon, 30 Nov 2026 20:00:00 +0000"} {
			if !strings.Contains(got[0], line) {
				t.Errorf("%q is not in\n%s", line, got[0])
			}
		}
	}
	f(false, "me@example.com:app-password", "")
	f(true, "me@example.com:app-password", "")
	f(false, "me@example.com:wr0ng", "the password *** is not that of")
	server := newMailServer(t, false)
	if err := send(t, "ALERT_SMTP_URL=smtp://me@example.com:app-password@"+server.addr+"\nALERT_MAIL_TO=a@example.com", Ways{}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a server that nobody vouches for: %v", err)
	}
	server.refusing(errors.New("452 the box is full"))
	if err := send(t, "ALERT_SMTP_URL=smtp://me@example.com:app-password@"+server.addr+"\nALERT_MAIL_TO=a@example.com", Ways{Roots: server.roots}); err == nil || !strings.Contains(err.Error(), "the box is full") {
		t.Errorf("a full box: %v", err)
	}
}

// A server without TLS gets no password, though it would take it.
func TestChannel_plainMail(t *testing.T) {
	server := &mailServer{}
	server.serve(t, nil, false)
	err := send(t, "ALERT_SMTP_URL=smtp://me@example.com:app-password@"+server.addr+"\nALERT_MAIL_TO=a@example.com", Ways{})
	if err == nil || !strings.Contains(err.Error(), "STARTTLS") || len(server.logins) > 0 || len(server.taken()) > 0 {
		t.Errorf("%v, logins are %q", err, server.logins)
	}
}

// A server that says nothing holds nobody up.
func TestChannel_silent(t *testing.T) {
	server := newMailServer(t, false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := Channels(settings(t, "ALERT_SMTP_URL=smtp://me@example.com:app-password@"+server.addr+"\nALERT_MAIL_TO=a@example.com"), Ways{Roots: server.roots})[0]
	begin := time.Now()
	if err := c.Send(ctx, message()); err == nil || time.Since(begin) > SendTime {
		t.Errorf("got %v", err)
	}
}

// What the network ended names who did not answer, in the words of a person, and for how long that was waited for.
func TestUnreached(t *testing.T) {
	f := func(err error, want string) {
		t.Helper()
		if got := unreached(err, "hooks.example.com"); got == nil || got.Error() != want {
			t.Errorf("got %v, want %q", got, want)
		}
	}
	f(fmt.Errorf("dial: %w", context.DeadlineExceeded), "no answer within 30 s from hooks.example.com")
	f(&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, "no answer within 30 s from hooks.example.com")
	f(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, "connection refused by hooks.example.com")
	f(&net.OpError{Op: "proxyconnect", Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}, "connection refused by the proxy")
	f(&net.OpError{Op: "dial", Err: &net.DNSError{Name: "hooks.example.com", Err: "no such host", IsNotFound: true, Server: "127.0.0.53:53"}}, "no such host: hooks.example.com")
	if err := unreached(nil, "hooks.example.com"); err != nil {
		t.Error(err)
	}
}

func TestTry(t *testing.T) {
	s := newSink(t, "ok")
	c := Channels(settings(t, "ALERT_SLACK_URL="+s.url.String()+"/services/hidden"), Ways{})[0]
	if err := Try(t.Context(), c, "tokyo", begun()); err != nil || !strings.Contains(s.taken()[0].body, "[gca] tokyo: a test of the alerts") {
		t.Errorf("%v, %v", err, s.taken())
	}
	s.say(500, "no\nway to /services/hidden")
	if err := Try(t.Context(), c, "tokyo", begun()); err == nil || !strings.Contains(err.Error(), "no way to /***") {
		t.Errorf("got %v", err)
	}
}

func TestMessage(t *testing.T) {
	f := func(want string, all ...Notice) {
		t.Helper()
		if got := (Message{Server: "s", Notices: all}).Subject(); got != "[gca] s: "+want {
			t.Errorf("got %q", got)
		}
	}
	on, off := Notice{Firing: true, What: "a"}, Notice{What: "b"}
	f("a", on)
	f("over: b", off)
	f("2 alerts", on, on)
	f("2 alerts are over", off, off)
	f("2 alerts, 1 over", on, off, on)
	m := message()
	m.Dropped = 3
	for range 50 {
		m.Notices = append(m.Notices, Notice{Firing: true, Rule: Disk, What: strings.Repeat("ü", 100), Cure: "x"})
	}
	if !strings.Contains(m.Text(), "3 older ones") || len(m.ShortText()) > 4096 {
		t.Errorf("%d bytes: %s", len(m.ShortText()), m.Text())
	}
}
