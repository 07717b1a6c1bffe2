package client

import (
	"context"
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		got, err := ParseURL(in)
		if (err != nil) != (want == "") || got != want {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	f("203.0.113.9", "https://203.0.113.9")
	f("adapter.example.com", "https://adapter.example.com")
	f("adapter.example.com:8443/v1", "https://adapter.example.com:8443")
	f("127.0.0.1:8000", "http://127.0.0.1:8000")
	f("localhost:8000", "http://localhost:8000")
	f("192.168.1.7", "http://192.168.1.7")
	f("100.101.102.103", "http://100.101.102.103")
	f("[fd00::1]:80", "http://[fd00::1]:80")
	f("[2001:db8::1]", "https://[2001:db8::1]")
	f("http://h:8080/", "http://h:8080")
	f("https://h/v1", "https://h")
	f("https://h/v1/", "https://h")
	f("http://[2001:db8::1]", "http://[2001:db8::1]")
	f("", "")
	f("https://:80", "")
	f("ftp://h", "")
	f("http://user:pw@h", "")
	if _, err := ParseURL("http://user:pw@h"); err == nil || strings.Contains(err.Error(), "pw") {
		t.Errorf("a password is shown, or taken: %v", err)
	}
}

func TestExposed(t *testing.T) {
	f := func(address string, want bool) {
		t.Helper()
		if got, err := Exposed(t.Context(), address); got != want || err != nil {
			t.Errorf("%s: got %v, %v", address, got, err)
		}
	}
	f("http://192.0.2.1", true)
	f("http://[2001:db8::1]:80", true)
	f("http://[::ffff:192.0.2.1]", true)
	f("https://192.0.2.1", false)
	for _, private := range []string{"127.0.0.1:8000", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "[::1]", "[fe80::1]", "[fd00::1]", "[::ffff:10.0.0.1]", "localhost"} {
		f("http://"+private, false)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if exposed, err := Exposed(ctx, "http://adapter.invalid"); !exposed || err == nil {
		t.Errorf("a name that cannot be looked up: %v, %v", exposed, err)
	}
}
