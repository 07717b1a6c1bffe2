package locale

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ofShells are texts that are the same in every language: what is to be typed.
var ofShells = regexp.MustCompile(`^(sudo |ps |nginx -t;|gemini-manage [a-z; -]+$|systemctl |find |cp |mv %s %s\.old|dig |journalctl |curl |cat |dpkg |timedatectl |setenforce |gca [a-z]+ (--|HOST|root@|[a-z]+$)|gca [a-z ]+ HOST|gca deploy %s$|gca [a-z ]+ %s$)`)

// pieces are put together to what composed has, or say too little to be told from others.
var pieces = []string{", commas between several", "; it never bans %s", "the server's clock is %s %s the one here",
	"%s does not run%s", "%s failed at its last run%s", "%d answered, %s, %s%s", "%s, release %s%s", "under way%s", "and %s: gemini-manage keys list",
	"%s that clients never saw, another key served", "%s of another model, by MODEL_FALLBACK",
	"keys and traffic are left out: only a login that may become root sees them",
	"%s\n%12sfor HTTPS, from your laptop: gca deploy --domain NAME HOST"}

// composed are those that the code puts together in a way that TestMessages does not read.
var composed = []string{
	hint, "1 step", "%s, what is new since %s", "write %s (%d keys)", "write %s (1 key)", "write %s (%d tokens)", "let TCP port %s in", "let TCP ports %s in",
	"%s, take away what lets others in there", "take away what lets others in there", "%d kernel settings", "1 kernel setting", "%s; it never bans %s",
	"the server's clock is %s ahead of the one here", "the server's clock is %s behind the one here", "%s does not run", "%s would not start at boot", "%s does not run; its last words: %s", "%s failed at its last run", "%s failed at its last run; its last words: %s", "who guesses passwords is not kept out", "nobody will %s",
	"renew the certificate before half of its life is over", "back the adapter up every day", "look every two minutes whether anybody has to be alerted",
	"another program", "which Nginx needs", "which Nginx needs for HTTPS", "which the adapter needs (PORT=%d)", "it must say %s", "no answer within %s s",
	"healthy", "degraded", "unhealthy", "upload", "verify", "interrupted", "interrupted here: %s", "the same command with --yes", "%s, commas between several", "Write this?", "Put this back?",
	"on the server: gemini-manage status", "on the server: gemini-manage logs",
	"connect: connection refused", "connect: no route to host", "i/o timeout", // of the system
}

// Neither language lacks a message: what the code says to people is in the catalog, and the catalog has nothing else.
func TestMessages(t *testing.T) {
	x := newTexts()
	for _, folder := range []string{"cmd/gca", "manage/client", "provision", "provision/converge", "manage", "manage/alerts", "proxy", "proxy/keys"} {
		x.scan(t, folder)
	}
	if len(x.found) < 150 {
		t.Fatalf("only %d texts were found: the code is read wrongly", len(x.found))
	}
	known, reports := map[string]bool{}, slices.Concat(standing(), keyStates(), tables(), machine())
	for _, m := range messages() {
		if known[m.english] {
			t.Errorf("%q is there twice", m.english)
		}
		known[m.english] = true
		_, shown := x.found[m.english]
		if !shown && !x.all[m.english] && !slices.Contains(composed, m.english) && !slices.Contains(reports, m) { // put together: TestReport_Chinese of cmd/gca
			t.Errorf("nothing says %q any more", m.english)
		}
		if english, chinese := values(m.english), values(m.chinese); !slices.Equal(english, chinese) {
			t.Errorf("%q takes the values %v, %q %v", m.english, english, m.chinese, chinese)
		}
		if m.chinese == "" {
			t.Errorf("%q has no Chinese", m.english)
		}
	}
	for _, text := range slices.Sorted(maps.Keys(x.found)) {
		if !known[text] && !ofShells.MatchString(text) && !slices.Contains(pieces, text) {
			t.Errorf("%s: there is no Chinese for %q", x.found[text], text)
		}
	}
}

// values are the verbs of a format by the value that they show.
func values(format string) []string {
	var all []string
	next := 0
	for _, part := range verb.FindAllStringSubmatch(format, -1) {
		if strings.HasSuffix(part[0], "%") {
			continue
		}
		next++
		if part[1] != "" {
			next = int(part[1][0] - '0')
		}
		all = append(all, strings.Repeat("#", next)+strings.TrimPrefix(part[0], "%["+part[1]+"]"))
	}
	for i, v := range all {
		all[i] = strings.ReplaceAll(v, "%", "")
	}
	slices.Sort(all)
	return all
}

func TestFor(t *testing.T) {
	f := func(want string, env ...string) {
		t.Helper()
		set := map[string]string{}
		for _, v := range env {
			name, value, _ := strings.Cut(v, "=")
			set[name] = value
		}
		if got := For(func(name string) string { return set[name] }).Carried(); got != want {
			t.Errorf("%q speaks %q, want %q", env, got, want)
		}
	}
	f("en")
	f("zh", "LANG=zh_CN.UTF-8")
	f("zh", "LANG=zh_TW.utf8")
	f("zh", "LANG=zh_CN")
	f("zh", "LC_ALL=zh_SG.UTF-8@pinyin", "LANG=en_US.UTF-8")
	f("zh", "LC_MESSAGES=zh_CN.UTF-8", "LANG=de_DE.UTF-8")
	f("en", "LC_ALL=C", "LANG=zh_CN.UTF-8")
	f("en", "LC_MESSAGES=en_GB.UTF-8", "LANG=zh_CN.UTF-8")
	f("en", "LANG=zh_CN.GB18030") // its terminal would not show what we write
	f("en", "LANG=zh-nothing-that-there-is-xxxxxxxxxxxx")
	f("zh", Variable+"=zh", "LC_ALL=C")
	f("en", Variable+"=en", "LC_ALL=zh_CN.UTF-8")
}

