package manage

import (
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

func TestUpdateReport_Print(t *testing.T) {
	f := func(r UpdateReport, host string, want ...string) {
		t.Helper()
		var b strings.Builder
		if err := r.Print(&b, host); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); got != strings.Join(want, "\n")+"\n" {
			t.Errorf("got:\n%s", got)
		}
	}
	f(UpdateReport{}, "", "updated     nothing: no security update is missing", "reboot      not needed")
	f(UpdateReport{Pending: []string{"libssl3", "openssl"}}, "", "pending     2 security updates: libssl3 openssl", "reboot      not needed")
	f(UpdateReport{
		Updated: []converge.PackageChange{{Name: "libssl3:amd64", From: "3.0.1", To: "3.0.2"}, {Name: "linux-image-2:amd64", To: "6.1"}, {Name: "old:all", From: "1"}},
		Kept:    []string{"nginx is marked to be held back"}, Backup: "/var/backups/gemini-adapter/x.tar.gz",
		Unread: "W: Failed to fetch http://127.0.0.1:9/  Connection refused",
		Reboot: converge.Reboot{Required: true, By: []string{"linux-image-2"}}, Unseen: true,
	}, "root@tokyo",
		"updated     libssl3:amd64 3.0.1 → 3.0.2",
		"            linux-image-2:amd64 6.1, new",
		"            old:all 1, removed",
		"left out    nginx is marked to be held back",
		"not read    W: Failed to fetch http://127.0.0.1:9/  Connection refused; updates from there are not known",
		"            cure: apt-get update   # on the server; its mirrors are in /etc/apt/sources.list and /etc/apt/sources.list.d",
		"backup      /var/backups/gemini-adapter/x.tar.gz, of before",
		"adapter     it did not serve before the update either, so nobody looked whether it does now",
		"reboot      needed, for linux-image-2",
		"            cure: gca upgrade --packages --reboot root@tokyo")
	f(UpdateReport{Reboot: converge.Reboot{Stale: []string{"nginx.service"}}}, "", "updated     nothing: no security update is missing",
		"reboot      due, since nginx.service still run what was there before an update; to restart that would do, too", "            cure: sudo gemini-manage upgrade --packages --reboot")
}
