package manage

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

func idOf(secret string) string { return keyIDs([]config.Key{{Secret: config.NewSecret(secret)}}) }

func parsedKeys(t *testing.T, text string) []config.Key {
	t.Helper()
	all, err := config.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// outcome shows results as "label:problem".
func outcome(results []KeyResult) string {
	var words []string
	for _, r := range results {
		if r.OK == (r.Problem != "") {
			words = append(words, "BOTH")
		}
		words = append(words, r.Label+":"+r.Problem)
	}
	return strings.Join(words, " | ")
}

func TestAddKeys(t *testing.T) {
	const text = "# of ours\nkey-one label=one # the first\nkey-two"
	one, two := &instance{}, &instance{}
	f := secretsIn(t, config.Texts{Env: "GEMINI_API_KEYS=key-env\n", Keys: text}, serving(t, one, two))
	given := parsedKeys(t, "key-new label=n group=g\nkey-bad label=b\nkey-env label=e\nkey-new label=m\nkey-two\nkey-x label=one\n")
	results, live, err := f.addKeys(t.Context(), given, true)
	if err != nil || !live {
		t.Fatal(live, err)
	}
	if got, want := outcome(results), "n: | b:API key not valid. | e:it is there already | m:it is given twice | :it is there already | one:its label one is that of "+idOf("key-one"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	const after = text + "\nkey-new group=g label=n\n"
	f.holds(t, config.KeysFile, after)
	if want := []string{"try key-new group=g label=n\nkey-bad label=b\n", "reload " + after}; fmt.Sprint(one.said) != fmt.Sprint(want) || fmt.Sprint(two.said) != fmt.Sprint(want[1:]) {
		t.Errorf("told were %q and %q", one.said, two.said)
	}

	one.said = nil
	if results, _, err = f.addKeys(t.Context(), parsedKeys(t, "key-bad\n"), true); err != nil || results[0].OK || len(one.said) != 1 {
		t.Errorf("a bad one alone: %+v, %v, told %q", results, err, one.said)
	}
	if results, _, err = f.addKeys(t.Context(), parsedKeys(t, "key-bad\n"), false); err != nil || !results[0].OK {
		t.Errorf("untried: %+v, %v", results, err)
	}
	f.holds(t, config.KeysFile, after+"key-bad\n")
}

func TestAddKeys_without(t *testing.T) {
	f := secretsIn(t, config.Texts{Env: "PORT=8000\n", Keys: "a\n"}, serving(t, nil))
	if _, _, err := f.addKeys(t.Context(), parsedKeys(t, "b\n"), true); !errors.Is(err, errNoAdapterToTry) {
		t.Errorf("got %v", err)
	}
	if results, live, err := f.addKeys(t.Context(), parsedKeys(t, "b\n"), false); err != nil || live || !results[0].OK {
		t.Errorf("untried: %+v, live %v, %v", results, live, err)
	}
	f.holds(t, config.KeysFile, "a\nb\n")
}

// Twenty keys are tried in requests of sixteen.
func TestAddKeys_many(t *testing.T) {
	one := &instance{}
	f := secretsIn(t, config.Texts{Env: "PORT=8000\n", Keys: "a\n"}, serving(t, one))
	var text strings.Builder
	for i := range control.MaxTests + 4 {
		fmt.Fprintf(&text, "key-%d\n", i)
	}
	results, _, err := f.addKeys(t.Context(), parsedKeys(t, text.String()), true)
	if err != nil || len(results) != control.MaxTests+4 || len(one.said) != 3 {
		t.Errorf("%d results, %v, told %d times", len(results), err, len(one.said))
	}
	f.holds(t, config.KeysFile, "a\n"+text.String())
}

func TestRemoveKey(t *testing.T) {
	const text = "# of ours\n\nkey-one label=one # the first\nkey-two label=two group=g\nkey-env\n# the end"
	one := &instance{}
	f := secretsIn(t, config.Texts{Env: "GEMINI_API_KEYS=key-env\n", Keys: text}, serving(t, one))
	refused := func(name, want string) {
		t.Helper()
		if id, _, err := f.removeKey(t.Context(), name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %s, %v", name, id, err)
		}
		f.holds(t, config.KeysFile, text)
	}
	refused("three", "no key has the id or label")
	refused(idOf("key-env"), "one of GEMINI_API_KEYS")
	if id, live, err := f.removeKey(t.Context(), "tw"); id != idOf("key-two") || !live || err != nil {
		t.Errorf("%s, %v, %v", id, live, err)
	}
	const after = "# of ours\n\nkey-one label=one # the first\nkey-env\n# the end"
	f.holds(t, config.KeysFile, after)
	if fmt.Sprint(one.said) != fmt.Sprint([]string{"reload " + after}) {
		t.Errorf("told was %q", one.said)
	}
	f = secretsIn(t, config.Texts{Env: "PORT=8000\n", Keys: "key-one label=one\n"}, serving(t, one))
	if _, _, err := f.removeKey(t.Context(), "one"); err == nil || !strings.Contains(err.Error(), "the last key") {
		t.Errorf("the last one: %v", err)
	}
}

func TestChangeKey(t *testing.T) {
	one, two := &instance{}, &instance{}
	all := serving(t, one, two)
	if id, err := all.changeKey(t.Context(), "x", control.Disable); id != "x" || err != nil || one.said[0] != "disable x" || two.said[0] != "disable x" {
		t.Errorf("%s, %v, told %q and %q", id, err, one.said, two.said)
	}
	one.err = &control.Refusal{Code: control.Ambiguous, Message: "two of them"}
	if _, err := all.changeKey(t.Context(), "x", control.Reset); err == nil || err.Error() != "two of them" {
		t.Errorf("got %v", err)
	}
}

func TestTestKeys(t *testing.T) {
	one := &instance{}
	for i := range control.MaxTests + 1 {
		one.status.Keys = append(one.status.Keys, control.Key{ID: fmt.Sprint(i), Label: fmt.Sprint("l", i)})
	}
	all := serving(t, nil, one)
	results, err := all.testKeys(t.Context(), "")
	if err != nil || len(results) != control.MaxTests+1 || len(one.said) != 2 || !results[3].OK || results[3].Label != "l3" {
		t.Errorf("%+v, %v, told %q", results, err, one.said)
	}
	if results, err = all.testKeys(t.Context(), "5"); err != nil || len(results) != 1 || results[0].ID != "5" {
		t.Errorf("one of them: %+v, %v", results, err)
	}
}

func TestKeyList_Print(t *testing.T) {
	now := time.Date(2026, 3, 7, 23, 50, 0, 0, time.FixedZone("here", 3600))
	one := &instance{status: control.Status{Keys: []control.Key{
		{ID: "11-aaaa", Label: "one", Group: "g", State: "active", Requests: 8, Failures: 1, Inflight: 1},
		{ID: "22-bbbb", State: "resting", Reason: "rate limited", Until: now.Add(90 * time.Second), Requests: 0},
		{ID: "33-cccc", State: "active", Reason: "out of quota for some models", Until: now.Add(time.Hour), Requests: 1, Failures: 2,
			Rests: []control.Rest{{Model: "m", Reason: "out of quota", Until: now.Add(time.Hour)}, {Model: "old", Reason: "x", Until: now.Add(-time.Hour)}}},
	}}}
	list, err := serving(t, one).listKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := list.Print(&out, now); err != nil {
		t.Fatal(err)
	}
	const want = `ID       LABEL  GROUP  STATE    REQUESTS  SUCCESS  REASON                        UNTIL
11-aaaa  one    g      active   8         87.5%    -                             -
22-bbbb  -      -      resting  0         -        rate limited                  23:51:30 (1m30s)
33-cccc  -      -      active   1         0.0%     out of quota for some models  Mar 8 00:50 (1h0m0s)
                                                   m: out of quota               Mar 8 00:50 (1h0m0s)
`
	if out.String() != want {
		t.Errorf("got\n%s", &out)
	}
	if line := list.Keys[1].Line(now); line != "22-bbbb  resting: rate limited, until 23:51:30 (1m30s)" {
		t.Errorf("to choose from: %s", line)
	}
}
