package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
)

// An archive that is cut off changes nothing, and says so with the next command.
func TestRestore_cutOff(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", home)
	file := filepath.Join(home, "cut.tar.gz")
	if err := os.WriteFile(file, []byte{0x1f, 0x8b, 8}, 0o600); err != nil {
		t.Fatal(err)
	}
	f := &restoreFlags{group: group{&streams{}, &sshFlags{port: 2222}}}
	err := f.toAfar(&cobra.Command{}, "root@vps", file)
	want := "; nothing was changed\nhint: gca backup verify " + file + " checks it; another one: gca backup list -p 2222 root@vps"
	if exitCode(err) != exitRefused || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %q; exit code %d", err, want, exitCode(err))
	}
	err = f.unharmed(asRefused("-", &manage.ArchiveError{Message: "it is cut off"}), "-", "gemini-manage", "")
	if !strings.HasSuffix(err.Error(), "; nothing was changed\nhint: another one: gemini-manage backup list") {
		t.Errorf("from standard input: %v", err)
	}
}
