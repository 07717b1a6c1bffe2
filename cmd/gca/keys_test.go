package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// Keys come and go on a server, and edited files are put in force, while the adapter runs on.
func TestKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	r.ok([]string{keysVariable + "=" + strings.Join(goodKeys[:2], ",")}, r.deployArgs()...)
	const pid = "systemctl show -p MainPID --value gemini-adapter"
	before := r.on(pid)
	t.Run("add", func(t *testing.T) { testKeysAdd(t, r.in(t)) })
	t.Run("change", func(t *testing.T) { testKeysChange(t, r.in(t)) })
	t.Run("remove", func(t *testing.T) { testKeysRemove(t, r.in(t)) })
	t.Run("users", func(t *testing.T) { testKeysUsers(t, r.in(t)) })
	t.Run("reload", func(t *testing.T) { testReload(t, r.in(t)) })
	if after := r.on(pid); after != before {
		t.Errorf("the adapter ran as %s, and now as %s", before, after)
	}
	r.serves()
	if found := r.on("journalctl -b --no-pager | grep -cE 'good-key-three|" + secretKey + "' || true"); found != "0\n" {
		t.Errorf("%s lines of the journal have a key", found)
	}
}

func idOfKey(secret string) string { return keys.ID(config.NewSecret(secret)) }

// keyList is what keys list --json says.
func (r *rig) keyList() map[string]manage.KeyEntry {
	r.t.Helper()
	var list manage.KeyList
	if got := r.ok(nil, r.verb(words("keys list"), "--json")...); json.Unmarshal([]byte(got.out), &list) != nil || list.Schema != 1 {
		r.t.Fatalf("keys list --json printed %s", got.out)
	}
	byID := make(map[string]manage.KeyEntry)
	for _, key := range list.Keys {
		byID[key.ID] = key
	}
	return byID
}

func testKeysAdd(t *testing.T, r *rig) {
	file := r.script("more-keys", "")
	if err := os.WriteFile(file, []byte("# ours\n"+goodKeys[2]+" label=third\n"+secretKey+"\n"+goodKeys[0]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := r.run(nil, r.verb(words("keys add"), "--keys-file", file, "--group", "project-1")...)
	if got.code != exitPartial {
		t.Errorf("exit code %d\n%s%s", got.code, got.out, got.err)
	}
	wantText(t, got.out, idOfKey(goodKeys[2])+" (third)", "  added\n", idOfKey(secretKey)+"  ", "not added: API key not valid", "not added: it is there already")
	if list := r.keyList(); len(list) != 3 || list[idOfKey(goodKeys[2])].Group != "project-1" {
		t.Errorf("the keys are %+v", list)
	}
	if held := r.on("stat -c '%a %U %G' /etc/gemini-adapter/keys; cat /etc/gemini-adapter/keys"); !strings.HasSuffix(held, "\n"+goodKeys[2]+" group=project-1 label=third\n") {
		t.Errorf("the file is %s", held)
	}
	again := *r
	again.gca = r.script("piped", `exec '`+r.gca+`' "$@" <'`+file+`'`)
	got = again.run(nil, r.verb(words("keys add"), "-", "--json")...)
	if got.code != exitFailed || !strings.Contains(got.out, `"schema":1`) {
		t.Errorf("the same again: exit code %d\n%s%s", got.code, got.out, got.err)
	}
}

func testKeysChange(t *testing.T, r *rig) {
	third := idOfKey(goodKeys[2])
	r.ok(nil, r.verb(words("keys disable"), "thi")...)
	if key := r.keyList()[third]; key.State != "disabled" {
		t.Errorf("after disable: %+v", key)
	}
	wantText(t, r.ok(nil, r.verb(words("keys enable"), third)...).out, third+" is enabled\n")
	if key := r.keyList()[third]; key.State != "active" {
		t.Errorf("after enable: %+v", key)
	}
	r.fails(nil, exitUsage, "no key has the id or label", r.verb(words("keys reset"), "nobody")...)
	r.fails(nil, exitUsage, "hint: name one of "+idOfKey(goodKeys[0]), r.verb(words("keys reset"), "--no-input")...)
	got := r.typed(nil, []answer{{"Which key is to be reset?", "third\r"}}, r.verb(words("keys reset"))...)
	if got.code != 0 || !strings.Contains(got.out, third+" is reset") {
		t.Errorf("exit code %d\n%s", got.code, got.out)
	}
	wantText(t, r.ok(nil, r.verb(words("keys test"))...).out, third+" (third)", "  ok\n")
	wantText(t, r.ok(nil, r.verb(words("keys list"))...).out, "ID ", "third  project-1  active")
}

func testKeysRemove(t *testing.T, r *rig) {
	r.ok(nil, r.verb(words("keys remove"), "third", "--yes")...)
	if list := r.keyList(); len(list) != 2 {
		t.Errorf("the keys are %+v", list)
	}
	r.on("printf '# mine\\n' >>/etc/gemini-adapter/keys")
	r.ok(nil, r.verb(words("keys remove"), idOfKey(goodKeys[1]), "--yes")...)
	r.fails(nil, exitFailed, "the last key", r.verb(words("keys remove"), idOfKey(goodKeys[0]), "--yes")...)
	if held := r.on("cat /etc/gemini-adapter/keys"); held != goodKeys[0]+"\n# mine\n" {
		t.Errorf("the file is %q", held)
	}
	got := r.typed(nil, []answer{{"Gemini API keys, commas between several", goodKeys[1] + "\r"}}, r.verb(words("keys add"), "--label", "back")...)
	if got.code != 0 || !strings.Contains(got.out, "(back)") || strings.Contains(got.out, goodKeys[1]) {
		t.Errorf("exit code %d\n%s", got.code, got.out)
	}
}

func testKeysUsers(t *testing.T, r *rig) {
	f := func(user, verb, want string) {
		t.Helper()
		if said := r.on("setpriv --reuid=nobody " + user + " gemini-manage " + verb + " 2>&1 && echo code 0 || echo code $?"); !strings.Contains(said, want) {
			t.Errorf("%s %s: %s", user, verb, said)
		}
	}
	f("--regid=nogroup --clear-groups", "keys list", "code 4")
	f("--regid=gemini --clear-groups", "keys list", idOfKey(goodKeys[0]))
	f("--regid=gemini --clear-groups", "keys reset "+idOfKey(goodKeys[0]), "hint: the same command with sudo in front")
	f("--regid=gemini --clear-groups", "keys test", "code 4")
	f("--regid=gemini --clear-groups", "reload", "code 4")
}

func testReload(t *testing.T, r *rig) {
	r.on("printf 'MAX_RETRIES=1\\nMODEL_MAP=mine=gemini-3.8-flash\\n' >>/etc/gemini-adapter/adapter.env")
	wantText(t, r.ok(nil, r.verb(words("reload"))...).out, "in force: MAX_RETRIES, MODEL_MAP\n")
	wantText(t, r.on("gemini-manage reload"), "nothing is new")
	r.on("cd /etc/gemini-adapter; cp -p adapter.env was; printf 'PROXY_URL=http://127.0.0.1:1\\n' >>adapter.env")
	wantText(t, r.ok(nil, r.verb(words("reload"), "--json")...).out, `{"schema":1,"changed":[],"restart":["PROXY_URL"]}`)
	r.on("printf 'MAX_RETRIES=2\\n' >>/etc/gemini-adapter/adapter.env")
	r.fails(nil, exitFailed, "MAX_RETRIES is set a second time", r.verb(words("reload"))...)
	r.on("cd /etc/gemini-adapter; mv was adapter.env")
}
