package remote

import (
	"os/user"
	"strings"
	"testing"
)

func TestParseHost(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	f := func(text, want, addr string) {
		t.Helper()
		host, err := ParseHost(text)
		if err != nil {
			t.Errorf("ParseHost(%q): %v", text, err)
			return
		}
		if host.String() != want || host.Addr() != addr {
			t.Errorf("ParseHost(%q) = %s at %s, want %s at %s", text, host, host.Addr(), want, addr)
		}
	}
	f("root@203.0.113.9", "root@203.0.113.9", "203.0.113.9:22")
	f("root@203.0.113.9:22", "root@203.0.113.9", "203.0.113.9:22")
	f("root@203.0.113.9:2222", "root@203.0.113.9:2222", "203.0.113.9:2222")
	f("ubuntu@VPS.Example.com", "ubuntu@vps.example.com", "vps.example.com:22")
	f("ubuntu@vps.example.com.", "ubuntu@vps.example.com", "vps.example.com:22")
	f("vps", me.Username+"@vps", "vps:22")
	f("my_host-1:65535", me.Username+"@my_host-1:65535", "my_host-1:65535")
	f("root@[2001:db8::1]", "root@[2001:db8::1]", "[2001:db8::1]:22")
	f("root@[2001:DB8:0::1]:2222", "root@[2001:db8::1]:2222", "[2001:db8::1]:2222")
	f("root@[fe80::1%eth0]:2222", "root@[fe80::1%eth0]:2222", "[fe80::1%eth0]:2222")
	f("me@corp@bastion", "me@corp@bastion", "bastion:22")
	f("deploy.user+x@vps", "deploy.user+x@vps", "vps:22")
}

func TestParseHost_Refused(t *testing.T) {
	f := func(text, part string) {
		t.Helper()
		host, err := ParseHost(text)
		if err == nil {
			t.Errorf("ParseHost(%q) = %s", text, host)
			return
		}
		if !strings.Contains(err.Error(), part) || !strings.Contains(err.Error(), "\nhint: ") {
			t.Errorf("ParseHost(%q): %v; want %q and a hint", text, err, part)
		}
	}
	f("", "no host given")
	f(" ", "a space")
	f("root@my vps", "a space")
	f("root@vps\n", "a control character")
	f("root@v\x00ps", "a control character")
	f("root@\u200bvps", "a control character")
	f("-oProxyCommand=x", "starts with a dash")
	f("root@-vps", "not a host name")
	f("-root@vps", "starts with a dash")
	f("@vps", "no user before the @")
	f("root@", "no host name")
	f("root@:22", "no host name")
	f("root@vps:", "not a number")
	f("root@vps:0", "from 1 to 65535")
	f("root@vps:65536", "from 1 to 65535")
	f("root@vps:-1", "from 1 to 65535")
	f("root@vps:+1", "from 1 to 65535")
	f("root@vps:ssh", "from 1 to 65535")
	f("root@2001:db8::1", "more than one colon")
	f("root@[2001:db8::1", "brackets are for an IPv6 address")
	f("root@[vps]:22", "brackets are for an IPv6 address")
	f("root@[2001:db8::1]22", "after the bracket")
	f("root@[2001:zz::1]", "not an IPv6 address")
	f("root@203.0.113.300", "not an IPv4 address")
	f("root@203.0.113", "not an IPv4 address")
	f("root@vps..com", "not a host name")
	f("root@vps/", "not a host name")
	f("root@vps;reboot", "not a host name")
	f("ro:ot@vps", "not a user name")
	f("$(x)@vps", "not a user name")
	f("ssh://root@vps", "is a URL")
	f("root@bücher.example", "not ASCII")
	f("root@"+strings.Repeat("a.", 200)+"com", "longer than 253")
	f("root@"+strings.Repeat("a", 64), "not a host name")
	f(strings.Repeat("a", 1000), "longer than 512")
	f(strings.Repeat("a", 200)+"@vps", "longer than 128")
}

func TestHost_WithPort(t *testing.T) {
	host, err := ParseHost("root@vps")
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range []int{-1, 0, 65536} {
		if moved, err := host.WithPort(port); err == nil {
			t.Errorf("WithPort(%d) = %s", port, moved)
		}
	}
	moved, err := host.WithPort(2222)
	if err != nil || moved.String() != "root@vps:2222" || moved.Port() != 2222 || moved.User() != "root" || moved.Name() != "vps" {
		t.Errorf("%s, %v", moved, err)
	}
	if host.Port() != 22 {
		t.Errorf("the original moved to %d", host.Port())
	}
}

func FuzzParseHost(f *testing.F) {
	for _, seed := range []string{"root@203.0.113.9:2222", "vps", "root@[fe80::1%eth0]:1", "a@b@c", "-x", "root@[::ffff:1.2.3.4]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		host, err := ParseHost(text)
		if err != nil {
			if host != (Host{}) {
				t.Errorf("%q: both a host and %v", text, err)
			}
			return
		}
		again, err := ParseHost(host.String())
		if err != nil || again != host {
			t.Errorf("%q became %q, which became %q, %v", text, host, again, err)
		}
		if strings.HasPrefix(host.Name(), "-") || strings.ContainsAny(host.String(), " \t\r\n\x00'\"$;|&") {
			t.Errorf("%q is no safe host: %q", text, host)
		}
	})
}
