package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Bounds of a token's limits: beyond them a value is a slip, not a limit.
const (
	maxCount     = 1_000_000_000 // requests and tokens a minute, requests at once
	maxDayTokens = 1_000_000_000_000
	maxDayCost   = 1_000_000_000_000 // millionths of a dollar
	microDigits  = 6
)

const limitRule = "expected name=NAME, role=client or role=admin, and the limits rpm=, tpm=, concurrent=, day_tokens=, day_usd= and models= after the hash"

// ParseTokens reads the file tokens, one a line: `sha256:HEX [name=NAME] [role=client|admin] [rpm=N] [tpm=N] [concurrent=N]
// [day_tokens=N] [day_usd=N.NN] [models=PATTERN|PATTERN]`, with comments behind #. A token without a name gets one of its
// hash. An error names the line and the rule, never the value of what is not understood: it may be a token.
func ParseTokens(text string) ([]Token, error) {
	var tokens []Token
	named, hashed := map[string]int{}, map[[sha256.Size]byte]int{}
	for i, raw := range strings.Split(text, "\n") {
		fields := strings.Fields(stripComment(strings.TrimSpace(raw)))
		if len(fields) == 0 {
			continue
		}
		token, err := parseToken(fields)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		if first, again := named[token.Name]; again {
			return nil, fmt.Errorf("line %d: the name %s is taken by line %d: every token needs its own", i+1, token.Name, first)
		}
		if first, again := hashed[token.Hash]; again {
			return nil, fmt.Errorf("line %d: it is the same token as on line %d", i+1, first)
		}
		named[token.Name], hashed[token.Hash] = i+1, i+1
		tokens = append(tokens, token)
	}
	return tokens, nil
}

func parseToken(fields []string) (Token, error) {
	var token Token
	digest, ok := strings.CutPrefix(fields[0], "sha256:")
	raw, err := hex.DecodeString(digest)
	if !ok || err != nil || len(raw) != len(token.Hash) {
		return token, errors.New("expected sha256: and 64 hex digits")
	}
	copy(token.Hash[:], raw)
	seen := map[string]bool{}
	for _, field := range fields[1:] {
		name, value, _ := strings.Cut(field, "=")
		if seen[name] {
			return token, fmt.Errorf("there is a second %s=", name)
		}
		if err := token.set(name, value); err != nil {
			return token, err
		}
		seen[name] = true
	}
	if token.Admin && !token.Limits.None() {
		return token, errors.New("an admin token has no limits")
	}
	if token.Name == "" {
		token.Name = "token-" + hex.EncodeToString(token.Hash[:4])
	}
	return token, nil
}

// set takes one field of a token's line.
func (t *Token) set(name, value string) error {
	switch name {
	case "name":
		if err := CheckName(value); err != nil {
			return fmt.Errorf("name=: %w", err)
		}
		t.Name = value
	case "role":
		if value != "client" && value != "admin" {
			return errors.New("expected role=client or role=admin")
		}
		t.Admin = value == "admin"
	default:
		return t.Limits.Set(name, value)
	}
	return nil
}

// CheckName judges a token's name; the error is the rule.
func CheckName(name string) error {
	if !isLabel(name) {
		return errors.New("expected 1 to 64 letters, digits or any of - _ . @")
	}
	return nil
}

// Set takes one limit, by its name in the file tokens: rpm, tpm, concurrent, day_tokens, day_usd or models.
func (l *Limits) Set(name, value string) (err error) {
	var n int64
	switch name {
	case "rpm":
		n, err = count(name, value, maxCount)
		l.Requests = int(n)
	case "tpm":
		n, err = count(name, value, maxCount)
		l.Tokens = int(n)
	case "concurrent":
		n, err = count(name, value, maxCount)
		l.Concurrent = int(n)
	case "day_tokens":
		l.DayTokens, err = count(name, value, maxDayTokens)
	case "day_usd":
		l.DayCost, err = dollars(name, value)
	case "models":
		l.Models, err = patterns(name, value)
	default:
		err = fieldError(limitRule)
	}
	return err
}

func count(name, value string, high int64) (int64, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 1 || n > high || strings.HasPrefix(value, "+") {
		return 0, fmt.Errorf("expected %s= and a whole number from 1 to %d", name, high)
	}
	return n, nil
}

// dollars reads an amount exactly, to a millionth.
func dollars(name, value string) (micro int64, err error) {
	whole, fraction, _ := strings.Cut(value, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" || len(fraction) > microDigits || len(whole) > 7 {
		return 0, fmt.Errorf("expected %s= and US dollars, such as 2.50", name)
	}
	micro, err = strconv.ParseInt(digits+strings.Repeat("0", microDigits-len(fraction)), 10, 64)
	if err != nil || micro < 1 || micro > maxDayCost {
		return 0, fmt.Errorf("expected %s= and US dollars, from 0.000001 to %d", name, maxDayCost/1_000_000)
	}
	return micro, nil
}

