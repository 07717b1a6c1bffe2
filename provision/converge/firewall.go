package converge

import (
	"context"
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

// Firewall is who filters on a server.
type Firewall struct {
	UFW   UFWState
	Rules []string // of an active ufw: what it lets in, as "22/tcp", "80,443/tcp", "6000:6007/tcp", "22"
	Other string   // another firewall that is at work, or empty
}

func collectUFW(ctx context.Context, s *reader) (UFWState, []string, error) {
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
func parseUFW(out string) []string {
	var rules []string
	for line := range strings.Lines(out) {
		to, rest, ok := strings.Cut(line, "  ")
		if !ok {
			continue
		}
		rest = strings.TrimSpace(rest)
		if !strings.HasPrefix(rest, "ALLOW IN") && !strings.HasPrefix(rest, "LIMIT IN") {
			continue
		}
		if to = strings.TrimSpace(to); !strings.Contains(to, "(v6)") {
			rules = append(rules, to)
		}
	}
	return rules
}

// allows reports whether a rule lets TCP in on port. A rule that is open to
// some addresses only counts as well: to widen it is not for a deploy to decide.
func (w Firewall) allows(port int) bool {
	for _, rule := range w.Rules {
		fields := strings.Fields(rule)
		if len(fields) == 0 {
			continue
		}
		// "10.0.0.1 22/tcp" is a rule for one of the server's own addresses.
		for _, field := range fields {
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
			return "iptables rules"
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
				return "nftables (table " + table + ")"
			}
		case line == "}":
			input = false
		case input && line != "" && !harmless(line) && !strings.HasPrefix(line, "#"):
			return "nftables (table " + table + ")"
		}
	}
	return ""
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
