package converge

import (
	"context"
	"encoding/hex"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ufwRule is a rule of ufw that a deploy added.
type ufwRule struct {
	port int      // TCP
	args []string // that name it to ufw: allow 80/tcp
	from string   // network, as ParseNetwork has it; anyIPv4 and anyIPv6 are everywhere
}

// ourRules are the rules with our comment, by ufw's own files.
func (s *reader) ourRules() ([]ufwRule, error) {
	var rules []ufwRule
	for _, path := range ufwFiles[1:] {
		text, err := s.readText(path)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(text) {
			rule, ours := parseTuple(line)
			if ours && !slices.ContainsFunc(rules, func(r ufwRule) bool { return slices.Equal(r.args, rule.args) }) {
				rules = append(rules, rule)
			}
		}
	}
	return rules, nil
}

// rulesInForce are ourRules where ufw is on, by its settings.
func (s *reader) rulesInForce() ([]ufwRule, error) {
	text, err := s.readText(ufwFiles[0])
	if err != nil || !ufwOn.MatchString(text) {
		return nil, err
	}
	return s.ourRules()
}

var ufwOn = regexp.MustCompile(`(?m)^ENABLED="?yes"?\s*$`)

// site says how clients reach the server, once it is as it is wanted.
func (f Facts) site(s Settings, w Want) Site {
	var from []string
	for _, rule := range f.OwnRules {
		if rule.port == narrowed(s) {
			from = append(from, rule.from)
		}
	}
	if len(w.AllowFrom) > 0 {
		from = w.AllowFrom
	}
	if slices.Contains(from, anyIPv4) {
		from = nil
	}
	return Site{s.TLSName, f.roots(w), from}
}

// parseTuple reads a line of ufw's files: "### tuple ### allow tcp 80 0.0.0.0/0 any 203.0.113.0/24 in comment=…". A rule of
// ours is for one TCP port, from anywhere or from some addresses.
func parseTuple(line string) (rule ufwRule, ours bool) {
	w := strings.Fields(line)
	comment := "comment=" + hex.EncodeToString([]byte(ufwComment))
	if len(w) < 10 || !strings.HasPrefix(line, "### tuple ### ") || !slices.Contains(w, comment) || w[4] != "tcp" {
		return ufwRule{}, false
	}
	port, err := strconv.Atoi(w[5])
	if err != nil {
		return ufwRule{}, false
	}
	rule = ufwRule{port: port, args: []string{w[3], w[5] + "/tcp"}, from: w[8]}
	if rule.from != anyIPv4 && rule.from != anyIPv6 {
		rule.args = []string{w[3], "from", rule.from, "to", "any", "port", w[5], "proto", "tcp"}
	}
	return rule, true
}

// forgetRules deletes the rules that deploys added, but for those of the ports.
func (s *system) forgetRules(ctx context.Context, keep []string) error {
	rules, err := s.ourRules()
	for _, rule := range rules {
		if slices.Contains(keep, strconv.Itoa(rule.port)) {
			continue
		}
		_, deleteErr := s.run(ctx, "ufw", append([]string{"--force", "delete"}, rule.args...)...)
		err = errors.Join(err, deleteErr)
	}
	return err
}
