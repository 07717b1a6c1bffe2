package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/manage/client"
)

// A person connects to a server by SSH, and sees what was used there. The server is that of TestDeploy, which has served already.
func testUserOverSSH(t *testing.T, r *rig) {
	other := *r // a second laptop, which has no connection yet
	other.home = t.TempDir()
	r = &other
	r.sshHome("Host tokyo\n HostName " + r.server.Addr + "\n User root\n IdentityFile " + r.server.KeyFile + "\nHost " + r.server.Addr + "\n IdentityFile " + r.server.KeyFile + "\n")
	t.Run("connect", func(t *testing.T) {
		r := r.in(t)
		got := r.ok(nil, "connect", "--token-name", "second-laptop", "tokyo")
		wantText(t, got.err, "made the token second-laptop on tokyo", "saved as "+r.server.Addr)
		wantText(t, got.out, "✓ token        accepted: second-laptop\n", "✓ active keys  3/3\n")
		got = r.ok(nil, "connect", "--profile", "again", "tokyo") // its token still works, and is kept
		wantText(t, got.out, "✓ token        accepted: second-laptop\n")
		if strings.Contains(got.err, "made the token") {
			t.Errorf("it made another token:\n%s", got.err)
		}
		r.fails(nil, exitUsage, "or a token of another name: gca connect --token-name second-laptop-2 tokyo", "connect", "--token-name", "second-laptop", "tokyo")
	})
	t.Run("stats", func(t *testing.T) {
		r := r.in(t)
		r.ok(nil, "ask", "hello")
		wantText(t, r.until("stats", "\nsecond-laptop "), "status       healthy, version ", "active keys  3/3\n", "KEY            LABEL  STATE ", "TOKEN ")
		seen, err := client.ReadSeen([]byte(r.ok(nil, "stats", "--json", r.target()).out))
		if err != nil || seen.All == nil || len(seen.All.KeyStats) != 3 {
			t.Errorf("%v, %+v", err, seen.All)
		}
		wantText(t, r.ok(nil, "stats", "--csv", r.target()).out, "key,label,state,reason,", idOfKey(goodKeys[0])+",,active,")
	})
	t.Run("usage", func(t *testing.T) {
		r := r.in(t)
		got := r.ok(nil, "usage", "--by", "token", r.target())
		if !regexp.MustCompile(`(?m)^TOKEN +REQUESTS +ERRORS +TOKENS IN +CACHED +TOKENS OUT +COST\n(.+\n)*second-laptop +[1-9]\d* +0 (.+\n)*total +[1-9]`).MatchString(got.out) {
			t.Errorf("it printed\n%s", got.out)
		}
		wantText(t, r.ok(nil, "usage", "--days", "1", "--by", "key", "--csv", r.target()).out, "key,requests,errors,", idOfKey(goodKeys[0]))
	})
	t.Run("a login that may not", func(t *testing.T) {
		sudoer := r.in(t).as("sudoer")
		for _, verb := range []string{"stats", "usage", "keys list"} {
			sudoer.fails(nil, exitAuth, "hint: ", sudoer.verb(words(verb))...)
		}
		if got := sudoer.person(nil, sudoer.verb(words("stats"))...); !strings.Contains(got.out, "active keys  3/3") {
			t.Errorf("with the password it printed\n%s", got.out)
		}
	})
	t.Run("completion", func(t *testing.T) {
		r := r.in(t)
		wantText(t, r.ok(nil, "__complete", "keys", "disable", "tokyo", "").out, idOfKey(goodKeys[0])+"\n", idOfKey(goodKeys[2])+"\n")
		wantText(t, r.ok(nil, "__complete", "tokens", "revoke", "tokyo", "").out, "second-laptop\n")
		sudoer := r.as("sudoer") // whose password nobody is asked for
		if got := sudoer.ok(nil, append(append([]string{"__complete", "keys", "disable"}, r.login()...), sudoer.target(), "")...); strings.Contains(got.out, idOfKey(goodKeys[0])) || strings.Contains(got.err, "assword") {
			t.Errorf("it proposes\n%s%s", got.out, got.err)
		}
	})
	t.Run("Chinese", func(t *testing.T) { testChinese(t, r.in(t)) })
}

// until runs a verb on the server until it prints the words: usage is counted a moment after its answer.
func (r *rig) until(verb, want string) (printed string) {
	r.t.Helper()
	for range 100 {
		if printed = r.ok(nil, verb, r.target()).out; strings.Contains(printed, want) {
			return printed
		}
	}
	r.t.Fatalf("gca %s never printed %q:\n%s", verb, want, printed)
	return ""
}

// What a server says is in the language of who asks, whatever its own locale is.
func testChinese(t *testing.T, r *rig) {
	chinese := []string{"LANG=zh_CN.UTF-8"}
	want := func(t *testing.T, status string) {
		t.Helper()
		wantText(t, status, "服务        运行中，版本 ", "健康        健康\n", "密钥        活跃 3 个，共 3 个\n", " 活跃      ", "请求        已应答 ", "证书        没有：明文 HTTP",
			"备份        ", "机器        / 已用 ", "告警        ")
		for _, english := range []string{"active", "failures", "answered", "used", "ago", "memory", "nobody"} {
			if strings.Contains(status, english) {
				t.Errorf("%q is English in:\n%s", english, status)
			}
		}
	}
	want(t, r.ok(chinese, "status", r.target()).out)
	wantText(t, r.ok(nil, "status", r.target()).out, "health      healthy\n")
	wantText(t, r.ok(chinese, "doctor", r.target()).out, r.target()+"：一切正常\n")
	wantText(t, r.ok(chinese, "keys", "list", r.target()).out, "编号 ", "活跃 ")
	want(t, r.on("LANG=zh_CN.UTF-8 gemini-manage status")) // somebody who is on the server
	r.on("touch /root/.bashrc; mv /root/.bashrc /root/bashrc.before; echo 'export LANG=zh_CN.UTF-8; echo $LANG >/root/said' >/root/.bashrc")
	want(t, r.ok(chinese, "status", r.target()).out)
	wantText(t, r.ok([]string{"LANG=en_US.UTF-8"}, "status", r.target()).out, "health      healthy\n")
	wantText(t, r.on("cat /root/said; rm /root/said; mv /root/bashrc.before /root/.bashrc"), "zh_CN.UTF-8")
}
