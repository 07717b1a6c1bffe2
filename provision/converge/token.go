package converge

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

const (
	tokenName    = "default"
	tokenLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	tokenLength  = 32 // letters, 190 bits
)

// hasClientToken reports whether the text of the tokens file has a client's
// token. A line is "sha256:<hex> name=<name> role=<role>"; without a role it is a client's.
func hasClientToken(text string) bool {
	for line := range strings.Lines(text) {
		w := strings.Fields(line)
		if len(w) == 0 || !strings.HasPrefix(w[0], "sha256:") {
			continue
		}
		other := func(word string) bool { return strings.HasPrefix(word, "role=") && word != "role=client" }
		if !slices.ContainsFunc(w[1:], other) {
			return true
		}
	}
	return false
}

// newToken makes a client's token: "gca-" and 32 letters and digits.
func newToken() Secret {
	token := make([]byte, 0, tokenLength)
	for len(token) < tokenLength {
		var b [1]byte
		rand.Read(b[:]) // never fails, says its documentation
		// 248 is the largest multiple of 62 in a byte: beyond it some letters would be likelier.
		if b[0] < 248 {
			token = append(token, tokenLetters[b[0]%62])
		}
	}
	return NewSecret("gca-" + string(token))
}

// tokenLine is what the tokens file keeps of a token.
func tokenLine(token Secret, name string) string {
	sum := sha256.Sum256([]byte(token.Reveal()))
	return "sha256:" + hex.EncodeToString(sum[:]) + " name=" + name + " role=client\n"
}
