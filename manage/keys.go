package manage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// KeyResult is what came of one key that was tested or added.
type KeyResult struct {
	ID      string `json:"id"`
	Label   string `json:"label,omitempty"`
	OK      bool   `json:"ok"`
	Problem string `json:"problem,omitempty"` // why not
}

// errNoAdapterToTry is what keys add says where nothing can ask Google.
var errNoAdapterToTry = errors.New("the adapter is not running, so the new keys cannot be tried; nothing was changed\nhint: gemini-manage start, or the same command with --no-test")

// ChangeKey has every running adapter do something to the one key whose id or label name is, or begins with it, and returns
// its id. The error is a *control.Refusal, ErrNotRoot, or control.ErrAbsent with words.
func ChangeKey(ctx context.Context, name string, change control.Change) (id string, err error) {
	return hereAdapters().changeKey(ctx, name, change)
}

func (all adapters) changeKey(ctx context.Context, name string, change control.Change) (id string, err error) {
	err = all.each(func(one control.Client) error {
		found, err := one.ChangeKey(ctx, name, change)
		if err == nil {
			id = found
		}
		return err
	})
	return id, err
}

// TestKeys asks Google, from this server and by each key's own way, whether it takes the key that is named, or with "" all of
// them. The errors are ChangeKey's.
func TestKeys(ctx context.Context, name string) ([]KeyResult, error) {
	return hereAdapters().testKeys(ctx, name)
}

func (all adapters) testKeys(ctx context.Context, name string) ([]KeyResult, error) {
	list, err := all.listKeys(ctx)
	if err != nil {
		return nil, err
	}
	labels := make(map[string]string)
	var ids []string
	for _, key := range list.Keys {
		labels[key.ID] = key.Label
		ids = append(ids, key.ID)
	}
	if name != "" {
		ids = []string{name}
	}
	var results []KeyResult
	for batch := range slices.Chunk(ids, control.MaxTests) {
		tested, err := first(all, func(one control.Client) ([]control.Tested, error) { return one.TestKeys(ctx, batch) })
		if err != nil {
			return nil, err
		}
		for _, t := range tested {
			results = append(results, KeyResult{ID: t.ID, Label: labels[t.ID], OK: t.Problem == "", Problem: t.Problem})
		}
	}
	return results, nil
}

// AddKeys adds keys to the file keys and has the running adapter use them, those that try, if it is true, finds Google to
// take, and that are not configured already. The results are in the order given. live is false where no adapter runs, so that
// the keys count from its start on.
func AddKeys(ctx context.Context, given []config.Key, try bool) (results []KeyResult, live bool, err error) {
	if os.Geteuid() != 0 {
		return nil, false, ErrNotRoot
	}
	return hereSecrets().addKeys(ctx, given, try)
}

func (f secretFiles) addKeys(ctx context.Context, given []config.Key, try bool) (results []KeyResult, live bool, err error) {
	texts, err := readTextsIn(f.dir)
	if err != nil {
		return nil, false, err
	}
	cfg, err := texts.Parse()
	if err != nil {
		return nil, false, err
	}
	results = judged(given, cfg.Keys)
	if try {
		if err := f.tryKeys(ctx, given, results); err != nil {
			return nil, false, err
		}
	}
	if !slices.ContainsFunc(results, func(r KeyResult) bool { return r.OK }) {
		return results, false, nil
	}
	live, err = f.edit(ctx, config.KeysFile, "gemini-manage keys add", func(now config.Texts) (string, error) {
		cfg, err := now.Parse()
		if err != nil {
			return "", err
		}
		var good []config.Key
		for i, again := range judged(given, cfg.Keys) { // somebody else may have added one meanwhile
			if results[i].OK && !again.OK {
				results[i] = again
			}
			if results[i].OK {
				good = append(good, given[i])
			}
		}
		text := now.Keys
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		return text + config.FormatKeys(good), nil
	})
	return results, live, err
}