// patterns reads names of models with * in them.
func patterns(name, value string) ([]string, error) {
	all := strings.Split(value, "|")
	for _, p := range all {
		if p == "" || len(p) > 200 || strings.ContainsFunc(p, func(r rune) bool { return r <= ' ' || r > '~' || r == '#' }) {
			return nil, fmt.Errorf("expected %s= and names of models with | between them, such as claude-*|gemini-3.8-flash", name)
		}
	}
	return slices.Clip(all), nil
}

// None reports whether nothing is limited.
func (l *Limits) None() bool {
	return l.Requests == 0 && l.Tokens == 0 && l.Concurrent == 0 && l.DayTokens == 0 && l.DayCost == 0 && len(l.Models) == 0
}

// Budgets reports whether any of them is of tokens or of money.
func (l *Limits) Budgets() bool { return l.Tokens > 0 || l.DayTokens > 0 || l.DayCost > 0 }

// String writes the limits as the file tokens has them, "" for none.
func (l *Limits) String() string {
	var fields []string
	number := func(name string, n int64) {
		if n != 0 {
			fields = append(fields, name+"="+strconv.FormatInt(n, 10))
		}
	}
	number("rpm", int64(l.Requests))
	number("tpm", int64(l.Tokens))
	number("concurrent", int64(l.Concurrent))
	number("day_tokens", l.DayTokens)
	if l.DayCost != 0 {
		fields = append(fields, "day_usd="+Dollars(l.DayCost))
	}
	if len(l.Models) > 0 {
		fields = append(fields, "models="+strings.Join(l.Models, "|"))
	}
	return strings.Join(fields, " ")
}

// Dollars writes millionths of a dollar as dollars, with two decimals or as many as it takes.
func Dollars(micro int64) string {
	text := fmt.Sprintf("%d.%06d", micro/1_000_000, micro%1_000_000)
	for len(text)-strings.IndexByte(text, '.') > 3 && text[len(text)-1] == '0' {
		text = text[:len(text)-1]
	}
	return text
}

// Line writes a token as its line in the file tokens, without the end of the line.
func (t *Token) Line() string {
	role := "client"
	if t.Admin {
		role = "admin"
	}
	line := "sha256:" + hex.EncodeToString(t.Hash[:]) + " name=" + t.Name + " role=" + role
	if limits := t.Limits.String(); limits != "" {
		line += " " + limits
	}
	return line
}

// FormatTokens writes tokens as ParseTokens reads them.
func FormatTokens(tokens []Token) string {
	var b strings.Builder
	for i := range tokens {
		b.WriteString(tokens[i].Line())
		b.WriteByte('\n')
	}
	return b.String()
}

// parseTokenList reads CLIENT_TOKENS, whose tokens are named by their places.
func parseTokenList(list string) ([]Token, error) {
	var tokens []Token
	for i, item := range strings.Split(list, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		if err := checkSecret(item); err != nil {
			return nil, fmt.Errorf("token %d %w", i+1, err)
		}
		tokens = append(tokens, Token{Name: fmt.Sprintf("env-%d", len(tokens)+1), Hash: HashToken(item)})
	}
	return tokens, nil
}

// parseAdminToken reads ADMIN_TOKEN; empty is none.
func parseAdminToken(value string) ([]Token, error) {
	if value = strings.TrimSpace(value); value == "" {
		return nil, nil
	}
	if err := checkSecret(value); err != nil {
		return nil, fmt.Errorf("the token %w", err)
	}
	return []Token{{Name: "env-admin", Hash: HashToken(value), Admin: true}}, nil
}

// joinTokens puts the tokens of the settings before those of the file. Of one that stands at both places the file's line counts,
// which says more.
func joinTokens(settings, file []Token) ([]Token, error) {
	var all []Token
	for _, token := range settings {
		twin := slices.IndexFunc(file, func(t Token) bool { return t.Hash == token.Hash })
		again := slices.IndexFunc(all, func(t Token) bool { return t.Hash == token.Hash })
		switch {
		case twin >= 0 && token.Admin && !file[twin].Admin:
			return nil, fmt.Errorf("ADMIN_TOKEN is also the client token %s of the file tokens: choose another", file[twin].Name)
		case again >= 0 && token.Admin != all[again].Admin:
			return nil, errors.New("ADMIN_TOKEN is also one of CLIENT_TOKENS: choose another")
		case twin < 0 && again < 0:
			all = append(all, token)
		}
	}
	for _, token := range file {
		if slices.ContainsFunc(all, func(t Token) bool { return t.Name == token.Name }) {
			return nil, fmt.Errorf("the file tokens has the name %s, which a token of CLIENT_TOKENS or ADMIN_TOKEN has: choose another", token.Name)
		}
	}
	return append(all, file...), nil
}

// Clients reports whether there is a token of a client's, not an admin's alone.
func (c *Config) Clients() bool {
	return slices.ContainsFunc(c.Tokens, func(t Token) bool { return !t.Admin })
}

// HasAdmin reports whether there is an admin token.
func (c *Config) HasAdmin() bool {
	return slices.ContainsFunc(c.Tokens, func(t Token) bool { return t.Admin })
}
