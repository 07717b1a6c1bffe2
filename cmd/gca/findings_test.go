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
	if err := printFindings(io, "this server", nil, false); err != nil || out.String() != "本服务器：一切正常\n" {
		t.Errorf("%v: %s", err, out.String())
	}
	out.Reset()
	if err := printFindings(io, "root@vps", found, true); err != nil {
		t.Fatal(err)
	}
	wantText(t, out.String(), "the server waits for a reboot")
}
