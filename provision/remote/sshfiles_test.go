package remote

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Any file is read or refused, and what is read can be used or is refused in words.
func FuzzConfigFiles(f *testing.F) {
	f.Add("Host tokyo\n HostName 203.0.113.9\n Port 2222\n", "tokyo")
	f.Add("Match all\nUser x\nIdentityFile \"~/a b\"\n", "vps")
	f.Add("Host *\n Port = 0\n", "vps")
	f.Add("Host !\nHost \"\nInclude \"x\n", "vps")
	f.Add("\x00Host", "a")
	f.Fuzz(func(t *testing.T, config, name string) {
		if strings.Contains(strings.ToLower(config), "include") {
			return // files of this machine are no input
		}
		path := filepath.Join(t.TempDir(), ".ssh", "config")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		find := lookup(configFiles{path}.lookup)
		stop, err := find.stop(context.Background(), name, query{target: target{name: name}})
		if err != nil {
			return
		}
		if again, err := ParseHost(stop.host.String()); err != nil || again != stop.host {
			t.Errorf("%v from %q: %v", stop.host, config, err)
		}
	})
}

func TestReadConfig_TooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, make([]byte, maxConfig+1), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := configFiles{path}.lookup(context.Background(), query{target: target{name: "tokyo"}})
	if err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("got %v", err)
	}
}
