package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/gemini-claude-adapter/gca"

type room struct {
	pkg  string
	may  []string
	owns []string
	uses []string // of the libraries that others own
}

// house says which packages of ours each package may import, and which libraries belong to it alone. "x/..." covers x and
// what lies below it.
var house = []room{
	{pkg: "", may: nil},
	{pkg: "cmd/gca", may: []string{"", "provision/...", "manage/...", "proxy/..."},
		owns: []string{"github.com/spf13/cobra", "github.com/AlecAivazis/survey", "github.com/fatih/color"}},
	{pkg: "cmd/lab", may: []string{"provision/lab"}},
	{pkg: "cmd/fakegemini", may: []string{"proxy/fakegemini"}},
	{pkg: "cmd/clients"},
	{pkg: "cmd/bench", may: []string{"proxy/config", "proxy/control"}, uses: []string{"github.com/valyala/fasthttp"}}, // the floor is the adapter's server without the adapter
	{pkg: "cmd/payloads", may: []string{"provision/payload"}},
	{pkg: "cmd/licences"},
	{pkg: "cmd/demo", may: []string{"provision/lab", "proxy/fakegemini"}},
	{pkg: "provision", may: []string{"provision/remote", "provision/converge", "provision/payload", "proxy/config"}},
	{pkg: "provision/remote", owns: []string{"golang.org/x/crypto/ssh", "github.com/pkg/sftp", "github.com/skeema/knownhosts", "github.com/kevinburke/ssh_config"}},
	{pkg: "provision/converge"},
	{pkg: "provision/cert", may: []string{"provision/converge"}, owns: []string{"golang.org/x/crypto/acme"}},
	{pkg: "provision/payload"},
	{pkg: "provision/export", may: []string{"provision/converge", "provision/payload"}},
	{pkg: "provision/lab", owns: []string{"github.com/Shopify/toxiproxy", "github.com/letsencrypt"}},
	{pkg: "manage/offsite", may: []string{"provision/remote"}, owns: []string{"github.com/minio/minio-go"}},
	{pkg: "manage", may: []string{"manage/offsite", "provision", "provision/remote", "provision/converge", "proxy/control", "proxy/keys", "proxy/config", "manage/client", "manage/locale", "manage/alerts"}, owns: []string{"filippo.io/age"}},
	{pkg: "manage/locale", owns: []string{"golang.org/x/text/"}},
	{pkg: "manage/alerts", may: []string{"manage/client", "proxy/config", "proxy/control", "proxy/keys"}, owns: []string{"github.com/wneessen/go-mail"}},
	{pkg: "manage/monitor", may: []string{"manage", "proxy/control"}, uses: []string{"charm.land/"}},
	{pkg: "manage/client", may: []string{"proxy/control"}},
	{pkg: "manage/client/chat", may: []string{"manage/client", "manage/client/markdown"}, owns: []string{"charm.land/"}},
	{pkg: "manage/client/markdown", owns: []string{"github.com/yuin/goldmark"}},
	{pkg: "manage/client/perf", may: []string{"manage/client"}},
	{pkg: "manage/client/setup", may: []string{"manage/client"}, owns: []string{"github.com/tailscale/hujson", "github.com/pelletier/go-toml"}},
	{pkg: "manage/client/clienttest", may: []string{"proxy", "proxy/config", "proxy/store", "proxy/fakegemini"}},
	{pkg: "proxy", may: []string{"proxy/gemini", "proxy/front/...", "proxy/fetch", "proxy/keys", "proxy/upstream", "proxy/store", "proxy/control", "proxy/config"},
		owns: []string{"github.com/valyala/fasthttp", "github.com/VictoriaMetrics/metrics"}},
	{pkg: "proxy/gemini"},
	{pkg: "proxy/front", may: []string{"proxy/gemini"}},
	{pkg: "proxy/front/anthropic", may: []string{"proxy/front", "proxy/gemini"}},
	{pkg: "proxy/front/embeddings", may: []string{"proxy/front", "proxy/gemini"}},
	{pkg: "proxy/front/chat", may: []string{"proxy/front", "proxy/gemini"}},
	{pkg: "proxy/front/responses", may: []string{"proxy/front", "proxy/gemini"}},
	{pkg: "proxy/front/native", may: []string{"proxy/front"}},
	{pkg: "proxy/front/fronttest", may: []string{"proxy/front", "proxy/gemini"}},
	{pkg: "proxy/fetch", may: []string{"proxy/front", "proxy/gemini"}},
	{pkg: "proxy/keys", may: []string{"proxy/config"}},
	{pkg: "proxy/upstream", may: []string{"proxy/gemini", "proxy/keys"}, owns: []string{"golang.org/x/net/proxy"}},
	{pkg: "proxy/store", may: []string{"proxy/front", "proxy/keys"}, owns: []string{"modernc.org/sqlite"}},
	{pkg: "proxy/store/storetest", may: []string{"proxy/store", "proxy/front", "proxy/keys"}},
	{pkg: "proxy/config"},
	{pkg: "proxy/control", may: []string{"proxy/config"}},
	{pkg: "proxy/fakegemini"},
}

// The agent side of a deploy and the fake are free of libraries, the core model of all but the JSON codec.
var standardLibraryOnly = []string{"provision/converge", "proxy/gemini", "proxy/fakegemini"}

const jsonCodec = "github.com/go-json-experiment/json/jsontext"

type listed struct {
	ImportPath string
	Imports    []string
}

func TestImports(t *testing.T) {
	for _, p := range listPackages(t) {
		name := ours(p.ImportPath)
		i := slices.IndexFunc(house, func(r room) bool { return r.pkg == name })
		if i < 0 {
			t.Errorf("%q has no room in the house: add it to the table above, with what it may import", name)
			continue
		}
		for _, imported := range p.Imports {
			checkEdge(t, house[i], imported)
		}
	}
}

func checkEdge(t *testing.T, r room, imported string) {
	t.Helper()
	name, may := r.pkg, r.may
	if imported == module || strings.HasPrefix(imported, module+"/") {
		if !slices.ContainsFunc(may, func(pattern string) bool { return covers(pattern, ours(imported)) }) {
			t.Errorf("%s must not import %s", name, ours(imported))
		}
		return
	}
	if slices.Contains(standardLibraryOnly, name) && strings.Contains(strings.Split(imported, "/")[0], ".") && (name != "proxy/gemini" || imported != jsonCodec) {
		t.Errorf("%s must not import %s: it is standard library only", name, imported)
	}
	for _, other := range house {
		for _, library := range other.owns {
			if strings.HasPrefix(imported, library) && other.pkg != name && !slices.Contains(r.uses, library) {
				t.Errorf("%s must not import %s: that is for %s alone", name, imported, other.pkg)
			}
		}
	}
}

func covers(pattern, name string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == prefix || strings.HasPrefix(name, prefix+"/")
	}
	return name == pattern
}

func ours(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }

func listPackages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("go list names %d packages only", len(all))
	}
	return all
}
