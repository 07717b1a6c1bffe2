package main

import (
	"bytes"
	"testing"

	"github.com/gemini-claude-adapter/gca/manage/locale"
	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// doctor speaks the person's language; its JSON does not.
func TestFindings_Chinese(t *testing.T) {
	var out bytes.Buffer
	io := &streams{out: &out, lang: locale.Chinese()}
	found := []converge.Finding{{ID: "reboot", Level: converge.LevelWarn, What: "the server waits for a reboot", Means: "a mended kernel or library is not in use yet", Cure: "systemctl reboot"}}
	if err := printFindings(io, "root@vps", found, false); err != nil {
		t.Fatal(err)
	}
	wantText(t, out.String(), "! reboot     服务器等待重启\n", "             修补过的内核或库还没有生效\n", "             解决办法：systemctl reboot\n")
	out.Reset()
	found = append(found, converge.Finding{ID: "service", Level: converge.LevelFail, What: "gemini-adapter.service does not run; its last words: MAX_RETRIES: no", Means: "clients get no answer", Cure: "gemini-manage error-logs; then gemini-manage restart"},
		converge.Finding{ID: "web", Level: converge.LevelFail, What: "nor does it through Nginx", Follows: "service"},
		converge.Finding{ID: "timer", Level: converge.LevelWarn, What: "gemini-adapter-backup.timer would not start at boot", Means: "nobody will back the adapter up every day", Cure: "systemctl enable --now gemini-adapter-backup.timer"})
	if err := printFindings(io, "root@vps", found[1:], false); err != nil {
		t.Fatal(err)
	}
	wantText(t, out.String(), "✗ service    gemini-adapter.service 没有运行；它最后的输出：MAX_RETRIES: no\n             客户端得不到回答\n", "             因此：经 Nginx 也没有应答\n",
		"! timer      gemini-adapter-backup.timer 不会开机启动\n             不会有人：每天备份适配器\n")
	out.Reset()
	laptop := &streams{out: &out, lang: locale.Chinese(), target: "-p 2222 root@vps"}
	if err := printFindings(laptop, "root@vps", found[1:2], false); err != nil {
		t.Fatal(err)
	}
	wantText(t, out.String(), "gca error-logs -p 2222 root@vps", "gca restart -p 2222 root@vps")
	found = found[:1]
	out.Reset()
	if err := printFindings(io, "this server", nil, false); err != nil || out.String() != "本服务器：一切正常\n" {
		t.Errorf("%v: %s", err, out.String())
	}
	out.Reset()
	if err := printFindings(io, "root@vps", found, true); err != nil {
		t.Fatal(err)
	}
	wantText(t, out.String(), "the server waits for a reboot")
}
