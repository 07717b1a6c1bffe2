package setup

import (
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

const table = "[model_providers.gca]\nname = \"gca\""

func TestTOML_set(t *testing.T) {
	f := func(text, name, raw, want string) {
		t.Helper()
		got, err := tomlFormat{}.set([]byte(text), []string{name}, raw)
		if err != nil {
			got = []byte("error: " + err.Error())
		}
		if string(got) != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	}
	const key, line = "model", `model = "m"`
	f("", key, line, line+"\n")
	f("# mine\n\n[a]\nx = 1\n", key, line, line+"\n# mine\n\n[a]\nx = 1\n")
	f("a = 1\n# mine\n\n[t]\nmodel = \"other\"\n", key, line, "a = 1\n"+line+"\n# mine\n\n[t]\nmodel = \"other\"\n")
	f("a = 1", key, line, "a = 1\n"+line+"\n")
	f("a = 1\r\nmodel = 'old' # best\r\nb = 2\r\n", key, line, "a = 1\r\n"+line+"\r\nb = 2\r\n")
	f("model = 'old' # best\n[t]\n", key, "", "[t]\n")
	f("\"model\" = 'old'\n", key, line, line+"\n")
	f("model = '''\nold'''\n", key, line, `error: the setting that begins with "model = '''" goes over several lines`)

	const name = "[model_providers.gca]"
	f("a = 1\n", name, table, "a = 1\n\n"+table+"\n")
	f("", name, table, table+"\n")
	f("[x]\n[model_providers.gca]\nname = 'old'\nurl = 'x'\n\n# the next\n[y]\nz = 1\n", name, table, "[x]\n"+table+"\n\n# the next\n[y]\nz = 1\n")
	f("[x]\n\n[ model_providers . \"gca\" ] # c\nname = 'old'\n\n\n", name, "", "[x]\n\n\n")
	f("[model_providers.gca.http_headers]\nx = 'y'\n", name, table, "[model_providers.gca.http_headers]\nx = 'y'\n\n"+table+"\n")
	for _, text := range []string{"a = ", "model_providers.gca.name = 'x'\n", "[model_providers]\ngca = {name = 'x'}\n", "[model_providers.gca]\n[model_providers.gca]\n"} {
		if got, err := (tomlFormat{}).set([]byte(text), []string{name}, table); err == nil {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// Whatever is set reads back, what comes out is TOML, and what was added and removed again is gone.
func FuzzTOML(f *testing.F) {
	for _, seed := range []string{"", "a = 1\n[b]\nc = 2", "# c\nmodel = 'x'\n[[d]]\n[[d]]\n", "[model_providers.gca]\nx = [\n1,\n]\n# y\n[z]", "a.b = 1\r\n\r\n[c.d]\r\n"} {
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, text string, isTable bool) {
		form, path, raw := tomlFormat{}, []string{"model"}, `model = "m"`
		if isTable {
			path, raw = []string{"[model_providers.gca]"}, table
		}
		_, was, err := form.get([]byte(text), path)
		if err != nil {
			return
		}
		after, err := form.set([]byte(text), path, raw)
		if err != nil { // a rival notation, or several lines: refused, and nothing is written
			return
		}
		var decoded struct{}
		if err := toml.Unmarshal(after, &decoded); err != nil {
			t.Fatalf("%q became %q: %v", text, after, err)
		}
		if got, ok, err := form.get(after, path); !ok || got != raw || err != nil {
			t.Fatalf("%q became %q, where it is %q, %v, %v", text, after, got, ok, err)
		}
		again, err := form.set(after, path, "")
		if err != nil {
			t.Fatalf("%q: %v", after, err)
		}
		if !was && strings.Join(strings.Fields(text), " ") != strings.Join(strings.Fields(string(again)), " ") {
			t.Fatalf("%q became %q", text, again)
		}
	})
}
