package manage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// instance is a running adapter that notes what it is told.
type instance struct {
	status   control.Status
	reloaded control.Reloaded
	said     []string
	err      error
}

func (i *instance) Status() control.Status { return i.status }

func (i *instance) AskHealth(context.Context) (int, []byte, error) { return 200, []byte(`{}`), i.err }

func (i *instance) ChangeKey(name string, change control.Change) (string, error) {
	i.said = append(i.said, fmt.Sprint(change, " ", name))
	return name, i.err
}

func (i *instance) TestKeys(_ context.Context, names []string) (tested []control.Tested, err error) {
	i.said = append(i.said, "test "+strings.Join(names, " "))
	for _, name := range names {
		tested = append(tested, control.Tested{ID: name})
	}
	return tested, i.err
}

func (i *instance) Stats(int) (control.Stats, error) { return control.Stats{}, nil }

func (i *instance) WriteMetrics(io.Writer) {}

func (i *instance) TryKeys(_ context.Context, text string) ([]control.Tested, error) {
	i.said = append(i.said, "try "+text)
	given, err := config.ParseKeys(text)
	if err != nil {
		return nil, err
	}
	tested := make([]control.Tested, len(given))
	for n, key := range given {
		tested[n].ID = keyIDs([]config.Key{key})
		if strings.Contains(key.Secret.Reveal(), "bad") {
			tested[n].Problem, tested[n].Refused = "API key not valid.", true
		}
	}
	return tested, i.err
}

func (i *instance) Usage(string, string) ([]control.Usage, error) { return nil, i.err }

func (i *instance) Reload(texts config.Texts) (control.Reloaded, error) {
	i.said = append(i.said, "reload "+texts.Keys)
	return i.reloaded, i.err
}

// serving has instances answer on sockets of their own; nil is a socket where nobody listens.
func serving(t *testing.T, all ...*instance) adapters {
	t.Helper()
	var out adapters
	for n, i := range all {
		path := filepath.Join(t.TempDir(), fmt.Sprint(n))
		out = append(out, control.Client{Path: path})
		if i == nil {
			continue
		}
		l, err := control.Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- control.Serve(ctx, l, i) }()
		t.Cleanup(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	return out
}

func TestReload_everyInstance(t *testing.T) {
	one := &instance{reloaded: control.Reloaded{Changed: []string{"A", "B"}, Restart: []string{"PORT"}}}
	two := &instance{reloaded: control.Reloaded{Changed: []string{"B", "C"}}}
	f := func(all adapters, want string) {
		t.Helper()
		r, err := all.reload(t.Context(), config.Texts{Keys: "k"})
		if got := fmt.Sprint(r.Changed, r.Restart, err); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f(serving(t, one, two), "[A B C] [PORT] <nil>")
	f(serving(t, one, nil), "[A B] [PORT] <nil>")
	f(serving(t, nil, two), "[B C] [] <nil>")
	f(serving(t, nil, nil), "[] [] the adapter is not running\nhint: gemini-manage start")
	if len(one.said) != 2 || len(two.said) != 2 || one.said[0] != "reload k" {
		t.Errorf("told were %q and %q", one.said, two.said)
	}
	one.err = &control.Refusal{Code: control.Invalid, Message: "keys: line 1"}
	f(serving(t, one, two), "[] [] keys: line 1")
	one.err = &control.Refusal{Code: control.Denied, Message: "no"}
	if _, err := serving(t, one).reload(t.Context(), config.Texts{}); !errors.Is(err, ErrNotRoot) {
		t.Errorf("a denial is %v", err)
	}
}

// During a handover the one that only ends its last answers has no say.
func TestAdapters_theOneThatServesCounts(t *testing.T) {
	ending := &instance{status: control.Status{Version: "old", Draining: true}, err: &control.Refusal{Code: control.Invalid, Message: "no such setting"}}
	serves := &instance{status: control.Status{Version: "new"}, reloaded: control.Reloaded{Changed: []string{"A"}}}
	all := serving(t, ending, serves)
	if r, err := all.reload(t.Context(), config.Texts{Keys: "k"}); err != nil || fmt.Sprint(r.Changed) != "[A]" || len(ending.said) != 1 {
		t.Errorf("got %v, %v; the one that ends heard %q", r, err, ending.said)
	}
	if status, err := first(all, func(one control.Client) (control.Status, error) { return one.Status(t.Context()) }); err != nil || status.Version != "new" {
		t.Errorf("first asks %+v, %v", status, err)
	}
	if _, err := serving(t, ending).changeKey(t.Context(), "k", control.Reset); err == nil {
		t.Error("what the only one refuses is no error")
	}
}

func TestPrintReloaded(t *testing.T) {
	f := func(r control.Reloaded, want string) {
		t.Helper()
		var out bytes.Buffer
		if err := PrintReloaded(&out, r); err != nil || out.String() != want {
			t.Errorf("got %s, %v", &out, err)
		}
	}
	f(control.Reloaded{}, "nothing is new: the adapter has these settings already\n")
	f(control.Reloaded{Changed: []string{"A", "B"}}, "in force: A, B\n")
	f(control.Reloaded{Restart: []string{"PROXY_URL"}}, "after a restart: PROXY_URL\nhint: gemini-manage restart\n")
	f(control.Reloaded{Changed: []string{"A"}, Restart: []string{"PROXY_URL", "PORT", "MAX_BODY"}},
		"in force: A\nafter a restart: PROXY_URL\nhint: gemini-manage restart\n"+
			"not in force, since systemd and Nginx have to know: PORT, MAX_BODY\nhint: from your laptop: gca deploy again; next time: gemini-manage config set PORT=VALUE\n")
}
