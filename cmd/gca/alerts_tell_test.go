package main

import (
	"bytes"
	"testing"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/manage/locale"
)

// A way that does not work is told with the command that mends it, for who typed it, in the person's language.
func TestTellAlert(t *testing.T) {
	f := func(lang locale.Words, told manage.AlertTest, want string) {
		t.Helper()
		var out bytes.Buffer
		if err := tellAlert(&streams{out: &out, lang: lang, target: "root@vps"}, told); err != nil || out.String() != want {
			t.Errorf("got %q, want %q; %v", &out, want, err)
		}
	}
	silent := manage.AlertTest{Channel: "webhook", Problem: "no answer within 30 s from hooks.example.com", Cure: "gemini-manage config set ALERT_WEBHOOK_URL=-   # if it is not right"}
	f(locale.Words{}, silent, "webhook   NOT delivered: no answer within 30 s from hooks.example.com\nhint: gca config set root@vps ALERT_WEBHOOK_URL=-   # if it is not right\n")
	f(locale.Chinese(), silent, "webhook   没有送达：30 秒内没有收到 hooks.example.com 的应答\n提示：gca config set root@vps ALERT_WEBHOOK_URL=-   # 如果设置得不对\n")
	f(locale.Words{}, manage.AlertTest{Channel: "slack"}, "slack     delivered\n")
}
