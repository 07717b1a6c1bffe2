package manage

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// secretsIn are the files of a folder with these texts, and the adapters that hear of changes.
func secretsIn(t *testing.T, texts config.Texts, all adapters) secretFiles {
	t.Helper()
	f := secretFiles{dir: t.TempDir(), unit: filepath.Join(t.TempDir(), ServiceUnit), adapters: all, lock: func(string) (func() error, error) { return func() error { return nil }, nil }}
	for name, text := range map[string]string{config.EnvFile: texts.Env, config.KeysFile: texts.Keys, config.TokensFile: texts.Tokens} {
		if text != "" {
			if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return f
}

func (f secretFiles) holds(t *testing.T, name, want string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil || string(text) != want {
		t.Errorf("%s holds %q, %v", name, text, err)
	}
	left, err := filepath.Glob(filepath.Join(f.dir, ".gca-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestSecretFiles_edit(t *testing.T) {
	texts := config.Texts{Env: "PORT=8000\n", Keys: "a\n"}
	to := func(text string, err error) func(config.Texts) (string, error) {
		return func(config.Texts) (string, error) { return text, err }
	}
	one := &instance{}
	f := secretsIn(t, texts, serving(t, one, nil))
	if live, err := f.edit(t.Context(), config.KeysFile, "a test", to("a\nb\n", nil)); !live || err != nil || strings.Join(one.said, "|") != "reload a\nb\n" {
		t.Errorf("live %v, %v, told %q", live, err, one.said)
	}
	f.holds(t, config.KeysFile, "a\nb\n")
	if info, err := os.Stat(filepath.Join(f.dir, config.KeysFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}

	failed := errors.New("no")
	if _, err := f.edit(t.Context(), config.KeysFile, "a test", to("c\n", failed)); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
	if _, err := f.edit(t.Context(), config.KeysFile, "a test", to("s3cret words\n", nil)); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("nonsense gives %v", err)
	}
	one.err = &control.Refusal{Code: control.Invalid, Message: "no such luck"}
	if _, err := f.edit(t.Context(), config.KeysFile, "a test", to("c\n", nil)); err == nil || !strings.Contains(err.Error(), "nothing was changed: no such luck") {
		t.Errorf("a refusal gives %v", err)
	}
	f.holds(t, config.KeysFile, "a\nb\n")

	f = secretsIn(t, texts, serving(t, nil, nil))
	if live, err := f.edit(t.Context(), config.TokensFile, "a test", to("# none\n", nil)); live || err != nil {
		t.Errorf("without an adapter: live %v, %v", live, err)
	}
	f.holds(t, config.TokensFile, "# none\n")
}

// A file that was not there is as a deploy makes it: keys that systemd hands over are for root alone.
func TestSecretFiles_firstOf(t *testing.T) {
	f := func(unit, name string, want os.FileMode) {
		t.Helper()
		files := secretsIn(t, config.Texts{Env: "GEMINI_API_KEYS=a\nCLIENT_TOKENS=b\n"}, nil)
		if err := errors.Join(os.WriteFile(files.unit, []byte(unit), 0o600), os.Chmod(filepath.Join(files.dir, config.EnvFile), 0o640)); err != nil {
			t.Fatal(err)
		}
		if _, err := files.edit(t.Context(), name, "a test", func(config.Texts) (string, error) { return "# none yet\n", nil }); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(files.dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
		}
	}
	handed := "[Service]\nLoadCredential=keys:/etc/gemini-adapter/keys\n"
	f(handed, config.KeysFile, 0o600)
	f("[Service]\n", config.KeysFile, 0o640)
	f(handed, config.TokensFile, 0o640)
}

// Root follows no link that somebody put in a file's place.
func TestSecretFiles_noLinks(t *testing.T) {
	f := secretsIn(t, config.Texts{Env: "PORT=8000\n"}, nil)
	victim := filepath.Join(t.TempDir(), "victim")
	if err := errors.Join(os.WriteFile(victim, []byte("k\n"), 0o600), os.Symlink(victim, filepath.Join(f.dir, config.KeysFile))); err != nil {
		t.Fatal(err)
	}
	if _, err := f.edit(t.Context(), config.KeysFile, "a test", func(config.Texts) (string, error) { return "x\n", nil }); err == nil || !strings.Contains(err.Error(), "no plain file") {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "k\n" {
		t.Errorf("the victim holds %q, %v", text, err)
	}
}
