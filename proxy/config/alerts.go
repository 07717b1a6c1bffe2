package config

import (
	"fmt"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
)

// Alerts says who is told when something about a deployed adapter changes, and from when on. The adapter itself does not read
// it: `gemini-manage alerts` does, by a timer. A channel without an address is none.
type Alerts struct {
	SMTP     *url.URL // ALERT_SMTP_URL: smtp:// is STARTTLS, smtps:// TLS from the start; with user and password
	MailFrom string   // ALERT_MAIL_FROM: an address; the user of SMTP by default
	MailTo   []string // ALERT_MAIL_TO: addresses

	Webhook        *url.URL // ALERT_WEBHOOK_URL: gets JSON
	WebhookSecret  Secret   // ALERT_WEBHOOK_SECRET: signs that, where it is set
	Slack          *url.URL // ALERT_SLACK_URL: of an incoming webhook
	TelegramToken  Secret   // ALERT_TELEGRAM_TOKEN: of the bot
	TelegramChat   string   // ALERT_TELEGRAM_CHAT: number of a chat, or @name of a channel
	TelegramURL    *url.URL // ALERT_TELEGRAM_URL: of the bot API, or of what stands for it
	Feishu         *url.URL // ALERT_FEISHU_URL: of a custom bot; Lark's too
	FeishuSecret   Secret   // ALERT_FEISHU_SECRET: signs, where the bot wants that
	DingTalk       *url.URL // ALERT_DINGTALK_URL: of a custom robot
	DingTalkSecret Secret   // ALERT_DINGTALK_SECRET: signs, where the robot wants that

	MinKeys      int   // ALERT_MIN_KEYS: fewer active ones are told, 1 or more
	ErrorPercent int   // ALERT_ERROR_PERCENT: of the requests of ten minutes, 1 to 100
	CertDays     int   // ALERT_CERT_DAYS: left of the certificate, 1 or more
	DiskPercent  int   // ALERT_DISK_PERCENT: used of a disk, 1 to 100
	SpendMicro   int64 // ALERT_SPEND_USD: cost of a day in millionths of a US dollar, 0 is never
}

func defaultAlerts() Alerts {
	return Alerts{TelegramURL: &url.URL{Scheme: "https", Host: "api.telegram.org"}, MinKeys: 2, ErrorPercent: 20, CertDays: 14, DiskPercent: 90}
}

// alertSetter reads one ALERT_ setting.
type alertSetter struct {
	name   string
	secret bool // it is, or may hold, what lets others send in the owner's name
	set    func(*Alerts, string) error
	value  func(*Alerts) string // in the clear
}

// show is the value as anybody may see it: of a secret address where it leads, of another secret that it is set.
func (s alertSetter) show(a *Alerts) string {
	value := s.value(a)
	if !s.secret || value == "" {
		return value
	}
	if u, err := url.Parse(value); err == nil && u.Host != "" {
		return u.Scheme + "://" + u.Host + "/***"
	}
	return "***"
}

// alertSetters are in the order in which people look for them.
func alertSetters() []alertSetter {
	return []alertSetter{
		{"ALERT_SMTP_URL", true, func(a *Alerts, v string) error { return optionalLink(v, &a.SMTP, "smtp", "smtps") }, func(a *Alerts) string { return textOf(a.SMTP) }},
		{"ALERT_MAIL_FROM", false, func(a *Alerts, v string) error { return oneAddress(v, &a.MailFrom) }, func(a *Alerts) string { return a.MailFrom }},
		{"ALERT_MAIL_TO", false, func(a *Alerts, v string) error { return addresses(v, &a.MailTo) }, func(a *Alerts) string { return strings.Join(a.MailTo, ",") }},
		{"ALERT_WEBHOOK_URL", true, func(a *Alerts, v string) error { return optionalLink(v, &a.Webhook, "https", "http") }, func(a *Alerts) string { return textOf(a.Webhook) }},
		{"ALERT_WEBHOOK_SECRET", true, func(a *Alerts, v string) error { return secretText(v, &a.WebhookSecret) }, func(a *Alerts) string { return a.WebhookSecret.value }},
		{"ALERT_SLACK_URL", true, func(a *Alerts, v string) error { return optionalLink(v, &a.Slack, "https", "http") }, func(a *Alerts) string { return textOf(a.Slack) }},
		{"ALERT_TELEGRAM_TOKEN", true, func(a *Alerts, v string) error { return secretText(v, &a.TelegramToken) }, func(a *Alerts) string { return a.TelegramToken.value }},
		{"ALERT_TELEGRAM_CHAT", false, func(a *Alerts, v string) error { return chat(v, &a.TelegramChat) }, func(a *Alerts) string { return a.TelegramChat }},
		{"ALERT_TELEGRAM_URL", false, func(a *Alerts, v string) error { return link(v, &a.TelegramURL, "https", "http") }, func(a *Alerts) string { return showURL(a.TelegramURL) }},
		{"ALERT_FEISHU_URL", true, func(a *Alerts, v string) error { return optionalLink(v, &a.Feishu, "https", "http") }, func(a *Alerts) string { return textOf(a.Feishu) }},
		{"ALERT_FEISHU_SECRET", true, func(a *Alerts, v string) error { return secretText(v, &a.FeishuSecret) }, func(a *Alerts) string { return a.FeishuSecret.value }},
		{"ALERT_DINGTALK_URL", true, func(a *Alerts, v string) error { return optionalLink(v, &a.DingTalk, "https", "http") }, func(a *Alerts) string { return textOf(a.DingTalk) }},
		{"ALERT_DINGTALK_SECRET", true, func(a *Alerts, v string) error { return secretText(v, &a.DingTalkSecret) }, func(a *Alerts) string { return a.DingTalkSecret.value }},
		{"ALERT_MIN_KEYS", false, func(a *Alerts, v string) error { return whole(v, 1, 10_000, &a.MinKeys) }, func(a *Alerts) string { return strconv.Itoa(a.MinKeys) }},
		{"ALERT_ERROR_PERCENT", false, func(a *Alerts, v string) error { return whole(v, 1, 100, &a.ErrorPercent) }, func(a *Alerts) string { return strconv.Itoa(a.ErrorPercent) }},
		{"ALERT_CERT_DAYS", false, func(a *Alerts, v string) error { return whole(v, 1, 365, &a.CertDays) }, func(a *Alerts) string { return strconv.Itoa(a.CertDays) }},
		{"ALERT_DISK_PERCENT", false, func(a *Alerts, v string) error { return whole(v, 1, 100, &a.DiskPercent) }, func(a *Alerts) string { return strconv.Itoa(a.DiskPercent) }},
		{"ALERT_SPEND_USD", false, func(a *Alerts, v string) error { return spend(v, &a.SpendMicro) }, func(a *Alerts) string { return strconv.FormatFloat(float64(a.SpendMicro)/1e6, 'f', -1, 64) }},
	}
}

