package manage

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// A token is made, counts at once, is listed with its limits, and ends when it is revoked; comments stay.
func TestTokens(t *testing.T) {
	boss := config.Token{Name: "admin", Hash: config.HashToken("boss"), Admin: true}
	env := "PORT=8000\nCLIENT_TOKENS=a-token-of-the-settings\n"
	one := &instance{}
	f := secretsIn(t, config.Texts{Env: env, Keys: "a\n", Tokens: "# ours\n" + boss.Line()}, serving(t, one, nil))
	text := func() string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(f.dir, config.TokensFile))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	refused := func(err error, want string) {
		t.Helper()
		if !errors.Is(err, ErrSettings) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	made, err := f.addToken(t.Context(), "ci", config.Limits{Requests: 60, DayCost: 2_500_000})
	if err != nil || !made.Live || len(made.Reveal()) != 36 {
		t.Fatalf("%+v, %v", made, err)
	}
	ci := config.Token{Name: "ci", Hash: config.HashToken(made.Reveal()), Limits: config.Limits{Requests: 60, DayCost: 2_500_000}}
	if want := "# ours\n" + boss.Line() + "\n" + ci.Line() + "\n"; text() != want || strings.Contains(text(), made.Reveal()) {
		t.Errorf("the file has %q, want %q", text(), want)
	}
	_, err = f.addToken(t.Context(), "ci", config.Limits{})
	refused(err, "there is a token ci already\nhint: ")
	_, err = f.addToken(t.Context(), "env-1", config.Limits{})
	refused(err, "there is a token env-1 already")
	_, err = f.addToken(t.Context(), "a b", config.Limits{})
	refused(err, "the token's name: expected 1 to 64 letters")

	list, err := f.listTokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := list.Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"env-1  client  none (in adapter.env)", "admin  admin   none", "ci     client  rpm=60 day_usd=2.50"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}

	for name, want := range map[string]string{"nobody": "there is no token nobody", "admin": "rotate-admin", "env-1": "adapter.env"} {
		_, err := f.revokeToken(t.Context(), name, true)
		refused(err, want)
	}
	if live, err := f.revokeToken(t.Context(), "ci", false); !live || err != nil {
		t.Errorf("%v, %v", live, err)
	}
	rotated, err := f.rotateAdmin(t.Context())
	boss.Hash = config.HashToken(rotated.Reveal())
	if want := "# ours\n" + boss.Line() + "\n"; err != nil || text() != want {
		t.Errorf("%v, the file has %q, want %q", err, text(), want)
	}
}

func TestTheLastToken(t *testing.T) {
	ann := config.Token{Name: "ann", Hash: config.HashToken("x")}
	one := &instance{}
	f := secretsIn(t, config.Texts{Env: "PORT=8000\n", Keys: "a\n", Tokens: ann.Line() + "\n"}, serving(t, one, nil))
	if _, err := f.revokeToken(t.Context(), "ann", true); !errors.Is(err, ErrSettings) || !strings.Contains(err.Error(), "ann is the last token") {
		t.Errorf("got %v", err)
	}
	if made, err := f.rotateAdmin(t.Context()); err != nil || made.Name != "admin" {
		t.Fatalf("%+v, %v", made, err)
	}
	if _, err := f.revokeToken(t.Context(), "ann", false); !errors.Is(err, ErrSettings) || !strings.Contains(err.Error(), "--yes revokes it all the same") {
		t.Errorf("got %v", err)
	}
	if live, err := f.revokeToken(t.Context(), "ann", true); !live || err != nil {
		t.Errorf("%v, %v", live, err)
	}
	// a client may be called admin
	f = secretsIn(t, config.Texts{Env: "PORT=8000\n", Keys: "a\n", Tokens: strings.Replace(ann.Line(), "=ann", "=admin", 1)}, nil)
	if made, err := f.rotateAdmin(t.Context()); err != nil || made.Name != "admin-2" || made.Live {
		t.Errorf("%+v, %v", made, err)
	}
}
