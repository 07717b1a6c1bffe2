package keys

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

func TestEgressName(t *testing.T) {
	f := func(proxy, want string) {
		t.Helper()
		u, err := url.Parse(proxy)
		if err != nil {
			t.Fatal(err)
		}
		if got := EgressName(u); got != want {
			t.Errorf("%s is %q, want %q", proxy, got, want)
		}
	}
	f("socks5://10.0.0.1:1080", "socks5://10.0.0.1:1080")
	f("http://ann:PLANTED@proxy.example:3128", "http://proxy.example:3128 (user 49915e)")
	f("http://ben:PLANTED@proxy.example:3128", "http://proxy.example:3128 (user 670086)")
	if got := EgressName(nil); got != "" {
		t.Errorf("none is %q", got)
	}
}

func TestALeaseKnowsItsEgress(t *testing.T) {
	own, err := url.Parse("http://user:PLANTED@10.0.0.1:3128")
	if err != nil {
		t.Fatal(err)
	}
	p := New([]config.Key{{Secret: config.NewSecret("a")}, {Secret: config.NewSecret("b"), Proxy: own}}, Options{MaxFailures: 1, CoolingPeriod: time.Second})
	for range 2 {
		l, secret := take(t, p, model)
		want := map[string]*url.URL{"a": nil, "b": own}[secret]
		if l.Proxy() != want || l.Egress() != EgressName(want) || strings.Contains(l.Egress(), "PLANTED") {
			t.Errorf("key %s: proxy %v, egress %q", secret, l.Proxy(), l.Egress())
		}
		l.Done(OK(model))
	}
}
