package main

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/manage/alerts"
	"github.com/gemini-claude-adapter/gca/manage/locale"
	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// typedWords are what stays as it is in every language: names, and what is typed.
var typedWords = regexp.MustCompile(`(sudo )?gemini-manage( [a-z-]+)*|(sudo )?systemctl( --?[a-z]+| [a-z-]+)*( [a-z-]+\.(timer|service))?|gemini-adapter[a-z-]*(\.[a-z]+)?|[a-z0-9]+@[a-z.]+|MODEL_FALLBACK|` +
	`gca [a-z]+ --domain NAME HOST|gca upgrade [a-z -]*|apt-get update|libssl3|linux-image-2|keys remove|journalctl [^（]*|HTTP|https?://\S+|Gemini|Google|Nginx|gpt-\S+|gemini-\S+|[a-z0-9]{4,8}-[a-z0-9]{4}\b|[a-z.]*\.example\.com|UTC|(\d+[hms]+)+|[MG]B|\(one\)|\(bob\)|few-keys|inactive（dead）|auto-restart|/\S+|\S+\.tar\.gz|0\.1\.0-\S+|ALERT_\S+( ALERT_\S+)?|telegram|webhook|mail`)

// A report speaks the person's language alone, whatever is wrong.
func TestReport_Chinese(t *testing.T) {
	f := func(name string, print func(io.Writer) error, wants ...string) {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := printReport(&streams{out: &out, lang: locale.Chinese()}, print); err != nil {
				t.Fatal(err)
			}
			wantText(t, out.String(), wants...)
			for line := range strings.Lines(out.String()) {
				if left := regexp.MustCompile(`[A-Za-z]{2,}`).FindString(typedWords.ReplaceAllString(line, "")); left != "" {
					t.Errorf("%q is English in: %s", left, line)
				}
			}
		})
	}
	report := func(r manage.Report) func(io.Writer) error {
		return func(w io.Writer) error { return r.Print(w, noon) }
	}
	f("all well", report(manage.Report{State: "active", Release: "0.1.0-abcdef012345", Health: "healthy", Active: 3, Total: 3,
		Adapter: &control.Status{Started: noon.Add(-3 * time.Hour), Requests: 12, Errors: 1, OpenStreams: 2, Keys: []control.Key{
			{ID: "0a1b2c3d-1111", Label: "one", State: "active", Requests: 1}, {ID: "1a1b2c3d-2222", State: "active", Requests: 4, Failures: 1}}},
		Certificate: &manage.CertReport{Name: "adapter.example.com", NotAfter: noon.Add(1000 * time.Hour)},
		Recent:      &manage.Recent{Seconds: 600, Requests: 12, Errors: 0, TTFTMS: 612},
		Backup:      &manage.LastBackup{Made: noon.Add(-7 * time.Hour), File: "gca-tokyo-20261130T050000Z.tar.gz", Size: 3_200_000},
		Room:        manage.Room{Disks: []manage.DiskRoom{{Path: "/", Total: 40 << 30, Free: 30 << 30}}, Memory: &manage.MemoryRoom{Total: 2 << 30, Available: 1 << 30}},
		Alerts:      &manage.AlertsReport{Channels: []alerts.Line{{Channel: "telegram"}, {Channel: "webhook"}}}}),
		"            0a1b2c3d-1111 (one)      活跃      1 次请求，0 次失败\n", "最近        最近 10 分钟内 12 次请求，0 个错误，612ms 后出现首字\n",
		"备份        7 小时前，3.2 MB，文件 gca-tokyo", "机器        / 已用 25%，剩余 30.0 GB；内存剩余 1.0 GB，共 2.0 GB\n", "告警        经 telegram, webhook 通知\n")
	resting := noon.Add(3 * time.Minute)
	keys := []control.Key{
		{ID: "0a1b2c3d-1111", State: "resting", Reason: "rate limited", Until: resting, Requests: 9, Failures: 3},
		{ID: "1a1b2c3d-2222", Label: "bob", State: "disabled", Reason: "reported as leaked", Requests: 1, Failures: 1},
		{ID: "2a1b2c3d-3333", State: "active", Reason: "out of quota for some models", Until: resting, Requests: 2},
		{ID: "3a1b2c3d-4444", State: "active", Reason: "without a model that Google lists"},
	}
	f("nothing well", report(manage.Report{State: "active", Release: "0.1.0-abcdef012345", Handover: true, Health: "degraded", Active: 1, Total: 3,
		Adapter: &control.Status{Started: noon.Add(-time.Minute), Requests: 1, Waiting: 3, Saved: 1, Fallbacks: 2, Keys: append(keys, make([]control.Key, 16)...)},
		Ending:  &control.Status{OpenStreams: 1}, Certificate: &manage.CertReport{},
		Recent: &manage.Recent{Seconds: 30, Requests: 1, Errors: 1}, Backup: &manage.LastBackup{},
		Room:   manage.Room{Disks: []manage.DiskRoom{{Path: "/", Total: 40 << 30, Free: 30 << 30}, {Path: "/var", Total: 9 << 30, Free: 1 << 20}}},
		Alerts: &manage.AlertsReport{Rules: []manage.AlertRule{{Rule: alerts.FewKeys, Firing: true}}},
		Problems: []manage.Problem{
			{What: "1 of 3 keys are active", Cure: "gemini-manage keys test says why; gemini-manage keys add, then keys remove, replaces it"},
			{What: "gemini-adapter.service does not start (auto-restart); the adapter that stood in for it during the restart goes on serving", Cure: "gemini-manage error-logs says why; mend that, then: gemini-manage restart"},
			{What: "the backup of 2026-11-29 02:14 UTC failed: /var/backups/x; the last good one is of 2026-11-28 02:14 UTC (2 days ago)", Cure: "sudo gemini-manage backup"},
			{What: "today's quota of gemini-3.8-flash is used up (250 requests); it begins anew at 08:00 UTC", Cure: "gemini-manage keys add, with a key of another Google project; or MODEL_FALLBACK"},
			{What: "nobody is alerted: the last look was 3 hours ago", Cure: "journalctl -u gemini-adapter-alerts -n 20"},
		}}),
		"冷却中    9 次请求，3 次失败：请求过快，\n            3m0s 后恢复\n", "已停用    1 次请求，1 次失败：已被举报泄露\n", "活跃      2 次请求，0 次失败：\n            额度已用完（部分模型），3m0s 后恢复\n",
		"还有 4 个密钥：gemini-manage keys list\n", "1 次失败客户端没有察觉", "进行中：旧的不再接收新请求，尚余 1 个进行中的流\n", "证书        没有：明文 HTTP", "备份        还没有\n", "告警        没有人会收到：没有设置任何渠道；正在告警：few-keys\n")
	f("alerts", func(w io.Writer) error {
		return (&manage.AlertsReport{Checked: noon.Add(-30 * time.Second), Timer: "active", Rules: []manage.AlertRule{{Rule: alerts.FewKeys, Firing: true, Since: noon}, {Rule: alerts.FewKeys, Since: noon}},
			Channels: []alerts.Line{{Channel: "telegram"}, {Channel: "webhook", Sent: noon}, {Channel: "mail", Problem: "no", Since: noon, Next: noon, Queue: make([]alerts.Notice, 2)}}}).Print(w, noon)
	}, "上次检查    不到一分钟前；每两分钟一次（计时器 活跃）\n", "渠道        telegram     还没有发送过\n", "2 条待发")
	f("updates", func(w io.Writer) error {
		return (&manage.UpdateReport{Pending: []string{"libssl3"}, Updated: []converge.PackageChange{{Name: "libssl3", From: "3.0.1", To: "3.0.2"}, {Name: "linux-image-2", To: "6.1"}},
			Unread: "http://127.0.0.1:9/", Backup: "/var/backups/x.tar.gz", Reboot: converge.Reboot{Required: true, By: []string{"linux-image-2"}}}).Print(w, "root@vps.example.com")
	}, "待安装      1 个安全更新：libssl3\n", "            linux-image-2 6.1，新装\n", "重新开机    需要，因为 linux-image-2\n")
	f("for a plain user", report(manage.Report{State: "active", Release: "0.1.0-abcdef012345", Health: "healthy", Active: 3, Total: 3}), "密钥        活跃 3 个，共 3 个\n", "只有管理员登录才看得到")
	f("stopped", report(manage.Report{State: "inactive", Release: "0.1.0-abcdef012345", Problems: []manage.Problem{{What: "the service is inactive (dead)", Cure: "sudo gemini-manage start"}}}), "服务        未运行，版本 0.1.0-abcdef012345\n")
}

