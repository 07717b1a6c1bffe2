package converge

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// UFWState is what ufw says of itself.
type UFWState string

// The states of ufw.
const (
	UFWAbsent   UFWState = "absent"
	UFWInactive UFWState = "inactive"
	UFWActive   UFWState = "active"
)

// FirewallMode says what a deploy does about ufw.
type FirewallMode string

// The modes of the firewall.
const (
	FirewallAuto   FirewallMode = ""       // on, unless that would cut other programs off
	FirewallOff    FirewallMode = "off"    // as it is
	FirewallStrict FirewallMode = "strict" // on, whatever else listens
)

// Firewall is who filters on a server.
type Firewall struct {
	UFW   UFWState
	Rules []Rule // of an active ufw: what it lets in
	Other string // another firewall that is at work, or empty
}

// Rule is something that ufw lets in.
type Rule struct {
	To    string // "22/tcp", "80,443/tcp", "6000:6007/tcp", "22", "10.0.0.1 22/tcp"; with the name of a profile, as "22/tcp (OpenSSH)"
	From  string // an address or a network; empty is everywhere
	V6    bool   // of IPv6
	Limit bool   // and slows who comes often
}

func collectUFW(ctx context.Context, s *reader) (UFWState, []Rule, error) {
	if !s.has("ufw") {
		return UFWAbsent, nil, nil
	}
	out, err := s.ask(ctx, queryUFW)
	if err != nil {
		return UFWAbsent, nil, err
	}
	if !strings.Contains(out, "Status: active") {
		return UFWInactive, nil, nil
	}
	return UFWActive, parseUFW(out), nil
}

// parseUFW finds what `ufw status verbose` lets in: "22/tcp (OpenSSH)  ALLOW IN  Anywhere".
func parseUFW(out string) []Rule {
	var rules []Rule
	for line := range strings.Lines(out) {
		to, rest, ok := strings.Cut(line, "  ")
		if !ok {
			continue
		}
		rest, _, _ = strings.Cut(strings.TrimSpace(rest), " # ") // a comment
		from, allows := strings.CutPrefix(rest, "ALLOW IN")
		limited, limits := strings.CutPrefix(rest, "LIMIT IN")
		if !allows && !limits {
			continue
		}
		r := Rule{To: strings.TrimSpace(to), Limit: limits}
		if limits {
			from = limited
		}
		r.From = strings.TrimSpace(from)
		r.V6 = strings.Contains(r.To, "(v6)") || strings.Contains(r.From, "(v6)") || strings.Contains(r.From, ":")
		r.To = strings.TrimSpace(strings.Replace(r.To, "(v6)", "", 1))
		r.From = strings.TrimSpace(strings.Replace(r.From, "(v6)", "", 1))
		if r.From == "Anywhere" {
			r.From = ""
		}
		rules = append(rules, r)
	}
	return rules
}

// allows reports whether a rule lets TCP in on port. A rule that is open to some addresses only counts as well: to widen it
// is not for a deploy to decide. One for all of IPv6 alone does not.
func (w Firewall) allows(port int) bool {
	return slices.ContainsFunc(w.Rules, func(r Rule) bool { return r.covers(port) && !(r.V6 && r.From == "") })
}

// covers reports whether the rule is about TCP on port.
func (r Rule) covers(port int) bool {
	// "10.0.0.1 22/tcp" is a rule for one of the server's own addresses.
	for field := range strings.FieldsSeq(r.To) {
		ports, proto, _ := strings.Cut(field, "/")
		if proto == "udp" {
			continue
		}
		for item := range strings.SplitSeq(ports, ",") {
			if inRange(item, port) {
				return true
			}
		}
	}
	return false
}

func inRange(item string, port int) bool {
	low, high, isRange := strings.Cut(item, ":")
	if !isRange {
		high = low
	}
	from, err := strconv.Atoi(low)
	if err != nil {
		return false
	}
	to, err := strconv.Atoi(high)
	return err == nil && from <= port && port <= to
}

// iptablesRules are those of the iptables program, whichever of the kernel's tables they lie in.
const iptablesRules = "a set of iptables rules"

// otherFirewall names a firewall that filters what comes in and is not ufw.
func otherFirewall(ctx context.Context, s *reader, units map[string]UnitState) string {
	if units["firewalld.service"].Active {
		return "firewalld"
	}
	if out, err := s.ask(ctx, queryNFT); err == nil {
		if chain := filteringChain(out); chain != "" {
			return chain
		}
	}
	// nft does not see what the kernel's older tables hold.
	for _, q := range []query{queryIPTables, queryIPTablesLegacy} {
		if out, err := s.ask(ctx, q); err == nil && iptablesFilters(out) {
			return iptablesRules
		}
	}
	return ""
}

// filteringChain looks in `nft list ruleset` for a chain at the input hook that
// drops by default or has rules. The chains of fail2ban bar single addresses
// only, and a ufw that was turned off leaves jumps to empty chains of its own.
func filteringChain(ruleset string) string {
	table, input := "", false
	for line := range strings.Lines(ruleset) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "table "):
			table, input = strings.TrimSuffix(strings.TrimPrefix(line, "table "), " {"), false
		case strings.HasPrefix(table[strings.LastIndexByte(table, ' ')+1:], "f2b"):
		case strings.HasPrefix(line, "type filter hook input"):
			if input = true; strings.Contains(line, "policy drop") {
				return filterOf(table)
			}
		case line == "}":
			input = false
		case input && line != "" && !harmless(line) && !strings.HasPrefix(line, "#"):
			return filterOf(table)
		}
	}
	return ""
}

// filterOf names who filters by a table: those of iptables' names are its own (iptables-nft(8)).
func filterOf(table string) string {
	if table == "ip filter" || table == "ip6 filter" {
		return iptablesRules
	}
	return "nftables (table " + table + ")"
}

func harmless(rule string) bool {
	return strings.Contains(rule, "f2b") || strings.Contains(rule, "jump ufw") || strings.Contains(rule, "-j ufw")
}

// iptablesFilters looks in the filter table of what iptables-save prints.
func iptablesFilters(save string) bool {
	filter := false
	for line := range strings.Lines(save) {
		switch {
		case strings.HasPrefix(line, "*"):
			filter = strings.TrimSpace(line) == "*filter"
		case !filter:
		case strings.HasPrefix(line, ":INPUT DROP"), strings.HasPrefix(line, ":INPUT REJECT"),
			strings.HasPrefix(line, "-A INPUT") && !harmless(line):
			return true
		}
	}
	return false
}