// findAlert is the setter of an ALERT_ setting.
func findAlert(name string) (alertSetter, bool) {
	for _, s := range alertSetters() {
		if s.name == name {
			return s, true
		}
	}
	return alertSetter{}, false
}

// setAlert is the entry in setters for an ALERT_ setting.
func setAlert(name string) func(*Config, string) error {
	return func(c *Config, v string) error {
		s, _ := findAlert(name)
		return s.set(&c.Alerts, v)
	}
}

func optionalLink(v string, dst **url.URL, schemes ...string) error {
	if v == "" {
		*dst = nil
		return nil
	}
	return link(v, dst, schemes...)
}

// secretText takes a secret of one word; it is never part of the error.
func secretText(v string, dst *Secret) error {
	if err := checkSecret(v); err != nil {
		return fmt.Errorf(": it %w", err)
	}
	*dst = NewSecret(v)
	return nil
}

func oneAddress(v string, dst *string) error {
	var all []string
	err := addresses(v, &all)
	if err == nil && len(all) > 1 {
		err = fmt.Errorf("=%q: expected one address", v)
	}
	*dst = strings.Join(all, "")
	return err
}

func addresses(v string, dst *[]string) error {
	*dst = nil
	if v == "" {
		return nil
	}
	list, err := mail.ParseAddressList(v)
	if err != nil {
		return fmt.Errorf("=%q: expected mail addresses such as you@example.com, commas between", v)
	}
	for _, a := range list {
		*dst = append(*dst, a.Address)
	}
	return nil
}

func chat(v string, dst *string) error {
	_, err := strconv.ParseInt(v, 10, 64)
	if v != "" && err != nil && (v[0] != '@' || !isLabel(v)) {
		return fmt.Errorf("=%q: expected the number of a chat, such as -1001234567890, or a channel's @name", v)
	}
	*dst = v
	return nil
}

func spend(v string, dst *int64) error {
	if v == "0" || v == "" {
		*dst = 0
		return nil
	}
	micro, err := dollars("ALERT_SPEND_USD", v)
	if err != nil {
		return fmt.Errorf("=%q: expected US dollars, such as 5 or 0.50; 0 is never", v)
	}
	*dst = micro
	return nil
}

func textOf(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.String()
}

// Secrets are the texts that no message and no report may hold: what signs, and the parts of addresses beyond the host.
func (a *Alerts) Secrets() []string {
	var all []string
	for _, s := range []Secret{a.WebhookSecret, a.TelegramToken, a.FeishuSecret, a.DingTalkSecret} {
		all = append(all, s.value)
	}
	for _, u := range []*url.URL{a.SMTP, a.Webhook, a.Slack, a.Feishu, a.DingTalk, a.TelegramURL} {
		if u == nil {
			continue
		}
		if password, set := u.User.Password(); set {
			all = append(all, password)
		}
		if rest := strings.TrimPrefix(u.RequestURI(), "/"); len(rest) >= leastSecret {
			all = append(all, rest)
		}
	}
	return nonEmpty(all)
}

// leastSecret is how long a path is that can be a secret.
const leastSecret = 8

func nonEmpty(all []string) []string {
	var kept []string
	for _, s := range all {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}
