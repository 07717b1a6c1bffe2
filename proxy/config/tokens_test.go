package config

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// hashOf is the first field of a token's line.
func hashOf(token string) string {
	h := HashToken(token)
	return "sha256:" + hex.EncodeToString(h[:])
}

func TestParseTokens(t *testing.T) {
	f := func(rest string, want Token) {
		t.Helper()
		want.Hash = HashToken("tok")
		got, err := ParseTokens("# all\n\n" + hashOf("tok") + rest + "\n")
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("%q: got %+v, %v; want %+v", rest, got, err, want)
		}
	}
	f(" name=laptop", Token{Name: "laptop"})
	f("\tname=laptop  role=client # mine", Token{Name: "laptop"})
	f(" role=admin name=boss", Token{Name: "boss", Admin: true})
	f("", Token{Name: "token-" + hashOf("tok")[7:15]})
	f(" name=ci rpm=60 tpm=100000 concurrent=4 day_tokens=5000000 day_usd=2.5 models=claude-*|gemini-3.8-flash",
		Token{Name: "ci", Limits: Limits{60, 100_000, 4, 5_000_000, 2_500_000, []string{"claude-*", "gemini-3.8-flash"}}})
	f(" name=x day_usd=0.000001", Token{Name: "x", Limits: Limits{DayCost: 1}})
	f(" name=x day_usd=1000000", Token{Name: "x", Limits: Limits{DayCost: 1e12}})
	f(" name=x day_usd=.5", Token{Name: "x", Limits: Limits{DayCost: 500_000}})
	f(" name=x day_usd=19.99", Token{Name: "x", Limits: Limits{DayCost: 19_990_000}})
}

func TestParseTokens_errors(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		got, err := ParseTokens("\n" + text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v; want %q", text, got, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hidden") {
			t.Errorf("a secret is in %v", err)
		}
	}
	a, b := hashOf("a"), hashOf("b")
	f("gca-hidden", "line 2: expected sha256: and 64 hex digits")
	f("sha256:00 name=x", "line 2: expected sha256: and 64 hex digits")
	f(a+"00 name=x", "line 2: expected sha256: and 64 hex digits")
	f(a+" hidden", "line 2: expected name=NAME, role=client or role=admin")
	f(a+" secret=hidden", "line 2: expected name=NAME")
	f(a+" name=", "line 2: name=: expected 1 to 64 letters")
	f(a+" name=a/hidden", "line 2: name=: expected 1 to 64 letters")
	f(a+" name=x name=y", "line 2: there is a second name=")
	f(a+" role=hidden", "line 2: expected role=client or role=admin")
	f(a+" role=admin rpm=1", "line 2: an admin token has no limits")
	f(a+" rpm=0", "line 2: expected rpm= and a whole number from 1 to 1000000000")
	f(a+" rpm=+5", "expected rpm=")
	f(a+" tpm=1e6", "expected tpm=")
	f(a+" concurrent=-1", "expected concurrent=")
	f(a+" day_tokens=9999999999999", "expected day_tokens= and a whole number from 1 to 1000000000000")
	f(a+" day_usd=", "expected day_usd= and US dollars, such as 2.50")
	f(a+" day_usd=.", "expected day_usd=")
	f(a+" day_usd=1,50", "expected day_usd=")
	f(a+" day_usd=$1", "expected day_usd=")
	f(a+" day_usd=0.0000001", "expected day_usd=")
	f(a+" day_usd=0", "expected day_usd= and US dollars, from 0.000001 to 1000000")
	f(a+" day_usd=1000000.000001", "expected day_usd= and US dollars, from 0.000001 to 1000000")
	f(a+" models=", "expected models= and names of models with | between them")
	f(a+" models=a||b", "expected models=")
	f(a+" name=x\n"+b+" name=x", "line 3: the name x is taken by line 2")
	f(a+" name=x\n\n"+a+" name=y", "line 4: it is the same token as on line 2")
}

func TestDollars(t *testing.T) {
	f := func(micro int64, want string) {
		t.Helper()
		if got := Dollars(micro); got != want {
			t.Errorf("%d: %s, want %s", micro, got, want)
		}
	}
	f(0, "0.00")
	f(1, "0.000001")
	f(500_000, "0.50")
	f(1_234_000, "1.234")
	f(12_000_000, "12.00")
}

// What is written is read as what it was.
func FuzzParseTokens(f *testing.F) {
	f.Add(hashOf("a") + " name=ci rpm=60 tpm=1000 concurrent=4 day_tokens=5 day_usd=2.5 models=claude-*|x\n" + hashOf("b") + " role=admin")
	f.Add("# nothing\n")
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := ParseTokens(text)
		if err != nil {
			return
		}
		written := FormatTokens(tokens)
		again, err := ParseTokens(written)
		if err != nil || !reflect.DeepEqual(again, tokens) {
			t.Errorf("%q is written as %q, which reads as %+v, %v", text, written, again, err)
		}
	})
}

func TestAdminToken(t *testing.T) {
	f := func(settings, file, want string) {
		t.Helper()
		cfg, err := load(t, map[string]string{EnvFile: "GEMINI_API_KEYS=key\n" + settings, TokensFile: file})
		got := ""
		if err != nil {
			got, _, _ = strings.Cut(err.Error(), "\n")
			got = got[strings.LastIndexByte(got, '/')+1:]
		} else {
			for _, token := range cfg.Tokens {
				got += fmt.Sprintf("%s %v, ", token.Name, token.Admin)
			}
			got += cfg.Host
		}
		if got != want {
			t.Errorf("%s%s: got %s\nwant %s", settings, file, got, want)
		}
		if strings.Contains(got, "hidden") {
			t.Errorf("a secret is in %s", got)
		}
	}
	f("ADMIN_TOKEN=hidden-a\n", "", "env-admin true, 127.0.0.1")
	f("ADMIN_TOKEN=hidden-a\nHOST=0.0.0.0\n", "", "env-admin true, 0.0.0.0")
	f("ADMIN_TOKEN=\n", "", "127.0.0.1")
	f("ADMIN_TOKEN=hidden-a\nCLIENT_TOKENS=b,c,b\n", "", "env-1 false, env-2 false, env-admin true, 0.0.0.0")
	f("CLIENT_TOKENS=b\nADMIN_TOKEN=hidden-a\n", hashOf("c")+" name=c", "env-1 false, env-admin true, c false, 0.0.0.0")
	f("CLIENT_TOKENS=b\nADMIN_TOKEN=a\n", hashOf("b")+" name=b rpm=1\n"+hashOf("a")+" name=a role=admin", "b false, a true, 0.0.0.0")
	f("ADMIN_TOKEN=hidden a\n", "", "adapter.env line 2: ADMIN_TOKEN: the token has white space inside")
	f("ADMIN_TOKEN=hidden\nCLIENT_TOKENS=hidden\n", "", "ADMIN_TOKEN is also one of CLIENT_TOKENS: choose another")
	f("ADMIN_TOKEN=hidden\n", hashOf("hidden")+" name=x", "ADMIN_TOKEN is also the client token x of the file tokens: choose another")
	f("CLIENT_TOKENS=hidden\n", hashOf("x")+" name=env-1", "the file tokens has the name env-1, which a token of CLIENT_TOKENS or ADMIN_TOKEN has: choose another")
}
