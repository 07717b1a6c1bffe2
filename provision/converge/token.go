package converge

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

const (
	clientName   = "default"
	adminName    = "admin"
	tokenLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	tokenLength  = 32 // letters, 190 bits
)

// NewToken makes a token: "gca-" and 32 letters and digits.
func NewToken() Secret {
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
func tokenLine(token Secret, name, role string) string {
	sum := sha256.Sum256([]byte(token.Reveal()))
	return "sha256:" + hex.EncodeToString(sum[:]) + " name=" + name + " role=" + role + "\n"
}

// freeName is name, or that with a number where the tokens file has it: two tokens never share one.
func freeName(text, name string) string {
	taken := strings.Fields(text)
	free := name
	for n := 2; slices.Contains(taken, "name="+free); n++ {
		free = name + "-" + strconv.Itoa(n)
	}
	return free
}
