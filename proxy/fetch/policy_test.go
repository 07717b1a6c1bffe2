package fetch

import (
	"net"
	"net/netip"
	"testing"
)

func TestPublic(t *testing.T) {
	f := func(want bool, addresses ...string) {
		t.Helper()
		for _, a := range addresses {
			if got := Public(netip.MustParseAddr(a)); got != want {
				t.Errorf("%s: %v", a, got)
			}
		}
	}
	f(true, "1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "169.253.1.1",
		"192.0.1.1", "198.17.0.1", "198.20.0.1", "223.255.255.255", "11.0.0.1", "168.63.129.17",
		"2606:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888", "2003::1", "::ffff:8.8.8.8")
	f(false, "127.0.0.1", "127.255.255.255", "::1", "0.0.0.0", "0.1.2.3", "::", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"fc00::1", "fd00:ec2::254", "169.254.169.254", "169.254.170.2", "fe80::1", "fe80::1%eth0", "2606:4700::1%eth0",
		"100.64.0.1", "100.100.100.200", "100.127.255.255", "192.0.0.192", "168.63.129.16", "192.0.2.1", "198.51.100.1", "203.0.113.7",
		"198.18.0.1", "198.19.255.255", "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
		"ff02::1", "ff0e::1", "fec0::1", "100::1",
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:127.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::a00:1", "2002:7f00:1::1", "2002:a9fe:a9fe::1", "2001::1", "2001:0:53aa:64c::1",
		"2001:db8::1", "3fff::1", "5f00::1")
	if Public(netip.Addr{}) {
		t.Error("no address at all is public")
	}
}

// The address of an interface is refused, whether it looks public or not: the firewall stands before it, not behind it.
func TestOurs(t *testing.T) {
	f := func(want bool, address string) {
		t.Helper()
		if got := ours(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	f(true, "127.0.0.1")
	f(true, "::ffff:127.0.0.1")
	f(false, "8.8.8.8")
	f(false, "2606:4700::1111")
	f(false, "192.0.2.1")
	if !Public(netip.MustParseAddr("8.8.8.8")) || !New(Options{}).o.Allowed(netip.MustParseAddr("8.8.8.8")) {
		t.Error("the web is out of reach")
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		own := netip.MustParsePrefix(a.String()).Addr()
		if own.IsLinkLocalUnicast() {
			continue // has no meaning without its interface
		}
		if !ours(own) {
			t.Errorf("%s is this machine's", own)
		}
	}
}
