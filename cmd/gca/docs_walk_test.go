package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/manage/client/clienttest"
)

// documented is the server that documents name.
const documented = "203.0.113.9"

// reader is a person who follows a document word for word: in a folder of their own, with gca on their path.
type reader struct {
	seat
	home string
}

func newReader(t *testing.T, gca, home string) reader {
	t.Helper()
	dir, bin := t.TempDir(), t.TempDir()
	if err := os.Symlink(gca, filepath.Join(bin, "gca")); err != nil {
		t.Fatal(err)
	}
	env := []string{"HOME=" + home, "PATH=" + bin + ":" + os.Getenv("PATH")}
	return reader{seat{dir: dir, env: env}, home}
}

// follow runs each line of a block, all of which must succeed.
func (r reader) follow(t *testing.T, b block, asked map[string][]answer) {
	t.Helper()
	for line := range strings.Lines(b.withoutRemarks()) {
		line = strings.TrimSpace(line)
		if got := r.run(t, line, asked[line]...); line != "" && got.code != 0 {
			t.Errorf("%s: exit code %d\n%s", line, got.code, got.out)
		}
	}
}

// followMarked runs the blocks of all guides that have that mark, and counts them.
func (r reader) followMarked(t *testing.T, wanted string, asked map[string][]answer) (found int) {
	t.Helper()
	for _, file := range documents(t) {
		for _, c := range readDocument(t, file) {
			for _, b := range c.blocks {
				if b.mark == wanted {
					found++
					t.Run(file+" "+c.title, func(t *testing.T) { r.follow(t, b, asked) })
				}
			}
		}
	}
	return found
}

// What the guides say to somebody who uses an adapter, word for word.
func TestDocs_User(t *testing.T) {
	adapter := clienttest.Start(t)
	r := newReader(t, buildOnce(t), t.TempDir())
	if got := (seat{dir: r.dir, env: append(r.env, tokenVariable+"="+clienttest.Token)}).run(t, "gca connect "+adapter.URL); got.code != 0 {
		t.Fatal(got.out)
	}
	if n := r.followMarked(t, "fake", nil); n < 7 {
		t.Errorf("only %d blocks are marked", n)
	}
}

// The README's way from a bare server to an answer, and what the guides do on it then, word for word. The server that they name
// is a lab server by the reader's ssh_config, and its Gemini the fake by a setting that it has beforehand.
func TestLab_Docs(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	r.on("mkdir -p /etc/gemini-adapter; echo GEMINI_BASE_URL=" + r.base + " >/etc/gemini-adapter/adapter.env")
	r.sshHome("Host " + documented + "\n HostName " + r.server.Addr + "\n IdentityFile " + r.server.KeyFile + "\n")
	person := newReader(t, r.gca, r.home)
	if err := os.Symlink(filepath.Dir(r.gca), filepath.Join(person.dir, "bin")); err != nil {
		t.Fatal(err)
	}
	deploy, add := "deploy root@"+documented, "keys add root@"+documented
	asked := map[string][]answer{
		"bin/gca " + deploy:             {{"Gemini API keys", goodKeys[0]}, {"Do this to root@", "yes"}},
		"bin/gca " + add:                {{"Gemini API keys, commas between several", goodKeys[1]}},
		"gca " + add + " --label spare": {{"Gemini API keys, commas between several", goodKeys[2]}},
	}
	t.Run("README.md", func(t *testing.T) {
		for _, line := range firstUse(t) {
			got := person.run(t, line, asked[line]...)
			delete(asked, line) // nothing is asked twice
			if got.code != 0 && !(strings.HasPrefix(line, "bin/gca plan ") && got.code == exitPending) {
				t.Fatalf("%s: exit code %d\n%s", line, got.code, got.out)
			}
		}
	})
	if n := person.followMarked(t, "lab", asked); n < 7 {
		t.Errorf("only %d blocks are marked", n)
	}
}

// firstUse are the commands of the README's numbered steps of a deploy, in their order.
func firstUse(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, c := range readDocument(t, "README.md") {
		if c.title != "Deploy to a real VPS" {
			continue
		}
		for _, line := range c.commands {
			if strings.HasPrefix(line, "bin/gca ") {
				all = append(all, line)
			}
		}
	}
	if len(all) < 8 {
		t.Fatalf("the README's first use is only %q", all)
	}
	return all
}
