package converge

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// opening is a port that ufw lets TCP in on: from everywhere, or from one network.
type opening struct {
	port int
	from string // canonical, as ufw shows it; empty is everywhere
}

// args are ufw's words for it.
func (o opening) args() []string {
	if o.from == "" {
		return []string{"allow", strconv.Itoa(o.port) + "/tcp", "comment", ufwComment}
	}
	return []string{"allow", "proto", "tcp", "from", o.from, "to", "any", "port", strconv.Itoa(o.port), "comment", ufwComment}
}

func (o opening) String() string {
	if o.from == "" {
		return strconv.Itoa(o.port)
	}
	return fmt.Sprintf("%d from %s", o.port, o.from)
}

// in reports whether one of the rules is this opening and nothing else.
func (o opening) in(rules []Rule) bool {
	return slices.ContainsFunc(rules, func(r Rule) bool {
		return r.covers(o.port) && r.matches(o.from)
	})
}

// matches reports whether the rule is for just these addresses. For all of both protocols, that of IPv4 has to be there.
func (r Rule) matches(from string) bool {
	switch from {
	case "", anyIPv4:
		return r.From == "" && !r.V6
	case anyIPv6:
		return r.From == "" && r.V6
	}
	return r.From == from
}

// How everywhere is written as a network.
const (
	anyIPv4 = "0.0.0.0/0"
	anyIPv6 = "::/0"
)

// ParseNetwork reads an address or a network, and returns it as ufw shows it.
func ParseNetwork(text string) (string, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		return address.Unmap().String(), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return "", fmt.Errorf("%q is no network: an address such as 203.0.113.7, or a network such as 203.0.113.0/24 or 2001:db8::/32", text)
	}
	if prefix.IsSingleIP() {
		return prefix.Addr().Unmap().String(), nil
	}
	return prefix.Masked().String(), nil
}

// deletion are ufw's words to take the rule away.
func (r Rule) deletion() []string {
	words := []string{"delete", "allow"}
	if r.Limit {
		words[1] = "limit"
	}
	port, proto, _ := strings.Cut(r.To, "/")
	if proto != "" {
		words = append(words, "proto", proto)
	}
	from := r.From
	switch {
	case from == "" && r.V6:
		from = anyIPv6
	case from == "":
		from = anyIPv4
	}
	return append(words, "from", from, "to", "any", "port", port)
}

// alone reports whether the rule is about this port and nothing else, so that to take it away closes nothing else.
func (r Rule) alone(port int) bool {
	number := strconv.Itoa(port)
	return r.To == number+"/tcp" || r.To == number
}