// A command is to be copied, so no line is broken within one.
func TestReport_Commands(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		var out bytes.Buffer
		err := printReport(&streams{out: &out, target: "login@10.77.181.2"}, func(w io.Writer) error {
			_, err := io.WriteString(w, line)
			return err
		})
		if err != nil || out.String() != want {
			t.Errorf("got\n%swant\n%s%v", &out, want, err)
		}
	}
	const indent = "            "
	words := indent + strings.Repeat("x ", 24)
	f(words+"see: gemini-manage keys list\n", words[:len(words)-1]+" see:\n"+indent+"gca keys list login@10.77.181.2\n")
	f(words+"see: sudo gemini-manage status\n", words[:len(words)-1]+" see:\n"+indent+"ssh -t login@10.77.181.2 sudo gemini-manage status\n")
	f(words+"see: gemini-manage cert renew now\n", words[:len(words)-1]+" see:\n"+indent+"gca cert renew login@10.77.181.2 now\n")
}

// Lines fit a screen of 80 columns, but for cures, which are to be copied, and name the commands of who asked.
func TestReport_Folded(t *testing.T) {
	cure := "sudo gemini-manage keys add " + strings.Repeat("x ", 50) + "x"
	r := manage.Report{State: "active", Release: "0.1.0-abcdef012345", Problems: []manage.Problem{
		{What: "gemini-adapter.service does not start (failed); the adapter that stood in for it during the restart goes on serving", Cure: cure}}}
	f := func(lang locale.Words, want string) {
		t.Helper()
		var out bytes.Buffer
		if err := printReport(&streams{out: &out, lang: lang, target: "root@vps"}, func(w io.Writer) error { return r.Print(w, noon) }); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("got\n%swant\n%s", &out, want)
		}
	}
	cure = strings.Replace(cure, "sudo gemini-manage keys add", "gca keys add root@vps", 1)
	f(locale.Words{}, `service     active, release 0.1.0-abcdef012345
            keys and traffic are left out: only a login that may become root
            sees them
            cure: ssh -t root@vps sudo gemini-manage status
problems    gemini-adapter.service does not start (failed); the adapter that
            stood in for it during the restart goes on serving
            cure: `+cure+"\n")
	f(locale.Chinese(), `服务        运行中，版本 0.1.0-abcdef012345
            没有列出密钥和流量：只有管理员登录才看得到
            解决办法：ssh -t root@vps sudo gemini-manage status
问题        gemini-adapter.service 启动不了（failed）；
            重启期间顶替它的适配器继续提供服务
            解决办法：`+cure+"\n")
}