// judged says of each new key whether it can be added beside those that are there.
func judged(given, there []config.Key) []KeyResult {
	ids, labels := make(map[string]string), make(map[string]string)
	for _, key := range there {
		id := keys.ID(key.Secret)
		ids[id], labels[key.Label] = "it is there already", id
	}
	results := make([]KeyResult, 0, len(given))
	for _, key := range given {
		r := KeyResult{ID: keys.ID(key.Secret), Label: key.Label}
		owner, taken := labels[key.Label]
		switch {
		case ids[r.ID] != "":
			r.Problem = ids[r.ID]
		case taken && key.Label != "":
			r.Problem = fmt.Sprintf("its label %s is that of %s", key.Label, owner)
		default:
			r.OK = true
			ids[r.ID], labels[key.Label] = "it is given twice", r.ID
		}
		results = append(results, r)
	}
	return results
}

// tryKeys asks Google about the keys whose results are good so far.
func (f secretFiles) tryKeys(ctx context.Context, given []config.Key, results []KeyResult) error {
	var places []int
	for i, r := range results {
		if r.OK {
			places = append(places, i)
		}
	}
	for batch := range slices.Chunk(places, control.MaxTests) {
		var some []config.Key
		for _, i := range batch {
			some = append(some, given[i])
		}
		tested, err := first(f.adapters, func(one control.Client) ([]control.Tested, error) {
			return one.TryKeys(ctx, config.FormatKeys(some))
		})
		switch {
		case errors.Is(err, control.ErrAbsent):
			return errNoAdapterToTry
		case err != nil:
			return err
		case len(tested) != len(batch):
			return fmt.Errorf("the adapter tried %d of %d keys", len(tested), len(batch))
		}
		for n, i := range batch {
			results[i].OK, results[i].Problem = tested[n].Problem == "", tested[n].Problem
		}
	}
	return nil
}

// RemoveKey takes the one key whose id or label name is, or begins with it, out of the file keys, and has the running adapter
// use it no more. The error is a *control.Refusal for a name, or says why the key stays.
func RemoveKey(ctx context.Context, name string) (id string, live bool, err error) {
	if os.Geteuid() != 0 {
		return "", false, ErrNotRoot
	}
	return hereSecrets().removeKey(ctx, name)
}

func (f secretFiles) removeKey(ctx context.Context, name string) (id string, live bool, err error) {
	live, err = f.edit(ctx, config.KeysFile, "gemini-manage keys remove", func(now config.Texts) (text string, err error) {
		cfg, err := now.Parse()
		if err != nil {
			return "", err
		}
		if id, err = control.FindKey(name, keys.MatchName(name, namesOf(cfg.Keys))); err != nil {
			return "", err
		}
		if len(cfg.Keys) == 1 {
			return "", fmt.Errorf("%s is the last key, and without one the adapter does not start\nhint: gemini-manage keys add, then remove it", id)
		}
		env, err := config.ParseEnv(now.Env)
		if err != nil {
			return "", err
		}
		if slices.ContainsFunc(env.Keys, func(key config.Key) bool { return keys.ID(key.Secret) == id }) {
			return "", fmt.Errorf("%s is one of GEMINI_API_KEYS in %s, which this does not change\nhint: gemini-manage config set GEMINI_API_KEYS=- reads those that are to stay; gemini-manage keys disable %s takes it out of use", id, EnvFile, id)
		}
		return withoutKey(now.Keys, id)
	})
	return id, live, err
}

func namesOf(all []config.Key) []keys.Named {
	named := make([]keys.Named, 0, len(all))
	for _, key := range all {
		named = append(named, keys.Named{ID: keys.ID(key.Secret), Label: key.Label, Secret: key.Secret})
	}
	return named
}

// withoutKey takes the lines of a key out of the text of the file keys; everything else stays as it is.
func withoutKey(text, id string) (string, error) {
	var b strings.Builder
	for line := range strings.Lines(text) {
		key, err := config.ParseKeys(line)
		if err != nil {
			return "", err
		}
		if len(key) == 0 || keys.ID(key[0].Secret) != id {
			b.WriteString(line)
		}
	}
	return b.String(), nil
}
