package converge_test

import (
	"errors"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// defaultSite edits the default site of Debian's own Nginx, then puts the stock one back.
func (tg *target) defaultSite(t *testing.T) {
	const site = "/etc/nginx/sites-available/default"
	tg.sh("cp -a " + site + " /root/stock; echo '# mine' >>" + site + "; ln -s " + site + " /etc/nginx/sites-enabled/default")
	before := tg.tree()
	_, err := tg.deploy("")
	if r, ok := errors.AsType[*converge.Refusal](err); !ok || r.Kind != converge.RefusedNginx {
		t.Errorf("edited: %v", err)
	}
	tg.same(before, "edited default site")
	tg.sh("mv /root/stock " + site)
	if applied, err := tg.deploy(""); err != nil || applied.Changed == 0 {
		t.Errorf("stock: %d changes, %v", applied.Changed, err)
	}
	tg.sh("test -f " + site + "; test ! -e /etc/nginx/sites-enabled/default")
}

// firewallAtBoot finds a firewall that filters and would not after a boot. Before the firewall, the dead man's timer is armed.
func (tg *target) firewallAtBoot(t *testing.T) {
	tg.sh("systemctl disable ufw.service")
	for _, changes := range []int{2, 0} {
		if applied, err := tg.deploy(""); err != nil || applied.Changed != changes {
			t.Errorf("%d changes, want %d, %v", applied.Changed, changes, err)
		}
	}
	tg.sh("systemctl is-enabled ufw.service; ufw status | grep -q 'Status: active'")
}

// largeFile is somebody's binary at the place of our link; a deploy that is not committed puts it back.
func (tg *target) largeFile(t *testing.T) {
	tg.sh("rm /usr/local/bin/gca; head -c 9000000 /dev/urandom >/usr/local/bin/gca; chmod 755 /usr/local/bin/gca")
	before := tg.tree()
	s, _, err := tg.planned("")
	if err == nil {
		_, err = s.Apply(converge.Events{})
	}
	if err := errors.Join(err, s.Rollback("no")); err != nil {
		t.Fatal(err)
	}
	if back, ok := errors.AsType[*converge.RolledBackError](s.RolledBack()); !ok || len(back.FailedUndo) > 0 {
		t.Errorf("%+v", back)
	}
	tg.same(before, "large file")
	if applied, err := tg.deploy(""); err != nil || applied.Changed != 1 {
		t.Errorf("%d changes, %v", applied.Changed, err)
	}
}

// noDrain lets the adapter stop at once.
func (tg *target) noDrain(t *testing.T) {
	tg.sh("echo DRAIN_TIMEOUT=0 >>/etc/gemini-adapter/adapter.env")
	if applied, err := tg.deploy(""); err != nil || applied.Changed == 0 {
		t.Errorf("%d changes, %v", applied.Changed, err)
	}
	if out := tg.sh("systemctl show -p TimeoutStopUSec gemini-adapter"); out != "TimeoutStopUSec=10s\n" {
		t.Errorf("got %s", out)
	}
}
