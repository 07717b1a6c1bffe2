package fetch

import (
	"net"
	"net/netip"
)

// special are ranges within what looks like ordinary addresses that lead to somewhere else: to this network, to tunnels
// that carry any IPv4 address, to documentation, or to a cloud's own services (IANA's special-purpose registries, RFC 6890).
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),        // this network
	netip.MustParsePrefix("100.64.0.0/10"),    // shared by the customers of a carrier; Alibaba Cloud's metadata
	netip.MustParsePrefix("168.63.129.16/32"), // Azure's services for its machines
	netip.MustParsePrefix("192.0.0.0/24"),     // protocol assignments; Oracle Cloud's metadata
	netip.MustParsePrefix("192.0.2.0/24"),     // documentation
	netip.MustParsePrefix("192.88.99.0/24"),   // 6to4 relays
	netip.MustParsePrefix("198.18.0.0/15"),    // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"),  // documentation
	netip.MustParsePrefix("203.0.113.0/24"),   // documentation
	netip.MustParsePrefix("240.0.0.0/4"),      // reserved, broadcast
	netip.MustParsePrefix("2001::/23"),        // Teredo, ORCHID and other assignments
	netip.MustParsePrefix("2001:db8::/32"),    // documentation
	netip.MustParsePrefix("2002::/16"),        // 6to4
	netip.MustParsePrefix("3fff::/20"),        // documentation
}

// global is where IPv6 has public addresses. NAT64 (64:ff9b::/96) and addresses that contain IPv4 ones lie outside.
var global = netip.MustParsePrefix("2000::/3")

// Public reports whether an address belongs to the public internet: not to this machine, its networks, its provider's own
// services, or a tunnel that could lead there.
func Public(a netip.Addr) bool {
	a = a.Unmap()
	switch {
	case !a.IsValid(), a.Zone() != "", !a.IsGlobalUnicast(), a.IsPrivate():
		return false // loopback, link-local, multicast and unspecified addresses are no global unicast
	case a.Is6() && !global.Contains(a):
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// nobodys are addresses that no machine has, for documentation.
var nobodys = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}

// ours reports whether an address is one of this machine's own: what listens there, behind a firewall that lets nobody else
// in, would be open to whoever can name a URL. The kernel tells by letting a socket have the address; interfaces are not
// listed, since a sandboxed service may not ask for them. Where every address can be had (ip_nonlocal_bind) none counts as
// ours.
func ours(a netip.Addr) bool {
	a = a.Unmap()
	for _, n := range nobodys {
		if n.Is4() == a.Is4() && canHave(n) {
			return false
		}
	}
	return canHave(a)
}

// canHave opens a socket at an address, and sends nothing.
func canHave(a netip.Addr) bool {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 0)))
	if err != nil {
		return false
	}
	_ = c.Close() // nothing was sent
	return true
}
