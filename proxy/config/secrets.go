package config

import (
	"errors"
	"fmt"
	"strings"
)

// ErrField is in the error of a line of keys or tokens with a field that this release does not know. A later one may: what it says
// about a key or a token must not be lost in silence.
var ErrField = errors.New("unknown field")

// fieldError is an ErrField in the words of its rule.
type fieldError string

func (e fieldError) Error() string { return string(e) }

func (fieldError) Is(target error) bool { return target == ErrField }

// ParseKeys reads the file keys: one key a line, `KEY [group=NAME] [proxy=URL] [label=NAME]`, with comments behind #. An error names the line, never
// the key.
func ParseKeys(text string) ([]Key, error) {
	var keys []Key
	for i, raw := range strings.Split(text, "\n") {
		fields := strings.Fields(stripComment(strings.TrimSpace(raw)))
		if len(fields) == 0 {
			continue
		}
		key := Key{Secret: NewSecret(fields[0])}
		if err := checkSecret(fields[0]); err != nil {
			return nil, fmt.Errorf("line %d: the key %w", i+1, err)
		}
		for _, field := range fields[1:] {
			name, value, _ := strings.Cut(field, "=")
			switch {
			case name == "label" && isLabel(value):
				key.Label = value
			case name == "group" && isLabel(value):
				key.Group = value
			case name == "proxy":
				if err := link(value, &key.Proxy, "http", "https", "socks5"); err != nil {
					return nil, fmt.Errorf("line %d: proxy%w", i+1, err)
				}
			default:
				return nil, fmt.Errorf("line %d: %w", i+1, fieldError("the key has white space inside, or is followed by something other than group=NAME, proxy=URL and label=NAME"))
			}
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// ParseKeyList reads GEMINI_API_KEYS: keys between commas; white space around them is ignored, inside them refused.
func ParseKeyList(list string) ([]Key, error) {
	var keys []Key
	for i, item := range strings.Split(list, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		if err := checkSecret(item); err != nil {
			return nil, fmt.Errorf("key %d %w", i+1, err)
		}
		keys = append(keys, Key{Secret: NewSecret(item)})
	}
	return keys, nil
}

// FormatKeys writes keys as ParseKeys reads them.
func FormatKeys(keys []Key) string {
	var b strings.Builder
	for _, key := range keys {
		b.WriteString(key.Secret.Reveal())
		if key.Group != "" {
			b.WriteString(" group=" + key.Group)
		}
		if key.Proxy != nil {
			b.WriteString(" proxy=" + key.Proxy.String())
		}
		if key.Label != "" {
			b.WriteString(" label=" + key.Label)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// checkSecret refuses what cannot be a credential in an HTTP header; prefix and length prove nothing about a key.
func checkSecret(s string) error {
	for _, r := range s {
		switch {
		case r == ' ' || r == '\t' || r == '\r' || r == '\n':
			return fmt.Errorf("has white space inside")
		case r == ',':
			return fmt.Errorf("has a comma inside: give one key a line")
		case r < 0x21 || r > 0x7e:
			return fmt.Errorf("has a character that is not printable ASCII")
		}
	}
	return nil
}

func isLabel(s string) bool {
	for _, r := range s {
		if !strings.ContainsRune("-_.@", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
