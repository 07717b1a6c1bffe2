package main

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/manage"
)

// status is what the adapter answers to a GET with a token.
func (r *rig) status(path, token string) int {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://"+r.server.Addr+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode
}

// Both tokens come of the deploy; others are made, limited and revoked while the adapter runs on, and none is kept in the clear.
func TestTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	first := r.deploy()
	made := regexp.MustCompile(`Admin token, shown this once: (gca-\w{32})\n`).FindStringSubmatch(first.out)
	if made == nil {
		t.Fatalf("no admin token in:\n%s", first.out)
	}
	admin, secrets := made[1], []string{made[1]}
	const pid = "systemctl show -p MainPID --value gemini-adapter"
	before := r.on(pid)
	f := func(want int, path, token string) {
		t.Helper()
		if got := r.status(path, token); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	f(200, "/metrics", admin)
	f(200, "/v1/models", admin)
	if got := r.run(nil, r.deployArgs()...); !strings.Contains(got.out, "up to date") {
		t.Errorf("a second deploy:\n%s%s", got.out, got.err)
	}

	added := r.ok(nil, r.verb(words("tokens add"), "ci", "--models", "gemini-3.8-flash", "--rpm", "60")...)
	ci := strings.TrimSpace(added.out)
	secrets = append(secrets, ci)
	if !regexp.MustCompile(`^gca-\w{32}$`).MatchString(ci) || strings.Contains(added.err, ci) {
		t.Fatalf("add printed %q and %q", added.out, added.err)
	}
	f(200, "/v1/models/gemini-3.8-flash", ci)
	f(404, "/v1/models/gemini-2.5-pro", ci)
	f(403, "/metrics", ci)
	r.fails(nil, exitUsage, "there is a token ci already", r.verb(words("tokens add"), "ci")...)

	var list manage.TokenList
	if got := r.ok(nil, r.verb(words("tokens list"), "--json")...); json.Unmarshal([]byte(got.out), &list) != nil || len(list.Tokens) != 3 || !list.Used {
		t.Errorf("list: %s", got.out)
	}
	wantText(t, r.ok(nil, r.verb(words("tokens list"))...).out, "ci       client  rpm=60 models=gemini-3.8-flash", "admin    admin   none", "default  client  none")
	if held := r.on("stat -c '%a %U %G' /etc/gemini-adapter/tokens"); held != "640 root gemini\n" {
		t.Errorf("the file is %s", held)
	}

	r.ok(nil, r.verb(words("tokens revoke"), "ci")...)
	f(401, "/v1/models", ci)
	r.fails(nil, exitUsage, "default is the last client token", r.verb(words("tokens revoke"), "default")...)

	var rotated madeToken
	if got := r.ok(nil, r.verb(words("tokens rotate-admin"), "--json")...); json.Unmarshal([]byte(got.out), &rotated) != nil || !rotated.Live || rotated.Name != "admin" {
		t.Errorf("rotate-admin: %+v", rotated)
	}
	secrets = append(secrets, rotated.Token)
	f(401, "/metrics", admin)
	f(200, "/metrics", rotated.Token)
	r.serves()
	if after := r.on(pid); after != before {
		t.Errorf("the adapter ran as %s, and now as %s", before, after)
	}

	// a server from before there were admin tokens gets one
	r.on("sed -i /role=admin/d /etc/gemini-adapter/tokens")
	got := r.run(nil, r.deployArgs("--json")...)
	last := decodeLines[deployResult](t, got.out).last
	if got.code != exitOK || last.AdminToken == "" || last.ClientToken != "" {
		t.Errorf("exit code %d, %+v\n%s", got.code, last, got.err)
	}
	f(200, "/metrics", last.AdminToken)
	secrets = append(secrets, last.AdminToken)
	places := r.on(`journalctl --no-pager -o cat; cat /var/log/nginx/*.log; find /etc/gemini-adapter /var/lib/gca /run/gca -type f -exec cat {} + 2>/dev/null || true`)
	for _, secret := range secrets {
		if strings.Contains(places, secret) {
			t.Errorf("a token ending in %s is kept or logged", secret[len(secret)-4:])
		}
	}
}