func TestSay(t *testing.T) {
	zh, en := Chinese(), Words{}
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(zh.Say("connecting to %s", "root@vps"), "正在连接 root@vps")
	f(en.Say("connecting to %s", "root@vps"), "connecting to root@vps")
	f(zh.Say("resumed at %.1f of %.1f MB", 1.25, 8000.0), "从断点继续：1.2 / 8000.0 MB")
	f(zh.Say("there is no such text of port %d", 8000), "there is no such text of port 8000")
	f(zh.Count(3, "step"), "3 个步骤")
	f(en.Count(3, "step"), "3 steps")
	f(en.Count(1, "step"), "1 step")
}

// What comes whole and in English, with values in it, is known again.
func TestText(t *testing.T) {
	zh := Chinese()
	f := func(english, want string) {
		t.Helper()
		if got := zh.Text(english); got != want {
			t.Errorf("%q\nis    %q\nwant  %q", english, got, want)
		}
		if got := (Words{}).Text(english); got != english {
			t.Errorf("%q is %q in English", english, got)
		}
	}
	f("start nginx", "start nginx") // not ours
	f("Go?", "开始吗？")
	f("100%", "100%")
	f("cannot connect to https://vps: i/o timeout\nhint: is the server up, and does its provider's firewall let that port in? on the server: gemini-manage status",
		"无法连接 https://vps：超时\n提示：服务器开着吗？服务商的防火墙放行了这个端口吗？在服务器上执行：gemini-manage status")
	f("the certificate of https://vps is for another name: x509", "https://vps 的证书属于另一个域名：x509")
	f("install nginx, ufw and 3 more", "安装 nginx, ufw and 3 more")
	f("write /etc/gemini-adapter/keys (3 keys)", "写入 /etc/gemini-adapter/keys（3 个密钥）")
	f("let TCP ports 80, 443 in, then turn ufw on", "放行 TCP 端口 80, 443，然后启用 ufw")
	f("set 7 kernel settings for many connections", "设置 7 项内核参数，以支持大量连接")
	f("nothing was changed: port 80, which Nginx needs, is held by apache2 (pid 12)\nhint: systemctl disable --now apache2   # its sites are off then; or use another server",
		"没有做任何改动：端口 80（Nginx 需要）被 apache2（pid 12）占用\n提示：systemctl disable --now apache2   # 其网站会停止服务；或换一台服务器")
	f("the deploy failed: something new: broke", "部署失败：something new: broke")
	f("Password of ann on vps", "vps 上用户 ann 的密码")
	f("That was not it (2 of 3). Password of ann for sudo", "密码不对（第 2 次，共 3 次）。用户 ann 的 sudo 密码")
	f("100% of nothing", "100% of nothing")
	f("install install install install install install install nginx", "安装 安装 安装 安装 安装 安装 install nginx")
	f("0 failures: out of quota for some models, back in 3h0m0s", "0 次失败：额度已用完（部分模型），3h0m0s 后恢复")
	f(strings.Repeat("install ", 5000), strings.Repeat("install ", 5000))
}

// Reports keep their columns, and what is not known.
func TestReport(t *testing.T) {
	status := `service     active, release 0.1.0-abc, up 3m5s
health      degraded
keys        1 active of 2
            0a1b-1111 (one)          active    1 request, 0 failures
requests    12 answered, 1 error, 0 open streams
certificate adapter.example.com, until 2027-01-02 03:04 UTC (63 days left)
problems    1 of 2 keys are active
            cure: gca keys test root@vps says why
`
	want := `服务        运行中，版本 0.1.0-abc，已运行 3m5s
健康        部分可用
密钥        活跃 1 个，共 2 个
            0a1b-1111 (one)          活跃      1 次请求，0 次失败
请求        已应答 12 次，1 个错误，0 个进行中的流
证书        adapter.example.com，有效至 2027-01-02 03:04 UTC（还剩 63 天）
问题        2 个密钥中有 1 个活跃
            解决办法：gca keys test root@vps says why
`
	if got := Chinese().Report(status, 12); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := (Words{}).Report(status, 12); got != status {
		t.Errorf("in English it is\n%s", got)
	}
	doctor := "! memory     the server has 512 MB of memory\n             with less than 1 GB, packages and many answers at once may find none left\n             cure: rent one with 1 GB or more\n"
	if got := Chinese().Report(doctor, 13); got != "! memory     服务器有 512 MB 内存\n             不足 1 GB 时，安装软件或同时回答很多请求可能会内存不足\n             解决办法：换一台至少 1 GB 内存的\n" {
		t.Errorf("got\n%s", got)
	}
}
